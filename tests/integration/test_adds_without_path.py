"""Invitations into large groups that do not renew their author's keys (ADR 13). Any group of two is a large one here."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

import qpqclient
from qpqclient import commits
from qpqclient.commits import RENEWAL_LASTS_MS, Commits
from qpqclient.connection import Connection
from qpqclient.upkeep import Upkeep
from qpqcore.api import delivery
from qpqcore.model.errors import ErrorCode
from tests.support.answers import refused_once
from tests.support.people import people, settle, texts
from tests.support.reopened import dying_at, opened, until

HOUR_MS = 3600 * 1000


@pytest.fixture(autouse=True)
def large(monkeypatch):
    monkeypatch.setattr(commits, "LARGE_ABOVE_MEMBERS", 1)


@pytest.fixture
def built(monkeypatch):
    """Note of each commit that is built whether it has a path, and how many bytes it has."""
    seen, real = [], Commits.handshake

    def noted(self, channel, generation, pending, added):
        seen.append((pending.has_path, len(pending.commit)))
        return real(self, channel, generation, pending, added)

    monkeypatch.setattr(Commits, "handshake", noted)
    return seen


def paths(built):
    """Return whether the commits that were built since the last look had paths."""
    found = [path for path, _ in built]
    built.clear()
    return found


def renewed_ms(client, channel):
    return client._core.groups.renewed_ms(channel)


async def all_talk(channel, *clients):
    """Let everybody say something that all read, in one state of the group."""
    for client in clients:
        await client.conversation(channel).send(f"{client.name} in {client.conversation(channel).epoch}")
    await settle(*clients)
    said = texts(clients[0].conversation(channel))[-len(clients) :]
    assert sorted(said) == sorted(f"{c.name} in {c.conversation(channel).epoch}" for c in clients)
    for client in clients:
        assert sorted(texts(client.conversation(channel))[-len(clients) :]) == sorted(said)
    assert len({c.conversation(channel).authenticator for c in clients}) == 1


@pytest.mark.parametrize("post_quantum", [False, True], ids=["suite 1", "X-Wing"])
async def test_who_is_added_without_a_path_talks_with_all_and_the_group_goes_on(serving, tmp_path, built, post_quantum):
    async with serving() as server, AsyncExitStack() as stack:
        names = ("alice", "bob", "carol", "dave", "erin")
        alice, bob, carol, dave, erin = await people(stack, server, tmp_path, *names)
        group = await alice.create_group("g", ["bob", "carol"], post_quantum=post_quantum)
        await settle(alice, bob, carol)
        assert paths(built) == [True]
        await group.invite("dave")
        assert [path for path, _ in built] == [False]
        without = built[-1][1]
        await settle(alice, bob, carol, dave)
        await all_talk(group.id, alice, bob, carol, dave)
        built.clear()
        await bob.conversation(group.id).update_key()
        await dave.conversation(group.id).update_key()
        await settle(alice, bob, carol, dave)
        await all_talk(group.id, alice, bob, carol, dave)
        await group.remove("carol")
        await settle(alice, bob, carol, dave)
        assert not carol.conversation(group.id).active
        assert paths(built) == [True, True, True]
        await dave.conversation(group.id).invite("erin")  # dave has renewed his leaf by his update
        await settle(alice, bob, dave, erin)
        await all_talk(group.id, alice, bob, dave, erin)
        assert paths(built) == [False]
        await dave.conversation(group.id).leave()
        await settle(alice, bob, erin)
        await all_talk(group.id, alice, bob, erin)
        alice._core.store.db.execute("UPDATE channels SET renewed_ms = 0")
        built.clear()
        await group.invite("carol")
        assert built[-1][0]
        assert built[-1][1] > without
        await settle(alice, bob, carol, erin)
        await all_talk(group.id, alice, bob, carol, erin)


async def test_the_first_invitation_of_a_day_renews_and_so_does_one_on_a_clock_set_back(open_world, monkeypatch, built):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        eve = await w.client("eve")
        await settle(alice, bob, eve)
        club, now_ms = alice.conversation(w.club), alice._core.now_ms()
        clock = [now_ms]
        monkeypatch.setattr(alice._core, "now_ms", lambda: clock[0])

        async def again():
            alice._core.store.db.execute("UPDATE channels SET renewed_ms = ?", (now_ms,))
            built.clear()
            await club.invite("eve")
            found, at_ms = paths(built), renewed_ms(alice, w.club)
            await club.remove("eve")
            return found, at_ms

        for at_ms, wanted in (
            (now_ms, [False]),
            (now_ms + RENEWAL_LASTS_MS - 1, [False]),
            (now_ms + RENEWAL_LASTS_MS, [True]),
            (now_ms - 1, [True]),
        ):
            clock[0] = at_ms
            assert await again() == (wanted, at_ms if wanted == [True] else now_ms)
        built.clear()
        await club.invite("eve")  # the last removal, by the same clock, has renewed
        assert paths(built) == [False]
        await settle(alice, bob, eve)
        await all_talk(w.club, alice, bob, eve)


async def test_a_small_group_renews_with_every_invitation(open_world, monkeypatch, built):
    async with open_world() as w:
        alice = await w.client("alice")
        await settle(alice)
        club = alice.conversation(w.club)
        monkeypatch.setattr(commits, "LARGE_ABOVE_MEMBERS", len(club.members()))
        await club.update_key()
        await club.invite("eve")
        assert paths(built) == [True, True]
        await club.invite("dave")  # it has one member more now
        assert paths(built) == [False]


async def test_who_came_in_by_an_invitation_or_by_itself_renews_first(open_world, built):
    """A KeyPackage's keys may have lain in store for months; what an external commit made is not counted either."""
    async with open_world() as w:
        alice, bob, eve = await w.client("alice"), await w.client("bob"), await w.client("eve")
        await settle(alice, bob, eve)
        await alice.conversation(w.club).invite("eve")
        await settle(alice, bob, eve)
        assert renewed_ms(eve, w.club) == 0
        await bob.conversation(w.club).update_key()
        assert renewed_ms(bob, w.club) > 0
        await bob.conversation(w.club).rejoin()
        assert renewed_ms(bob, w.club) == 0
        await settle(alice, bob, eve)
        built.clear()
        await eve.conversation(w.club).invite("dave")
        await eve.conversation(w.club).remove("dave")
        await eve.conversation(w.club).invite("dave")
        await settle(alice, bob, eve)
        await bob.conversation(w.club).remove("dave")
        await settle(alice, bob, eve)
        assert paths(built) == [True, True, False, True]
        await all_talk(w.club, alice, bob, eve)


