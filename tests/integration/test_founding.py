"""Foundings and resets: broken off, refused, lost on the way, overtaken; nothing is said where nobody could read it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

import qpqclient
from qpqclient.connection import Connection
from qpqclient.core import Core
from qpqcore.api import delivery
from qpqcore.crypto.parts import vec
from qpqcore.model.errors import ErrorCode
from tests.support import recipes
from tests.support.answers import answer_lost_then_refused, refused_once
from tests.support.people import people, settle, texts
from tests.support.reopened import dying_at, opened, until

PATIENCE_SECONDS = 20


@pytest.mark.parametrize("answered", [False, True])
async def test_a_conversation_begun_before_a_crash_is_there_after_it(open_world, monkeypatch, answered):
    """The client dies before the call that founds a channel, or before its answer comes."""
    async with open_world() as w:
        with monkeypatch.context() as patched:
            reached = dying_at(patched, Connection, delivery.CreateChannelParams, answered=answered)
            async with opened(w, "alice") as alice:
                await until(reached, alice.dm, "eve")
        eve = await w.client("eve")
        async with opened(w, "alice") as alice:
            begun = next(c for c in alice.conversations() if c.id not in {w.direct, w.club})
            await begun.send("at once")
            direct = await alice.dm("eve")
            assert direct.id == begun.id
            await direct.send("hello")
            await settle(alice, eve)
            assert [texts(c) for c in eve.conversations()] == [["at once", "hello"]]
            assert len(alice.conversations()) == 3


async def test_who_begins_a_group_anew_reads_what_was_sent_before(open_world):
    """What was taken in the old generation, and lies unread when the new one is founded, is read with the old keys."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        lock, club = alice._core.lock, bob.conversation(w.club)
        async with trio.open_nursery() as nursery, lock:
            for number in range(3):
                await club.send(f"number {number}")
            await club.update_key()
            await club.send("after an update")
            await bob.flush()
            nursery.start_soon(alice._core.births.reset, w.club, 1)
            while lock.statistics().tasks_waiting < 2:  # one entry that was pushed, then the founding, then the others
                await trio.sleep(0.01)
        await settle(alice, bob)
        assert texts(alice.conversation(w.club))[-4:] == ["number 0", "number 1", "number 2", "after an update"]
        await club.send("after the reset")
        await club.update_key()
        await settle(bob, alice)
        assert texts(alice.conversation(w.club))[-1] == "after the reset"
        assert alice._core.store.groups_aside(vec(w.club)) == set()  # and then the old keys are gone


