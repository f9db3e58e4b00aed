"""Brings other domains what waits for them: in order, until they have it, at most so often (docs/spec/federation.md#down).

A worker for each domain, so that one that is away or slow holds up nobody else. What has been brought and not yet noted
as such is brought again: the receiver knows it by its number.
"""

from __future__ import annotations

import random  # noqa: TID251 - jitter of pauses only; nothing secret depends on it
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api import delivery as api
from qpqcore.api.federation import METHODS, DeliverEntriesParams, DeliverEntriesResult
from qpqcore.bus.notices import mailbox_topic
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import RETRYABLE, ErrorCode, Refusal
from qpqcore.model.ids import box_of
from qpqfederation.links import Away

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.api.delivery import DeliveryInternalApi
    from qpqcore.bus.notices import Notices
    from qpqfederation.links import Links, Peer

log = structlog.get_logger()

SELF = Caller(CallerKind.SERVICE, name="federation")
NUMBERS = {m.name: m.number for m in METHODS}
NEVER = float("inf")
AT_HOME_SECONDS_MAX = 30.0
"""Delivery answers within so long, or is away."""


def jitter() -> float:
    """Return a factor between 0.5 and 1.5."""
    return 0.5 + random.random()  # noqa: S311 - jitter


class Outbox:
    """Runs a worker for each domain that something waits for, or may."""

    def __init__(
        self, links: Links, delivery: DeliveryInternalApi, notices: Notices, clock_ms: Callable[[], int]
    ) -> None:
        self._links = links
        self._config = links.config
        self._delivery = delivery
        self._notices = notices
        self._clock_ms = clock_ms
        self._working: set[str] = set()

    async def run(self) -> None:
        """Look for domains that something waits for, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                domains = set(self._config.peers)
                try:
                    boxes = (await self._delivery.list_boxes(self._context(), api.ListBoxesParams())).boxes
                    self._links.counted.note_boxes(boxes)
                    domains |= {box.domain for box in boxes if box.entries}
                except Refusal as no:
                    log.warning("boxes_unseen", code=no.code.name)
                for domain in sorted(domains - self._working):
                    if self._links.knows(domain):
                        self._working.add(domain)
                        nursery.start_soon(self._work, self._links.to(domain))
                await trio.sleep(self._config.look_again_seconds)

    async def weigh(self) -> None:
        """Look how full the boxes are, for the operator."""
        boxes = (await self._delivery.list_boxes(self._context(), api.ListBoxesParams())).boxes
        self._links.counted.note_boxes(boxes)

    def _context(self) -> CallContext:
        return CallContext(
            caller=SELF, deadline_s=trio.current_time() + AT_HOME_SECONDS_MAX, now_ms=self._clock_ms()
        )  # fmt: skip

    async def _work(self, peer: Peer) -> None:
        """Bring a domain what waits for it, for ever."""
        c, pause_s = self._config, self._config.again_seconds_min
        await self._greet(peer)
        with self._notices.subscribe(mailbox_topic(box_of(peer.domain))) as notices:
            while True:
                notices.receive_nowait()
                came = peer.came
                try:
                    is_more = await self._round(peer)
                except Refusal as no:
                    log.info("delivery_waits", peer=peer.domain, code=no.code.name)
                    with trio.move_on_after(max(pause_s * jitter(), no.retry_after_ms / 1000)):
                        await came.wait()
                    pause_s = min(pause_s * 2, c.again_seconds_max)
                    continue
                pause_s = c.again_seconds_min
                if not is_more:
                    with trio.move_on_after(c.look_again_seconds):
                        await notices.wait()

    @staticmethod
    async def _greet(peer: Peer) -> None:
        """Let a domain know that we are here: what it has for us it brings at once, and need not try again by itself."""
        try:
            await peer.connection()
        except Away:
            return

    async def _round(self, peer: Peer) -> bool:
        """Bring one portion; tell whether there was any. Refusal where it has to wait."""
        found = await self._delivery.fetch_box(self._context(), api.FetchBoxParams(domain=peer.domain))
        if not found.entries:
            return False
        entries = [await self._without_notice(peer, relayed) for relayed in found.entries]
        position = await self._bring(peer, entries, found.standings)
        first = entries[0].entry
        if first is not None and position < first.number:
            raise Refusal(ErrorCode.UNAVAILABLE, "the peer has taken nothing")
        await self._delivery.ack_box(self._context(), api.AckBoxParams(domain=peer.domain, up_to=position))
        self._links.counted.delivered(peer.domain, len(entries))
        return True

    async def _without_notice(self, peer: Peer, relayed: api.RelayedEntry) -> api.RelayedEntry:
        """Bring a purge notice, which is a call of its own; its number goes with the entries."""
        entry = relayed.entry
        if entry is None or entry.kind is not api.EntryKind.PURGE:
            return relayed
        try:
            await peer.call(NUMBERS["purgeNotice"], entry.payload, deadline_s=NEVER)
        except Refusal as no:
            if no.code in RETRYABLE:
                raise
            log.warning("purge_notice_refused", peer=peer.domain, code=no.code.name)
        return api.RelayedEntry(entry=api.Entry(number=entry.number, kind=entry.kind))

    async def _bring(self, peer: Peer, entries: Sequence[api.RelayedEntry], standings: tuple[api.Standing, ...]) -> int:
        """Bring entries; one that is refused for good, by itself, goes as a gap: its readers rejoin."""
        params = DeliverEntriesParams(entries=tuple(entries), standings=standings)
        try:
            answer = await peer.call(NUMBERS["deliverEntries"], params.to_bytes(), deadline_s=NEVER)
        except Refusal as no:
            if no.code in RETRYABLE:
                raise
            log.warning("entries_refused", peer=peer.domain, code=no.code.name, entries=len(entries))
            return await self._bring_apart(peer, entries, standings, no)
        try:
            return DeliverEntriesResult.from_bytes(answer).position
        except Refusal as exc:
            raise Refusal(ErrorCode.UNAVAILABLE, "the peer's answer cannot be read") from exc

    async def _bring_apart(
        self, peer: Peer, entries: Sequence[api.RelayedEntry], standings: tuple[api.Standing, ...], no: Refusal
    ) -> int:
        if len(entries) > 1:
            position = 0
            for relayed in entries:
                channel = relayed.entry.channel if relayed.entry else b""
                own = tuple(s for s in standings if s.channel == channel)
                position = await self._bring(peer, [relayed], own)
            return position
        entry = entries[0].entry or api.Entry()
        if entry.kind is api.EntryKind.GAP:
            raise no
        gap = replace(entries[0], entry=api.Entry(number=entry.number, kind=api.EntryKind.GAP), targets=())
        return await self._bring(peer, [gap], ())
