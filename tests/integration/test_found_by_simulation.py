"""What the simulation found, each as small as it can be told (docs/operate/guarantees.md#simulation)."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

import qpqclient
from qpqclient.client import system_now_ms
from qpqcore.api import delivery
from qpqcore.bus.background import repeat
from qpqcore.groups.validity import read_leaf
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery import postgres_messages
from qpqdelivery import sqlite_channels as channels
from tests.support.answers import after_the_answer, answer_lost_then_refused, refused_once
from tests.support.people import people, settle, texts
from tests.support.world import STORE_KEY

PATIENCE_SECONDS = 20


async def test_a_full_disk_ends_a_round_of_background_work_and_not_the_process():
    rounds = []

    async def work():
        rounds.append(trio.current_time())
        if len(rounds) < 3:
            raise Refusal(ErrorCode.STORAGE_FULL)
        scope.cancel()

    with trio.CancelScope() as scope:
        await repeat("tests", 0.01, work)
    assert len(rounds) == 3


async def test_a_reaction_does_not_tell_of_the_message_again(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        told = bob.events()
        talk = await alice.dm("bob")
        message = await talk.send("once")
        await settle(alice, bob)
        await talk.react(message.id, "+")
        await settle(alice, bob)
        seen = []
        with trio.move_on_after(0.2):
            async for event in told:
                seen.append(event)
        assert [e.message.text for e in seen if isinstance(e, qpqclient.MessageReceived)] == ["once"]
        assert any(isinstance(e, qpqclient.MessageChanged) for e in seen)


async def test_who_was_removed_before_reading_the_invitation_still_reads_what_was_meant_for_them(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        club = await alice.create_group("club")
        async with AsyncExitStack() as away:
            await people(away, server, tmp_path, "carol")
        await club.invite("carol")
        await club.send("welcome, carol")
        await alice.flush()
        await club.remove("carol")
        await club.send("not for carol")
        await alice.flush()
        carol = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "carol", server=server.where, password="store carol")
        )
        await settle(carol)
        (conversation,) = carol.conversations()
        assert "welcome, carol" in texts(conversation)
        assert "not for carol" not in texts(conversation)
        assert not conversation.active


async def test_the_last_member_can_leave(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        (alice,) = await people(stack, server, tmp_path, "alice")
        club = await alice.create_group("club")
        await club.send("to myself")
        await club.leave()
        await alice.flush()
        await settle(alice)
        assert not club.active
        assert texts(club) == ["to myself"]
        with pytest.raises(qpqclient.QpqError):
            await club.send("too late")


async def test_what_is_sent_before_leaving_arrives(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        club = await alice.create_group("club", ["bob"])
        await settle(alice, bob)
        of_bob = bob.conversation(club.id)
        for number in range(5):
            await of_bob.send(f"farewell {number}")
        await of_bob.leave()
        with trio.fail_after(30):
            while of_bob.active:
                await settle(bob, alice)
        await settle(alice)
        assert [t for t in texts(club) if t.startswith("farewell")] == [f"farewell {n}" for n in range(5)]


class Held:
    """Lets the transaction that stores a message wait in its middle."""

    def __init__(self, store, monkeypatch):
        self.begun, self._go_on = threading.Event(), threading.Event()
        if store == "sql":
            self._real = channels.accept_message
            monkeypatch.setattr(channels, "accept_message", self._in_the_writers_thread)
        else:
            self._real = postgres_messages._found
            monkeypatch.setattr(postgres_messages, "_found", self._on_the_bridge)

    def go_on(self):
        self._go_on.set()

    def _waits(self):
        self.begun.set()
        assert self._go_on.wait(PATIENCE_SECONDS)

    def _in_the_writers_thread(self, *what):
        self._waits()
        return self._real(*what)

    async def _on_the_bridge(self, *what):
        await asyncio.to_thread(self._waits)
        return await self._real(*what)


async def test_a_message_is_told_though_its_sender_vanished_while_it_was_stored(open_world, form, monkeypatch):
    """Its call is cancelled as its connection ends; the transaction is not, and who waits has to hear of it."""
    held = Held(form.store, monkeypatch)
    async with open_world() as w:
        bob = await w.client("bob")
        await settle(bob)
        told, left = bob.events(), connection_ended(w.server.gateway, monkeypatch)
        async with qpqclient.open_client(w.folder / "alice", server=w.where, store_key=STORE_KEY) as alice:
            await alice.conversation(w.direct).send("last words")
            await trio.to_thread.run_sync(held.begun.wait, PATIENCE_SECONDS)
        await left.wait()
        held.go_on()
        with trio.fail_after(10):  # a subscription that hears of nothing looks by itself after 30 s
            async for event in told:
                if isinstance(event, qpqclient.MessageReceived):
                    assert event.message.text == "last words"
                    break


def connection_ended(gateway, monkeypatch):
    """Return an event for the end of the next connection to do so."""
    real, ended = gateway._peers.drop, trio.Event()

    def drop(connection):
        real(connection)
        ended.set()

    monkeypatch.setattr(gateway._peers, "drop", drop)
    return ended


async def test_a_sealed_message_of_somebody_who_was_removed_is_refused(open_world):
    async with open_world() as w:
        bob, alice = await w.device("bob"), await w.device("alice")
        late = bob.message(w.club, sealed=True)
        await alice.call(removal(alice, w.club, await w.device("bob")), delivery.SubmitCommitResult)
        link = await w.anonymous()
        with pytest.raises(qpqclient.Refused) as refused:
            await link.call(late, delivery.EnqueueResult)
        assert refused.value.code is ErrorCode.STALE_EPOCH


def removal(by, channel, whom):
    leaves = {read_leaf(m.credential, m.signature_key).device: m.index for m in by.group(channel).members()}
    return by.commit(channel, remove=[leaves[whom.id]])


async def test_an_external_commit_whose_answer_never_came_is_read_on_from(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        (alice,) = await people(stack, server, tmp_path, "alice")
        async with AsyncExitStack() as dying:
            (bob,) = await people(dying, server, tmp_path, "bob")
            club = await alice.create_group("club", ["bob"])
            await settle(alice, bob)
            taken = after_the_answer(bob, delivery.SubmitCommitParams)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bob.conversation(club.id).rejoin)
                await taken.wait()
                await settle(alice)
                await club.send("in the epoch that bob began")
                await alice.flush()
                nursery.cancel_scope.cancel()
        bob = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "bob", server=server.where, password="store bob")
        )
        await settle(bob, alice)
        assert texts(bob.conversation(club.id)) == ["in the epoch that bob began"]


async def test_an_invitation_read_as_the_session_ends_is_read_again(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        refused_once(bob, delivery.FetchTreeParams, ErrorCode.UNAUTHENTICATED)
        club = await alice.create_group("club", ["bob"])
        await club.send("first")
        await alice.flush()
        with trio.fail_after(30):
            while bob._core.call.__name__ == "call" and club.id not in {c.id for c in bob.conversations()}:
                await bob._core.in_session(await bob._core.link())
                await trio.testing.wait_all_tasks_blocked(0.01)
        await settle(bob, alice)
        assert texts(bob.conversation(club.id)) == ["first"]


async def test_who_is_removed_and_added_again_reads_what_was_under_way(serving, tmp_path, monkeypatch):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        club = await alice.create_group("club", ["bob", "carol"])
        await settle(alice, bob, carol)
        real, encrypted, released = bob._core.outbox._deliver, trio.Event(), trio.Event()

        async def late(row):
            encrypted.set()
            await released.wait()
            await real(row)

        monkeypatch.setattr(bob._core.outbox, "_deliver", late)
        await bob.conversation(club.id).send("under way")
        await encrypted.wait()
        await club.remove("carol")
        await settle(carol)
        await club.invite("carol")
        await settle(carol)
        released.set()
        await bob.flush()
        await settle(carol, alice)
        assert texts(carol.conversation(club.id)) == ["under way"]


@pytest.mark.parametrize("table", ["rejoins", "leaving"])
async def test_who_is_added_as_it_hears_that_it_is_out_stays_in(serving, tmp_path, table):
    """The answer `notMember` was true when it was given; the invitation is read before it is acted upon."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        club = await alice.create_group("club", ["bob"])
        await settle(alice, bob)
        told = delivery.FetchGroupInfoParams if table == "rejoins" else delivery.SubmitProposalParams
        refused_once(bob, told, ErrorCode.NOT_MEMBER)
        if table == "rejoins":
            bob._core.upkeep.want_rejoin(club.id)
        else:
            bob._core.upkeep.want_leave(club.id)
        await settle(bob, alice)
        inside = bob.account in {m.account for m in club.members()}
        assert bob.conversation(club.id).active == inside
        assert inside or table == "leaving"


