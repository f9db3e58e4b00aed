"""What waits for another domain is brought in order: what it refuses for good holds up nothing, what it cannot take now waits.

The peer itself is played: `test_liars.py` has one behind a real connection.
"""

from __future__ import annotations

import pytest
import trio

from qpqcore.api.delivery import (
    Box,
    Entry,
    EntryKind,
    FetchBoxResult,
    LeaseBoxResult,
    ListBoxesResult,
    RelayedEntry,
    Standing,
)
from qpqcore.api.federation import DeliverEntriesParams, DeliverEntriesResult, PurgeNoticeParams
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.errors import ErrorCode, Refusal
from qpqfederation.config import Config
from qpqfederation.counted import Counted
from qpqfederation.discovery import Locator, SystemAddresses
from qpqfederation.links import Links
from qpqfederation.outbox import Outbox
from tests.federation.peer import NUMBERS
from trio_quic import ClientTls

THERE = "b.example"
CHANNELS = [letter * 16 + b"a.example" for letter in (b"c", b"d", b"e")]
TARGETS = (b"d" * 16 + THERE.encode(),)
NOTICE = PurgeNoticeParams(account=b"a" * 16 + b"a.example").to_bytes()
PURGE = RelayedEntry(entry=Entry(number=1, kind=EntryKind.PURGE, payload=NOTICE))


def entry(number, kind=EntryKind.MESSAGE):
    said = Entry(number=number, kind=kind, channel=CHANNELS[number - 1], payload=b"%d" % number)
    return RelayedEntry(entry=said, targets=TARGETS)


class Delivery:
    """Has these entries for the domain; notes what is acknowledged and who leases the box."""

    def __init__(self, *entries, others_ms=(), unseen=0):
        self.entries = entries
        self.standings = tuple(Standing(channel=channel, generation=1) for channel in CHANNELS[: len(entries)])
        self.acked = []
        self.leased = 0
        self._others_ms = list(others_ms)
        self._unseen = unseen

    async def list_boxes(self, call, params):
        self._unseen -= 1
        if self._unseen >= 0:
            raise Refusal(ErrorCode.UNAVAILABLE, "delivery is starting")
        return ListBoxesResult(boxes=(Box(domain=THERE, last=1, entries=1),))

    async def lease_box(self, call, params):
        self.leased += 1
        return LeaseBoxResult(others_ms=self._others_ms.pop(0) if self._others_ms else 0)

    async def fetch_box(self, call, params):
        return FetchBoxResult(entries=self.entries, standings=self.standings)

    async def ack_box(self, call, params):
        self.acked.append(params.up_to)


class There:
    """The other domain: takes what `judge` lets it take, entry by entry; notes what it is called with, in order."""

    domain = THERE

    def __init__(self, judge=lambda _: None):
        self._judge = judge
        self.called = []

    async def call(self, method, params, *, deadline_s):
        if method == NUMBERS["purgeNotice"]:
            self.called.append("notice")
            await self._judged(PURGE.entry)
            return b""
        assert method == NUMBERS["deliverEntries"]
        brought = DeliverEntriesParams.from_bytes(params)
        numbers = [(r.entry.number, r.entry.kind) for r in brought.entries]
        self.called.append((numbers, [CHANNELS.index(s.channel) + 1 for s in brought.standings]))
        for relayed in brought.entries:
            await self._judged(relayed.entry)
        return DeliverEntriesResult(position=brought.entries[-1].entry.number).to_bytes()

    async def _judged(self, said):
        code = self._judge(said)
        if isinstance(code, ErrorCode):
            raise Refusal(code, "no")
        await trio.sleep(code or 0)


def outbox_of(delivery):
    config = Config(domain="a.example", enabled=True, peers={THERE: ("127.0.0.1", 1)})
    links = Links(config, ClientTls(first_use=True), Locator(config, SystemAddresses()), Counted(lambda: 0), "0")
    return Outbox(links, delivery, LocalNotices(), lambda: 0)


async def bring(delivery, there, code=None):
    """Bring one portion. `code`: with what it has to wait."""
    if code is None:
        assert await outbox_of(delivery)._round(there)
        return
    with pytest.raises(Refusal) as no:
        await outbox_of(delivery)._round(there)
    assert no.value.code is code
    assert delivery.acked == []


