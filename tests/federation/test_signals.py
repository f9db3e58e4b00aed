"""Signals go over domains: who types is seen at that moment, or never."""

from __future__ import annotations

from functools import partial

import trio

from qpqclient.model import Typing
from qpqcore.api.delivery import SignalParams
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqdelivery.signals import WAITING_MAX, Signals
from tests.support.domains import NAMES, open_friends

PATIENCE_SECONDS = 120


async def heard(client, of, say):
    """Let somebody type again and again until a client hears of it; return the name that is told."""
    events = client.events()
    async with trio.open_nursery() as nursery:

        async def again():
            while True:
                await say()

        nursery.start_soon(again)
        async for event in events:
            if isinstance(event, Typing) and event.channel == of.id:
                nursery.cancel_scope.cancel()
                return event.name


async def test_typing_is_seen_by_the_home_and_by_other_domains(open_domains):
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_domains(NAMES) as domains, open_friends(domains) as friends:
            alice, bob, carol = friends.alice, friends.bob, friends.carol
            at_alice, at_bob, at_carol = friends.at_alice, friends.at_bob, friends.at_carol
            assert await heard(bob, at_bob, at_alice.typing) == "alice@a.example"  # down from the home
            assert await heard(alice, at_alice, at_bob.typing) == "bob@b.example"  # up to it
            assert await heard(carol, at_carol, at_bob.typing) == "bob@b.example"  # up, and down to a third domain


class Silent:
    """Federation whose peers never answer."""

    async def call_peer(self, call, params):
        await trio.sleep_forever()


async def test_a_domain_that_is_slow_holds_up_nobody_and_takes_no_room(autojump_clock):
    signals = Signals(Silent())
    caller = Caller(CallerKind.ACCOUNT, b"a" * 16 + b"a.example", b"d" * 16 + b"a.example")
    say = partial(signals.up, CallContext(caller=caller), SignalParams(channel=b"c" * 16 + b"b.example", payload=b"x"))
    for _ in range(2 * WAITING_MAX):
        say()
    assert signals.dropped == WAITING_MAX
    with trio.move_on_after(60):
        await signals.run()
    say()
    assert signals.dropped == WAITING_MAX  # what waited was tried, and let go