async def test_a_rejoin_whose_answer_was_lost_is_not_dropped_as_the_session_ends(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        await settle(alice, bob)
        answer_lost_then_refused(bob, delivery.SubmitCommitParams, ErrorCode.UNAUTHENTICATED)
        with pytest.raises(qpqclient.Refused):
            await bob.conversation(talk.id).rejoin()
        begun = bob._core.groups.joining(talk.id)
        assert begun is not None
        await settle(alice)
        epoch = talk.epoch
        await settle(bob, alice)
        assert (bob.conversation(talk.id).epoch, talk.epoch) == (epoch, epoch)  # by that very commit, not by another


async def test_what_waits_for_a_session_is_sent_however_often_it_ended(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.dm("bob")
        await settle(alice, bob)
        over = qpqclient.Refused(Refusal(ErrorCode.UNAUTHENTICATED))
        assert alice._core._ended(over)
        await talk.send("in the next session")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert alice._core._ended(over)
        await alice._core.in_session(await alice._core.link())
        with trio.fail_after(10):
            await alice.flush()
        await settle(bob)
        assert "in the next session" in texts(bob.conversation(talk.id))


async def test_an_account_that_is_deleted_while_its_mail_is_read_does_not_end_the_client(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        (alice,) = await people(stack, server, tmp_path, "alice")
        await alice.delete_account()
        read = trio.Event()

        async def keys_are_low(_link):
            read.set()
            alice._core.account.native()

        alice._core._subscribe = keys_are_low
        link = await alice._core.link()
        alice._core._session.set()  # the client itself may have heard of the deletion by now
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice._core._follow, link)
            await read.wait()
            await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
        assert alice.connected


async def test_a_new_device_whose_mailbox_is_opened_late_begins_by_itself(open_world, tmp_path, monkeypatch):
    """The server's disk was full at that moment: the log-in says so, and goes on without another one."""

    async def refuses(_self, _device, _account, _now_ms):
        raise Refusal(ErrorCode.STORAGE_FULL, "the server's disk is full")

    async with open_world() as w:
        opened = qpqclient.open_client(tmp_path / "new", server=w.where, store_key=STORE_KEY)
        async with opened as new:
            with monkeypatch.context() as full, pytest.raises(qpqclient.Refused):
                full.setattr(type(w.service("delivery")._store), "open_mailbox", refuses)
                await new.login("alice", "secret alice")
            await w.service("auth")._jobs.run(None)  # as the next sweep does
            with trio.fail_after(PATIENCE_SECONDS):
                while w.direct not in {c.id for c in new.conversations()}:
                    with trio.move_on_after(1.0):
                        await anext(new.events())


# --- found by the soak


@pytest.mark.parametrize("moment", ["proposals", "is_member"])
async def test_a_removal_that_is_settled_while_it_is_proposed_again_is_looked_at_anew(open_world, monkeypatch, moment):
    """The group, its leaves and its proposals are read one after another: a commit or an invitation may come in between."""
    async with open_world() as w:
        bob, dave = await w.device("bob"), await w.device("dave")
        handshakes, whom = w.service("delivery")._handshakes, bob if moment == "proposals" else dave
        if moment == "proposals":
            assert (await handshakes.propose_removal(w.club, bob.id, system_now_ms()))[0]
        real, calls = getattr(handshakes._store, moment), []

        async def another_time(*what):
            calls.append(what)
            found = await real(*what)
            return found if len(calls) > 1 else {"proposals": [], "is_member": True}[moment]

        monkeypatch.setattr(handshakes._store, moment, another_time)
        assert await handshakes.propose_removal(w.club, whom.id, system_now_ms()) == (False, [])
        assert len(calls) > 1
