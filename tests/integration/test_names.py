"""Whom a new member is in a group with: asked of the server as the group comes, and again where the answer cannot be had."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import trio

import qpqclient
from qpqcore.api import keystore
from qpqcore.api.methods import METHODS
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import make_id
from tests.support.answers import refused_once
from tests.support.people import people, settle, texts
from tests.support.world import method_named

PATIENCE_SECONDS = 20


async def named(told, conversation, name):
    """Wait until a conversation's people are told to be shown otherwise, and one of them has the name."""
    while name not in {m.name for m in conversation.members()}:
        while not isinstance(await anext(told), qpqclient.GroupChanged):
            pass


@pytest.mark.parametrize("code", [ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED])
async def test_a_name_that_cannot_be_had_now_is_asked_for_again_and_told(serving, tmp_path, code):
    """As when the member's domain is away: nothing else has to happen in the group for the name to come."""
    async with serving() as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        told = bob.events()
        refused_once(bob, keystore.ResolveIdentitiesParams, code)
        club = await alice.create_group("club", ["bob"])
        with trio.fail_after(PATIENCE_SECONDS):
            while not bob.conversations():
                await anext(told)
            await named(told, bob.conversation(club.id), "alice")
        await bob._core.upkeep.settle()
        assert not bob._core.people.unanswered


def forgetful(client, *more):
    """Have a client know nobody; return who is asked for from now on, a list for each call. `more`: leaves besides."""
    store, calls, real = client._core.store, [], client._core.call
    for number, account in enumerate(more):
        channel = store.rows("SELECT channel FROM leaves LIMIT 1")[0][0]
        store.db.execute("INSERT INTO leaves VALUES (?, ?, ?, x'', x'')", (channel, 1_000 + number, account))
    store.db.execute("DELETE FROM people")

    async def noted(params, result, **key):
        if isinstance(params, keystore.ResolveIdentitiesParams):
            calls.append(params.accounts)
        elif isinstance(params, keystore.ResolveIdentityParams):
            calls.append(params.account)
        return await real(params, result, **key)

    client._core.call = noted
    return calls


def known(client):
    return dict(client._core.store.rows("SELECT account, name FROM people"))


async def of_the_world(w):
    """Return Alice's client, at rest, and the accounts of the three who are in her groups, by name."""
    alice = await w.client("alice")
    await settle(alice)
    await alice._core.people.learn()
    members = "SELECT name, account FROM people WHERE account IN (SELECT account FROM leaves)"
    club = dict(alice._core.store.rows(members))
    assert set(club) == {"alice", "bob", "carol"}
    return alice, club


async def test_members_of_ones_own_domain_are_asked_for_by_one_call_and_others_each_by_its_own(open_world):
    """Whose leaf has no id of this domain would have the call for all of them refused."""
    async with open_world() as w:
        alice, club = await of_the_world(w)
        odd, abroad = b"no id", make_id(b"a" * 16, "elsewhere.example")
        calls = forgetful(alice, odd, abroad)
        await alice._core.people.learn()
        assert set(calls[0]) == set(club.values())
        assert sorted(calls[1:]) == sorted([odd, abroad])
        assert known(alice) == {account: name for name, account in club.items()}


async def test_a_server_that_does_not_know_the_call_for_many_is_asked_for_each(open_world, monkeypatch):
    """As while processes are replaced by the next version: the gateways come last (docs/operate/upgrade.md)."""
    async with open_world() as w:
        alice, club = await of_the_world(w)
        monkeypatch.delitem(METHODS, method_named("resolveIdentities").number)
        calls = forgetful(alice)
        await alice._core.people.learn()
        assert set(calls[0]) == set(calls[1:]) == set(club.values())
        assert known(alice) == {account: name for name, account in club.items()}
        assert not alice._core.people.unanswered


async def test_who_has_no_account_any_more_stays_without_a_name_and_is_no_doubt(open_world):
    async with open_world() as w:
        alice, club = await of_the_world(w)
        gone = make_id(b"g" * 16, "localhost")
        forgetful(alice, gone)
        await alice._core.people.learn()
        assert known(alice) == {account: name for name, account in club.items()}
        assert alice._core.store.rows("SELECT announced FROM contacts WHERE account = ?", gone) == []


BENT = {
    "one too few": lambda shown: shown[1:],
    "one too many": lambda shown: (*shown, shown[0]),
    "none": lambda shown: (),
    "in another order": lambda shown: (*shown[1:], shown[0]),
    "somebody twice": lambda shown: (*shown[:-1], shown[0]),
    "another key": lambda shown: tuple(replace(s, identity_key=b"\7" * 32) for s in shown),
    "a key alone": lambda shown: tuple(keystore.ResolveIdentityResult(identity_key=s.identity_key) for s in shown),
}


@pytest.mark.parametrize("how", BENT)
async def test_names_of_many_are_believed_no_more_than_one_by_one(open_world, how):
    """Another number of answers is no answer; an answer about somebody else, or with another key, is a doubt."""
    async with open_world() as w:
        alice, club = await of_the_world(w)
        forgetful(alice)
        real = alice._core.call

        async def bent(params, result, **key):
            answer = await real(params, result, **key)
            if isinstance(answer, keystore.ResolveIdentitiesResult):
                answer = replace(answer, identities=BENT[how](answer.identities))
            return answer

        alice._core.call = bent
        if how in {"one too few", "one too many", "none"}:
            with pytest.raises(qpqclient.ServerBroke):
                await alice._core.people.learn()
            assert known(alice) == {}
        else:
            await alice._core.people.learn()
            assert any("compare safety numbers" in text for text in texts(alice.conversation(w.club)))
            assert known(alice).items() <= {account: name for name, account in club.items()}.items()
            assert len(known(alice)) == (2 if how == "somebody twice" else 0)
        alice._core.call = real
        await alice._core.people.learn()
        assert known(alice) == {account: name for name, account in club.items()}
