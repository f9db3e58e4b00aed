"""Whom one trusts: marks of verification, requests, blocked people, mute, and the policy for unknown keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

import qpqclient
from qpqcore.api.keystore import ResolveUserResult
from tests.support.answers import with_another_key
from tests.support.people import settle, texts


async def everybody(w, *names):
    clients = [await w.client(name) for name in names]
    await settle(*clients)
    return clients


async def test_a_mark_of_verification_is_of_one_key_and_its_loss_is_announced(open_world):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        hers = alice.conversation(w.direct)
        assert not hers.verified
        for mark in (True, False, True):
            await alice.verify("bob", verified=mark)
            assert hers.verified is mark
        assert hers.verified
        assert await alice.verified("bob")
        assert not alice.conversation(w.club).verified, "carol is there too"
        lies = with_another_key(alice, "bob")
        with pytest.MonkeyPatch.context() as lying:
            lying.setattr(alice._core.wire, "call", lies)
            for _ in range(2):
                with pytest.raises(qpqclient.IdentityChanged):
                    await alice.resolve("bob")
            notices = [m for m in hers.history() if m.kind == "notice"]
            assert len(notices) == 1, "told once"
            assert "another key for bob" in notices[0].text
            assert len([m for m in alice.conversation(w.club).history() if m.kind == "notice"]) == 1
            assert hers.verified, "what was compared is what is still used"
            assert (hers.doubtful(), alice.conversation(w.club).doubtful()) == (["bob"], ["bob"]), "but the badge falls"
            await alice.trust("bob")
            assert not hers.verified
            assert hers.doubtful() == ["bob"], "the group's leaf has the other key"
            assert "the mark of verification is gone" in hers.history()[-1].text
        await hers.send("behind the notices")
        await settle(alice, bob)
        assert hers.history()[-1].text == "behind the notices"
        assert [m.kind for m in bob.conversation(w.direct).history() if m.kind == "notice"] == []


async def test_a_badge_that_fell_comes_back_by_comparing_alone(open_world):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        hers = alice.conversation(w.direct)
        await alice.verify("bob")
        call = alice._core.wire.call

        async def lies(params, result, *, key=b""):
            answer = await call(params, result, key=key)
            return replace(answer, identity_key=b"\7" * 32) if isinstance(answer, ResolveUserResult) else answer

        with pytest.MonkeyPatch.context() as lying:
            lying.setattr(alice._core.wire, "call", lies)
            with pytest.raises(qpqclient.IdentityChanged):
                await alice.verify("bob")
        assert hers.doubtful() == ["bob"]
        await alice.resolve("bob")
        assert hers.doubtful() == ["bob"], "a server that tells the truth again has lied all the same"
        await alice.verify("bob")
        assert (hers.doubtful(), hers.verified) == ([], True)


async def test_conversations_of_unknown_people_wait_if_that_is_set(open_world):
    async with open_world() as w:
        alice, bob, eve = await everybody(w, "alice", "bob", "eve")
        alice.set_setting("requests", "on")
        events = alice.events()
        talk = await eve.dm("alice")
        await talk.send("hello, you do not know me")
        group = await eve.create_group("spam", ["alice"])
        await settle(eve, alice)
        assert {c.id for c in alice.requests()} == {talk.id, group.id}
        assert {c.id for c in alice.conversations()} == {w.direct, w.club}
        waiting = alice.conversation(talk.id)
        assert (waiting.requested, waiting.take_unshown()) == (True, [])
        alice.send_receipts()
        await settle(alice, eve)
        assert talk.history()[0].state == "sent", "a stranger is told nothing"
        while (event := await anext(events)).channel != talk.id:
            pass
        assert not isinstance(event, qpqclient.MessageReceived)
        waiting.accept()
        assert [m.text for m in waiting.take_unshown()] == ["hello, you do not know me"]
        spam = alice.conversation(group.id)
        await spam.decline()
        assert alice.requests() == []
        for _ in range(2):
            await settle(alice, eve)
        assert {m.name for m in group.members()} == {"eve"}
        again = await eve.create_group("known now", ["alice"])
        await settle(eve, alice)
        assert again.id in {c.id for c in alice.conversations()}, "eve was accepted"
        fresh = await alice.dm("bob")
        assert not fresh.requested


async def test_who_answers_a_request_accepts_it(open_world):
    async with open_world() as w:
        alice, eve = await everybody(w, "alice", "eve")
        alice.set_setting("requests", "on")
        talk = await eve.dm("alice")
        await settle(eve, alice)
        await alice.conversation(talk.id).send("who are you?")
        assert (alice.requests(), alice.conversation(talk.id).requested) == ([], False)


async def test_what_blocked_people_send_does_not_come(open_world):
    async with open_world() as w:
        alice, bob, eve = await everybody(w, "alice", "bob", "eve")
        await alice.block("bob")
        await alice.block("eve")
        assert alice.blocked() == ["bob", "eve"]
        his, club = bob.conversation(w.direct), bob.conversation(w.club)
        for conversation in (his, club):
            await conversation.send("unheard")
        await (await eve.dm("alice")).send("unheard too")
        await settle(bob, eve, alice)
        assert not alice.search("unheard")
        assert {c.id for c in alice.conversations()} == {w.direct, w.club}
        assert alice.requests() == []
        with pytest.raises(qpqclient.NotAllowed):
            await alice.conversation(w.direct).send("and I do not answer")
        await alice.conversation(w.club).send("the group goes on")
        await alice.block("bob", blocked=False)
        await his.send("heard again")
        await settle(bob, alice)
        assert texts(alice.conversation(w.direct))[-1] == "heard again"
        assert "unheard" not in texts(alice.conversation(w.direct)), "what was dropped stays away"
        await alice.conversation(w.direct).send("welcome back")


async def test_a_conversation_can_be_muted(open_world):
    now = [1_800_000_000_000]
    async with open_world(clock_ms=lambda: now[0]) as w:
        alice = await w.client("alice", now_ms=lambda: now[0])
        club = alice.conversation(w.club)
        assert not club.muted
        club.mute(3600)
        assert club.muted
        now[0] += 3_601_000
        assert not club.muted
        club.mute()
        assert club.muted
        club.mute(0)
        assert not club.muted


async def test_the_policy_may_be_to_send_only_to_verified_keys(open_world):
    async with open_world() as w:
        alice, bob = await everybody(w, "alice", "bob")
        alice.set_setting("keys", "verified")
        hers = alice.conversation(w.direct)
        with pytest.raises(qpqclient.NotVerified, match="bob"):
            await hers.send("not yet")
        await bob.conversation(w.direct).send("from bob")
        await settle(bob, alice)
        alice.send_receipts()
        assert alice.pending == 0
        await alice.verify("bob")
        await hers.send("now")
        await settle(alice, bob)
        assert texts(bob.conversation(w.direct))[-1] == "now"
        with pytest.raises(qpqclient.NotVerified, match="carol"):
            await alice.conversation(w.club).send("carol?")
