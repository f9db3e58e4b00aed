"""The write-ahead log is brought into the database beside the writer, and begins at its front again."""

from __future__ import annotations

import pytest
import trio

from qpqcore.store import write_ahead
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
    monkeypatch.setattr(write_ahead, "EVERY_FIRST", 8)


async def put(database, number):
    await database.write(lambda c: c.execute("INSERT INTO t VALUES (?, randomblob(20000))", (number,)))


async def test_however_much_is_written_the_log_stays_short(tmp_path):
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        for number in range(600):  # some 3,600 pages
            await put(database, number)
        assert (tmp_path / "a.db-wal").stat().st_size < 1_000 * PAGE_BYTES
        assert (await database.read(lambda c: c.execute("SELECT count(*) FROM t").fetchone()))[0] == 600


async def test_a_reader_that_stays_is_waited_for_and_then_it_goes_on(tmp_path):
    async with open_database(tmp_path / "a.db", KEY, SCHEMA) as database:
        await put(database, 0)
        reader = connect(tmp_path / "a.db", KEY, read_only=True)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
        for number in range(1, 200):
            await put(database, number)
        grown = (tmp_path / "a.db-wal").stat().st_size
        assert grown > 1_000 * PAGE_BYTES
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (1,)
        reader.close()
        for number in range(200, 800):
            await put(database, number)
        assert (tmp_path / "a.db-wal").stat().st_size < grown + 1_000 * PAGE_BYTES


async def test_where_it_cannot_be_done_nothing_is_lost_and_the_writer_does_it_past_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(write_ahead, "brought", lambda _: 0)
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
