"""What delivery does for federation: its channels for devices of other domains, its devices in channels of others.

Federation says which domain it speaks for, and may only ever name another than ours; what that domain may do is checked
here once more (docs/spec/federation.md#who-may-say-what).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from qpqcore.api import delivery as api
from qpqcore.api.gateway import SubscribeEventSignal
from qpqcore.bus.notices import signal_topic
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId, box_of, domain_of, is_domain, is_id
from qpqdelivery import rules
from qpqdelivery.boxes import is_box, targets_of
from qpqdelivery.guests import Boxed, Relayed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qpqcore.bus.notices import Notices
    from qpqdelivery.abroad import Abroad
    from qpqdelivery.config import Config
    from qpqdelivery.handshakes import Handshakes
    from qpqdelivery.store import Store

FOR_GUESTS = frozenset({
    "createChannel", "enqueue", "batchEnqueue", "submitCommit", "submitProposal", "fetchGroupInfo", "fetchTree", "resetChannel",
    "signal",
})  # fmt: skip
METHODS = {m.number: m for m in api.METHODS if m.name in FOR_GUESTS}
CHANGES = frozenset({
    api.EntryKind.COMMIT, api.EntryKind.PROPOSAL, api.EntryKind.WELCOME, api.EntryKind.RESET,
})  # fmt: skip
GENERATION_MAX = (1 << 32) - 1
FOR_NOBODY = frozenset({api.EntryKind.GAP, api.EntryKind.PURGE})
"""Entries that name no channel; of a purge only its number comes, the notice is a call of its own."""
ENTRIES_MAX = 256
TARGETS_MAX = 10_000
"""Devices of one domain that one entry names."""
DEVICES_MAX = 64
"""Devices that one notice names: an account has at most 32."""
BOXES_MAX = 10_000
NUMBER_MAX = (1 << 63) - 1
LATE_MS = 7 * 24 * 3600 * 1000
"""An entry that says it was taken longer ago counts as of then: what is too old cuts a mailbox off."""
HASH_BYTES = 32
HOLDER_BYTES = 16
LEASE_MS_MAX = 60_000
"""So long what waits for a domain lies still at most, after the process that brings it died."""


class Peers:
    """The part of `Delivery` that other domains come to."""

    _config: Config
    _store: Store
    _handshakes: Handshakes
    _abroad: Abroad
    _notices: Notices

    async def batch_enqueue(self, call: CallContext, params: api.BatchEnqueueParams) -> api.BatchEnqueueResult:
        raise NotImplementedError

    async def external_sender(self, call: CallContext, params: api.ExternalSenderParams) -> api.ExternalSenderResult:
        raise NotImplementedError

    def _wake(self, devices: Iterable[bytes]) -> None:
        raise NotImplementedError

    async def _remove(self, device: bytes, now_ms: int) -> int:
        raise NotImplementedError

    def _other(self, domain: str) -> str:
        if not self._config.federated or not is_domain(domain) or domain == self._config.domain:
            raise Refusal(ErrorCode.PEER_MISMATCH, "not another domain that this one talks to")
        return domain

    # --- on behalf of one's own people

    async def describe_home(self, call: CallContext, params: api.DescribeHomeParams) -> api.ExternalSenderResult:
        if params.domain != self._config.domain:
            return await self._abroad.describe(call, params.domain)
        return await self.external_sender(call, api.ExternalSenderParams())

    async def _batch_of_several(
        self, call: CallContext, items: Sequence[api.EnqueueParams], away: Sequence[int]
    ) -> api.BatchEnqueueResult:
        """Take a batch of which some messages are for channels of other domains: one's own first, they wait for nobody."""
        here = [place for place in range(len(items)) if place not in away]
        answers: dict[int, api.BatchItem] = {}
        if here:
            own = await self.batch_enqueue(call, api.BatchEnqueueParams(items=tuple(items[p] for p in here)))
            answers |= zip(here, own.items, strict=True)
        answers |= zip(away, await self._abroad.batch(call, tuple(items[p] for p in away)), strict=True)
        return api.BatchEnqueueResult(items=tuple(answers[place] for place in range(len(items))))

    # --- channels of this domain, devices of another

    async def as_guest(self, call: CallContext, params: api.AsGuestParams) -> api.AsGuestResult:
        """Do for a device of another domain what it asks for in a channel of this one."""
        domain, guest = self._other(params.domain), params.guest or api.Guest()
        method = METHODS.get(params.method)
        if method is None:
            raise Refusal(ErrorCode.UNKNOWN_METHOD, "not for other domains")
        named = [ident for ident in (guest.account, guest.device) if ident]
        if len(named) == 1 or not all(is_id(i) and domain_of(i) == domain and not is_box(i) for i in named):
            raise Refusal(ErrorCode.PEER_MISMATCH, "a peer speaks for its own devices")
        asked: Any = method.params.from_bytes(params.params)  # type: ignore[attr-defined]  # every generated struct has it
        items = asked.items if isinstance(asked, api.BatchEnqueueParams) else (asked,)
        for item in items:
            if not is_id(item.channel) or domain_of(item.channel) != self._config.domain:
                raise Refusal(ErrorCode.PEER_MISMATCH, "nothing is passed on: this is not the channel's home")
            if not named and not (isinstance(item, api.EnqueueParams) and item.write_signature):
                raise Refusal(ErrorCode.PEER_MISMATCH, "a message of nobody is signed with the write key")
        kind = CallerKind.ACCOUNT if named else CallerKind.ANONYMOUS
        caller = Caller(kind, AccountId(guest.account), DeviceId(guest.device), name=domain)
        context = CallContext(
            caller=caller, deadline_s=call.deadline_s, traceparent=call.traceparent, now_ms=call.now_ms
        )  # fmt: skip
        result: Any = await getattr(self, method.attribute)(context, asked)
        return api.AsGuestResult(result=result.to_bytes())

    async def fetch_box(self, call: CallContext, params: api.FetchBoxParams) -> api.FetchBoxResult:
        """Return what waits for a domain."""
        box = box_of(self._other(params.domain))
        count = min(params.max_entries or ENTRIES_MAX, ENTRIES_MAX)
        found, last = await self._store.box(box, count, self._config.box_fetch_bytes_max, call.now_ms)
        changed = dict.fromkeys(b.channel for b in found if b.kind in CHANGES)
        standings = [await self._standing(channel, params.domain) for channel in changed]
        return api.FetchBoxResult(entries=tuple(_relayed(box, b) for b in found), standings=tuple(standings), last=last)

    async def _standing(self, channel: bytes, domain: str) -> api.Standing:
        state = await self._store.channel(channel)
        if state is None:  # dropped: nobody is in it, and never will be
            return api.Standing(channel=channel, generation=GENERATION_MAX)
        members = await self._store.members(channel, state.generation)
        guests = [api.Guest(account=m.account, device=m.device) for m in members if domain_of(m.device) == domain]
        return api.Standing(
            channel=channel, generation=state.generation, epoch=state.epoch, leaves=len(members), policy=state.policy,
            members=tuple(guests),
        )  # fmt: skip

    async def ack_box(self, call: CallContext, params: api.AckBoxParams) -> api.AckBoxResult:
        """Drop what a domain has. One that has more than it was ever sent was sent it by a newer state of this database."""
        box = box_of(self._other(params.domain))
        if params.up_to > NUMBER_MAX // 2:
            raise Refusal(ErrorCode.MALFORMED, "a number that cannot be")
        _, last = await self._store.box(box, 0, 0, call.now_ms)
        if params.up_to > last:
            await self._store.skip_box(box, params.up_to, call.now_ms)
        return api.AckBoxResult(acked=await self._store.ack(box, params.up_to, call.now_ms) or 0)

    async def lease_box(self, call: CallContext, params: api.LeaseBoxParams) -> api.LeaseBoxResult:
        """Let one process bring what waits for a domain; who died is followed by another when its time is over."""
        if len(params.holder) != HOLDER_BYTES:
            raise Refusal(ErrorCode.MALFORMED, "a holder has 16 bytes")
        until_ms = call.now_ms + min(params.lease_ms, LEASE_MS_MAX)
        other_ms = await self._store.lease_box(box_of(self._other(params.domain)), params.holder, until_ms, call.now_ms)
        # Clocks of a site may differ: nobody waits for longer than a lease lasts.
        return api.LeaseBoxResult(others_ms=min(other_ms - call.now_ms, LEASE_MS_MAX) if other_ms else 0)

    async def list_boxes(self, call: CallContext, params: api.ListBoxesParams) -> api.ListBoxesResult:
        """Return how full each box is."""
        del call, params
        return api.ListBoxesResult(
            boxes=tuple(
                api.Box(
                    domain=domain_of(b.device), last=b.last, acked=b.acked, entries=b.entries, held_bytes=b.bytes,
                    oldest_ms=b.oldest_ms,
                )
                for b in await self._store.boxes(BOXES_MAX)
            )
        )  # fmt: skip

    async def purge_guests(self, call: CallContext, params: api.PurgeGuestsParams) -> api.PurgeGuestsResult:
        """Propose the removal of another domain's devices, or of a whole account's."""
        domain = self._other(params.domain)
        named = (params.account, *params.devices)
        if len(params.devices) > DEVICES_MAX or not all(is_id(i) and domain_of(i) == domain for i in named):
            raise Refusal(ErrorCode.PEER_MISMATCH, "a peer speaks for its own devices")
        gone, count = set(params.devices), 0
        for state, members in await self._store.channels_of(params.account, self._config.channels_per_account_max):
            for member in members:
                if member.account == params.account and (not gone or member.device in gone):
                    proposed, woken = await self._handshakes.propose_removal(state.channel, member.device, call.now_ms)
                    count += proposed
                    self._wake(woken)
        return api.PurgeGuestsResult(proposals=count)

    async def _is_invited(self, call: CallContext, params: api.FetchTreeParams) -> bool:
        """Tell whether a device has a Welcome that names this tree; one whose mailbox is elsewhere, whether it was ever in."""
        device, channel = call.caller.device, params.channel
        if call.caller.name:
            return await self._store.had_leaf(channel, device)
        return await self._store.is_welcomed(device, channel, params.tree_hash)

    # --- channels of another domain, devices of this one

    async def take_entries(self, call: CallContext, params: api.TakeEntriesParams) -> api.TakeEntriesResult:
        """Put into mailboxes what another domain's channels have for devices of this one."""
        home = self._other(params.home)
        if len(params.entries) > ENTRIES_MAX or len(params.standings) > ENTRIES_MAX:
            raise Refusal(ErrorCode.TOO_LARGE, f"at most {ENTRIES_MAX} entries")
        relayed = [self._checked(home, r, call.now_ms) for r in params.entries]
        if any(after.number != before.number + 1 for before, after in itertools.pairwise(relayed)):
            raise Refusal(ErrorCode.MALFORMED, "a hole between two entries")
        for standing in params.standings:
            self._check_standing(home, standing)
        position, woken = await self._store.take(home, relayed, params.standings, call.now_ms)
        self._wake(dict.fromkeys(woken))
        # Whoever is no more by now, and so could not be announced as gone before its home knew it.
        by_account: dict[bytes, set[bytes]] = {}
        for member in (m for standing in params.standings for m in standing.members):
            by_account.setdefault(member.account, set()).add(member.device)
        for account, devices in by_account.items():
            for device in sorted(devices - set(await self._store.mailboxes_of(account))):
                await self._leave_away(device, call.now_ms)
        return api.TakeEntriesResult(position=position)

    async def take_signal(self, call: CallContext, params: api.TakeSignalParams) -> api.SignalResult:
        """Tell devices of this domain what somebody signals in another domain's channel; they see whether it is genuine."""
        del call
        home, signal = self._other(params.home), params.signal or api.SignalParams()
        if not is_id(signal.channel) or domain_of(signal.channel) != home:
            raise Refusal(ErrorCode.PEER_MISMATCH, "only a channel's home sends what is in it")
        if not 0 < len(signal.payload) <= self._config.signal_bytes_max or len(params.targets) > TARGETS_MAX:
            raise Refusal(ErrorCode.TOO_LARGE, f"a signal has 1 to {self._config.signal_bytes_max} bytes")
        if not all(is_id(t) and domain_of(t) == self._config.domain and not is_box(t) for t in params.targets):
            raise Refusal(ErrorCode.PEER_MISMATCH, "a signal for a device of another domain")
        self._tell_signal(signal, params.targets)
        return api.SignalResult()

    def _tell_signal(self, signal: api.SignalParams, devices: Iterable[bytes]) -> None:
        event = SubscribeEventSignal(
            channel=signal.channel, generation=signal.generation, epoch=signal.epoch, payload=signal.payload
        ).to_bytes()
        for device in devices:
            self._notices.publish(signal_topic(device), event)

    def _checked(self, home: str, r: api.RelayedEntry, now_ms: int) -> Relayed:
        e = r.entry or api.Entry()
        if len(r.targets) > TARGETS_MAX or (e.kind in FOR_NOBODY and (r.targets or e.channel or e.payload)):
            raise Refusal(ErrorCode.MALFORMED, "not an entry that comes from another domain")
        if not 0 < e.number <= NUMBER_MAX or max(e.epoch, e.log_number, e.accepted_ms, e.expires_ms) > NUMBER_MAX:
            raise Refusal(ErrorCode.MALFORMED, "a number that cannot be")
        targets = self._targets(home, e, r.targets)
        limit = self._config.payload_bytes_max if e.kind is api.EntryKind.MESSAGE else self._config.handshake_bytes_max
        if len(e.payload) > limit or (not e.payload and e.kind in rules.WITH_PAYLOAD):
            raise Refusal(ErrorCode.TOO_LARGE, "an entry of no size that could be")
        if len(e.tree_hash) > HASH_BYTES:
            raise Refusal(ErrorCode.MALFORMED, "not a tree's hash")
        expires_ms = min(e.expires_ms, now_ms + self._config.message_ttl_ms)
        return Relayed(
            number=e.number, kind=e.kind, channel=e.channel, generation=e.generation, epoch=e.epoch,
            log_number=e.log_number, accepted_ms=min(max(e.accepted_ms, now_ms - LATE_MS), now_ms),
            expires_ms=expires_ms if e.kind is api.EntryKind.MESSAGE else e.expires_ms, payload=e.payload,
            hash=rules.sha256(e.payload), tree_hash=e.tree_hash, targets=targets,
        )  # fmt: skip

    def _targets(self, home: str, e: api.Entry, targets: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return whom an entry is for: devices of this domain, in a channel of the sender's."""
        if e.kind in FOR_NOBODY:
            return ()
        if not is_id(e.channel) or domain_of(e.channel) != home:
            raise Refusal(ErrorCode.PEER_MISMATCH, "only a channel's home sends what is in it")
        if e.kind is api.EntryKind.WELCOME and [api.WelcomeItem.from_bytes(e.payload).device] != list(targets):
            raise Refusal(ErrorCode.MALFORMED, "a Welcome is for the device that it names")
        if not targets or len(set(targets)) != len(targets):
            raise Refusal(ErrorCode.MALFORMED, "an entry for nobody, or for somebody twice")
        if not all(is_id(t) and domain_of(t) == self._config.domain and not is_box(t) for t in targets):
            raise Refusal(ErrorCode.PEER_MISMATCH, "an entry for a device of another domain")
        return tuple(targets)

    def _check_standing(self, home: str, s: api.Standing) -> None:
        if not is_id(s.channel) or domain_of(s.channel) != home:
            raise Refusal(ErrorCode.PEER_MISMATCH, "only a channel's home says how it stands")
        if s.epoch > NUMBER_MAX or len(s.members) > TARGETS_MAX or len(s.policy) > self._config.payload_bytes_max:
            raise Refusal(ErrorCode.MALFORMED, "a channel that cannot stand so")
        for m in s.members:
            if not all(is_id(i) and domain_of(i) == self._config.domain for i in (m.account, m.device)):
                raise Refusal(ErrorCode.PEER_MISMATCH, "a member of another domain")

    async def _leave_away(self, device: bytes, now_ms: int) -> None:
        """Tell the homes of the channels that a device was in abroad that it is no more."""
        self._wake(await self._store.leave_away(device, now_ms))


def _relayed(box: bytes, b: Boxed) -> api.RelayedEntry:
    if b.kind is api.EntryKind.WELCOME:
        targets: tuple[bytes, ...] = (api.WelcomeItem.from_bytes(b.payload).device,)
    else:
        targets = targets_of(box, b.packed)
    entry = api.Entry(
        number=b.number, kind=b.kind, channel=b.channel, generation=b.generation, epoch=b.epoch,
        log_number=b.log_number, accepted_ms=b.accepted_ms, payload=b.payload, tree_hash=b.tree_hash,
        expires_ms=b.expires_ms,
    )  # fmt: skip
    return api.RelayedEntry(entry=entry, targets=targets)
