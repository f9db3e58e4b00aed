"""A group whose home has gone goes on at another; the old home comes back: nothing is lost, doubled or forked."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import trio

from qpq.commands import groups
from qpq.commands.naming import label
from qpq.here import Here
from qpq.table.model import Face
from qpqclient.errors import NotAllowed
from qpqfederation.config import Config
from qpqserver import peering
from tests.support.domains import NAMES, open_friends, texts, until

PATIENCE_SECONDS = 90


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A server that is away answers nothing: it is given up after a second instead of four."""
    monkeypatch.setattr(peering, "Config", partial(Config, connect_seconds_max=1.0))


async def rehomed_by_command(client, conversation):
    """Have a group go on as `qpq rehome` does; return what it tells."""
    told = []
    here = Here(None, SimpleNamespace(tell=lambda _, *lines: told.extend(lines)), Face.SHELL, conversation=conversation)
    here.client = client
    await groups.rehome(here)
    (line,) = told
    return line


async def test_a_group_goes_on_and_its_old_home_comes_back(open_domains):
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_domains(NAMES) as domains, open_friends(domains) as friends:
            alice, bob, carol = friends.alice, friends.bob, friends.carol
            at_alice, at_bob, at_carol = friends.at_alice, friends.at_bob, friends.at_carol
            await at_carol.send("before")
            for client, one in ((alice, at_alice), (bob, at_bob)):
                await until(client, lambda one=one: "before" in texts(one))
            with pytest.raises(NotAllowed):
                await at_bob.rehome()  # its home answers
            with pytest.raises(NotAllowed):
                await at_alice.rehome()  # its home is one's own server
            # What the home took while Bob's server was away stays in its box.
            await domains.stop("b.example")
            await at_alice.send("not fetched")
            await until(carol, lambda: "not fetched" in texts(at_carol))
            await domains.stop("a.example")
            await domains.start("b.example")
            waiting = await at_bob.send("pending")
            assert at_bob.message(waiting.id).state == "pending"
            old = at_bob.id
            assert (
                await rehomed_by_command(bob, at_bob) == f"{label(at_bob)} goes on here, with 2 members"
            )  # Alice comes with her server
            assert at_bob.id != old
            assert at_bob.id[16:] == b"b.example"
            assert (bob.conversation(old).id, len(bob.conversations())) == (at_bob.id, 1)
            await until(carol, lambda: at_carol.id == at_bob.id)
            await bob.wait_sent(waiting.id)
            await until(carol, lambda: "pending" in texts(at_carol))
            await at_carol.send("without alice")
            await until(bob, lambda: "without alice" in texts(at_bob))
            assert sorted(m.name for m in at_bob.members()) == ["bob", "carol@c.example"]
            await until(bob, lambda: (bob.pending, carol.pending) == (0, 0))  # nobody waits for the home that is gone
            # The old home comes back, and with it Alice, who has said something there meanwhile.
            await domains.start("a.example")
            late = await at_alice.send("late")
            await alice.wait_sent(late.id)
            await until(bob, lambda: {"not fetched", "late"} <= set(texts(at_bob)))
            await until(carol, lambda: "late" in texts(at_carol))
            await until(alice, lambda: at_alice.id == at_bob.id)
            assert len(alice.conversations()) == 1
            await at_alice.send("together again")
            for client, one in friends.guests:
                await until(client, lambda one=one: "together again" in texts(one))
            await until(carol, lambda: texts(at_bob) == texts(at_carol))
            assert sorted(texts(at_bob)) == sorted(
                ["before", "not fetched", "late", "pending", "without alice", "together again"]
            )
            # What was said in the later channel before she was in it is not Alice's to read, as of anybody who is added. If
            # "pending" was under way to the old home, it has come there, too, and stands at one place with everybody.
            hers = {"before", "not fetched", "late", "together again"}
            assert hers <= set(texts(at_alice)) <= hers | {"pending"}
            await until(alice, lambda: texts(at_alice) == [t for t in texts(at_bob) if t in texts(at_alice)])
            await until(carol, lambda: len({c.authenticator for c in (at_alice, at_bob, at_carol)}) == 1)


async def test_two_who_move_it_at_once_find_one_channel(open_domains):
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_domains(NAMES) as domains, open_friends(domains) as friends:
            alice, bob, carol = friends.alice, friends.bob, friends.carol
            at_alice, at_bob, at_carol = friends.at_alice, friends.at_bob, friends.at_carol
            await domains.stop("a.example")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(at_bob.rehome)
                nursery.start_soon(at_carol.rehome)
            await at_bob.send("from bob")
            await at_carol.send("from carol")
            for client, one in friends.guests:
                await until(client, lambda one=one: set(texts(one)) >= {"from bob", "from carol"})
                await until(client, lambda: at_bob.id == at_carol.id)
            assert sorted(texts(at_bob)) == ["from bob", "from carol"]
            await until(carol, lambda: texts(at_bob) == texts(at_carol))
            assert (len(bob.conversations()), len(carol.conversations())) == (1, 1)
            await domains.start("a.example")
            await until(alice, lambda: at_alice.id == at_bob.id)
            await at_alice.send("here again")
            for client, one in friends.guests:
                await until(client, lambda one=one: "here again" in texts(one))
            await until(carol, lambda: texts(at_bob) == texts(at_carol))
            assert at_alice.id == at_bob.id == at_carol.id
