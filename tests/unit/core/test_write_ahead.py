"""The write-ahead log is brought into the database beside the writer, and begins at its front again."""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress

import pytest
import trio

from qpqcore.model.errors import Refusal
from qpqcore.store import erasing, write_ahead
from qpqcore.store.connection import connect
from qpqcore.store.database import open_database
from qpqcore.store.migrations import Migration

KEY = b"k" * 32
SCHEMA = [Migration(1, "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")]
PAGE_BYTES = 4_096
PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def short_log(monkeypatch):
    monkeypatch.setattr(write_ahead, "LOG_PAGES", 100)


async def put(database, number):
    await database.write(lambda c: c.execute("INSERT INTO t VALUES (?, randomblob(20000))", (number,)))


@contextmanager
def reading(file):
    """Hold what the database has in its one row now, as a backup does."""
    with closing(connect(file, KEY, read_only=True)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
        yield
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)


async def test_however_much_is_written_the_log_stays_short(tmp_path):
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        for number in range(600):  # some 3,600 pages
            await put(database, number)
        assert (tmp_path / "a.db-wal").stat().st_size < 1_000 * PAGE_BYTES
        assert (await database.read(lambda c: c.execute("SELECT count(*) FROM t").fetchone()))[0] == 600


async def test_a_reader_that_stays_is_waited_for_and_then_it_goes_on(tmp_path):
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        await put(database, 0)
        with reading(tmp_path / "a.db"):
            for number in range(1, 200):
                await put(database, number)
            grown = (tmp_path / "a.db-wal").stat().st_size
            assert grown > 1_000 * PAGE_BYTES
        for number in range(200, 800):
            await put(database, number)
        assert (tmp_path / "a.db-wal").stat().st_size < grown + 1_000 * PAGE_BYTES


async def test_after_a_reader_that_stayed_the_thread_brings_it_in_and_the_file_gets_shorter(tmp_path, monkeypatch):
    """The writer would keep everybody waiting, 10 ms for each megabyte."""
    by_writer, by_thread, brought = [], [], write_ahead.brought

    def noted(c):
        before = write_ahead.measured(c).rest
        found = brought(c)
        (by_writer if c is database._writer else by_thread).append(before - write_ahead.measured(c).rest)
        return found

    monkeypatch.setattr(write_ahead, "brought", noted)
    monkeypatch.setattr(write_ahead, "REST_PAGES_MAX", 50)
    monkeypatch.setattr(write_ahead, "LOG_BYTES_KEPT", 500 * PAGE_BYTES)
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        await put(database, 0)
        with reading(tmp_path / "a.db"):
            for number in range(1, 400):
                await put(database, number)
        assert (tmp_path / "a.db-wal").stat().st_size > 2_000 * PAGE_BYTES
        assert len(by_thread) < 2_500 / 25, "while it stays, it is looked for now and then"
        with trio.fail_after(PATIENCE_SECONDS):
            while (tmp_path / "a.db-wal").stat().st_size > 500 * PAGE_BYTES:
                number += 1
                await put(database, number)
    assert max(by_thread) > 2_000
    assert max(by_writer) <= 50


async def test_what_a_reader_has_let_it_grow_to_is_brought_in_by_the_thread_before_it_is_erased(tmp_path, monkeypatch):
    packed, rests = erasing.packed, []

    def noted(writer):
        rests.append(write_ahead.measured(writer).rest)
        return packed(writer)

    monkeypatch.setattr(erasing, "packed", noted)
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        await put(database, 0)
        with reading(tmp_path / "a.db"):
            for number in range(1, 200):
                await put(database, number)
            with pytest.raises(Refusal):
                await database.erase()
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                with suppress(Refusal):
                    await database.erase()
                    break
    assert max(rests) <= 2 * write_ahead.LOG_PAGES
    assert rests


async def test_large_commits_after_small_ones_are_noticed_at_once(tmp_path, monkeypatch):
    """It goes by pages: the number of commits says nothing of them."""
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        for number in range(300):
            await database.write(lambda c, n=number: c.execute("INSERT INTO t VALUES (?, x'00')", (n,)))
        log = database._log
        with trio.fail_after(PATIENCE_SECONDS):
            while log._due.is_set() or log.lock.locked():
                await trio.lowlevel.checkpoint()
        called = []
        monkeypatch.setattr(log._due, "set", lambda: called.append(True))
        await database.write(lambda c: c.execute("INSERT INTO t VALUES (1000, randomblob(1000000))"))
        monkeypatch.undo()
        assert called == [True]


def test_a_look_at_the_log_brings_nothing_in(tmp_path):
    """What a SQLite that does not know NOOP would do."""
    with closing(connect(tmp_path / "a.db", KEY)) as c:
        c.execute(SCHEMA[0].sql)
        c.execute("INSERT INTO t VALUES (1, randomblob(20000))")
        for _ in range(2):
            assert write_ahead.measured(c).brought == 0
            assert write_ahead.measured(c).rest > 5
        assert write_ahead.brought(c).rest == 0
        assert write_ahead.measured(c).rest == 0


async def test_where_it_cannot_be_done_nothing_is_lost_and_the_writer_does_it_past_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(write_ahead, "brought", lambda _: None)
    monkeypatch.setattr("qpqcore.store.database.LOG_PAGES_MAX", 500)
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        for number in range(400):
            await put(database, number)
        assert (tmp_path / "a.db-wal").stat().st_size < 1_000 * PAGE_BYTES
        assert (await database.read(lambda c: c.execute("SELECT count(*) FROM t").fetchone()))[0] == 400


async def test_what_is_erased_meanwhile_is_gone(tmp_path):
    """Emptying the log is refused while it is brought in: it waits for that."""
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:

        async def write():
            for number in range(200):
                await put(database, number)

        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write)
                for _ in range(20):
                    await database.erase()
