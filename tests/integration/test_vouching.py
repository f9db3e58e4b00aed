"""Groups that a server makes up: it has every GroupInfo and tree, and may sign with accounts of its own, but with no member's key."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import trio

import qpqclient
import qpqnative
from qpqclient.client import system_now_ms
from qpqclient.inbox import POSITION
from qpqcore.api import delivery
from qpqcore.api.delivery import Entry, EntryKind, WelcomeItem
from qpqcore.api.keystore import FetchKeyPackageParams, FetchKeyPackageResult
from qpqcore.api.methods import METHODS
from qpqcore.crypto.identity import Credential
from qpqcore.groups.policy import ChannelKind, GroupPolicy, group_id
from qpqcore.model.ids import make_id
from qpqcore.wire.envelope import BusReply
from qpqgateway.service import Gateway
from tests.support.lying_server import DOMAIN, Mallory
from tests.support.people import people, settle, texts

PATIENCE_SECONDS = 60


class Forger(Mallory):
    """The server with an account of its own, which nobody has registered."""

    def __init__(self):
        super().__init__(make_id(b"e" * 16, DOMAIN))
        credential = Credential.make(self.identity_secret, self.account, self.device, self.key)
        self.native = qpqnative.Device(credential=credential.to_bytes(), signature_secret=self.secret)

    def found(self, channel, generation, packages, **policy):
        """Return a group of this account, with a Welcome for each package, in a channel that may be somebody else's."""
        rules = GroupPolicy(
            **{"version": 1, "kind": ChannelKind.GROUP, "home": DOMAIN, "generation": generation} | policy
        )
        now_s = system_now_ms() // 1000
        group = self.native.create_group(
            qpqnative.SUITE_1, group_id=group_id(channel, generation), policy=rules.to_bytes(), now_s=now_s
        )
        pending = group.commit(add=packages, now_s=now_s)
        group.apply(pending, pending.commit)
        return group, [welcome for _, welcome in pending.welcomes]

    def enter(self, served, tree):
        """Return the group of others as an external commit of this account makes it, which no member has seen."""
        group, _ = self.native.external_join(served.group_info, tree)
        info = replace(served, epoch=group.epoch, group_info=group.group_info(), tree_hash=group.tree_hash)
        return group, info


@pytest.fixture
def made_up(monkeypatch):
    """Answers of the server by method, given in place of what its services would do."""
    answers, answer = {}, Gateway._answer

    async def answers_so(self, envelope):
        name = METHODS[envelope.method].name
        return BusReply(result=answers[name]().to_bytes()) if name in answers else await answer(self, envelope)

    monkeypatch.setattr(Gateway, "_answer", answers_so)
    return answers


async def package_of(asker, client):
    """Return a KeyPackage of somebody, as the server can take one at any time."""
    params = FetchKeyPackageParams(accounts=(client.account,), suites=(qpqnative.SUITE_1,))
    answer = await asker._core.call(params, FetchKeyPackageResult)
    return answer.accounts[0].packages[0].key_package


async def bring(client, **entry):
    """Let the server bring an entry that it has made up; what it brings then is numbered as if there had been none."""
    inbox, store = client._core.inbox, client._core.store
    async with client._core.lock:
        before = inbox.position
        await inbox.take(Entry(number=before + 1, **entry))
        assert inbox.position == before + 1
        with store.transaction():
            store.put_number(POSITION, before)


async def invite(client, made_up, channel, generation, group, welcome):
    """Let the server bring an invitation into its group."""
    made_up["fetchTree"] = lambda: delivery.FetchTreeResult(tree=group.tree())
    item = WelcomeItem(device=client.device, welcome=welcome)
    await bring(
        client, kind=EntryKind.WELCOME, channel=channel, generation=generation, epoch=group.epoch,
        payload=item.to_bytes(), tree_hash=group.tree_hash,
    )  # fmt: skip


async def show_made_up(client, made_up, talk, forger):
    """Let the server show a copy of a group that it has entered; return the copy, and what was submitted to it."""
    served, tree = await client._core.commits.as_served(talk.id)
    group, info = forger.enter(served, tree)
    submitted = []

    def submit():
        submitted.append(1)
        return delivery.SubmitCommitResult(epoch=group.epoch + 1, log_number=99)

    made_up["fetchGroupInfo"] = lambda: info
    made_up["fetchTree"] = lambda: delivery.FetchTreeResult(tree=group.tree())
    made_up["submitCommit"] = submit
    return group, submitted


async def test_a_made_up_group_is_neither_entered_nor_sent_into(serving, tmp_path, made_up):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        forger = Forger()
        _, submitted = await show_made_up(alice, made_up, talk, forger)
        with pytest.raises(qpqclient.NotVouched):
            await talk.rejoin()
        ident = (await talk.send("for bob's eyes only")).id
        with trio.move_on_after(1):
            await alice.wait_sent(ident)
        assert (submitted, alice.unsent) == ([], 1)
        assert alice._core.vouching.strangers(talk.id) == [forger.account]
        assert len(talk.strangers()) == 1
        assert [m.kind for m in talk.history()].count("notice") == 1
        made_up.clear()
        with trio.fail_after(PATIENCE_SECONDS):
            await talk.rejoin()  # the truth: the group's last commit is a member's
            await alice.wait_sent(ident)
        await settle(alice, bob)
        assert talk.strangers() == []
        assert {m.name for m in talk.members()} == {"alice", "bob"}
        assert "for bob's eyes only" in texts(bob.conversation(talk.id))


