"""The bridge and its connections: turns, cancellation, bounds, and what a caller is told when the server cannot."""

from __future__ import annotations

import asyncio

import pytest
import trio
import trio.testing

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.migrations import Migration
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.bridge import open_postgres
from qpqcore.store.postgres.migrate import migrate
from qpqcore.store.postgres.pool import rows_of
from qpqcore.store.postgres.refusals import Again
from qpqcore.store.postgres.schemas import Schema

SCHEMA = Schema("trial", (Migration(1, "CREATE TABLE t (a bigint PRIMARY KEY, b text);"),))
PUT = "INSERT INTO t (a) VALUES ($1)"
COUNT = "SELECT count(*) FROM t"


@pytest.fixture
def trial(postgres):
    """Return the address of a database with one table."""
    name = postgres.fresh("test_trial", template="template1")
    migrate(postgres.url(name), [SCHEMA], roles=False)
    yield postgres.url(name)
    postgres.drop(name)


async def count(database):
    return await database.read(lambda c: c.fetchval(COUNT))


async def refused(awaitable):
    with pytest.raises(Refusal) as no:
        await awaitable
    return no.value.code


async def test_a_body_that_raises_has_done_nothing_and_the_next_finds_all_in_order(trial):
    async def body(c):
        await c.execute(PUT, 1)
        raise ValueError("no")

    async with open_postgres(trial, SCHEMA) as database:
        with pytest.raises(ValueError, match="no"):
            await database.write(body)
        assert await count(database) == 0
        assert rows_of(await database.write(lambda c: c.execute(PUT, 1))) == 1
        assert (database.statistics.connections_opened, database.statistics.connections_dropped) == (1, 0)


async def test_what_waits_for_its_turn_and_is_cancelled_is_not_begun(trial):
    begun = trio.Event()
    go_on = trio.Event()
    token = trio.lowlevel.current_trio_token()

    async def first(c):
        token.run_sync_soon(begun.set)
        await c.execute("SELECT pg_advisory_xact_lock(1)")
        await c.execute(PUT, 1)

    async def hold(task_status):
        async with open_postgres(trial, SCHEMA, connections_max=1) as other:

            async def body(c):
                await c.execute("SELECT pg_advisory_lock(1)")

            await other.read(body)
            task_status.started()
            await go_on.wait()

    async with trio.open_nursery() as nursery, open_postgres(trial, SCHEMA, connections_max=1) as database:
        await nursery.start(hold)
        nursery.start_soon(database.write, first)
        await begun.wait()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(database.write, lambda c: c.execute(PUT, 2))
                await trio.testing.wait_all_tasks_blocked(0.05)
                scope.cancel()
        go_on.set()
        assert await count(database) == 1
        assert await database.read(lambda c: c.fetchval("SELECT a FROM t")) == 1


async def test_a_batch_takes_all_that_waits_and_leaves_out_who_has_gone(trial):
    batches, idle = [], []
    async with open_postgres(trial, SCHEMA) as database:
        gate = asyncio.Event()

        async def flush(items):
            batches.append(list(items))
            if items == ["first"]:
                await gate.wait()
            if "bad" in items:
                raise Refusal(ErrorCode.STORAGE_FULL)
            return [item.upper() for item in items]

        async def rest():
            idle.append(len(batches))

        queue = database.batches(flush, len, rest)
        answers = {}

        async def add(item):
            try:
                answers[item] = await database.call(lambda: queue.add(item))
            except Refusal as no:
                answers[item] = no.code

        async with trio.open_nursery() as nursery:
            nursery.start_soon(add, "first")
            await trio.testing.wait_all_tasks_blocked(0.05)
            for item in ("a", "b", "c"):
                nursery.start_soon(add, item)
            with trio.CancelScope() as gone:
                async with trio.open_nursery() as inner:
                    inner.start_soon(add, "gone")
                    await trio.testing.wait_all_tasks_blocked(0.05)
                    gone.cancel()
            await trio.testing.wait_all_tasks_blocked(0.05)
            database._loop.call_soon_threadsafe(gate.set)
        assert [batches[0], sorted(batches[1])] == [["first"], ["a", "b", "c"]]
        assert answers == {"first": "FIRST", "a": "A", "b": "B", "c": "C"}
        await add("bad")
        await add("good")
        assert (answers["bad"], answers["good"]) == (ErrorCode.STORAGE_FULL, "GOOD")
        assert idle[-1] == 4