async def test_who_would_begin_a_group_anew_gives_way_to_who_did_so_meanwhile(open_world):
    """Alice looks for KeyPackages; Bob has begun the group anew by then: his group stays, and what he says in it is read."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        births, commits = alice._core.births, alice._core.commits
        packages, finish = commits.packages, births.finish
        looks, go_on, read = trio.Event(), trio.Event(), trio.Event()

        async def slow(*what):
            looks.set()
            await go_on.wait()
            return await packages(*what)

        async def late(*what):
            await read.wait()
            await finish(*what)

        commits.packages, births.finish = slow, late
        async with trio.open_nursery() as nursery:
            nursery.start_soon(births.reset, w.club, 1)
            await looks.wait()
            await bob._core.births.reset(w.club, 1)
            await settle(alice)
            go_on.set()
            await trio.testing.wait_all_tasks_blocked(0.05)
            await bob.conversation(w.club).send("in the new group")
            await settle(bob)
            await alice._core.catch_up()
            read.set()
        await settle(alice, bob)
        assert texts(alice.conversation(w.club))[-1] == "in the new group"
        assert alice.conversation(w.club).epoch == bob.conversation(w.club).epoch == 1, "nobody had to join again"


async def test_nothing_is_said_in_a_group_begun_anew_before_the_others_are_in_it(open_world, monkeypatch):
    """Its first epoch has one member, its founder: what was sent in it went to nobody."""
    came, go_on, real = trio.Event(), trio.Event(), Core._take

    async def late(self, entries):
        if self.account.name == "alice" and any(entry.generation == 2 for entry in entries):
            came.set()
            await go_on.wait()
        await real(self, entries)

    monkeypatch.setattr(Core, "_take", late)
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice._core.births.reset, w.club, 1)
            await came.wait()
            await alice.conversation(w.club).send("to everybody")
            await trio.testing.wait_all_tasks_blocked(0.05)
            go_on.set()
        await settle(alice, bob)
        assert texts(bob.conversation(w.club))[-1] == "to everybody"


async def test_a_founding_that_is_refused_for_now_is_tried_again(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, _bob = await people(stack, server, tmp_path, "alice", "bob")
        told = alice.events()
        refused_once(alice, delivery.CreateChannelParams, ErrorCode.STORAGE_FULL)
        with pytest.raises(qpqclient.Refused):
            await alice.create_group("club", ["bob"])
        with trio.fail_after(10):
            async for event in told:
                if isinstance(event, qpqclient.GroupChanged):
                    break
        assert not alice._core.store.rows("SELECT 1 FROM births")


@pytest.mark.parametrize("code", [ErrorCode.UNAUTHENTICATED, ErrorCode.DEVICE_UNKNOWN])
async def test_a_founding_whose_answer_was_lost_is_not_dropped_as_the_session_ends(serving, tmp_path, code):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        answer_lost_then_refused(alice, delivery.CreateChannelParams, code)
        with pytest.raises(qpqclient.Refused):
            await alice.create_group("club", ["bob"])
        await settle(bob)
        (club,) = [c for c in bob.conversations() if c.kind != "self"]
        await settle(alice, bob)
        mine, theirs = alice.conversation(club.id), bob.conversation(club.id)
        assert (mine.epoch, mine.authenticator) == (theirs.epoch, theirs.authenticator)


@pytest.mark.parametrize("way", ["rejoin", "reset"])
async def test_who_joins_by_itself_before_reading_its_invitation_reads_what_came_in_between(
    open_world, monkeypatch, way
):
    """Bob founds the group anew; Alice, who has not read that yet, joins the new group by herself, an epoch later.

    She may have died on the way to a reset of her own (found by the soak), or have lost the group.
    """
    read, go_on, real = trio.Event(), trio.Event(), Core._take

    async def late(self, entries):
        if self.account.name == "alice" and any(entry.generation == 2 for entry in entries):
            await read.wait()
        await real(self, entries)

    monkeypatch.setattr(Core, "_take", late)
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        if way == "reset":
            await half_a_reset(alice, w.club, go_on)
        await bob._core.births.reset(w.club, 1)
        for number in range(3):
            await bob.conversation(w.club).send(f"number {number}")
        await bob.flush()
        if way == "rejoin":
            alice._core.upkeep.want_rejoin(w.club)
        go_on.set()
        with trio.fail_after(PATIENCE_SECONDS):
            while bob.conversation(w.club).epoch < 2:
                await settle(bob)
        read.set()
        await bob.conversation(w.club).send("after it")
        await settle(bob, alice)
        mine, theirs = alice.conversation(w.club), bob.conversation(w.club)
        assert texts(mine)[-4:] == ["number 0", "number 1", "number 2", "after it"]
        assert (mine.epoch, mine.authenticator) == (theirs.epoch, theirs.authenticator)


async def half_a_reset(client, channel, go_on):
    """Have a client prepare a reset, and submit it later: as one that dies in between and is started again."""
    births, prepared = client._core.births, trio.Event()
    submit = births.finish

    async def later(*what):
        prepared.set()
        await go_on.wait()
        await submit(*what)

    births.finish = later
    async with trio.open_nursery() as nursery:
        nursery.start_soon(births.reset, channel, 1)
        await prepared.wait()
        nursery.cancel_scope.cancel()


async def test_a_reset_that_meets_itself_is_one_reset(open_world):
    """Repeated while the first was under way, it was refused as if somebody else had reset, and its group was given up."""
    async with open_world() as w:
        alice = await w.device("alice")
        store, params, twins = w.service("delivery")._store, recipes.reset_of(alice, w.club), []
        members, is_first = store.members, True

        async def meanwhile(channel, generation):
            nonlocal is_first
            if is_first:
                is_first = False
                twins.append(await alice.call(params, delivery.ResetChannelResult))
            return await members(channel, generation)

        store.members = meanwhile
        twins.append(await alice.call(params, delivery.ResetChannelResult))
        assert twins[0] == twins[1]
        assert twins[0].generation == 2


async def test_a_reset_that_somebody_else_overtakes_is_refused(open_world):
    async with open_world() as w:
        alice, bob = await w.device("alice"), await w.device("bob")
        store = w.service("delivery")._store
        members, is_first = store.members, True

        async def meanwhile(channel, generation):
            nonlocal is_first
            if is_first:
                is_first = False
                await bob.call(recipes.reset_of(bob, w.club), delivery.ResetChannelResult)
            return await members(channel, generation)

        store.members = meanwhile
        assert await alice.code(recipes.reset_of(alice, w.club)) is ErrorCode.GENERATION_CONFLICT


async def test_a_founding_under_way_is_not_submitted_a_second_time(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        await alice.sync()
        core, handshakes = alice._core, w.service("delivery")._handshakes
        real, calls = handshakes.reset, []

        async def counted(call, params):
            calls.append(params)
            core.upkeep.wake()
            await trio.testing.wait_all_tasks_blocked(0.1)
            return await real(call, params)

        handshakes.reset = counted
        await core.births.reset(w.club, core.groups.generation(w.club))
        await settle(alice)
        assert len(calls) == 1
        assert core.groups.generation(w.club) == 2
        assert not core.store.rows("SELECT 1 FROM births")