async def test_a_made_up_reset_is_not_gone_over_to(serving, tmp_path, made_up):
    """Not by an invitation, not by itself, and not by beginning it anew with whom the server names."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        forger = Forger()
        packages = [await package_of(bob, alice), await package_of(alice, bob)]
        group, welcomes = forger.found(talk.id, 2, packages)
        info = delivery.FetchGroupInfoResult(
            generation=2, epoch=group.epoch, group_info=group.group_info(), tree_hash=group.tree_hash
        )
        made_up["fetchGroupInfo"] = lambda: info
        made_up["fetchTree"] = lambda: delivery.FetchTreeResult(tree=group.tree())
        await bring(alice, kind=EntryKind.RESET, channel=talk.id, generation=2)
        await invite(alice, made_up, talk.id, 2, group, welcomes[0])
        await alice.sync()
        assert not talk.active
        assert alice._core.vouching.strangers(talk.id) == [forger.account]
        with pytest.raises(qpqclient.NotVouched):
            await alice._core.births.reset(talk.id, 2)
        made_up.clear()
        with trio.fail_after(PATIENCE_SECONDS):
            while alice._core.upkeep.has_to_rejoin(talk.id):
                await alice.sync()
        await talk.send("after")
        await settle(alice, bob)
        assert texts(bob.conversation(talk.id)) == ["after"]
        assert {m.name for m in talk.members()} == {"alice", "bob"}


async def test_an_invitation_into_a_group_that_one_follows_has_to_be_a_members(serving, tmp_path, made_up):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        epoch = talk.epoch
        group, welcomes = Forger().found(talk.id, 2, [await package_of(bob, alice), await package_of(alice, bob)])
        await invite(alice, made_up, talk.id, 2, group, welcomes[0])
        made_up.clear()
        assert {m.name for m in talk.members()} == {"alice", "bob"}
        await settle(alice, bob)
        await talk.send("after")
        await settle(alice, bob)
        assert talk.epoch >= epoch
        assert texts(bob.conversation(talk.id))[-1] == "after"


async def test_an_invitation_back_by_somebody_who_was_not_there_is_a_request(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol, dave = await people(stack, server, tmp_path, "alice", "bob", "carol", "dave")
        talk = await alice.create_group("g", ["bob", "carol"])
        await settle(alice, bob, carol)
        await bob.conversation(talk.id).remove("alice")
        await settle(alice, bob, carol)
        await bob.conversation(talk.id).invite("dave")
        await settle(alice, bob, carol, dave)
        await dave.conversation(talk.id).invite("alice")
        await settle(alice, bob, carol, dave)
        assert [c.id for c in alice.requests()] == [talk.id]
        await dave.conversation(talk.id).remove("alice")
        await settle(alice, bob, carol, dave)
        await carol.conversation(talk.id).invite("alice")
        await settle(alice, bob, carol, dave)
        assert talk.active


@pytest.mark.parametrize("by", ["a member", "the owner"])
async def test_a_newcomer_who_changed_the_group_last_is_vouched_for(serving, tmp_path, by):
    """Alice has missed that Bob brought Carol in, and Carol has changed the group since."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        talk = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        async with alice._core.lock:  # nothing is read meanwhile
            await bob.conversation(talk.id).invite("carol")
            await settle(bob, carol)
            await carol.conversation(talk.id).update_key()
            await settle(bob, carol)
            served, tree = await bob._core.commits.as_served(talk.id)
            alice._core.upkeep.want_rejoin(talk.id)
            vouching = alice._core.vouching
            with pytest.raises(qpqclient.NotVouched):
                vouching.check_served(talk.id, served.group_info, qpqnative.GroupView.observe(served.group_info, tree))
            if by == "a member":
                await bob.conversation(talk.id).update_key()
                served, tree = await bob._core.commits.as_served(talk.id)
            else:
                assert vouching.strangers(talk.id) == [carol.account]
                vouching.accept(talk.id)
            vouching.check_served(talk.id, served.group_info, qpqnative.GroupView.observe(served.group_info, tree))
        with trio.fail_after(PATIENCE_SECONDS):
            while alice._core.upkeep.has_to_rejoin(talk.id):
                await alice.sync()
        await settle(alice, bob, carol)
        assert talk.strangers() == []
        assert {m.name for m in talk.members()} == {"alice", "bob", "carol"}


async def test_a_direct_conversation_has_no_third_person(serving, tmp_path, made_up):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        channel = make_id(b"d" * 16, DOMAIN)
        packages = [await package_of(bob, alice), await package_of(alice, bob)]
        group, welcomes = Forger().found(channel, 1, packages, kind=ChannelKind.DIRECT)
        await invite(alice, made_up, channel, 1, group, welcomes[0])
        made_up.clear()
        talk = await alice.dm("bob")
        assert talk.id != channel
        assert len(talk.members()) == 2


async def test_a_group_does_not_go_on_where_nobody_of_it_has_brought_it(serving, tmp_path, made_up):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        talk = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        later = make_id(b"l" * 16, DOMAIN)
        packages = [await package_of(bob, alice), await package_of(alice, bob)]
        group, welcomes = Forger().found(later, 1, packages, follows=talk.id, moves=1)
        await invite(alice, made_up, later, 1, group, welcomes[0])
        made_up.clear()
        assert alice._core.moves.shown(talk.id) == talk.id
        await talk.send("here")
        await settle(alice, bob)
        assert texts(bob.conversation(talk.id))[-1] == "here"
