"""What the simulation found, each as small as it can be told (docs/operate/guarantees.md#simulation)."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

import qpqclient
from qpqcore.api import delivery
from qpqcore.bus.background import repeat
from qpqcore.groups.validity import read_leaf
from qpqcore.model.errors import ErrorCode, Refusal
from tests.support.people import people, settle, texts


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
