"""Two federation processes over one store: what waits for a domain is brought once, in order, whichever of them dies."""

from __future__ import annotations

from dataclasses import replace

import trio

from qpqcore.api.federation import DeliverEntriesParams, DeliverEntriesResult
from qpqcore.api.rpc import Reply
from qpqcore.bus.notices import LocalNotices, mailbox_topic
from qpqcore.runtime.clock import now_ms
from qpqdelivery.config import Config
from qpqdelivery.peers import Peers
from qpqfederation.outbox import Outbox
from tests.contract.test_guest_store import ALICE, BOUNDS, BOX, OWN, begin
from tests.federation.test_liars import liar
from tests.support import channels as own

PATIENCE_SECONDS = 30
MESSAGES = 12
LEASE_SECONDS = 2.0


class Home(Peers):
    """Delivery, as far as it keeps boxes."""

    def __init__(self, store) -> None:
        self._config = Config(domain=OWN, federated=True)
        self._store = store


class Peer:
    """Another domain's server: notes the number of each entry that comes, answers when it may."""

    def __init__(self) -> None:
        self.came = []
        self.answers = True

    def __call__(self, call):
        numbers = [r.entry.number for r in DeliverEntriesParams.from_bytes(call.params).entries]
        self.came.append(numbers)
        if not self.answers:
            return None
        return Reply(result=DeliverEntriesResult(position=numbers[-1]).to_bytes()).to_bytes()


async def say(store, notices, count, first):
    """Put messages into the box one by one, and wake who brings them."""
    for place in range(first, first + count):
        await store.enqueue([own.message(b"m%d" % place, sender=ALICE)])
        notices.publish(mailbox_topic(BOX))
        await trio.lowlevel.checkpoint()


async def emptied(store):
    while (await store.box(BOX, 1, 1 << 20, own.NOW_MS))[0]:
        await trio.lowlevel.checkpoint()


def outbox_of(links, home, notices, holder):
    config = replace(links.config, holder=holder, lease_seconds=LEASE_SECONDS, lease_left_seconds_min=0.5)
    outbox = Outbox(links, home, notices, now_ms)
    outbox._config = config
    return outbox


async def test_two_processes_bring_everything_once_and_in_order(open_store, monkeypatch):
    peer, notices = Peer(), LocalNotices()
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_store("qpqdelivery", BOUNDS) as store, liar(peer) as one, liar(peer) as other, trio.open_nursery() as nursery,
        ):  # fmt: skip
            await begin(store)
            begun = await store.ack(BOX, own.DAY_MS, own.NOW_MS)  # the Welcomes
            first = outbox_of(one, Home(store), notices, b"1" * 16)
            second = outbox_of(other, Home(store), notices, b"2" * 16)
            scope = trio.CancelScope()

            async def mortal():
                with scope:
                    await first.run()

            nursery.start_soon(mortal)
            await say(store, notices, 1, 0)
            await emptied(store)  # the first process has the box now
            nursery.start_soon(second.run)
            await say(store, notices, MESSAGES - 1, 1)
            await emptied(store)
            numbers = [n for numbers in peer.came for n in numbers]
            last = begun + MESSAGES
            assert numbers == list(range(begun + 1, last + 1))
            # The first dies in the middle of a call, and gives nothing back.
            monkeypatch.setattr(first, "_release", lambda peer: trio.lowlevel.checkpoint())
            peer.answers, before = False, len(peer.came)
            await say(store, notices, 1, MESSAGES)
            while len(peer.came) == before:
                await trio.lowlevel.checkpoint()
            scope.cancel()
            assert peer.came[before:] == [[last + 1]]
            peer.answers = True
            await say(store, notices, MESSAGES, MESSAGES + 1)
            await emptied(store)
            # What was under way is brought again, as after any death; all else once, and nothing before its time.
            after = [n for numbers in peer.came[before + 1 :] for n in numbers]
            assert after == list(range(last + 1, last + MESSAGES + 2))
            nursery.cancel_scope.cancel()
