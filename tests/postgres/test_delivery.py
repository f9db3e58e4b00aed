"""What is particular of delivery's store on PostgreSQL: group commit, the outbox, several processes, a server that dies."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import trio

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery import postgres_fanout
from qpqdelivery.rules import sha256
from tests.support.channels import (
    ALICE,
    BOB,
    CAROL,
    CHANNEL,
    DAY_MS,
    NOW_MS,
    PEOPLE,
    accept,
    begin,
    birth,
    box,
    commit,
    message,
    put,
)
from tests.support.nodes import PATIENCE_SECONDS, Talk, all_of, cleared, opened, outbox
from tests.support.postgres import QUICK, ended, started


@pytest.fixture(params=["fresh_postgres", "fresh_citus"])
def database(request):
    """Return the address of one server's database, and of one that the stand-in for Citus distributes."""
    return request.getfixturevalue(request.param)


async def test_what_arrives_during_a_flush_shares_the_next(database):
    async with opened(database) as store:
        await begin(store)
        before = replace(store._db.statistics)
        async with trio.open_nursery() as nursery:
            for n in range(200):
                nursery.start_soon(put, store, message(b"%d" % n))
        after = store._db.statistics
        assert after.batched - before.batched == 200
        assert after.batches - before.batches <= 4
        assert after.largest_batch > 50
        entries, _ = await box(store, BOB)
        assert [e.number for e in entries] == list(range(1, 202))
        await cleared(store)


async def test_several_processes_fill_one_order_without_gaps_or_doubles(database):
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(database)) for _ in range(3)]
        await begin(stores[0])

        async def talk(store, sender, name):
            for n in range(25):
                await put(store, message(b"%s %d" % (name, n), sender=sender))

        async with trio.open_nursery() as nursery:
            for at, store in enumerate(stores):
                for sender in (ALICE, BOB, CAROL):
                    nursery.start_soon(talk, store, sender, b"%d %s" % (at, sender.device))
        for person in (ALICE, BOB, CAROL):
            entries = await all_of(stores[0], person)
            assert [e[0] for e in entries] == list(range(1, 1 + 1 + 150))
            numbers = [e[2] for e in entries]
            assert numbers == sorted(numbers)
            assert len(set(numbers)) == len(numbers)
        await cleared(stores[0])


@pytest.mark.parametrize("finisher", ["a sweep", "the next message", "a commit"])
async def test_what_a_process_noted_and_did_not_tell_is_told_by_another_once(database, monkeypatch, finisher):
    async with opened(database) as died, opened(database) as store:
        await begin(died)
        with monkeypatch.context() as patch:
            patch.setattr(died._fan_out, "deliver", _away)
            answers = await died.enqueue([message(b"one"), message(b"two")])
        assert [a[1] for a in answers] == [[], []]
        assert await outbox(store) == 2
        assert [e[1] for e in await all_of(store, BOB)] == [EntryKind.WELCOME]
        if finisher == "a sweep":
            assert sorted(await store.expire(NOW_MS + 10_000, 0, 0)) == sorted([BOB.device, CAROL.device] * 2)
        elif finisher == "the next message":
            ((_, arrivals),) = await store.enqueue([message(b"three", sender=BOB)])
            assert (ALICE.device, 2) in arrivals
            assert (BOB.device, 0) in arrivals  # told something, and not this
        else:
            await accept(store, commit(1))
        texts = [e[3] for e in await all_of(store, CAROL) if e[1] is EntryKind.MESSAGE]
        assert texts[:2] == [b"one", b"two"]
        await died._db.call(lambda: died._fan_out.drain(CHANNEL))
        await cleared(store)


async def _away(_notes):
    raise Refusal(ErrorCode.UNAVAILABLE, "away")


async def test_told_twice_is_told_once_also_when_it_was_acknowledged_in_between(database, monkeypatch):
    async with opened(database) as store:
        await begin(store)
        with monkeypatch.context() as patch:
            patch.setattr(store._fan_out, "try_clear", _not_cleared)
            await put(store, message(b"one"))
        assert await outbox(store) == 1
        before = await all_of(store, CAROL)
        await store.ack(BOB.device, 99, NOW_MS)
        await store._db.call(lambda: store._fan_out.drain(CHANNEL))
        assert await all_of(store, BOB) == []
        assert await all_of(store, CAROL) == before
        await cleared(store)


async def _not_cleared(_notes):
    return False


async def test_nothing_goes_that_a_note_still_speaks_of(database, monkeypatch):
    async with opened(database) as store:
        await begin(store)
        with monkeypatch.context() as patch:
            patch.setattr(store._fan_out, "deliver", _away)
            await put(store, message(b"kept"))
        await store.purge(NOW_MS + 1_000, 100)
        await store._db.call(lambda: store._sweeps.expire(NOW_MS + 1_000, 0, NOW_MS + 1_000))
        await store.expire(NOW_MS + 10_000, 0, 0)
        assert [e[3] for e in await all_of(store, CAROL)][-1] == b"kept"


