"""Each batch goes to the node that owns its rows; a route that is old costs time and nothing else; what is kept is bounded.

On a stand-in for Citus: tests/support/citus.py says what it is, and what it does not show.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from qpqcore.model.errors import Refusal
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.shards import Shards
from qpqcore.store.readings import Routes
from qpqdelivery import postgres_messages
from tests.support import citus
from tests.support.channels import (
    ALICE,
    BOB,
    CHANNEL,
    NOW_MS,
    begin,
    message,
    put,
)
from tests.support.citus import COORDINATOR, WORKERS, ask
from tests.support.nodes import (
    ENTRIES,
    HEADS,
    LOG,
    PATIENCE_SECONDS,
    born,
    channels_at,
    cleared,
    forget_writes,
    opened,
    other,
    owner,
    people_at,
    read_map,
    texts_of,
    written_by,
)


async def test_messages_and_mailboxes_go_to_the_nodes_that_own_them(fresh_citus):
    places = {
        address: (channels_at(fresh_citus, address, 2), people_at(fresh_citus, address, 2)) for address in WORKERS
    }
    everybody = [m for _, people in places.values() for m in people]
    async with opened(fresh_citus) as store:
        for person in [ALICE, *everybody]:
            await store.open_mailbox(person.account, person.device, NOW_MS)
        for channels, _ in places.values():
            for channel in channels:
                await store.create(born(channel, everybody))
        batch = [replace(message(b"%d" % n), channel=c) for n in range(3) for cs, _ in places.values() for c in cs]
        assert not any(isinstance(answer, Refusal) for answer in await put(store, *batch))
        for person in everybody:
            assert sorted(await texts_of(store, person)) == sorted(m.payload for m in batch)
        load = store._db.load
        assert (load.routes.coordinator, load.routes.owner > 20) == (0, True)
        assert load.connections.open >= 3
        await cleared(store)  # asks all nodes
        assert store._db.load.routes.coordinator > 0
    assert written_by(fresh_citus, LOG) == written_by(fresh_citus, ENTRIES) == set(WORKERS)


async def test_one_server_is_asked_nothing_and_keeps_nothing(fresh_postgres):
    async with opened(fresh_postgres) as store:
        await begin(store)
        await put(store, message(b"hello"))
        nodes = store._db.nodes
        assert (nodes.is_distributed, nodes.pools, len(nodes.shards), nodes._reading) == (False, [], 0, None)
        assert store._db.load.routes == Routes(0, 0)
        plan = await store._db.read(lambda c: c.fetchval("SHOW plan_cache_mode"))
        assert plan == "force_generic_plan"


async def test_every_connection_to_citus_plans_with_the_values(fresh_citus):
    async with opened(fresh_citus) as store:
        for at in (None, ("heads", CHANNEL)):

            async def told(c):
                return await c.fetchrow(
                    "SELECT current_setting('plan_cache_mode'), current_setting('application_name')"
                )

            assert tuple(await store._db.read(told, at=at)) == ("force_custom_plan", "qpq_delivery/citus")


async def test_a_moved_shard_is_followed_and_until_then_the_old_node_serves(own_citus, monkeypatch):
    old = owner(own_citus, HEADS, CHANNEL)
    new = other(old)
    async with opened(own_citus) as store:
        await begin(store)
        forget_writes(own_citus)
        ask(own_citus, citus.MOVE, "qpq_delivery.channels", CHANNEL, WORKERS.index(new) + 1)
        assert owner(own_citus, LOG, CHANNEL) == new
        await put(store, message(b"stale"))
        assert written_by(own_citus, LOG) == {old}
        forget_writes(own_citus)
        monkeypatch.setattr(limits, "MAP_SECONDS", 0)
        await read_map(store)
        await put(store, message(b"followed"))
        assert written_by(own_citus, LOG) == {new}
        assert await texts_of(store, BOB) == [b"stale", b"followed"]


async def test_an_old_map_is_read_again_beside_the_calls(own_citus, monkeypatch):
    monkeypatch.setattr(limits, "MAP_SECONDS", 0)
    new = other(owner(own_citus, HEADS, CHANNEL))
    async with opened(own_citus) as store:
        await begin(store)
        ask(own_citus, citus.MOVE, "qpq_delivery.channels", CHANNEL, WORKERS.index(new) + 1)
        forget_writes(own_citus)
        sent = []

        async def is_followed():
            while new not in written_by(own_citus, LOG):
                sent.append(b"%d" % len(sent))
                await put(store, message(sent[-1]))

        with trio.fail_after(PATIENCE_SECONDS):
            await is_followed()
        assert await texts_of(store, BOB) == sent


async def test_split_shards_make_all_be_asked_anew(own_citus):
    async with opened(own_citus) as store:
        await begin(store)
        known = len(store._db.nodes.shards)
        assert known > 3
        ask(own_citus, "UPDATE pg_dist_shard SET shardid = shardid + 1000000")
        ask(own_citus, "UPDATE pg_dist_placement SET shardid = shardid + 1000000")
        await read_map(store)
        assert len(store._db.nodes.shards) == 0
        await put(store, message(b"after"))
        assert await texts_of(store, BOB) == [b"after"]
    citus.check(own_citus)


@pytest.mark.parametrize("lack", ["hasmetadata", "metadatasynced"])
async def test_a_node_without_the_metadata_is_left_out(own_citus, lack):
    ask(own_citus, f"UPDATE pg_dist_node SET {lack} = false")
    await goes_by_the_coordinator(own_citus)


async def test_a_group_is_routed_when_all_its_tables_are_distributed(own_citus):
    """Of a table that the coordinator has to itself the nodes know nothing: what needs it would fail there."""
    ask(own_citus, "UPDATE pg_dist_partition SET partmethod = 'n' WHERE logicalrelid = 'qpq_delivery.outbox'::regclass")
    await goes_by_the_coordinator(own_citus)


async def goes_by_the_coordinator(url):
    async with opened(url) as store:
        await begin(store)
        await put(store, message(b"hello"))
        assert await texts_of(store, BOB) == [b"hello"]
    assert written_by(url, LOG) == {COORDINATOR}


def test_what_is_kept_of_values_is_bounded_and_the_longest_unused_go(monkeypatch):
    monkeypatch.setattr(limits, "VALUES_KNOWN_MAX", 3)
    shards = Shards()
    shards.replace([("heads", 1, ("a", 1)), ("heads", 2, None)])
    shards.learn("heads", [b"1", b"2", b"3"], [1, 2, 7])
    assert [shards.owner("heads", v) for v in (b"1", b"2", b"3", b"4")] == [("a", 1), None, None, None]
    shards.owner("heads", b"1")
    shards.learn("heads", [b"4"], [1])
    assert shards.unknown("heads", [b"1", b"2", b"3", b"4"]) == [b"2"]
    assert len(shards) == 3
    shards.replace([("heads", 1, ("b", 1)), ("heads", 2, None)])  # moved
    assert (shards.owner("heads", b"1"), len(shards)) == (("b", 1), 3)


async def test_a_batch_larger_than_what_is_kept_arrives(fresh_citus, monkeypatch):
    monkeypatch.setattr(limits, "VALUES_KNOWN_MAX", 2)
    async with opened(fresh_citus) as store:
        await begin(store)
        await put(store, message(b"hello"))
        assert await texts_of(store, BOB) == [b"hello"]
        assert len(store._db.nodes.shards) <= 2


async def test_past_the_last_node_the_coordinator_serves(fresh_citus, monkeypatch):
    monkeypatch.setattr(limits, "NODES_MAX", 0)
    monkeypatch.setattr(postgres_messages, "FLUSHERS_MAX", 0)
    async with opened(fresh_citus) as store:
        await begin(store)
        await put(store, message(b"hello"))
        assert store._db.nodes.pools == []
        assert len(store._flushers._made) == 1
    assert written_by(fresh_citus, LOG) == {COORDINATOR}


async def test_a_node_that_is_gone_from_the_map_is_closed(own_citus):
    where = owner(own_citus, HEADS, CHANNEL)
    async with opened(own_citus) as store:
        await begin(store)
        assert len(store._db.nodes.pools) == 2
        ask(own_citus, "UPDATE pg_dist_placement SET groupid = $1", WORKERS.index(other(where)) + 1)
        await read_map(store)
        assert len(store._db.nodes.pools) == 1
        await put(store, message(b"hello"))
        assert await texts_of(store, BOB) == [b"hello"]
