"""Groups that many change at once, that are lied to, that get stuck: all members end in one state."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import trio
import trio.testing

import qpqclient
from qpqclient.client import system_now_ms
from qpqcore.api import delivery
from qpqcore.groups.policy import read_policy
from qpqcore.groups.validity import read_leaf
from tests.support.people import break_first_generation, people, settle, texts

EIGHT = [f"member{n}" for n in range(8)]


async def test_eight_at_one_barrier_change_one_group_in_eight_ways(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        members = await people(stack, server, tmp_path, *EIGHT)
        erin, frank, dave, grace = await people(stack, server, tmp_path, "erin", "frank", "dave", "grace")
        group = await members[0].create_group("eight", [*EIGHT[1:], "erin", "frank"])
        await settle(*members, erin, frank)
        before, policy = group.epoch, read_policy(members[0]._core.groups.load(group.id).policy)
        second = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "second", server=server.where, store_key=b"s" * 32)
        )
        barrier = trio.Event()

        async def after_barrier(change):
            await barrier.wait()
            await change()

        def of(n):
            return members[n].conversation(group.id)

        async def rejoin():
            members[4]._core.upkeep.want_rejoin(group.id)
            await members[4]._core.upkeep.settle()

        async def raise_least_client():
            await members[7]._core.commits.set_policy(group.id, lambda p: replace(p, least_client=7))

        async with trio.open_nursery() as nursery:
            for change in (
                of(0).update_key,
                lambda: of(1).invite("dave"),
                lambda: of(2).remove("erin"),
                lambda: of(3).set_admins(EIGHT),
                rejoin,
                lambda: second.login("member5", "secret member5"),
                lambda: replace_by(members[6], group.id, "frank", "grace"),
                raise_least_client,
            ):
                nursery.start_soon(after_barrier, change)
            await trio.testing.wait_all_tasks_blocked(0.2)
            barrier.set()
        inside = [*members, second, dave, grace]
        await settle(*inside)
        states = {(c.conversation(group.id).epoch, c.conversation(group.id).authenticator) for c in inside}
        assert len(states) == 1
        assert group.epoch == before + 8
        assert {m.name for m in group.members()} == {*EIGHT, "dave", "grace"}
        assert group.admins() == sorted(EIGHT)
        after = read_policy(members[0]._core.groups.load(group.id).policy)
        assert (policy.least_client, after.least_client) == (0, 7)
        assert second.device in {d for m in group.members() for d in m.devices}
        assert not erin.conversation(group.id).active
        await of(3).send("all of it")
        await settle(*inside)
        assert all("all of it" in texts(c.conversation(group.id)) for c in inside)


async def test_one_client_that_commits_twice_at_once_knows_both_commits(serving, tmp_path):
    """The second attempt must not make the client forget the first, which won: it would have to join anew."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        group = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        epoch = group.epoch
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(group.update_key)
        await bob.conversation(group.id).send("seen by all")
        await settle(alice, bob)
        assert group.epoch == bob.conversation(group.id).epoch == epoch + 3
        assert texts(group) == ["seen by all"]


