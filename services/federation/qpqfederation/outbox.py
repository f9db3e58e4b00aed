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
RELEASE_SECONDS_MAX = 1.0
"""At the end of a process."""
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
        self._held_until_s: dict[str, float] = {}

    async def run(self) -> None:
        """Look for domains that something waits for, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                domains = set(self._config.peers)
                try:
                    domains |= {box.domain for box in await self.weigh() if box.entries}
                except Refusal as no:
                    log.warning("boxes_unseen", code=no.code.name)
                for domain in sorted(domains - self._working):
                    if self._links.knows(domain):
                        self._begin(nursery, domain)
                await trio.sleep(self._config.look_again_seconds)

    def _begin(self, nursery: trio.Nursery, domain: str) -> None:
        """Give a domain a worker; where there is no room for it now, at the next look."""
        try:
            peer = self._links.to(domain)
        except Refusal as no:
            log.warning("peer_waits", peer=domain, code=no.code.name)
            return
        peer.kept = True
        self._working.add(domain)
        nursery.start_soon(self._work, peer)

    async def weigh(self) -> Sequence[api.Box]:
        """Look how full the boxes are, for the operator; return them. Refusal."""
        boxes = (await self._delivery.list_boxes(self._context(), api.ListBoxesParams())).boxes
        self._links.counted.note_boxes(boxes)
        return boxes

    def _context(self) -> CallContext:
        return CallContext(
            caller=SELF, deadline_s=trio.current_time() + AT_HOME_SECONDS_MAX, now_ms=self._clock_ms()
        )  # fmt: skip

    async def _work(self, peer: Peer) -> None:
        """Bring a domain what waits for it, for ever; at the end let another process go on at once."""
        try:
            await self._keep_bringing(peer)
        finally:
            with trio.move_on_after(RELEASE_SECONDS_MAX, shield=True):
                await self._release(peer)

    async def _keep_bringing(self, peer: Peer) -> None:
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
                    await self._release(peer)  # the domain may come to another process
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
        asked = api.FetchBoxParams(domain=peer.domain)
        found = await self._delivery.fetch_box(self._context(), asked)
        if found.entries and not self._holds(peer):
            await self._take(peer)
            # Another process may have brought some of it just now.
            found = await self._delivery.fetch_box(self._context(), asked)
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

    # --- one process for each domain

    def _holds(self, peer: Peer) -> bool:
        """Tell whether a call made now ends while this process alone brings what waits for a domain."""
        left_s = self._held_until_s.get(peer.domain, 0.0) - trio.current_time()
        return left_s >= self._config.lease_left_seconds_min

    async def _take(self, peer: Peer) -> None:
        """Be the one. Refusal(unavailable) while another process is."""
        asked_s = trio.current_time()
        others_ms = await self._lease(peer, self._config.lease_seconds)
        if others_ms:
            self._held_until_s.pop(peer.domain, None)
            raise Refusal(ErrorCode.UNAVAILABLE, "another process brings what waits", retry_after_ms=others_ms)
        self._held_until_s[peer.domain] = asked_s + self._config.lease_seconds

    async def _release(self, peer: Peer) -> None:
        """Let another process be the one; if that cannot be said, it finds out in time."""
        if self._held_until_s.pop(peer.domain, None) is not None:
            try:
                await self._lease(peer, 0.0)
            except Refusal as no:
                log.info("lease_kept", peer=peer.domain, code=no.code.name)

    async def _lease(self, peer: Peer, seconds: float) -> int:
        asked = api.LeaseBoxParams(domain=peer.domain, holder=self._config.holder, lease_ms=int(seconds * 1000))
        return (await self._delivery.lease_box(self._context(), asked)).others_ms

    async def _call(self, peer: Peer, method: str, params: bytes) -> bytes:
        if not self._holds(peer):
            await self._take(peer)
        return await peer.call(NUMBERS[method], params, deadline_s=NEVER)

    # --- one portion

    async def _without_notice(self, peer: Peer, relayed: api.RelayedEntry) -> api.RelayedEntry:
        """Bring a purge notice, which is a call of its own; its number goes with the entries."""
        entry = relayed.entry
        if entry is None or entry.kind is not api.EntryKind.PURGE:
            return relayed
        try:
            await self._call(peer, "purgeNotice", entry.payload)
        except Refusal as no:
            if no.code in RETRYABLE:
                raise
            log.warning("purge_notice_refused", peer=peer.domain, code=no.code.name)
        return api.RelayedEntry(entry=api.Entry(number=entry.number, kind=entry.kind))

    async def _bring(self, peer: Peer, entries: Sequence[api.RelayedEntry], standings: tuple[api.Standing, ...]) -> int:
        """Bring entries; one that is refused for good, by itself, goes as a gap: its readers rejoin."""
        params = DeliverEntriesParams(entries=tuple(entries), standings=standings)
        try:
            answer = await self._call(peer, "deliverEntries", params.to_bytes())
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
