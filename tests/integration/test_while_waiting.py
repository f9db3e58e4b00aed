"""What comes while a client waits for an answer: another conversation's trouble, another member's commit, another gap."""

from __future__ import annotations

from qpqclient import upkeep
from qpqclient.errors import GroupBusy
from tests.support.people import settle, texts


def proposed(client, channel):
    """Note a proposal that a device would commit, were it not for what a test lets come first."""
    client._core.store.db.execute("INSERT INTO proposed VALUES (?, ?, 1)", (channel, b"of a device"))


# --- one conversation's trouble, and the others


async def test_a_message_is_sent_though_another_conversation_ends_while_it_waits(open_world, monkeypatch):
    """Alice has to rejoin before she sends, and commits what is proposed elsewhere on the way: there she is removed meanwhile."""
    monkeypatch.setattr(upkeep, "PROPOSAL_WAIT_SECONDS_MAX", 1_000.0)
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        commits, ended = alice._core.commits, []
        settle_proposals = commits.settle_proposals

        async def late(channel):
            ended.append(channel)
            await bob.conversation(w.club).remove("alice")
            await alice._core.catch_up()
            await settle_proposals(channel)

        monkeypatch.setattr(commits, "settle_proposals", late)
        proposed(alice, w.club)
        alice._core.upkeep.want_rejoin(w.direct)
        sent = await alice.conversation(w.direct).send("whatever becomes of the club")
        await alice.wait_sent(sent.id)
        await settle(bob)
        assert ended == [w.club]
        assert texts(bob.conversation(w.direct))[-1] == "whatever becomes of the club"


async def test_a_conversation_that_cannot_be_settled_holds_up_no_other(open_world, monkeypatch):
    """The club cannot be rejoined for now. What was said to it waits; what comes after, in the direct conversation, is sent."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        commits, tried = alice._core.commits, []
        rejoin = commits.rejoin

        async def busy(channel):
            tried.append(channel)
            if channel == w.club and len(tried) < 4:
                raise GroupBusy("the group is too busy to be rejoined now")
            return await rejoin(channel)

        monkeypatch.setattr(commits, "rejoin", busy)
        alice._core.upkeep.want_rejoin(w.club)
        alice._core.upkeep.want_rejoin(w.direct)
        in_club = await alice.conversation(w.club).send("to the club")
        in_direct = await alice.conversation(w.direct).send("to Bob")
        await alice.wait_sent(in_direct.id)
        assert alice.message(w.club, in_club.id).state == "pending"
        await alice.wait_sent(in_club.id)
        await settle(bob)
        assert texts(bob.conversation(w.club))[-1] == "to the club"


async def test_an_invitation_with_a_key_made_a_moment_ago_opens(open_world):
    """The device has used its keys before: what it makes after that counts too."""
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        await alice.create_group("before", ["bob"])
        w.edit("keystore", "DELETE FROM packages")
        await alice._core.account.top_up(await alice._core.link())
        made = await bob.create_group("fresh", ["alice"])
        await made.send("welcome")
        await settle(bob, alice)
        assert texts(alice.conversation(made.id)) == ["welcome"]
        assert alice.conversation(made.id).epoch == 1, "nobody had to join anew"
