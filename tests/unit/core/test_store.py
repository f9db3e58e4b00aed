"""The SQLCipher store: group commit, one refusal alone, keys, locks, newer schemas, full disks, kills."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlcipher3.dbapi2
import structlog
import trio
import trio.testing

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store import connection, erasing, keyed, migrations, waits
from qpqcore.store.database import ERASE_MS, open_database
from qpqcore.store.errors import DatabaseBusy, DatabaseTooNew, DatabaseUnreadable
from qpqcore.store.migrations import Migration, migrations_of
from tests.oracle.traces import pages

KEY = b"k" * 32
WIDE = [Migration(1, "CREATE TABLE wide (name BLOB, key BLOB, data BLOB, PRIMARY KEY (name, key)) WITHOUT ROWID;")]
ONE = [Migration(1, "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB);" + keyed.KEYED_DDL)]


def add(number):
    return lambda c: c.execute("INSERT INTO t VALUES (?, x'00')", (number,)).rowcount


def count(c):
    return c.execute("SELECT count(*) FROM t").fetchone()[0]


def test_bytes_and_nothing_are_bound_as_they_are_and_without_a_search_for_adapters():
    with closing(connection.connect(None, KEY, shared_name="bound")) as c:
        row = c.execute("SELECT ?, ?, ?, typeof(?), typeof(?)", (b"\0x", b"", None, b"", None)).fetchone()
    assert tuple(row) == (b"\0x", b"", None, "blob", "null")
    for kind in (bytes, type(None)):  # else each costs two exceptions inside the driver
        assert (kind, sqlcipher3.dbapi2.PrepareProtocol) in sqlcipher3.dbapi2.adapters


async def test_writes_that_wait_together_share_a_commit(tmp_path):
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(db.write, add(number))
        assert await db.read(count) == 200
        assert db.statistics.commits < 100


async def test_one_refusal_undoes_itself_alone(tmp_path):
    refused = []

    async def attempt(db, number):
        def body(c):
            add(number)(c)
            if number % 10 == 0:
                raise Refusal(ErrorCode.CHANNEL_LIMIT)

        try:
            await db.write(body)
        except Refusal as no:
            refused.append(no.code)

    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(attempt, db, number)
        assert await db.read(count) == 90
    assert refused == [ErrorCode.CHANNEL_LIMIT] * 10


async def test_a_number_that_no_column_holds_is_the_callers_mistake(tmp_path):
    """The wire's numbers have 64 bits without a sign, SQLite's integers 64 with one."""
    async with open_database(tmp_path / "x.db", KEY, ONE) as db, open_database(None, KEY, ONE) as inline:
        for each in (db, inline):
            for call, body in ((each.write, add(1 << 63)), (each.read, lambda c: c.execute("SELECT ?", (1 << 63,)))):
                with pytest.raises(Refusal) as no:
                    await call(body)
                assert no.value.code is ErrorCode.MALFORMED
            await each.write(add((1 << 63) - 1))


async def test_the_wrong_key_a_second_process_and_a_newer_schema_are_told(tmp_path):
    path = tmp_path / "x.db"
    async with open_database(path, KEY, ONE) as db:
        await db.write(add(1))
        with pytest.raises(DatabaseBusy):
            async with open_database(path, KEY, ONE):
                raise AssertionError("opened twice")
    with pytest.raises(DatabaseUnreadable):
        async with open_database(path, b"x" * 32, ONE):
            raise AssertionError("opened with another key")
    two = [*ONE, Migration(2, "CREATE TABLE u (a INTEGER);")]
    async with open_database(path, KEY, two) as db:
        assert await db.read(count) == 1
    assert (tmp_path / "x.db.before-2").exists()
    with pytest.raises(DatabaseTooNew):
        async with open_database(path, KEY, ONE):
            raise AssertionError("opened a newer schema")
    assert b"CREATE TABLE" not in path.read_bytes()


async def test_a_database_whose_tables_are_not_of_its_version_is_told_and_left_as_it_is(tmp_path):
    path = tmp_path / "x.db"
    two = [*ONE, Migration(2, "CREATE TABLE u (a INTEGER);")]
    async with open_database(path, KEY, two) as db:
        await db.write(add(1))
        await db.write(lambda c: c.execute("PRAGMA user_version = 1"))
    with pytest.raises(DatabaseUnreadable, match="schema 2"):
        async with open_database(path, KEY, two):
            raise AssertionError("opened")
    async with open_database(path, KEY, ONE) as db:
        assert await db.read(count) == 1


async def test_a_full_disk_is_refused_and_the_store_goes_on(tmp_path):
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        await db.write(lambda c: c.execute("PRAGMA max_page_count = 40").fetchone())
        with pytest.raises(Refusal) as refused:
            for number in range(1_000):
                await db.write(lambda c, n=number: c.execute("INSERT INTO t VALUES (?, zeroblob(8000))", (n,)).rowcount)
        assert refused.value.code is ErrorCode.STORAGE_FULL
        await db.write(lambda c: c.execute("PRAGMA max_page_count = 4000").fetchone())
        await db.write(add(5_000))


async def test_a_cancelled_write_that_still_waits_is_not_run(tmp_path):
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        with trio.CancelScope() as scope:
            scope.cancel()
            await db.write(add(1))
        assert await db.read(count) == 0


async def test_a_write_that_has_begun_ends_for_its_caller_too(tmp_path):
    """Who is cancelled while it runs goes on with what came of it: what follows from a commit is done."""
    begun, go_on, results = threading.Event(), threading.Event(), []

    def body(c):
        begun.set()
        assert go_on.wait(10)
        return add(1)(c)

    async with open_database(tmp_path / "x.db", KEY, ONE) as db:

        async def caller():
            results.append(await db.write(body))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await trio.to_thread.run_sync(begun.wait)
            nursery.cancel_scope.cancel()
            go_on.set()
        assert results == [1]
        assert await db.read(count) == 1


async def test_an_idempotency_key_repeats_the_reply_and_refuses_another_request(tmp_path):
    def call(c, request, reply):
        earlier = keyed.replay(c, b"me", 1, b"k" * 16, request)
        if earlier is not None:
            return earlier
        keyed.remember(c, b"me", 1, b"k" * 16, request, reply, 0)
        return reply

    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        assert await db.write(lambda c: call(c, b"ask", b"first")) == b"first"
        assert await db.write(lambda c: call(c, b"ask", b"second")) == b"first"
        with pytest.raises(Refusal) as refused:
            await db.write(lambda c: call(c, b"other", b"x"))
        assert refused.value.code is ErrorCode.IDEMPOTENCY_MISMATCH
        assert await db.write(lambda c: keyed.prune(c, keyed.KEPT_MS + 1)) == 1


async def test_a_remembered_reply_is_read_by_who_has_its_key(tmp_path):
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        await db.write(lambda c: keyed.remember(c, b"me", 1, b"k" * 16, b"ask", b"who has gone since", 0))
        rows = repr(await db.read(lambda c: c.execute("SELECT * FROM keyed").fetchall())).encode()
        assert b"who has gone" not in rows
        assert b"k" * 16 not in rows
        assert await db.read(lambda c: keyed.replay(c, b"me", 1, b"k" * 16, b"ask")) == b"who has gone since"


async def test_what_is_erased_stands_in_no_page_of_any_file(tmp_path):
    """Deleted, it is in no row; its page is in the write-ahead log as it was, until it is erased."""
    secret, lives = b"a secret of forty bytes, to be erased ...", tmp_path / "lives"

    def found(folder):
        return {f.name for f in folder.glob("x.db*") if any(secret in page for page in pages(f, KEY))}

    async with open_database(lives / "x.db", KEY, ONE) as db:
        await db.write(lambda c: c.execute("INSERT INTO t VALUES (1, ?)", (secret,)).rowcount)
        await db.write(lambda c: c.execute("DELETE FROM t").rowcount)
        assert found(lives) == {"x.db-wal"}
        died = shutil.copytree(lives, tmp_path / "died")
        await db.erase()
        assert found(lives) == set()
        assert await db.read(count) == 0
    assert found(died) == {"x.db-wal"}
    async with open_database(died / "x.db", KEY, ONE):  # what died before it could erase is erased at the next start
        assert found(died) == set()


async def test_what_goes_by_its_time_is_erased_now_and_then(tmp_path, monkeypatch):
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        erase, times, full = db.erase, [], [False]

        async def noted():
            times.append(now)
            if full[0]:
                raise Refusal(ErrorCode.STORAGE_FULL, "no room")
            await erase()

        monkeypatch.setattr(db, "erase", noted)
        for now, gone in (
            (0, False),
            (1, True),
            (2, True),
            (ERASE_MS, False),
            (ERASE_MS + 1, False),
            (9 * ERASE_MS, False),
        ):
            await db.erase_in_time(now, gone=gone)
        assert times == [1, ERASE_MS + 1], "at once, then for all that went meanwhile, then for nothing"
        full[0] = True
        for now in (20 * ERASE_MS, 21 * ERASE_MS):
            await db.erase_in_time(now, gone=now == 20 * ERASE_MS)
        full[0] = False
        now = 22 * ERASE_MS
        await db.erase_in_time(now, gone=False)
        assert times[2:] == [20 * ERASE_MS, 21 * ERASE_MS, 22 * ERASE_MS], "on a full disk it is tried again"


@pytest.mark.parametrize("error", [RuntimeError("a fault"), Refusal(ErrorCode.OVERLOADED, "too much waits"), None])
async def test_what_could_not_be_erased_in_time_is_erased_the_next_time(tmp_path, monkeypatch, error):
    """Whatever was in the way: a fault, many who write, or a caller who gave up (None)."""
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        erase, times = db.erase, []

        async def fails():
            if error is not None:
                raise error
            await trio.sleep_forever()

        async def noted():
            times.append(now)
            await erase()

        monkeypatch.setattr(db, "erase", fails)
        with trio.move_on_after(0.01), suppress(RuntimeError, Refusal):
            await db.erase_in_time(1, gone=True)
        monkeypatch.setattr(db, "erase", noted)
        now = 1 + ERASE_MS
        await db.erase_in_time(now, gone=False)
        assert times == [now]


def come_and_go(dice, gone):
    """Return a body that lets rows of several names come and go, and at last all of one."""
    names = [gone, *(b"somebody of number %d" % number for number in range(9))]

    def body(c):
        for _ in range(60):
            of = dice.choice(names)
            rows = [(of, dice.randbytes(32), dice.randbytes(dice.choice((320, 1_700)))) for _ in range(3)]
            c.executemany("INSERT INTO wide VALUES (?, ?, ?)", rows)
            less = (dice.choice(names), dice.randrange(4))
            c.execute("DELETE FROM wide WHERE (name, key) IN (SELECT name, key FROM wide WHERE name = ? LIMIT ?)", less)
        c.execute("DELETE FROM wide WHERE name = ?", (gone,))
        return c.execute("SELECT count(*) FROM wide").fetchone()[0]

    return body


async def test_what_sqlite_moved_between_pages_is_erased_too(tmp_path):
    """`secure_delete` wipes a row where it was last: a tree that was balanced keeps copies in unused parts of pages."""
    gone, found = b"somebody who is gone", []
    for seed in (10, 11, 12):
        path = tmp_path / f"{seed}.db"
        async with open_database(path, KEY, WIDE) as db:
            left = await db.write(come_and_go(random.Random(seed), gone))
            await db.erase()
            found += [f.name for f in tmp_path.glob(f"{path.name}*") if any(gone in page for page in pages(f, KEY))]
            assert await db.read(lambda c: c.execute("SELECT count(*) FROM wide").fetchone()[0]) == left
    assert found == []


async def test_a_migration_that_fails_leaves_the_schema_before_it_and_a_copy(tmp_path: Path):
    path = tmp_path / "x.db"
    async with open_database(path, KEY, ONE) as db:
        await db.write(add(1))
    broken = Migration(2, "CREATE TABLE u (a); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(DatabaseUnreadable, match="schema 2"):
        async with open_database(path, KEY, [*ONE, broken]):
            raise AssertionError("it opened")
    copied = path.with_name("x.db.before-2")
    for file in (path, copied):
        async with open_database(file, KEY, ONE) as db:
            assert await db.read(count) == 1
            assert await db.read(lambda c: c.execute("PRAGMA user_version").fetchone()[0]) == 1
            assert await db.read(lambda c: c.execute("SELECT 1 FROM sqlite_master WHERE name = 'u'").fetchone()) is None
    async with open_database(path, KEY, [*ONE, Migration(2, "CREATE TABLE u (a);")]) as db:
        assert await db.read(count) == 1


async def test_while_a_reader_stays_nothing_is_migrated_since_the_copy_would_lack_what_it_keeps_in_the_log(
    tmp_path, monkeypatch
):
    """A server that died left a log, and a backup still reads from before it: what was acknowledged since is in the log alone."""
    lives, path = tmp_path / "lives.db", tmp_path / "x.db"
    two = [*ONE, Migration(2, "CREATE TABLE u (a INTEGER);")]
    monkeypatch.setattr(connection, "BUSY_MS", 10)
    async with open_database(lives, KEY, ONE) as db:
        await db.write(add(1))
        for end in ("", "-wal"):
            shutil.copy(f"{lives}{end}", f"{path}{end}")
    with closing(connection.connect(path, KEY)) as beside, closing(connection.connect(path, KEY)) as died:
        beside.execute("BEGIN")
        assert count(beside) == 1
        for number in range(2, 50):
            add(number)(died)
        with pytest.raises(DatabaseBusy, match="backup"):
            async with open_database(path, KEY, two):
                raise AssertionError("it opened")
        beside.execute("ROLLBACK")
    copied = tmp_path / "x.db.before-2"
    assert not copied.exists()
    async with open_database(path, KEY, two) as db:
        assert await db.read(count) == 49
    async with open_database(copied, KEY, ONE) as db:
        assert await db.read(count) == 49


async def test_the_copy_before_a_migration_is_on_the_disk_before_anything_is_changed(tmp_path, monkeypatch):
    path, synced, versions = tmp_path / "x.db", [], []
    async with open_database(path, KEY, ONE) as db:
        await db.write(add(1))

    def sync(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        with closing(connection.connect(path, KEY, read_only=True)) as beside:
            versions.append(beside.execute("PRAGMA user_version").fetchone()[0])

    monkeypatch.setattr(
        migrations, "os", SimpleNamespace(open=os.open, close=os.close, O_RDONLY=os.O_RDONLY, fsync=sync)
    )
    async with open_database(path, KEY, [*ONE, Migration(2, "CREATE TABLE u (a INTEGER);")]):
        pass
    assert synced == [str(tmp_path / "x.db.before-2"), str(tmp_path)]
    assert versions == [1, 1]


def test_migrations_are_numbered_without_a_gap(tmp_path: Path, monkeypatch):
    folder = tmp_path / "gapped" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "gapped" / "__init__.py").touch()
    for name in ("0001_first.sql", "0003_third.sql", "notes.txt"):
        (folder / name).write_text("SELECT 1;")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="not numbered 1 to 2"):
        migrations_of("gapped")
    (folder / "0003_third.sql").rename(folder / "0002_second.sql")
    assert [m.number for m in migrations_of("gapped")] == [1, 2]


async def test_what_a_reader_still_sees_cannot_be_erased_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(erasing, "AGAIN_SECONDS", 0)
    path = tmp_path / "x.db"
    async with open_database(path, KEY, ONE) as db:
        await db.write(add(1))
        beside = connection.connect(path, KEY, read_only=True)
        beside.execute("BEGIN")
        assert count(beside) == 1
        await db.write(lambda c: c.execute("DELETE FROM t").rowcount)
        with pytest.raises(Refusal) as refused:
            await db.erase()
        assert refused.value.code is ErrorCode.STORAGE_FULL
        beside.close()
        await db.write(add(2))  # answered before it is tried
        await db.write(lambda _: None)
        assert not path.with_name("x.db-wal").stat().st_size


async def test_while_a_reader_stays_it_is_tried_again_by_time_and_nobody_waits_for_that(tmp_path, monkeypatch):
    """A backup holds its snapshot for minutes: every commit would wait for it."""
    now_s, waited_ms, emptied_log = [100.0], [], erasing.emptied_log

    def emptied(connection, patience_ms):
        waited_ms.append(patience_ms)
        return emptied_log(connection, patience_ms)

    monkeypatch.setattr(erasing, "emptied_log", emptied)
    monkeypatch.setattr(erasing, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        await db.write(add(0))
        with closing(connection.connect(tmp_path / "x.db", KEY, read_only=True)) as beside:
            beside.execute("BEGIN")
            assert count(beside) == 1
            await db.erase_in_time(1, gone=True)
            for number in range(1, 100):
                await db.write(add(number))
            assert waited_ms == [connection.EMPTYING_MS]
            now_s[0] += erasing.AGAIN_SECONDS
            await db.write(add(100))  # answered before it is tried
            await db.write(add(101))
            with pytest.raises(Refusal):
                await db.erase()  # who asks has an answer of now
            assert waited_ms[1:] == [erasing.EMPTYING_AGAIN_MS] * 2
        now_s[0] += erasing.AGAIN_SECONDS
        await db.write(add(102))
        await db.write(add(103))
        await db.erase()
        assert waited_ms[3:] == [erasing.EMPTYING_AGAIN_MS, connection.EMPTYING_MS]


async def test_who_writes_does_not_wait_for_what_another_has_erased(tmp_path, monkeypatch):
    told, order = threading.Event(), []

    def emptied(*_):
        order.append("told" if told.wait(10) else "not told")
        return True

    monkeypatch.setattr(erasing, "emptied_log", emptied)
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        begun, go_on = threading.Event(), threading.Event()

        def hold(_):
            begun.set()
            assert go_on.wait(10)

        async def write():
            await db.write(hold)
            told.set()

        async def erase():
            await db.erase()
            order.append("erased")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await trio.to_thread.run_sync(begun.wait)
            nursery.start_soon(erase)
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()
        assert order == ["told", "erased"]


WRITER = """
import sys, trio
from pathlib import Path
from qpqcore.store.database import open_database
from qpqcore.store.migrations import Migration
async def main():
    async with open_database(Path(sys.argv[1]), b"k" * 32, [Migration(1, "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB);")]) as db:
        number = 0
        while True:
            number += 1
            await db.write(lambda c: c.execute("INSERT INTO t VALUES (?, x'00')", (number,)).rowcount)
            print(number, flush=True)
