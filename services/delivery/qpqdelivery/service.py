"""Delivery's use cases: one method per call of the contract."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api import delivery as api
from qpqcore.bus.background import repeat
from qpqcore.bus.limits import enforce
from qpqcore.bus.notices import mailbox_topic
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of
from qpqdelivery import rules
from qpqdelivery.abroad import Abroad
from qpqdelivery.counted import Counted
from qpqdelivery.filling import Filling
from qpqdelivery.handshakes import Handshakes
from qpqdelivery.limits import Limits
from qpqdelivery.peers import Peers
from qpqdelivery.store import Accepted, Arrival, Entry, Mailbox, Message
from qpqdelivery.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qpqcore.api.federation import FederationInternalApi
    from qpqcore.api.keystore import KeystoreInternalApi
    from qpqcore.bus.limits import Limiter
    from qpqcore.bus.notices import Notices
    from qpqcore.model.call import CallContext
    from qpqdelivery.config import Config
    from qpqdelivery.store import Channel, Store

log = structlog.get_logger()

ABSENT_STEP_MAX = 100
PURGE_ROWS = 1_000
"""Rows of the log looked at in one transaction: some 5 ms, in which nobody else writes."""
PURGE_PAUSE_SECONDS = 0.02
"""From one to the next: others write. Without it and by 5,000 rows, a hundredth of all calls took 54 ms in place of 6."""
PURGE_STEPS_MAX = 100
"""In one sweep: a log of a million messages that wait is gone through in five minutes, at 2 % of a core."""
PURGE_AFTER_MS = 1_000


class Delivery(Peers):
    """Implements `qpqcore.api.delivery.DeliveryApi` and `DeliveryInternalApi`."""

    def __init__(
        self, config: Config, store: Store, *, keystore: KeystoreInternalApi,
        external_sender: tuple[bytes, bytes, bytes], notices: Notices, limiter: Limiter, clock_ms: Callable[[], int],
        federation: FederationInternalApi | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self._store = store
        self._notices = notices
        self._limiter = limiter
        self._clock_ms = clock_ms
        self._external_sender = external_sender
        self._limits = Limits(config, limiter)
        views = Views(store, config.views_cached_max)
        self._handshakes = Handshakes(config, store, views, self._limits, keystore, external_sender)
        self._abroad = Abroad(config, store, notices, federation)
        self.counted = Counted(store, store.tally, clock_ms)
        """For the operator."""
        self._filling = Filling(config, store, notices, self.counted)
        self._draining = False
        self._waiters: defaultdict[bytes, OrderedDict[object, trio.CancelScope]] = defaultdict(OrderedDict)

    async def run(self) -> None:
        """Collect what is over and propose the removal of absent devices, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._abroad.signals.run)
            nursery.start_soon(self._filling.run)
            await repeat("delivery", self._config.sweep_seconds, lambda: self.sweep(self._clock_ms()))

    @property
    def is_filled(self) -> bool:
        """Whether mailboxes have all that logs have."""
        return not self._store.notes_wait

    def begin_drain(self) -> None:
        """Answer those who wait, now and from here on: they ask again elsewhere."""
        self._draining = True
        for waiters in self._waiters.values():
            for scope in waiters.values():
                scope.cancel()

    async def sweep(self, now_ms: int) -> None:
        """Do one step of the collection."""
        c = self._config
        self._wake(
            await self._store.expire(now_ms, now_ms - c.handshake_ttl_ms, now_ms - c.message_ttl_ms - c.hash_kept_ms)
        )
        for _ in range(PURGE_STEPS_MAX):
            if not await self._store.purge(now_ms - PURGE_AFTER_MS, PURGE_ROWS):
                break
            await trio.sleep(PURGE_PAUSE_SECONDS)
        absent = await self._store.absent(now_ms - c.absent_ms, ABSENT_STEP_MAX)
        for member in [*absent, *await self._store.orphans(ABSENT_STEP_MAX)]:
            await self._remove(member.device, now_ms)

    # --- groups

    async def create_channel(self, call: CallContext, params: api.CreateChannelParams) -> api.CreateChannelResult:
        if self._abroad.holds(params.channel):
            return await self._abroad.create(call, params)
        enforce(self._limiter, b"c" + call.caller.account, self._config.create_per_account, call.now_ms)
        accepted, woken = await self._handshakes.create(call, params)
        self._wake(woken)
        return api.CreateChannelResult(generation=1, epoch=accepted.epoch, log_number=accepted.log_number)

    async def submit_commit(self, call: CallContext, params: api.SubmitCommitParams) -> api.SubmitCommitResult:
        if self._abroad.holds(params.channel):
            return await self._abroad.commit(call, params)
        accepted, woken = await self._handshakes.commit(call, params)
        self._wake(woken)
        return api.SubmitCommitResult(
            epoch=accepted.epoch, log_number=accepted.log_number, duplicate=accepted.duplicate
        )

    async def submit_proposal(self, call: CallContext, params: api.SubmitProposalParams) -> api.SubmitProposalResult:
        if self._abroad.holds(params.channel):
            return await self._abroad.propose(call, params)
        accepted, woken = await self._handshakes.self_remove(call, params)
        self._wake(woken)
        return api.SubmitProposalResult(log_number=accepted.log_number, duplicate=accepted.duplicate)

    async def reset_channel(self, call: CallContext, params: api.ResetChannelParams) -> api.ResetChannelResult:
        if self._abroad.holds(params.channel):
            return await self._abroad.reset(call, params)
        accepted, woken, generation = await self._handshakes.reset(call, params)
        self._wake(woken)
        return api.ResetChannelResult(generation=generation, epoch=accepted.epoch, log_number=accepted.log_number)

    async def _of_account(self, call: CallContext, channel: bytes) -> Channel:
        state = await self._store.channel(channel)
        if state is None or not await self._store.has_account(channel, state.generation, call.caller.account):
            raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
        return state

    async def fetch_group_info(self, call: CallContext, params: api.FetchGroupInfoParams) -> api.FetchGroupInfoResult:
        if self._abroad.holds(params.channel):
            return await self._abroad.group_info(call, params)
        state = await self._of_account(call, params.channel)
        proposals = await self._store.proposals(params.channel)
        return api.FetchGroupInfoResult(
            generation=state.generation, epoch=state.epoch, group_info=state.group_info, tree_hash=state.tree_hash,
            proposals=tuple(p.payload for p in proposals), log_number=state.log_number,
        )  # fmt: skip

    async def fetch_tree(self, call: CallContext, params: api.FetchTreeParams) -> api.FetchTreeResult:
        if self._abroad.holds(params.channel):
            return await self._abroad.tree(call, params)
        # A device that was removed before it came to read its Welcome still joins by it: messages wait behind it.
        if not await self._is_invited(call, params):
            await self._of_account(call, params.channel)
        tree = await self._store.tree(params.channel, params.tree_hash)
        if tree is None:
            raise Refusal(ErrorCode.TREE_UNKNOWN, "this tree is not kept any more: rejoin by external commit")
        return api.FetchTreeResult(tree=tree)

    async def list_channels(self, call: CallContext, params: api.ListChannelsParams) -> api.ListChannelsResult:
        del params
        account, limit = call.caller.account, self._config.channels_per_account_max
        found = await self._store.channels_of(account, limit)
        away = await self._store.away_of(account, call.caller.device, limit) if self._config.federated else []
        return api.ListChannelsResult(
            channels=tuple(
                api.ChannelInfo(
                    channel=state.channel, generation=state.generation, epoch=state.epoch,
                    member=any(m.device == call.caller.device for m in members), leaves=len(members), policy=state.policy,
                )
                for state, members in found
            ) + tuple(away)
        )  # fmt: skip

    async def signal(self, call: CallContext, params: api.SignalParams) -> api.SignalResult:
        if not 0 < len(params.payload) <= self._config.signal_bytes_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"a signal has 1 to {self._config.signal_bytes_max} bytes")
        enforce(self._limiter, b"g" + call.caller.device, self._config.signal_per_device, call.now_ms)
        if self._abroad.holds(params.channel):
            self._abroad.signals.up(call, params)
            return api.SignalResult()
        state = await self._store.channel(params.channel)
        if state is None or not await self._store.is_member(params.channel, state.generation, call.caller.device):
            raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
        if (state.generation, state.epoch) != (params.generation, params.epoch):
            raise Refusal(ErrorCode.STALE_EPOCH, "the group has moved on")
        members = await self._store.members(params.channel, state.generation)
        others = [m.device for m in members if m.device != call.caller.device]
        here, away = others, dict[str, list[bytes]]()
        if self._config.federated:
            here = [device for device in others if domain_of(device) == self._config.domain]
            for device in others:
                away.setdefault(domain_of(device), []).append(device)
            away.pop(self._config.domain, None)
        self._tell_signal(params, here)
        for domain, devices in away.items():
            self._abroad.signals.down(domain, devices, params)
        return api.SignalResult()

    # --- messages

    async def enqueue(self, call: CallContext, params: api.EnqueueParams) -> api.EnqueueResult:
        if self._abroad.holds(params.channel):
            return await self._abroad.enqueue(call, params)
        message = await self._message(call, params)
        answer = (await self._store.enqueue([message]))[0]
        if isinstance(answer, Refusal):
            raise answer
        return self._taken(message, *answer)

    async def batch_enqueue(self, call: CallContext, params: api.BatchEnqueueParams) -> api.BatchEnqueueResult:
        if not 0 < len(params.items) <= self._config.batch_items_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"1 to {self._config.batch_items_max} messages in a batch")
        away = [place for place, item in enumerate(params.items) if self._abroad.holds(item.channel)]
        if away:
            return await self._batch_of_several(call, params.items, away)
        checked: list[Message | Refusal] = []
        for item in params.items:
            try:
                checked.append(await self._message(call, item))
            except Refusal as no:
                checked.append(no)
        answers = iter(await self._store.enqueue([m for m in checked if isinstance(m, Message)]))
        items = []
        for message in checked:
            answer = message if isinstance(message, Refusal) else next(answers)
            if isinstance(message, Message) and not isinstance(answer, Refusal):
                items.append(api.BatchItem(result=self._taken(message, *answer)))
            elif isinstance(answer, Refusal):
                items.append(api.BatchItem(code=int(answer.code), detail=answer.detail))
        return api.BatchEnqueueResult(items=tuple(items))

    def _taken(self, message: Message, accepted: Accepted, arrivals: Sequence[Arrival]) -> api.EnqueueResult:
        """Tell the devices that listen, and the sender."""
        self._filling.taken(message, accepted, arrivals)
        if not accepted.duplicate:
            self._limits.taken(message.channel, message.now_ms)
        self.counted.messages += not accepted.duplicate
        self.counted.repeated += accepted.duplicate
        return api.EnqueueResult(
            log_number=accepted.log_number, accepted_ms=accepted.accepted_ms, duplicate=accepted.duplicate
        )

    async def _message(self, call: CallContext, params: api.EnqueueParams) -> Message:
        rules.check_payload_size(self._config, params.payload)
        sealed = bool(params.write_signature)
        if not sealed and not call.caller.device:
            raise Refusal(ErrorCode.UNAUTHENTICATED, "log in first, or sign with the channel's write key")
        rules.check_channel_form(params.channel)
        rules.check_message(params)
        if sealed:
            self._limits.look_sealed(call, params.channel)
            key = await self._store.write_key(params.channel, params.generation, params.epoch)
            if key is None or not rules.write_signature_holds(key, params):
                raise Refusal(ErrorCode.WRITE_KEY_INVALID, "not signed by the channel's write key")
            self._limits.sealed(call, params)
        else:
            self._limits.message(call, params.channel)
        ttl_ms = min(params.ttl_seconds * 1000 or self._config.message_ttl_ms, self._config.message_ttl_ms)
        return Message(
            channel=params.channel, generation=params.generation, epoch=params.epoch, payload=params.payload,
            hash=rules.sha256(params.payload), device=b"" if sealed else call.caller.device, now_ms=call.now_ms,
            expires_ms=call.now_ms + ttl_ms, ratchet=params.ratchet,
        )  # fmt: skip

    # --- mailboxes

    async def fetch(self, call: CallContext, params: api.FetchParams) -> api.FetchResult:
        return _fetched(*await self._read(call, params.after, params.max_entries))

    async def fetch_wait(self, call: CallContext, params: api.FetchWaitParams) -> api.FetchResult:
        device, at_once = call.caller.device, api.FetchParams(after=params.after, max_entries=params.max_entries)
        if self._draining or not params.wait_ms:
            return await self.fetch(call, at_once)
        wait_s = min(params.wait_ms, self._config.wait_ms_max) / 1000
        with self._notices.subscribe(mailbox_topic(device)) as notices, trio.move_on_after(wait_s) as scope:
            ticket, untold, waited = self._queue(device, scope), False, False
            try:
                while True:
                    notices.receive_nowait()
                    entries, box = await self._read(call, params.after, params.max_entries)
                    if entries:
                        self._notices.wake_ups.fallback += untold
                        if waited:
                            self.counted.woken(entries[0].accepted_ms)
                        return _fetched(entries, box)
                    with trio.move_on_after(self._config.look_again_seconds) as silence:
                        await notices.wait()
                    untold, waited = silence.cancelled_caught, True
            finally:
                self._waiters[device].pop(ticket, None)
                if not self._waiters[device]:
                    del self._waiters[device]
        return await self.fetch(call, at_once)

    def _queue(self, device: bytes, scope: trio.CancelScope) -> object:
        """Note a waiter; the oldest of the device is answered when there are too many."""
        waiters, ticket = self._waiters[device], object()
        waiters[ticket] = scope
        if len(waiters) > self._config.waiters_per_device_max:
            waiters.popitem(last=False)[1].cancel()
        return ticket

    async def _read(
        self, call: CallContext, after: int, entries_max: int, *, payloads: bool = True
    ) -> tuple[list[Entry], Mailbox]:
        found = await self._store.fetch(call.caller.device, after, entries_max, payloads=payloads, now_ms=call.now_ms)
        if found is None:
            raise Refusal(ErrorCode.NOT_FOUND, "this device has no mailbox: register it again")
        if call.now_ms - found[1].seen_ms > self._config.seen_step_ms:
            await self._store.note_seen(call.caller.device, call.now_ms)
        return found

    async def peek(self, call: CallContext, params: api.PeekParams) -> api.PeekResult:
        entries, box = await self._read(call, 0, params.max_entries, payloads=False)
        return api.PeekResult(
            entries=tuple(map(_entry, entries)),
            last=box.last,
            acked=box.acked,
            pending_bytes=box.bytes,
            oldest_ms=box.oldest_ms,
        )

    async def ack(self, call: CallContext, params: api.AckParams) -> api.AckResult:
        acked = await self._store.ack(call.caller.device, params.up_to, call.now_ms)
        if acked is None:
            raise Refusal(ErrorCode.NOT_FOUND, "this device has no mailbox: register it again")
        return api.AckResult(acked=acked)

    # --- for other services

    async def open_mailbox(self, call: CallContext, params: api.OpenMailboxParams) -> api.OpenMailboxResult:
        await self._store.open_mailbox(params.account, params.device, call.now_ms)
        return api.OpenMailboxResult()

    async def remove_devices(self, call: CallContext, params: api.RemoveDevicesParams) -> api.RemoveDevicesResult:
        count = 0
        for device in params.devices:
            count += await self._remove(device, call.now_ms)
        return api.RemoveDevicesResult(proposals=count)

    async def purge_account(self, call: CallContext, params: api.PurgeDeliveryParams) -> api.PurgeDeliveryResult:
        devices = set(await self._store.mailboxes_of(params.account))
        for _, members in await self._store.channels_of(params.account, self._config.channels_per_account_max):
            devices |= {m.device for m in members if m.account == params.account}
        count = 0
        for device in sorted(devices):
            count += await self._remove(device, call.now_ms)
        return api.PurgeDeliveryResult(proposals=count)

    async def external_sender(self, call: CallContext, params: api.ExternalSenderParams) -> api.ExternalSenderResult:
        del call, params
        return api.ExternalSenderResult(credential=self._external_sender[0], key=self._external_sender[2])

    async def _remove(self, device: bytes, now_ms: int) -> int:
        """Propose a device's removal everywhere, then drop its mailbox; repeatable at any point."""
        count = 0
        for channel in await self._store.channels_with(device):
            proposed, woken = await self._handshakes.propose_removal(channel, device, now_ms)
            count += proposed
            self._wake(woken)
        await self._leave_away(device, now_ms)
        await self._store.close_mailbox(device)
        return count

    def _wake(self, devices: Iterable[bytes]) -> None:
        for device in devices:
            self._notices.publish(mailbox_topic(device))
        self._filling.go_on()


def _entry(e: Entry) -> api.Entry:
    return api.Entry(
        number=e.number, kind=e.kind, channel=e.channel, generation=e.generation, epoch=e.epoch,
        log_number=e.log_number, accepted_ms=e.accepted_ms, payload=e.payload or b"", tree_hash=e.tree_hash,
        expires_ms=e.expires_ms,
    )  # fmt: skip


def _fetched(entries: Sequence[Entry], box: Mailbox) -> api.FetchResult:
    return api.FetchResult(entries=tuple(map(_entry, entries)), last=box.last, acked=box.acked)
