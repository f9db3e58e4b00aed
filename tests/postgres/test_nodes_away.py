"""A node that is away, dies, or hangs costs time: nothing acknowledged is lost, nothing doubled, no connection lost.

On a stand-in for Citus: tests/support/citus.py says what it is, and what it does not show.
"""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import trio

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.bridge import open_postgres
from tests.support import citus
from tests.support.channels import (
    ALICE,
    BOB,
    CAROL,
    CHANNEL,
    NOW_MS,
    begin,
    birth,
    message,
    put,
)
from tests.support.citus import COORDINATOR, WORKERS, ask, wired
from tests.support.nodes import (
    HEADS,
    LOG,
    SCHEMA,
    Talk,
    all_of,
    cleared,
    forget_writes,
    opened,
    other,
    owner,
    people_at,
    read_map,
    texts_of,
    until,
    written_by,
)


async def test_a_node_that_cannot_be_reached_is_served_by_the_coordinator_until_it_is_back(own_citus, monkeypatch):
    monkeypatch.setattr(limits, "KNOCK_SECONDS", 0.01)
    where = owner(own_citus, HEADS, CHANNEL)
    async with wired(own_citus) as cluster:
        cluster.wires[where].cut()
        async with opened(own_citus) as store:
            await begin(store)
            await put(store, message(b"around"))
            assert written_by(own_citus, LOG) == {COORDINATOR}
            assert store._db.load.routes.coordinator > 0
            assert store._db.away == ""  # the database is there
            await cluster.wires[where].mend()
            (pool,) = (p for p in store._db.nodes.pools if p.away)
            await until(lambda: not pool.away)
            forget_writes(own_citus)
            await put(store, message(b"straight"))
            assert written_by(own_citus, LOG) == {where}
            assert await texts_of(store, BOB) == [b"around", b"straight"]


async def test_what_had_begun_at_a_node_that_dies_is_refused_not_repeated(own_citus):
    """A transaction may have been done; what only reads is asked of the coordinator."""
    where = owner(own_citus, HEADS, CHANNEL)
    async with wired(own_citus) as cluster, opened(own_citus) as store:
        await begin(store)
        begun = []

        async def hangs(c):
            begun.append(await c.fetchval("SELECT host(inet_server_addr())"))
            if len(begun) == 1:
                await c.fetchval("SELECT pg_advisory_xact_lock(1)")
            return begun[-1]

        holder = await trio.to_thread.run_sync(_hold, own_citus)

        async def refused():
            with pytest.raises(Refusal) as no:
                await store._db.write(hangs, at=("heads", CHANNEL))
            assert no.value.code is ErrorCode.UNAVAILABLE

        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused)
            await until(lambda: _waits(own_citus))
            cluster.wires[where].cut()
        assert begun == [where]
        begun.clear()
        await cluster.wires[where].mend()
        await read_map(store)
        async with trio.open_nursery() as nursery:
            found = []

            async def reads():
                found.append(await store._db.read(hangs, at=("heads", CHANNEL)))

            await until(lambda: not any(pool.away for pool in store._db.nodes.pools))
            nursery.start_soon(reads)
            await until(lambda: begun)
            await until(lambda: _waits(own_citus))
            cluster.wires[where].cut()
        assert begun == [where, COORDINATOR]
        assert found == [COORDINATOR]
        holder()


