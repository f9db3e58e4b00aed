"""A server that goes away, as the SDK's users see it: not at all."""

from __future__ import annotations

import trio

import qpqclient
from qpqclient import pacing
from qpqclient.transport import Link
from qpqcore.api import delivery
from qpqcore.model.errors import ErrorCode, Refusal
from tests.support.people import texts


def connections(w):
    return {connection.number for connection in w.server.endpoint.connections}


async def until(what):
    while not what():
        await trio.sleep(0.01)


async def test_asked_to_go_a_client_connects_anew_and_its_user_sees_no_error(open_world, monkeypatch):
    monkeypatch.setattr(pacing, "share", lambda: 0.25)
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await alice._core.link()
        await until(lambda: any(peer.subscriptions for peer in w.server.gateway._peers.all.values()))
        chat = await alice.dm("bob")
        before, over, sent, told = connections(w), False, [], []
        alice._core.wire._on_change = told.append

        async def talk():
            while not over:
                sent.append((await chat.send(f"word {len(sent)}")).id)
                await alice.flush()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            w.server.gateway.begin_drain()
            w.server.gateway._draining = False  # the other gateway, behind the same address
            # All are on other connections, and were not before a quarter of their time was over.
            await until(lambda: len(connections(w) - before) >= 2 and not connections(w) & before)
            await until(lambda: len(sent) > 3)
            over = True
        await alice.flush()
        assert {alice.conversation(chat.id).message(ident).state for ident in sent} <= {"sent", "delivered"}
        assert told == []
        await bob.sync()
        assert texts(bob.conversation(chat.id))[-len(sent) :] == [f"word {n}" for n in range(len(sent))]


async def test_a_call_that_a_draining_server_does_not_take_is_made_on_the_next_connection(open_world):
    async with open_world() as w:
        alice = await w.client("alice")
        await alice._core.link()
        before = connections(w)
        endpoint, told = w.server.endpoint, []
        alice._core.wire._on_change = told.append
        endpoint._draining = True
        answers = []

        async def call():
            answers.append(await alice._core.call(delivery.PeekParams(), delivery.PeekResult))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await until(lambda: not connections(w) & before)
            assert not answers
            await until(lambda: told)  # nobody else is there: that is said
            endpoint._draining = False
        assert len(answers) == 1
        assert told == [False, True]


async def test_what_belongs_together_ends_on_the_connection_it_began_on(open_world):
    """A log-in's second half is nothing to another connection; the one that is left stays for it."""
    async with open_world() as w:
        alice = await w.client("alice")
        core = alice._core
        async with core.held_link() as link:
            before = connections(w)
            core.wire.leave(0.0)
            await until(lambda: not core.wire.up)
            assert connections(w) & before
            await link.call(delivery.PeekParams(), delivery.PeekResult)
        await until(lambda: core.wire.up)
        await until(lambda: not connections(w) & before)


async def test_a_crowd_that_comes_back_at_once_resumes_without_new_handshakes(open_world):
    """Where the server has no time for a resumption it is asked again on the same connection."""
    async with open_world() as w:
        admission = w.server.gateway.admission
        admission.window, said = 0.0, []  # nobody has room
        before = w.server.endpoint.counters()["connections_accepted"]

        async def make_room():
            await until(lambda: admission.shed >= 2)
            admission.window = 100.0
            said.append(w.server.endpoint.counters()["connections_accepted"])

        alice = await w.client("alice")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(make_room)
            await alice._core.call(delivery.PeekParams(), delivery.PeekResult)
        assert said == [before + 1]
        assert w.server.endpoint.counters()["connections_accepted"] == before + 1


async def test_a_call_among_others_that_there_was_no_time_for_comes_again_later(autojump_clock, monkeypatch):
    tries = []

    async def call(self, params, result, *, key=b"", deadline_ms=0):
        tries.append(trio.current_time())
        if len(tries) < 4:
            raise qpqclient.Refused(Refusal(ErrorCode.OVERLOADED, "too many calls at once", retry_after_ms=1_000))
        return result()

    monkeypatch.setattr(Link, "call", call)
    with Link(None, None).held() as link:
        await link.call(delivery.PeekParams(), delivery.PeekResult)
    waits = [after - before for before, after in zip(tries, tries[1:])]
    assert len(waits) == 3
    assert all(1.0 <= wait < 2.0 for wait in waits)
    assert len(set(waits)) == 3  # not all who were refused in one moment come back in one moment