async def replace_by(client, channel, gone, come):
    """Remove one person and add another in a single commit."""
    core = client._core
    account = await core.people.resolve(come)
    added = await core.commits.packages([account], core.groups.load(channel).suite)
    leaving = await core.people.resolve(gone)

    def build(group):
        leaves = [(m.index, read_leaf(m.credential, m.signature_key)) for m in group.members()]
        indices = [i for i, leaf in leaves if leaf.account == leaving]
        return group.commit(add=[a.key_package for a in added], remove=indices, now_s=system_now_ms() // 1000)

    await core.commits.change(channel, build, added)


async def test_a_group_given_a_commit_nobody_can_follow_heals(serving, tmp_path):
    """The server cannot check a confirmation tag: a liar's commit is taken, all rejoin, and talk goes on."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, mallory = await people(stack, server, tmp_path, "alice", "bob", "mallory")
        group = await alice.create_group("g", ["bob", "mallory"])
        await settle(alice, bob, mallory)
        epoch = group.epoch
        core = mallory._core
        pending = core.groups.copy(group_id_of(core, group.id)).commit(now_s=system_now_ms() // 1000)
        lie = bytearray(pending.commit)
        lie[-1] ^= 1  # the end of a member's PublicMessage is its membership tag, which only members can check
        params = delivery.SubmitCommitParams(
            channel=group.id, generation=1, epoch=epoch,
            handshake=delivery.Handshake(commit=bytes(lie), group_info=pending.group_info, write_key=b"w" * 32),
        )  # fmt: skip
        await core.call(params, delivery.SubmitCommitResult)
        await settle(alice, bob, mallory)
        await group.send("still here")
        await settle(alice, bob, mallory)
        for client in (alice, bob, mallory):
            assert client.conversation(group.id).authenticator == group.authenticator
            assert texts(client.conversation(group.id)) == ["still here"]
        assert group.epoch > epoch + 1


async def test_a_post_quantum_group_lives_like_any_other(serving, tmp_path):
    """Suite 0xF04F through the whole server: made, talked in, joined, rejoined, left by removal."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        group = await alice.create_group("pq", ["bob"], post_quantum=True)
        await group.send("two")
        await settle(alice, bob)
        await group.invite("carol")
        await bob.conversation(group.id).update_key()
        bob._core.upkeep.want_rejoin(group.id)
        await settle(alice, bob, carol)
        await carol.conversation(group.id).send("three")
        await settle(alice, bob, carol)
        for client in (alice, bob, carol):
            assert client._core.groups.load(group.id).suite == 0xF04F
            assert client.conversation(group.id).authenticator == group.authenticator
        assert texts(bob.conversation(group.id)) == texts(group) == ["two", "three"]
        await group.remove("carol")
        await settle(alice, bob, carol)
        assert not carol.conversation(group.id).active


def group_id_of(core, channel):
    from qpqcore.groups.policy import group_id

    return group_id(channel, core.groups.generation(channel))


async def test_a_group_that_cannot_be_joined_is_reset(serving, tmp_path, monkeypatch):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob, carol = await people(stack, server, tmp_path, "alice", "bob", "carol")
        group = await alice.create_group("g", ["bob", "carol"])
        await group.send("before")
        await settle(alice, bob, carol)
        break_first_generation(monkeypatch)
        alice._core.upkeep.want_rejoin(group.id)
        bob._core.upkeep.want_rejoin(group.id)
        await settle(alice, bob, carol)
        await bob.conversation(group.id).send("after")
        await settle(alice, bob, carol)
        for client in (alice, bob, carol):
            theirs = client.conversation(group.id)
            assert client._core.groups.generation(group.id) == 2
            assert theirs.authenticator == group.authenticator
            assert texts(theirs) == ["before", "after"]
            assert {m.name for m in theirs.members()} == {"alice", "bob", "carol"}


async def test_a_member_whose_name_is_not_known_yet_can_be_removed(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, _ = await people(stack, server, tmp_path, "alice", "bob")
        group = await alice.create_group("g", ["bob"])
        alice._core.store.db.execute("DELETE FROM people WHERE name = 'bob'")
        await group.remove("bob")
        assert [m.name for m in group.members()] == ["alice"]


async def test_a_client_that_cannot_reset_says_so(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        group = await alice.create_group("g", ["bob"])
        await settle(alice, bob)
        with pytest.raises(qpqclient.NotFound):
            await group.set_admins(["zoe"])
        await group.set_admins(["alice"])
        await settle(alice, bob)
        with pytest.raises(qpqclient.NotAllowed):
            await bob.conversation(group.id).remove("alice")
        with pytest.raises(qpqclient.Refused) as refused:
            await bob._core.commits.remove(group.id, alice.account)
        assert refused.value.name == "commitInvalid"
