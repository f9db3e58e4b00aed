"""Each batch goes to the node that owns its rows; a route that is old, or a node that is away, costs time and nothing else.

On a stand-in for Citus: tests/support/citus.py says what it is, and what it does not show.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest
import trio

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.bridge import open_postgres
from qpqcore.store.postgres.face import OnCitus, holds
from qpqcore.store.postgres.layout import Layout
from qpqcore.store.postgres.shards import Shards
from qpqcore.store.readings import Routes
from qpqdelivery import postgres_messages
from qpqdelivery import postgres_statements as sql
from qpqdelivery.store import Member
from tests.contract.test_delivery_store import (
    ALICE,
    BOB,
    CAROL,
    CHANNEL,
    NOW_MS,
    accept,
    begin,
    birth,
    commit,
    message,
    put,
)
from tests.postgres.test_delivery import SCHEMA, all_of, cleared, opened
from tests.support import citus
from tests.support.citus import COORDINATOR, WORKERS, ask, wired

PATIENCE_SECONDS = 60
LOG, HEADS, ENTRIES, MAILBOXES = (f"qpq_delivery.{table}" for table in ("log", "heads", "entries", "mailboxes"))


def owner(url, table, value):
    return ask(url, citus.OWNER, table, value)[0][0]


def other(address):
    return next(worker for worker in WORKERS if worker != address)


def written_by(url, table):
    return {row[0] for row in ask(url, citus.BY, table)}


def forget_writes(url):
    ask(url, "TRUNCATE stand_in.writes")


def one_at(url, address, table, names):
    return next(name for name in names if owner(url, table, name) == address)


def channels_at(url, address, count):
    found = [b"%016d" % n + b"localhost" for n in range(40)]
    return [c for c in found if owner(url, HEADS, c) == address][:count]


def people_at(url, address, count):
    found = [Member(b"person %d" % n, b"account %d" % n) for n in range(40)]
    return [m for m in found if owner(url, MAILBOXES, m.device) == address][:count]


def born(channel, members):
    made = birth(first=tuple(members))
    return replace(made, channel=channel, first=replace(made.first, channel=channel))


async def until(is_so):
    """Wait for what another thread, or PostgreSQL, does."""
    with trio.fail_after(PATIENCE_SECONDS):
        while not is_so():
            await trio.sleep(0.01)


async def read_map(store):
    await store._db.call(store._db.nodes._read_map)


async def texts_of(store, person):
    return [e[3] for e in await all_of(store, person) if e[1] is EntryKind.MESSAGE]


# --- where it goes


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


# --- a node is away


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
    taken, refused, is_over = [], [], False
    async with wired(own_citus) as cluster, opened(own_citus) as store:
        await begin(store)

        async def talk(sender, name):
            n = 0
            while not is_over:
                text = b"%s %d" % (name, n)
                try:
                    (answer,) = await put(store, message(text, sender=sender))
                except Refusal as no:  # again: the same message, so that it is there once
                    refused.append(no.code)
                    await trio.sleep(0.02)
                    continue
                assert not isinstance(answer, Refusal)
                taken.append(text)
                n += 1

        async def more(count):
            wanted = len(taken) + count
            await until(lambda: len(taken) >= wanted)

        async with trio.open_nursery() as nursery:
            for at in range(6):
                nursery.start_soon(talk, (ALICE, CAROL)[at % 2], b"%d" % at)
            for address in (*WORKERS, *WORKERS):
                await more(40)
                cluster.dies(address)
                await until(lambda: store._db.statistics.by_coordinator > 0)
                if address == owner(own_citus, HEADS, CHANNEL):
                    count = len(refused)
                    await until(lambda: len(refused) > count)
                await cluster.lives(address)
            await more(40)
            is_over = True
        await until(lambda: not any(pool.away for pool in store._db.nodes.pools))
        await store.expire(NOW_MS + 10_000, 0, 0)
        entries = await all_of(store, BOB)
        found = [e[3] for e in entries if e[1] is EntryKind.MESSAGE]
        assert sorted(found) == sorted(taken)
        assert [e[0] for e in entries] == list(range(1, len(entries) + 1))
        assert set(refused) == {ErrorCode.UNAVAILABLE}
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


# --- bounds


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


# --- an UPDATE that returns no row is not done


SWITCH = """
CREATE TABLE stand_in.switches (relation text PRIMARY KEY);
INSERT INTO stand_in.switches VALUES ('{0}');
CREATE FUNCTION stand_in.switch_{0}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    DELETE FROM stand_in.switches WHERE relation = TG_TABLE_NAME;
    IF FOUND THEN RETURN NULL; END IF; -- no row, and no error
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER a_switch BEFORE UPDATE OR DELETE ON qpq_delivery.{0} FOR EACH ROW EXECUTE FUNCTION stand_in.switch_{0}();
"""


def switch(server, url, table):
    """Let the next statement on a table change nothing, as at the switch of a live move."""
    server.sql(url.rsplit("/", 1)[1], SWITCH.format(table))


def is_switched(url):
    return ask(url, "SELECT 1 FROM stand_in.switches") == []


async def test_a_message_whose_head_was_switching_is_taken(citus, own_citus):
    async with opened(own_citus) as store:
        await begin(store)
        switch(citus, own_citus, "heads")
        await put(store, message(b"hello"))
        assert await texts_of(store, BOB) == [b"hello"]
        assert is_switched(own_citus)


async def test_an_acknowledgement_and_an_end_at_the_switch_are_done(citus, own_citus):
    async with opened(own_citus) as store:
        await begin(store)
        await put(store, message(b"hello"))
        switch(citus, own_citus, "mailboxes")
        assert await store.ack(BOB.device, 2, NOW_MS) == 2
        assert is_switched(own_citus)
        ask(own_citus, "INSERT INTO stand_in.switches VALUES ('mailboxes')")
        await store.close_mailbox(BOB.device)
        assert is_switched(own_citus)
        assert await store.fetch(BOB.device, 0, 0, payloads=True, now_ms=NOW_MS) is None


async def test_a_handshake_at_the_switch_moves_the_head(citus, own_citus):
    async with opened(own_citus) as store:
        await begin(store)
        switch(citus, own_citus, "heads")
        await accept(store, commit(1))
        assert is_switched(own_citus)
        assert (await store.channel(CHANNEL)).epoch == 2


class Switching:
    """A connection on which nothing comes of a statement the first time."""

    def __init__(self):
        self.said = []

    async def fetch(self, query, *args):
        self.said.append(query)
        return [] if len(self.said) == 1 else [(1,)]

    async def fetchrow(self, query, *args):
        return (await self.fetch(query)) and (7,) or None

    async def execute(self, query, *args):
        return f"UPDATE {len(await self.fetch(query))}"


@pytest.mark.parametrize(
    ("statement", "is_held"),
    [
        (sql.HEAD, True), (sql.HOLD_HEADS, True), (sql.ACK, True), (sql.DROP_MAILBOX, True), (sql.LIFT_BOX, True),
        (sql.MARK, False), (sql.FIND, False), (sql.FETCH, False), (sql.NOTE_ALL, False),
    ],
)  # fmt: skip
async def test_what_holds_or_changes_rows_is_said_again_when_none_came(statement, is_held):
    assert holds(statement) is is_held
    for ask_by in ("fetch", "fetchrow", "fetchval", "execute"):
        connection = Switching()
        await getattr(OnCitus(connection, {}), ask_by)(statement)
        assert len(connection.said) == 1 + is_held


async def test_statements_are_said_in_the_words_of_citus():
    connection = Switching()
    await OnCitus(connection, {"plain": "of Citus"}).fetch("plain")
    assert connection.said == ["of Citus"]


def test_a_schema_without_a_layout_has_no_groups():
    assert Layout().groups == ()