async def test_what_is_under_way_ends_for_its_caller_too(trial):
    """Who is cancelled meanwhile goes on with what came of it: what follows from a commit is done."""
    begun, results = trio.Event(), []
    token = trio.lowlevel.current_trio_token()

    async def slow(c):
        await c.execute(PUT, 1)
        token.run_sync_soon(begun.set)
        await c.execute("SELECT pg_sleep(0.05)")
        return "done"

    async with open_postgres(trial, SCHEMA, connections_max=1) as database:

        async def caller():
            results.append(await database.write(slow))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await begun.wait()
            nursery.cancel_scope.cancel()
        assert results == ["done"]
        assert await count(database) == 1


async def test_who_waits_too_long_or_in_too_long_a_queue_is_refused(trial, monkeypatch):
    monkeypatch.setattr(limits, "WAIT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(limits, "WAITING_MAX", 2)
    codes = []

    async def ask(database):
        try:
            await database.read(lambda c: c.fetchval("SELECT pg_sleep(1)"))
            codes.append(None)
        except Refusal as no:
            codes.append(no.code)

    async with open_postgres(trial, SCHEMA, connections_max=1) as database, trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(ask, database)
    assert sorted(codes, key=str) == [ErrorCode.OVERLOADED] * 5 + [None]


async def test_a_connection_killed_in_a_transaction_is_unavailable_and_the_next_call_has_another(trial):
    async def body(c):
        await c.execute(PUT, 1)
        await c.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with open_postgres(trial, SCHEMA) as database:
        assert await refused(database.write(body)) is ErrorCode.UNAVAILABLE
        assert await count(database) == 0
        assert database.statistics.connections_opened == 2


async def test_connections_that_died_while_nobody_used_them_are_not_noticed(trial):
    async with open_postgres(trial, SCHEMA) as database, open_postgres(trial, SCHEMA) as killer:
        await database.write(lambda c: c.execute(PUT, 1))
        await killer.read(
            lambda c: c.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        await database.write(lambda c: c.execute(PUT, 2))
        assert await count(database) == 2


async def test_of_two_that_stand_in_each_others_way_both_get_through(trial):
    holding = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )

    async with open_postgres(trial, SCHEMA) as database:
        for a in (0, 1):
            await database.write(lambda c, a=a: c.execute(PUT, a))
        tries = []

        def body(first, second):
            async def run(c):
                tries.append(first)
                await c.execute("UPDATE t SET b = concat(b, 'x') WHERE a = $1", first)
                if len(tries) <= 2:  # each goes on when both hold their first row
                    await c.execute("SELECT pg_advisory_xact_lock($1)", first)
                    while await c.fetchval(holding) < 2:
                        pass
                await c.execute("UPDATE t SET b = concat(b, 'x') WHERE a = $1", second)

            return run

        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.write, body(0, 1))
            nursery.start_soon(database.write, body(1, 0))
        # Who is tried again may overtake the other at the row that it has left, and they meet once more; either may lose then.
        assert 3 <= len(tries) < 2 * limits.TRIES_MAX
        rows = await database.read(lambda c: c.fetch("SELECT b FROM t"))
        assert [row[0] for row in rows] == ["xx", "xx"]


async def test_one_that_always_finds_another_in_its_way_is_overloaded(trial):
    tries = []

    async def body(c):
        tries.append(await c.execute(PUT, 1))
        raise Again

    async with open_postgres(trial, SCHEMA) as database:
        assert await refused(database.write(body)) is ErrorCode.OVERLOADED
        assert (len(tries), await count(database)) == (limits.TRIES_MAX, 0)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53100", ErrorCode.STORAGE_FULL),
        ("53200", ErrorCode.OVERLOADED),
        ("25006", ErrorCode.UNAVAILABLE),
        ("57P01", ErrorCode.UNAVAILABLE),
        ("58030", ErrorCode.UNAVAILABLE),
    ],
)
async def test_what_the_server_cannot_do_is_refused_with_a_time_to_come_back(trial, state, code):
    fails = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
    async with open_postgres(trial, SCHEMA) as database:
        with pytest.raises(Refusal) as no:
            await database.write(lambda c: c.execute(fails))
        assert (no.value.code, no.value.retry_after_ms > 0) == (code, True)
        await database.write(lambda c: c.execute(PUT, 1))


