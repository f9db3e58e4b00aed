"""Channels whose home is another domain: calls go up to it, and its answer is the answer (docs/spec/federation.md#up).

Nothing is accepted here for the home: while it is away the caller is told so, keeps what it has, and tries again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from qpqcore.api import delivery as api
from qpqcore.api import federation as fed
from qpqcore.bus.abroad import ask_peer
from qpqcore.bus.notices import mailbox_topic
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of, is_domain, is_id
from qpqdelivery.signals import Signals

if TYPE_CHECKING:
    from qpqcore.bus.notices import Notices
    from qpqdelivery.config import Config
    from qpqdelivery.store import Store

T = TypeVar("T")

SELF = Caller(CallerKind.SERVICE, name="delivery")
NUMBERS = {m.params: m.number for m in fed.METHODS if not m.internal}
HOMES_AT_ONCE_MAX = 16
"""Other domains that one batch is brought to at once: one that is away holds up no other."""
LOOK_SECONDS = 0.25
"""So often it is looked whether a commit has come back, whatever the notices say."""


class Abroad:
    """Passes calls up to channels' homes."""

    def __init__(
        self, config: Config, store: Store, notices: Notices, federation: fed.FederationInternalApi | None
    ) -> None:
        self._config = config
        self._store = store
        self._notices = notices
        self._federation = federation
        self.signals = Signals(federation)

    def holds(self, channel: bytes) -> bool:
        """Tell whether a channel's home is another domain, and we go there."""
        return (
            self._config.federated
            and self._federation is not None
            and is_id(channel)
            and domain_of(channel) != self._config.domain
        )

    async def _call(self, call: CallContext, domain: str, params: Any, result: type[T]) -> T:
        return await ask_peer(self._federation, SELF, call, domain, NUMBERS[type(params)], params, result)

    @staticmethod
    def _sender(call: CallContext) -> api.Guest:
        return api.Guest(account=call.caller.account, device=call.caller.device)

    # --- groups

    async def create(self, call: CallContext, params: api.CreateChannelParams) -> api.CreateChannelResult:
        """Make a channel at its home."""
        up = fed.RelayCreateParams(sender=self._sender(call), create=params)
        done = await self._call(call, domain_of(params.channel), up, api.CreateChannelResult)
        await self._arrived(call, params.channel, done.log_number)
        return done

    async def commit(self, call: CallContext, params: api.SubmitCommitParams) -> api.SubmitCommitResult:
        """Submit a commit to the channel's home."""
        up = fed.RelayCommitParams(sender=self._sender(call), commit=params)
        done = await self._call(call, domain_of(params.channel), up, api.SubmitCommitResult)
        await self._arrived(call, params.channel, done.log_number)
        return done

    async def propose(self, call: CallContext, params: api.SubmitProposalParams) -> api.SubmitProposalResult:
        """Submit a proposal to the channel's home."""
        up = fed.RelayProposalParams(sender=self._sender(call), proposal=params)
        return await self._call(call, domain_of(params.channel), up, api.SubmitProposalResult)

    async def reset(self, call: CallContext, params: api.ResetChannelParams) -> api.ResetChannelResult:
        """Begin a channel's next generation at its home."""
        up = fed.RelayResetParams(sender=self._sender(call), reset=params)
        done = await self._call(call, domain_of(params.channel), up, api.ResetChannelResult)
        await self._arrived(call, params.channel, done.log_number)
        return done

    async def group_info(self, call: CallContext, params: api.FetchGroupInfoParams) -> api.FetchGroupInfoResult:
        """Fetch GroupInfo from the channel's home."""
        up = fed.ProxyGroupInfoParams(device=self._sender(call), params=params)
        return await self._call(call, domain_of(params.channel), up, api.FetchGroupInfoResult)

    async def tree(self, call: CallContext, params: api.FetchTreeParams) -> api.FetchTreeResult:
        """Fetch a tree from the channel's home."""
        up = fed.ProxyTreeParams(device=self._sender(call), params=params)
        return await self._call(call, domain_of(params.channel), up, api.FetchTreeResult)

    # --- messages

    async def enqueue(self, call: CallContext, params: api.EnqueueParams) -> api.EnqueueResult:
        """Bring a message to the channel's home; one that is signed with the write key, without saying by whom."""
        if not params.write_signature and not call.caller.device:
            raise Refusal(ErrorCode.UNAUTHENTICATED, "log in first, or sign with the channel's write key")
        sender = api.Guest() if params.write_signature else self._sender(call)
        up = fed.RelayEnqueueParams(sender=sender, item=params)
        return await self._call(call, domain_of(params.channel), up, api.EnqueueResult)

    async def batch(self, call: CallContext, items: tuple[api.EnqueueParams, ...]) -> tuple[api.BatchItem, ...]:
        """Bring messages to their channels' homes, for each home in one call; each is answered by itself."""
        by_home: dict[tuple[str, bool], list[int]] = {}
        for place, item in enumerate(items):
            by_home.setdefault((domain_of(item.channel), bool(item.write_signature)), []).append(place)
        answers: dict[int, api.BatchItem] = {}
        limit = trio.CapacityLimiter(HOMES_AT_ONCE_MAX)

        async def bring(home: str, places: list[int], *, sealed: bool) -> None:
            async with limit:
                found = await self._batch_of(call, home, [items[p] for p in places], sealed=sealed)
            answers.update(zip(places, found, strict=True))

        async with trio.open_nursery() as nursery:
            for (home, sealed), places in by_home.items():
                nursery.start_soon(partial(bring, home, places, sealed=sealed))
        return tuple(answers[place] for place in range(len(items)))

    async def _batch_of(
        self, call: CallContext, home: str, items: list[api.EnqueueParams], *, sealed: bool
    ) -> tuple[api.BatchItem, ...]:
        """Bring messages to one home; its refusal is each one's."""
        sender = api.Guest() if sealed else self._sender(call)
        up = fed.RelayBatchEnqueueParams(sender=sender, items=tuple(items))
        try:
            if not sealed and not call.caller.device:
                raise Refusal(ErrorCode.UNAUTHENTICATED, "log in first, or sign with the channel's write key")
            found = (await self._call(call, home, up, api.BatchEnqueueResult)).items
            if len(found) != len(items):
                raise Refusal(ErrorCode.UNAVAILABLE, "another domain's answer does not fit")
        except Refusal as no:
            return (api.BatchItem(code=int(no.code), detail=no.detail),) * len(items)
        return found

    # --- about a home

    async def describe(self, call: CallContext, domain: str) -> api.ExternalSenderResult:
        """Return another domain's external sender. Refusal(notFound)."""
        if not self._config.federated or self._federation is None or not is_domain(domain):
            raise Refusal(ErrorCode.NOT_FOUND, "this server does not talk to that domain")
        context = CallContext(
            caller=SELF, deadline_s=call.deadline_s, traceparent=call.traceparent, now_ms=call.now_ms
        )  # fmt: skip
        health = await self._federation.describe_peer(context, fed.DescribePeerParams(domain=domain))
        return api.ExternalSenderResult(credential=health.external_sender_credential, key=health.external_sender_key)

    async def _arrived(self, call: CallContext, channel: bytes, log_number: int) -> None:
        """Wait a little until what the home took has come back: its author reads its mailbox next."""
        topic = mailbox_topic(call.caller.device)
        with self._notices.subscribe(topic) as notices, trio.move_on_after(self._config.arrival_seconds_max):
            while log_number and not await self._store.has_log(channel, log_number):
                with trio.move_on_after(LOOK_SECONDS):
                    await notices.wait()
                notices.receive_nowait()