async def test_a_commit_that_the_server_refused_has_renewed_nothing(open_world, built):
    async with open_world() as w:
        alice = await w.client("alice")
        await settle(alice)
        club = alice.conversation(w.club)
        alice._core.store.db.execute("UPDATE channels SET renewed_ms = 0")
        refused_once(alice, delivery.SubmitCommitParams, ErrorCode.COMMIT_INVALID)
        with pytest.raises(qpqclient.Refused):
            await club.invite("eve")
        assert renewed_ms(alice, w.club) == 0
        await club.invite("eve")
        assert paths(built) == [True, True]
        assert renewed_ms(alice, w.club) > 0


async def test_of_two_invitations_at_once_only_the_one_that_won_renews(open_world, built):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        dave, eve = await w.client("dave"), await w.client("eve")
        await settle(alice, bob, dave, eve)
        for client in (alice, bob):
            client._core.store.db.execute("UPDATE channels SET renewed_ms = 0")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.conversation(w.club).invite, "dave")
            nursery.start_soon(bob.conversation(w.club).invite, "eve")
        assert all(paths(built))  # who lost built a second one, with a path again
        await settle(alice, bob, dave, eve)
        await all_talk(w.club, alice, bob, dave, eve)
        assert renewed_ms(alice, w.club) > 0
        assert renewed_ms(bob, w.club) > 0


async def test_an_invitation_that_also_takes_somebody_out_has_a_path(open_world, monkeypatch, built):
    """What waits by reference is committed besides: RFC 9420 §12.4 asks for a path then, whatever was asked for here."""

    async def never(self):
        await trio.sleep_forever()

    async with open_world() as w:
        with monkeypatch.context() as patched:
            patched.setattr(Upkeep, "settle", never)
            alice = await w.client("alice")
            await alice._core.catch_up()
            before_ms = renewed_ms(alice, w.club)
            assert before_ms > 0
            async with opened(w, "carol") as carol:
                await carol._core.commits.leave(w.club)
            await alice._core.catch_up()
            await alice.conversation(w.club).invite("eve")
        assert paths(built) == [True]
        assert renewed_ms(alice, w.club) > before_ms
        bob, eve = await w.client("bob"), await w.client("eve")
        await settle(alice, bob, eve)
        assert {m.name for m in alice.conversation(w.club).members()} == {"alice", "bob", "eve"}
        await all_talk(w.club, alice, bob, eve)


@pytest.mark.parametrize("path", [False, True], ids=["without", "path"])
@pytest.mark.parametrize("answered", [False, True], ids=["lost", "taken"])
async def test_a_death_between_building_and_applying_counts_what_the_log_brings_back(
    open_world, monkeypatch, built, path, answered
):
    async with open_world() as w:
        bob, eve = await w.client("bob"), await w.client("eve")
        await settle(bob, eve)
        async with opened(w, "alice") as alice:
            await settle(alice)
            if path:
                alice._core.store.db.execute("UPDATE channels SET renewed_ms = 0")
            before_ms = renewed_ms(alice, w.club)
            with monkeypatch.context() as patched:
                reached = dying_at(patched, Connection, delivery.SubmitCommitParams, answered=answered)
                await until(reached, alice.conversation(w.club).invite, "eve")
            assert renewed_ms(alice, w.club) == before_ms
            built_ms = alice._core.now_ms()
        assert paths(built) == [path]
        async with opened(w, "alice", now_ms=lambda: built_ms + HOUR_MS) as alice:
            await settle(alice, bob, eve)
            inside = {m.name for m in alice.conversation(w.club).members()}
            assert ("eve" in inside) == answered
            after_ms = renewed_ms(alice, w.club)
            if answered and path:
                assert 0 < after_ms <= built_ms  # when its keys were made, not when it came back
            else:
                assert after_ms == before_ms
            if not answered:
                await alice.conversation(w.club).invite("eve")
                await settle(alice, bob, eve)
                assert paths(built) == [path]
            await all_talk(w.club, alice, bob, eve)