MESSAGE, GAP = EntryKind.MESSAGE, EntryKind.GAP


async def test_of_many_the_one_that_is_refused_for_good_goes_as_a_gap_and_the_others_as_they_are():
    delivery = Delivery(entry(1), entry(2), entry(3))
    there = There(lambda said: ErrorCode.MALFORMED if (said.number, said.kind) == (2, MESSAGE) else None)
    await bring(delivery, there)
    assert there.called == [
        ([(1, MESSAGE), (2, MESSAGE), (3, MESSAGE)], [1, 2, 3]),
        ([(1, MESSAGE)], [1]), ([(2, MESSAGE)], [2]), ([(2, GAP)], []), ([(3, MESSAGE)], [3]),
    ]  # fmt: skip
    assert delivery.acked == [3]


async def test_a_peer_that_refuses_even_gaps_gets_nothing_and_loses_nothing():
    there = There(lambda _: ErrorCode.FORBIDDEN)
    await bring(Delivery(entry(1)), there, ErrorCode.FORBIDDEN)
    assert there.called == [([(1, MESSAGE)], [1]), ([(1, GAP)], [])]


async def test_what_a_peer_cannot_take_now_is_not_made_a_gap():
    there = There(lambda _: ErrorCode.OVERLOADED)
    await bring(Delivery(entry(1), entry(2)), there, ErrorCode.OVERLOADED)
    assert len(there.called) == 1


async def test_an_answer_that_cannot_be_read_is_none(monkeypatch):
    there = There()

    async def garbage(method, params, *, deadline_s):
        return b"\xff" * 40

    monkeypatch.setattr(there, "call", garbage)
    await bring(Delivery(entry(1)), there, ErrorCode.UNAVAILABLE)


async def test_a_purge_is_a_call_of_its_own_before_its_number_goes_with_the_entries():
    delivery, there = Delivery(PURGE, entry(2)), There()
    await bring(delivery, there)
    assert there.called == ["notice", ([(1, EntryKind.PURGE), (2, MESSAGE)], [1, 2])]
    assert delivery.acked == [2]


async def test_a_purge_that_is_refused_for_good_holds_up_nothing():
    delivery = Delivery(PURGE, entry(2))
    there = There(lambda said: ErrorCode.PEER_MISMATCH if said.payload == NOTICE else None)
    await bring(delivery, there)
    assert there.called[0] == "notice"
    assert delivery.acked == [2]


async def test_a_purge_that_a_peer_cannot_take_now_waits_and_what_is_behind_it():
    there = There(lambda _: ErrorCode.RATE_LIMITED)
    await bring(Delivery(PURGE, entry(2)), there, ErrorCode.RATE_LIMITED)
    assert there.called == ["notice"]


SLOW_SECONDS = 21.0
"""A call that lasts nearly as long as one may: less is left of the lease then than the next one may need."""


def slow(said):
    return SLOW_SECONDS if said.payload == NOTICE else None


async def test_a_lease_that_a_slow_call_has_used_up_is_taken_anew(autojump_clock):
    delivery = Delivery(PURGE, entry(2))
    await bring(delivery, There(slow))
    assert (delivery.leased, delivery.acked) == (2, [2])


async def test_nothing_is_sent_any_more_when_another_process_has_it_by_then(autojump_clock):
    there = There(slow)
    await bring(Delivery(PURGE, entry(2), others_ms=[0, 5_000]), there, ErrorCode.UNAVAILABLE)
    assert there.called == ["notice"]


async def test_boxes_that_cannot_be_seen_now_are_looked_at_again(monkeypatch, autojump_clock):
    delivery = Delivery(unseen=2)
    outbox, begun = outbox_of(delivery), []
    outbox._config.peers.clear()  # known by its box alone
    monkeypatch.setattr(outbox._links, "knows", lambda domain: domain == THERE)
    monkeypatch.setattr(outbox, "_begin", lambda nursery, domain: begun.append((domain, trio.current_time())))
    started_s = trio.current_time()
    with trio.move_on_after(2.5 * outbox._config.look_again_seconds):
        await outbox.run()
    assert begun == [(THERE, started_s + 2 * outbox._config.look_again_seconds)]