async def test_a_statement_and_a_lock_take_a_bounded_time(trial, monkeypatch):
    monkeypatch.setattr(limits, "STATEMENT_MS_MAX", 200)
    monkeypatch.setattr(limits, "LOCK_MS_MAX", 100)
    async with open_postgres(trial, SCHEMA) as database, open_postgres(trial, SCHEMA) as other:
        assert await refused(database.read(lambda c: c.fetchval("SELECT pg_sleep(60)"))) is ErrorCode.OVERLOADED
        assert await count(database) == 0
        await other.read(lambda c: c.execute("SELECT pg_advisory_lock(7)"))
        assert await refused(database.read(lambda c: c.execute("SELECT pg_advisory_lock(7)"))) is ErrorCode.OVERLOADED


async def test_a_server_that_has_become_a_standby_is_unavailable_until_it_is_none(postgres, trial):
    name = trial.rsplit("/", 1)[1]
    async with open_postgres(trial, SCHEMA) as database:
        await database.write(lambda c: c.execute(PUT, 1))
        await trio.to_thread.run_sync(
            postgres.sql, name, f"ALTER DATABASE {name} SET default_transaction_read_only = on",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )  # fmt: skip
        assert await refused(database.write(lambda c: c.execute(PUT, 2))) is ErrorCode.UNAVAILABLE
        await trio.to_thread.run_sync(
            postgres.sql, "postgres", f"ALTER DATABASE {name} RESET default_transaction_read_only"
        )
        await database.write(lambda c: c.execute(PUT, 2))
        assert await count(database) == 2


async def test_a_server_that_comes_back_is_found_when_nobody_asks(postgres, trial, monkeypatch):
    monkeypatch.setattr(limits, "KNOCK_SECONDS", 0.01)
    name = trial.rsplit("/", 1)[1]
    await trio.to_thread.run_sync(postgres.sql, "postgres", f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    async with open_postgres(trial, SCHEMA) as database:
        assert database.away
        await trio.to_thread.run_sync(postgres.sql, "postgres", f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        with trio.fail_after(10):
            while database.away:  # noqa: ASYNC110 - no event tells it
                await trio.sleep(0.01)
        assert await count(database) == 0


async def test_too_many_connections_are_overloaded(postgres, trial, monkeypatch):
    monkeypatch.setattr(limits, "AWAY_SECONDS", 0)
    name = trial.rsplit("/", 1)[1]
    await trio.to_thread.run_sync(
        postgres.sql, name, "CREATE ROLE few LOGIN CONNECTION LIMIT 0", "GRANT USAGE ON SCHEMA qpq_trial TO few",
        "GRANT SELECT ON ALL TABLES IN SCHEMA qpq_trial TO few",
    )  # fmt: skip
    try:
        async with open_postgres(postgres.url(name, "few"), SCHEMA) as database:
            assert await refused(count(database)) is ErrorCode.OVERLOADED
            await trio.to_thread.run_sync(postgres.sql, name, "ALTER ROLE few CONNECTION LIMIT 1")
            assert await count(database) == 0
            assert database.away == ""
    finally:
        await trio.to_thread.run_sync(postgres.sql, name, "DROP OWNED BY few", "DROP ROLE few")


async def test_how_long_the_oldest_call_has_been_under_way_is_shown(trial, mock_clock):
    go_on = asyncio.Event()

    async def body(c):
        await go_on.wait()

    async with open_postgres(trial, SCHEMA) as database:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.read, body)
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(3)
            assert await count(database) == 0
            assert database.load.oldest_seconds == 3
            database._loop.call_soon_threadsafe(go_on.set)
        assert database.load.oldest_seconds == 0
