"""The audit log: what was changed, dropped, moved, cut off or written anew shows, in a file and in PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import asyncpg
import pytest

from qpqserver.operating.audit import LINE_BYTES_MAX, AuditBroken, checked, sealed
from qpqserver.operating.audit_file import FileLog
from qpqserver.operating.audit_postgres import PostgresLog


class InFile:
    def __init__(self, folder):
        self.log, self._path = FileLog(folder), folder / "audit.log"

    def lines(self):
        return self._path.read_text().splitlines()

    def write(self, lines):
        self._path.write_text("".join(line + "\n" for line in lines))


class InPostgres:
    def __init__(self, url):
        self.log, self._url = PostgresLog(url), url

    def _do(self, body):
        async def run():
            connection = await asyncpg.connect(self._url)
            try:
                return await body(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    def lines(self):
        return [r[0] for r in self._do(lambda c: c.fetch("SELECT line FROM qpqctl.audit ORDER BY number"))]

    def write(self, lines):
        async def body(c):
            await c.execute("DELETE FROM qpqctl.audit")
            for number, line in enumerate(lines, 1):
                await c.execute("INSERT INTO qpqctl.audit VALUES ($1, $2)", number, line)

        self._do(body)


@pytest.fixture(params=["file", "postgres"])
def kept(request, tmp_path):
    if request.param == "file":
        return InFile(tmp_path)
    return InPostgres(request.getfixturevalue("fresh_postgres"))


def filled(kept):
    assert list(checked(kept.log.entries())) == []
    for number in range(2):
        begun = kept.log.append("root", "user suspend", (f"alice{number}",), "begun")
        kept.log.append("root", "user suspend", (), "done", of=begun.number)
    return kept.lines()


def test_entries_follow_each_other(kept):
    filled(kept)
    entries = list(checked(kept.log.entries()))
    assert [(e.number, e.outcome, e.of, e.typed) for e in entries] == [
        (1, "begun", 0, ("alice0",)), (2, "done", 1, ()), (3, "begun", 0, ("alice1",)), (4, "done", 3, ()),
    ]  # fmt: skip
    assert list(checked(kept.log.entries(), {4: entries[-1].hash}))


def altered(lines):
    return [lines[0], lines[1], lines[2].replace("alice1", "mallory"), lines[3]]


def altered_well(lines):
    """Changed together with its hash, so that the next one does not follow any more."""
    from qpqserver.operating.audit import read

    return [lines[0], lines[1], sealed(replace(read(lines[2]), operator="nobody")).line(), lines[3]]


SPOILT = {
    "altered": (altered, "entry 3 was changed"),
    "altered with its hash": (altered_well, "entry 4 does not follow"),
    "dropped": (lambda lines: [lines[0], *lines[2:]], "entry 2 is missing"),
    "moved": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "entry 2 is missing"),
    "no first one": (lambda lines: lines[1:], "entry 1 is missing"),
    "nonsense": (lambda lines: [lines[0], "[1]", *lines[2:]], "cannot be read"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_was_done_to_it_shows(kept, how):
    spoil, said = SPOILT[how]
    kept.write(spoil(filled(kept)))
    with pytest.raises(AuditBroken, match=said):
        list(checked(kept.log.entries()))


def test_a_log_cut_off_or_written_anew_shows_to_who_noted_its_end(kept):
    lines = filled(kept)
    noted = {4: json.loads(lines[3])["hash"]}
    kept.write(lines[:3])
    assert len(list(checked(kept.log.entries()))) == 3, "by itself it does not show"
    with pytest.raises(AuditBroken, match="entry 4 was noted and is missing"):
        list(checked(kept.log.entries(), noted))
    kept.log.append("root", "user suspend", ("bob",), "begun")
    with pytest.raises(AuditBroken, match="entry 4 is another one"):
        list(checked(kept.log.entries(), noted))


def test_what_a_crash_left_of_an_entry_is_taken_away(tmp_path):
    kept = InFile(tmp_path)
    filled(kept)
    for cut in (1, 100):
        with (tmp_path / "audit.log").open("ab") as file:
            file.write(b'{"number": 5, "operator": "'[:cut] + b"x" * (cut - 1))
        assert len(list(checked(kept.log.entries()))) == 4
    kept.log.append("root", "session end", (), "begun")
    assert [e.number for e in checked(kept.log.entries())] == [1, 2, 3, 4, 5]


def test_words_have_a_limit_so_that_the_last_line_can_be_found(kept):
    kept.log.append("o" * 100_000, "a", ("w" * 100_000,), "begun")
    assert len(kept.lines()[0]) < LINE_BYTES_MAX
    kept.log.append("root", "b", (), "begun")
    assert len(list(checked(kept.log.entries()))) == 2
