"""A disk, or memory, that fails where a thread of the store cannot go on: nobody waits for ever, and the process ends with it."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
import sqlcipher3
import structlog
import trio
import trio.testing

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store import database, write_ahead
from qpqcore.store.connection import connect
from qpqcore.store.errors import DatabaseBroken
from qpqcore.store.migrations import Migration

KEY = b"k" * 32
SCHEMA = [Migration(1, "CREATE TABLE t (a INTEGER PRIMARY KEY)")]
PATIENCE_SECONDS = 10


class Failing:
    """A connection on which statements fail; which, and by what, the test says while it runs."""

    def __init__(self, connection, failures):
        self.connection = connection
        self.failures = failures

    def execute(self, sql, *values):
        for start, error in self.failures.items():
            if sql.startswith(start):
                raise error
        return self.connection.execute(sql, *values)

    def __getattr__(self, name):
        return getattr(self.connection, name)


@pytest.fixture
def failures(monkeypatch):
    found = {}
    monkeypatch.setattr(database, "connect", lambda *a, **more: Failing(connect(*a, **more), found))
    return found


def opened(tmp_path):
    return database.open_database(tmp_path / "x.db", KEY, SCHEMA, readers=1)


def add(number):
    return lambda c: c.execute("INSERT INTO t VALUES (?)", (number,)).rowcount


def count(c):
    return c.execute("SELECT count(*) FROM t").fetchone()[0]


def fault(_):
    raise ValueError


def leave(_):
    raise SystemExit


async def asked(call, body, errors):
    try:
        await call(body)
    except (DatabaseBroken, Refusal, ValueError, RuntimeError) as exc:
        errors.append(type(exc))


@pytest.mark.parametrize("error", [sqlcipher3.OperationalError("disk I/O error"), MemoryError()])
@pytest.mark.parametrize("lane", ["write", "read"])
async def test_a_thread_that_cannot_undo_ends_the_database_and_all_who_wait_are_told(tmp_path, failures, lane, error):
    begun, go_on, errors, told = threading.Event(), threading.Event(), [], []

    def hold(_):
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        failures["ROLLBACK"] = error
        raise ValueError

    with structlog.testing.capture_logs() as said, trio.fail_after(PATIENCE_SECONDS):
        with pytest.raises(DatabaseBroken, match="start the server again"):
            async with opened(tmp_path) as db:
                await db.write(add(1))
                call = getattr(db, lane)

                async def behind():
                    try:
                        await trio.sleep_forever()
                    finally:
                        for later in (db.write, db.read):
                            with pytest.raises(DatabaseBroken), trio.CancelScope(shield=True):
                                await later(count)
                            told.append(later)

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(behind)
                    nursery.start_soon(asked, call, hold, errors)
                    await trio.to_thread.run_sync(begun.wait)
                    for number in range(2, 5):
                        nursery.start_soon(asked, call, add(number) if lane == "write" else count, errors)
                    await trio.testing.wait_all_tasks_blocked()
                    go_on.set()
    assert len(told) == 2
    assert sorted(e.__name__ for e in errors) == ["DatabaseBroken"] * 3 + [
        "DatabaseBroken" if lane == "write" else "ValueError"  # that of the read is its answer all the same
    ]
    assert ("store_broken", "critical") in [(line["event"], line["log_level"]) for line in said]
    failures.clear()
    async with opened(tmp_path) as db:
        assert await db.read(lambda c: c.execute("SELECT a FROM t").fetchall()) == [(1,)]


async def test_a_write_that_would_end_its_thread_is_not_written(tmp_path):
    errors = []
    with structlog.testing.capture_logs() as said, trio.fail_after(PATIENCE_SECONDS), pytest.raises(DatabaseBroken):
        async with opened(tmp_path) as db:
            await asked(db.write, leave, errors)
            await trio.sleep_forever()
    assert len(errors) <= 1
    assert [line["event"] for line in said] == ["store_broken"]
    async with opened(tmp_path) as db:
        assert await db.read(lambda c: c.execute("SELECT count(*) FROM t").fetchone()) == (0,)


async def test_a_disk_that_fails_while_it_is_erased_is_refused_and_the_store_goes_on(tmp_path, failures):
    with trio.fail_after(PATIENCE_SECONDS):
        async with opened(tmp_path) as db:
            failures["PRAGMA page_count"] = sqlcipher3.OperationalError("disk I/O error")
            with pytest.raises(Refusal) as no:
                await db.erase()
            assert no.value.code is ErrorCode.STORAGE_FULL
            failures.clear()
            await db.erase()
            await db.write(add(1))


async def test_one_that_can_be_undone_is_a_refusal(tmp_path, failures):
    with trio.fail_after(PATIENCE_SECONDS):
        async with opened(tmp_path) as db:
            failures["ROLLBACK TO"] = sqlcipher3.OperationalError("disk I/O error")
            with pytest.raises(Refusal):
                await db.write(fault)
            with suppress(ValueError):
                failures.clear()
                await db.write(fault)
            await db.write(add(1))


async def test_what_fails_beside_the_writer_is_said_and_tried_again(tmp_path, monkeypatch):
    tried, again = threading.Event(), threading.Event()

    def brought(_):
        if not tried.is_set():
            tried.set()
            raise RuntimeError("a fault")
        again.set()
        return None

    monkeypatch.setattr(write_ahead, "brought", brought)
    with structlog.testing.capture_logs() as said:
        async with opened(tmp_path) as db:
            for event in (tried, again):
                db._log._due.set()
                assert await trio.to_thread.run_sync(event.wait, PATIENCE_SECONDS)
    assert [line["event"] for line in said] == ["write_ahead_failed"]