def _hold(url):
    """Hold what `hangs` waits for; return what lets it go."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(url))
    loop.run_until_complete(connection.execute("SELECT pg_advisory_lock(1)"))

    def let_go():
        loop.run_until_complete(connection.close())
        loop.close()

    return let_go


def _waits(url):
    return (
        ask(
            url,
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        != []
    )


async def test_rows_of_a_node_that_the_coordinator_has_not_either_are_refused_and_no_connection_is_lost(own_citus):
    where = owner(own_citus, HEADS, CHANNEL)
    async with wired(own_citus) as cluster, opened(own_citus) as store:
        await begin(store)
        cluster.dies(where)
        for _ in range(3):
            with pytest.raises(Refusal) as no:
                await put(store, message(b"not now"))
            assert no.value.code is ErrorCode.UNAVAILABLE
        home = store._db.pool._open
        await cluster.lives(where)
        await put(store, message(b"not now"))
        assert store._db.pool._open == home
        assert await texts_of(store, BOB) == [b"not now"]


@pytest.mark.parametrize("who", ["the channel's", "one mailbox's"])
async def test_a_node_that_dies_between_the_mailboxes_commit_and_the_outbox_loses_nothing_and_doubles_nothing(
    own_citus, monkeypatch, who
):
    """The window that the experiment with a real Citus never hit (FACTS): the mailboxes have it, the note is there still."""
    channel_at = owner(own_citus, HEADS, CHANNEL)
    dying = channel_at if who == "the channel's" else other(channel_at)
    (near,), (far,) = people_at(own_citus, channel_at, 1), people_at(own_citus, other(channel_at), 1)
    async with wired(own_citus) as cluster:
        async with opened(own_citus) as store:
            for person in (ALICE, near, far):
                await store.open_mailbox(person.account, person.device, NOW_MS)
            await store.create(birth(first=(near, far)))
            deliver, died = store._fan_out.deliver, []

            async def then_it_dies(notes):
                arrivals = await deliver(notes)  # committed, on every node
                trio.from_thread.run_sync(cluster.dies, dying, trio_token=token)
                died.append(len(notes))
                return arrivals

            async def not_cleared(_notes):
                return False

            token = trio.lowlevel.current_trio_token()
            with monkeypatch.context() as patch:
                patch.setattr(store._fan_out, "deliver", then_it_dies)
                if who != "the channel's":  # its note could be cleared: the process dies with the node
                    patch.setattr(store._fan_out, "try_clear", not_cleared)
                (answer,) = await put(store, message(b"once"))
            assert not isinstance(answer, Refusal)
            assert died == [1]
            left = ask(own_citus, "SELECT count(*) FROM qpq_delivery.outbox")
            assert left == [(1,)]  # the window: told everywhere, and noted still
        await cluster.lives(dying)
        async with opened(own_citus) as another:
            # Both are woken, and find nothing new: it is told again, and the marks know that it was.
            assert sorted(await another.expire(NOW_MS + 10_000, 0, 0)) == sorted([near.device, far.device])
            for person in (near, far):
                assert [(e[0], e[1]) for e in await all_of(another, person)] == [
                    (1, EntryKind.WELCOME),
                    (2, EntryKind.MESSAGE),
                ]
            await cleared(another)
            (again,) = await put(another, message(b"once"))
            assert (again.duplicate, again.log_number) == (True, answer.log_number)


async def test_of_two_mailboxes_nodes_one_is_dead_and_its_devices_get_it_later_once(own_citus):
    channel_at = owner(own_citus, HEADS, CHANNEL)
    (near,), (far,) = people_at(own_citus, channel_at, 1), people_at(own_citus, other(channel_at), 1)
    async with wired(own_citus) as cluster, opened(own_citus) as store:
        for person in (ALICE, near, far):
            await store.open_mailbox(person.account, person.device, NOW_MS)
        await store.create(birth(first=(near, far)))
        cluster.dies(other(channel_at))
        ((answer, arrivals),) = await store.enqueue([message(b"hello")])
        assert (answer.log_number, arrivals) == (2, [])
        await cluster.lives(other(channel_at))
        await until(lambda: not any(pool.away for pool in store._db.nodes.pools))
        assert sorted(await store.expire(NOW_MS + 10_000, 0, 0)) == sorted([near.device, far.device])
        for person in (near, far):
            assert [e[0] for e in await all_of(store, person)] == [1, 2]
        await cleared(store)


async def test_nodes_that_die_under_load_lose_nothing_that_was_acknowledged_and_double_nothing(own_citus, monkeypatch):
    monkeypatch.setattr(limits, "KNOCK_SECONDS", 0.01)
    async with wired(own_citus) as cluster, opened(own_citus) as store:
        await begin(store)
        talk = Talk(store)
        async with trio.open_nursery() as nursery:
            for at in range(6):
                nursery.start_soon(talk, b"%d" % at, (ALICE, CAROL)[at % 2])
            for address in (*WORKERS, *WORKERS):
                await talk.more(40)
                cluster.dies(address)
                await until(lambda: store._db.statistics.by_coordinator > 0)
                if address == owner(own_citus, HEADS, CHANNEL):
                    count = len(talk.refused)
                    await until(lambda: len(talk.refused) > count)
                await cluster.lives(address)
            await talk.more(40)
            talk.is_over = True
        await until(lambda: not any(pool.away for pool in store._db.nodes.pools))
        await store.expire(NOW_MS + 10_000, 0, 0)
        entries = await all_of(store, BOB)
        found = [e[3] for e in entries if e[1] is EntryKind.MESSAGE]
        assert sorted(found) == sorted(talk.taken)
        assert [e[0] for e in entries] == list(range(1, len(entries) + 1))
        assert set(talk.refused) == {ErrorCode.UNAVAILABLE}
        await cleared(store)


async def test_without_the_coordinator_the_nodes_go_on_with_what_is_known(own_citus):
    async with trio.open_nursery() as nursery:
        port = int(own_citus.rsplit(":", 1)[1].split("/")[0])
        wire = citus.Wire(nursery, (COORDINATOR, port))
        await wire.mend()
        async with opened(own_citus.replace(f":{port}/", f":{wire.port}/")) as store:
            await begin(store)
            await put(store, message(b"before"))
            assert len(await texts_of(store, BOB)) == 1
            wire.cut()
            await put(store, message(b"meanwhile"))
            assert await texts_of(store, BOB) == [b"before", b"meanwhile"]
        nursery.cancel_scope.cancel()


async def test_what_waits_for_its_turn_at_a_node_and_is_cancelled_is_not_begun(own_citus):
    at = ("heads", CHANNEL)
    let_go = await trio.to_thread.run_sync(_hold, own_citus)
    begun = []

    async def first(c):
        await c.execute("SELECT pg_advisory_xact_lock(1)")

    async def second(c):
        begun.append(await c.fetchval("SELECT 1"))

    async with open_postgres(own_citus, SCHEMA, connections_max=1) as database:
        await database.read(lambda c: c.fetchval("SELECT 1"), at=at)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.write, first, at)
            await until(lambda: _waits(own_citus))
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as inner:
                    inner.start_soon(database.write, second, at)
                    await until(lambda: database.load.waiting)
                    scope.cancel()
            assert scope.cancelled_caught
            let_go()
        assert begun == []
        await database.write(second, at)
        assert begun == [1]