trio.run(main)
"""


async def test_what_was_acknowledged_before_a_kill_is_there(tmp_path: Path):
    path = tmp_path / "x.db"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 50:
            os.kill(process.pid, signal.SIGKILL)
            break
    acknowledged = [int(line), *(int(n) for n in process.stdout.read().split())]
    process.wait()
    process.stdout.close()
    async with open_database(path, KEY, [Migration(1, "")]) as db:
        assert await db.read(count) >= max(acknowledged)


async def test_a_queue_that_is_full_is_overload_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("qpqcore.store.database.WAITING_MAX", 3)
    release, refused = threading.Event(), []
    async with open_database(tmp_path / "x.db", KEY, ONE) as database, trio.open_nursery() as nursery:
        begun = threading.Event()

        def hold(connection):
            begun.set()
            release.wait(10)

        async def put(number):
            try:
                await database.write(add(number))
            except Refusal as no:
                refused.append((number, no.code))

        nursery.start_soon(database.write, hold)
        await trio.to_thread.run_sync(begun.wait)
        for number in range(6):
            nursery.start_soon(put, number)
        await trio.testing.wait_all_tasks_blocked()
        release.set()
        nursery.cancel_scope.deadline = trio.current_time() + 10
        while database.statistics.commits < 2:
            await trio.lowlevel.checkpoint()
        rows = await database.read(lambda c: [r[0] for r in c.execute("SELECT a FROM t")])
    assert {code for _, code in refused} == {ErrorCode.OVERLOADED}
    assert len(refused) == 3
    assert set(rows) | {n for n, _ in refused} == set(range(6))


async def test_a_slow_store_shows_while_it_is_slow_and_is_said_once_a_minute(tmp_path, mock_clock):
    held = threading.Event()

    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        with structlog.testing.capture_logs() as said:
            for _ in range(2):
                held.clear()
                assert db.load.oldest_seconds == 0
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(db.write, lambda _: held.wait())
                    await trio.testing.wait_all_tasks_blocked()
                    mock_clock.jump(3)
                    await db.read(count)
                    assert db.load.oldest_seconds == 3
                    held.set()
                assert db.load.oldest_seconds == 0
        assert [(line["event"], line["store"], line["seconds"]) for line in said] == [("store_slow", "x", 3)]


async def test_a_full_disk_shows_until_nothing_was_refused_for_a_while_and_is_said_once(tmp_path, mock_clock):
    async with open_database(tmp_path / "x.db", KEY, ONE) as db:
        with structlog.testing.capture_logs() as said:
            assert not db.load.full
            for _ in range(2):
                with pytest.raises(Refusal):
                    await db.write(full_disk)
            mock_clock.jump(waits.FULL_SECONDS - 1)
            await db.read(count)
            assert db.load.full
            mock_clock.jump(1)
            assert not db.load.full
            with pytest.raises(Refusal):
                await db.write(full_disk)
        assert [(line["event"], line["store"], line["log_level"]) for line in said] == [
            ("storage_full", "x", "error")
        ] * 2


def full_disk(c):
    c.execute("PRAGMA max_page_count = 1").fetchone()
    c.execute("INSERT INTO t VALUES (?, zeroblob(80000))", (1,))