async def test_a_large_fan_out_is_cut_into_transactions_and_stays_in_order(database, monkeypatch):
    monkeypatch.setattr(postgres_fanout, "ROWS_MAX", 6)
    async with opened(database) as store:
        await begin(store)
        await put(store, *[message(b"%d" % n) for n in range(20)])
        for person in (BOB, CAROL):
            assert [e[0] for e in await all_of(store, person)] == list(range(1, 22))


async def test_a_lock_for_every_mailbox_of_a_large_group_is_taken_in_one_order(database):
    """Two channels with the same members, the messages of one in the other's way: no deadlock costs anybody a try."""
    async with opened(database) as one, opened(database) as two:
        await begin(one)
        async with trio.open_nursery() as nursery:
            for n in range(40):
                nursery.start_soon(put, (one, two)[n % 2], message(b"%d" % n, sender=(ALICE, BOB)[n % 2]))
        assert (one._db.statistics.tries, two._db.statistics.tries) == (0, 0)


async def test_stopped_in_the_middle_and_started_again_it_has_lost_nothing_that_was_acknowledged(tmp_path):
    server = started(**{**QUICK, "fsync": "on", "full_page_writes": "on"})
    try:
        server.make_template()
        url = server.url(server.fresh("dying"))
        with trio.fail_after(PATIENCE_SECONDS):
            async with opened(url) as store:
                await begin(store)
                taken, refused = await _under_kills(store, server)
                found = [e[3] for e in await all_of(store, BOB) if e[1] is EntryKind.MESSAGE]
                assert set(taken) <= set(found)
                assert len(found) == len(set(found))
                assert set(refused) <= {ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED}
                assert refused
                entries = await all_of(store, CAROL)
                assert [e[0] for e in entries] == list(range(1, len(entries) + 1))
                assert await store._db.call(lambda: store._fan_out.drain(CHANNEL)) == []
    finally:
        ended(server)


async def _under_kills(store, server):
    """Send while the server is stopped `immediate` twice; return what was acknowledged, and how the rest was refused."""
    talk = Talk(store)
    async with trio.open_nursery() as nursery:
        for at in range(8):
            nursery.start_soon(talk, b"%d" % at, (ALICE, BOB, CAROL)[at % 3])
        for _ in range(2):
            await talk.more(150)
            await trio.to_thread.run_sync(server.stop, signal.SIGQUIT)
            await trio.to_thread.run_sync(server.start)
        await talk.more(50)
        talk.is_over = True
    # Bob's own are not in his mailbox.
    return [text for text in talk.taken if (int(text.split()[0]) % 3) != 1], talk.refused


async def test_an_acknowledgement_beside_an_arrival_leaves_no_entry_behind(database):
    async with opened(database) as store:
        await begin(store)

        async def acknowledge():
            for _ in range(60):
                await store.ack(BOB.device, 10**6, NOW_MS)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(acknowledge)
            for n in range(100):
                nursery.start_soon(put, store, message(b"%d" % n))
        await store.ack(BOB.device, 10**6, NOW_MS)
        left = "SELECT count(*) FROM entries WHERE device = $1"
        assert await store._db.read(lambda c: c.fetchval(left, BOB.device)) == 0
        load = "SELECT entries, bytes, last = acked FROM mailboxes WHERE device = $1"
        assert tuple(await store._db.read(lambda c: c.fetchrow(load, BOB.device))) == (0, 0, True)


async def test_a_device_that_has_no_mailbox_costs_nobody_anything(database):
    async with opened(database) as store:
        await begin(store)
        await store.close_mailbox(CAROL.device)
        await put(store, message(b"hello"))
        assert await box(store, CAROL) is None
        marks = "SELECT count(*) FROM marks WHERE device = $1"
        assert await store._db.read(lambda c: c.fetchval(marks, CAROL.device)) == 0
        await store.expire(NOW_MS, NOW_MS - DAY_MS, NOW_MS - DAY_MS)  # with its VACUUM
        assert await all_of(store, BOB) != []


async def test_a_channel_made_again_tells_its_members_anew(database):
    async with opened(database) as store:
        await begin(store)
        await put(store, message(b"hello"))
        for person in PEOPLE:
            await store.ack(person.device, 99, NOW_MS)
        await store.delete_channel(CHANNEL)
        assert await store.found(CHANNEL, sha256(b"hello")) is None
        again = birth()
        await store.create(replace(again, now_ms=NOW_MS + 1_000, first=replace(again.first, now_ms=NOW_MS + 1_000)))
        assert [e[1] for e in await all_of(store, BOB)] == [EntryKind.WELCOME]
