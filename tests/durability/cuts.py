"""Records what a store writes, cuts the power after every write, sync and renaming, and reads what is left."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import sqlcipher3

from qpqcore.store.connection import connect
from qpqcore.store.errors import DatabaseError
from tests.durability import disk
from tests.durability.writer import CHANNEL, payload

HERE = Path(__file__).parent
SEED = 7
DATABASES = {"server": "delivery.db", "large": "delivery.db", "client": "client.db"}
KEYS = {"server": "db.key", "large": "db.key", "client": "key"}
NOT_KEPT = ("-shm", "lock", "acks")
"""What a store makes anew at each start; and what the test itself writes."""
RECORD_SECONDS_MAX = 300
TOLD = (
    "SELECT log_number FROM entries WHERE device = x'626f62' AND kind = 0 "
    "UNION ALL SELECT log_number FROM outbox WHERE kind = 0 AND told < x'626f62'"
)
"""What Bob's mailbox has, and what is noted for him."""


@dataclass(slots=True)
class Outcome:
    """What all cuts of one trace left."""

    what: str
    acknowledged: int = 0
    points: int = 0
    """Moments at which the power was cut."""
    cuts: int = 0
    """Disks that were read: several of each moment."""
    lost: int = 0
    """Acknowledged writes that were missing, over all cuts."""
    broken: int = 0
    """Databases that were not whole."""

    def line(self) -> str:
        """Return it in one line."""
        return (
            f"{self.what}: acknowledged {self.acknowledged}, cut at {self.points} points in {self.cuts} ways, "
            f"acknowledged and lost {self.lost}, databases not whole {self.broken}"
        )


def compiled(folder: Path) -> Path:
    """Return the recorder as a library."""
    library = folder / "recorder.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "recorder.c", "-ldl", "-lpthread"], check=True
    )
    return library


def record(library: Path, root: Path, what: str, count: int, how: str) -> list[tuple[str, str, int, bytes]]:
    """Let a store write below `root`; return the trace, and leave its key where `keys_of` finds it."""
    folder, trace = root / "watched", root / "trace"
    folder.mkdir()
    environment = {
        **os.environ, "LD_PRELOAD": str(library), "QPQ_TRACE_FOLDER": str(folder), "QPQ_TRACE_FILE": str(trace),
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "tests.durability.writer", what, folder, str(count), how], env=environment, check=True,
        timeout=RECORD_SECONDS_MAX, cwd=HERE.parent.parent,
    )  # fmt: skip
    return list(disk.read_trace(trace, folder))


def secrets_in(files: dict[str, bytes]) -> set[int] | None:
    """Return which secrets are there after a cut; None if one is there in part."""
    found = {int(name[7:]): content for name, content in files.items() if not name.endswith(".part")}
    return set(found) if all(content == payload(number) for number, content in found.items()) else None


def found_in(what: str, files: dict[str, bytes], sealed: bytes, key: bytes, folder: Path) -> set[int] | None:
    """Return which writes are readable after a cut; None if the database is not whole."""
    if what == "secrets":
        return secrets_in(files)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    path = folder / DATABASES[what]
    if files.get(KEYS[what]) != sealed or not files.get(path.name):
        return set()  # nobody reads it without its key: what was acknowledged is lost
    try:
        connection = connect(path, key)
        try:
            return _read(what, connection)
        finally:
            connection.close()
    except (DatabaseError, sqlcipher3.DatabaseError):
        return None


def _read(what: str, connection) -> set[int] | None:
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        return None
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name IN ('outbox', 'meta')").fetchone():
        return set()
    if what in {"server", "large"}:
        rows = connection.execute("SELECT payload FROM log WHERE channel = ? AND kind = 0", (CHANNEL,)).fetchall()
        numbers = {int(data[:6]) for (data,) in rows}
        assert all(data == payload(int(data[:6])) for (data,) in rows)
        told = connection.execute(TOLD).fetchall()
        assert len(told) == len(set(told)) == len(numbers)  # each once: in the mailbox, or on the way there
        return numbers
    rows = connection.execute("SELECT name, value FROM meta WHERE name LIKE 'message %'").fetchall()
    position = connection.execute("SELECT value FROM meta WHERE name = 'position'").fetchone()
    assert len(rows) == (int.from_bytes(position[0], "big") if position else 0)
    return {int(name[8:]) for name, value in rows if value == payload(int(name[8:]))}


def judge(what: str, root: Path, trace: list[tuple[str, str, int, bytes]]) -> Outcome:
    """Cut after every record of a trace, in two or three of the ways in turn."""
    dice = random.Random(SEED)
    outcome, now, acked = Outcome(what), disk.Disk(), set()
    watched = root / "watched"
    sealed, key = (
        ((watched / KEYS[what]).read_bytes(), (watched / "opened.key").read_bytes()) if what in KEYS else (b"", b"")
    )
    ways = (
        (disk.NOTHING, disk.some_sectors(dice)),
        (disk.NOTHING, disk.some_writes(dice)),
        (disk.EVERYTHING, disk.torn(), disk.some_sectors(dice)),
    )
    for operation, name, offset, data in trace:
        if name == "acks":
            acked.add(int(data))
            continue
        if name.endswith(NOT_KEPT) or name == "opened.key":
            continue
        now.take(operation, name, offset, data)
        for cut in ways[outcome.points % len(ways)]:
            with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
                found = found_in(what, now.after(cut), sealed, key, Path(folder))
            outcome.cuts += 1
            outcome.broken += found is None
            outcome.lost += len(acked - found) if found is not None else 0
        outcome.points += 1
    outcome.acknowledged = len(acked)
    return outcome
