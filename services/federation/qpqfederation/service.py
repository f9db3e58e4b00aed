"""Federation's use cases: what other domains ask of us, each field checked, and what our services ask of other domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qpqcore.api import blob, delivery, keystore
from qpqcore.api import federation as api
from qpqcore.bus.limits import enforce
from qpqcore.model.call import CallContext, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqfederation import rules
from qpqfederation.outbox import SELF

if TYPE_CHECKING:
    from qpqcore.api.delivery import ExternalSenderResult
    from qpqcore.bus.limits import Limiter
    from qpqcore.obs.metrics import Reading
    from qpqfederation.config import Config
    from qpqfederation.links import Links
    from qpqfederation.outbox import Outbox

T = TypeVar("T")

UP = {m.name: m.number for m in delivery.METHODS}
PROXIED = {m.name: m.number for m in api.METHODS}


class Federation:
    """Implements `qpqcore.api.federation.FederationApi` and `FederationInternalApi`."""

    def __init__(
        self, config: Config, links: Links, outbox: Outbox, *, delivery: delivery.DeliveryInternalApi,
        keystore: keystore.KeystoreInternalApi, blob: blob.BlobInternalApi, limiter: Limiter,
        version: str,
    ) -> None:  # fmt: skip
        self._config = config
        self.links = links
        self.outbox = outbox
        self._delivery = delivery
        self._keystore = keystore
        self._blob = blob
        self._limiter = limiter
        self._version = version
        self._external_sender: ExternalSenderResult | None = None

    def readings(self) -> list[Reading]:
        """Return what an operator sees."""
        return self.links.counted.readings()

    async def weigh(self) -> None:
        """Look what waits for other domains."""
        if self._config.enabled:
            await self.outbox.weigh()

    # --- of another domain: the first call

    async def federation_health(
        self, call: CallContext, params: api.FederationHealthParams
    ) -> api.FederationHealthResult:
        del params  # the connection's edge has checked whom it names
        if self._external_sender is None:
            self._external_sender = await self._delivery.external_sender(
                _own(call), delivery.ExternalSenderParams()
            )  # fmt: skip
        sender = self._external_sender
        return api.FederationHealthResult(
            domain=self._config.domain, version=self._version, protocol=rules.PROTOCOL,
            external_sender_credential=sender.credential, external_sender_key=sender.key,
        )  # fmt: skip

    # --- of another domain: up, into channels of ours

    async def _as_guest(self, call: CallContext, guest: delivery.Guest, method: str, params: Any, result: type[T]) -> T:
        asked = delivery.AsGuestParams(
            domain=_peer(call), guest=guest, method=UP[method], params=params.to_bytes()
        )  # fmt: skip
        answer = await self._delivery.as_guest(_own(call), asked)
        value: T = result.from_bytes(answer.result)  # type: ignore[attr-defined]  # every generated struct has it
        return value

    async def relay_enqueue(self, call: CallContext, params: api.RelayEnqueueParams) -> delivery.EnqueueResult:
        guest = rules.check_guest(_peer(call), params.sender, may_be_nobody=True)
        item = rules.check_item(params.item, self._config.domain, sealed=not guest.device)
        return await self._as_guest(call, guest, "enqueue", item, delivery.EnqueueResult)

    async def relay_batch_enqueue(
        self, call: CallContext, params: api.RelayBatchEnqueueParams
    ) -> delivery.BatchEnqueueResult:
        guest = rules.check_guest(_peer(call), params.sender, may_be_nobody=True)
        for item in params.items:
            rules.check_item(item, self._config.domain, sealed=not guest.device)
        batch = delivery.BatchEnqueueParams(items=params.items)
        return await self._as_guest(call, guest, "batchEnqueue", batch, delivery.BatchEnqueueResult)

    async def relay_commit(self, call: CallContext, params: api.RelayCommitParams) -> delivery.SubmitCommitResult:
        guest, commit = self._changed(call, params.sender, params.commit or delivery.SubmitCommitParams())
        return await self._as_guest(call, guest, "submitCommit", commit, delivery.SubmitCommitResult)

    async def relay_proposal(self, call: CallContext, params: api.RelayProposalParams) -> delivery.SubmitProposalResult:
        guest, proposal = self._changed(call, params.sender, params.proposal or delivery.SubmitProposalParams())
        return await self._as_guest(call, guest, "submitProposal", proposal, delivery.SubmitProposalResult)

    async def relay_create(self, call: CallContext, params: api.RelayCreateParams) -> delivery.CreateChannelResult:
        guest, create = self._changed(call, params.sender, params.create or delivery.CreateChannelParams())
        return await self._as_guest(call, guest, "createChannel", create, delivery.CreateChannelResult)

    async def relay_reset(self, call: CallContext, params: api.RelayResetParams) -> delivery.ResetChannelResult:
        guest, reset = self._changed(call, params.sender, params.reset or delivery.ResetChannelParams())
        return await self._as_guest(call, guest, "resetChannel", reset, delivery.ResetChannelResult)

    async def proxy_fetch_group_info(
        self, call: CallContext, params: api.ProxyGroupInfoParams
    ) -> delivery.FetchGroupInfoResult:
        guest, asked = self._changed(call, params.device, params.params or delivery.FetchGroupInfoParams())
        return await self._as_guest(call, guest, "fetchGroupInfo", asked, delivery.FetchGroupInfoResult)

    async def proxy_fetch_tree(self, call: CallContext, params: api.ProxyTreeParams) -> delivery.FetchTreeResult:
        guest, asked = self._changed(call, params.device, params.params or delivery.FetchTreeParams())
        return await self._as_guest(call, guest, "fetchTree", asked, delivery.FetchTreeResult)

    def _changed(self, call: CallContext, guest: delivery.Guest | None, params: Any) -> tuple[delivery.Guest, Any]:
        """Return who asks and for what, checked: a device of the peer's, a channel of ours."""
        checked = rules.check_guest(_peer(call), guest)
        rules.check_ours(self._config.domain, (params.channel,))
        return checked, params

    # --- of another domain: down, into mailboxes of ours

    async def deliver_entries(self, call: CallContext, params: api.DeliverEntriesParams) -> api.DeliverEntriesResult:
        peer = _peer(call)
        rules.check_down(peer, self._config.domain, params.entries, params.standings)
        for _ in params.entries:
            enforce(self._limiter, b"y" + peer.encode(), self._config.entries_per_peer, call.now_ms)
        taken = await self._delivery.take_entries(
            _own(call), delivery.TakeEntriesParams(home=peer, entries=params.entries, standings=params.standings)
        )
        self.links.counted.taken(peer, len(params.entries))
        return api.DeliverEntriesResult(position=taken.position)

    async def purge_notice(self, call: CallContext, params: api.PurgeNoticeParams) -> api.PurgeNoticeResult:
        peer = _peer(call)
        for ident in (params.account, *params.devices):
            rules.check_theirs(peer, ident)
        asked = delivery.PurgeGuestsParams(domain=peer, account=params.account, devices=params.devices)
        await self._delivery.purge_guests(_own(call), asked)
        return api.PurgeNoticeResult()

    async def relay_signal(self, call: CallContext, params: api.RelaySignalParams) -> delivery.SignalResult:
        guest, signal = self._changed(call, params.sender, params.signal or delivery.SignalParams())
        return await self._as_guest(call, guest, "signal", signal, delivery.SignalResult)

    async def deliver_signal(self, call: CallContext, params: api.DeliverSignalParams) -> delivery.SignalResult:
        peer, signal = _peer(call), params.signal or delivery.SignalParams()
        rules.check_signal(peer, self._config.domain, signal.channel, params.targets)
        for _ in params.targets:
            enforce(self._limiter, b"y" + peer.encode(), self._config.entries_per_peer, call.now_ms)
        asked = delivery.TakeSignalParams(home=peer, targets=params.targets, signal=signal)
        return await self._delivery.take_signal(_own(call), asked)

    # --- of another domain: look-ups

    async def _look_up(self, call: CallContext, method: str, params: Any, result: type[T]) -> T:
        asked = keystore.KeysForPeerParams(domain=_peer(call), method=PROXIED[method], params=params.to_bytes())
        answer = await self._keystore.for_peer(_own(call), asked)
        value: T = result.from_bytes(answer.result)  # type: ignore[attr-defined]  # every generated struct has it
        return value

    async def proxy_fetch_key_package(
        self, call: CallContext, params: keystore.FetchKeyPackageParams
    ) -> keystore.FetchKeyPackageResult:
        return await self._look_up(call, "proxyFetchKeyPackage", params, keystore.FetchKeyPackageResult)

    async def proxy_fetch_hybrid_key(
        self, call: CallContext, params: keystore.FetchHybridKeysParams
    ) -> keystore.FetchHybridKeysResult:
        return await self._look_up(call, "proxyFetchHybridKey", params, keystore.FetchHybridKeysResult)

    async def proxy_resolve_user(
        self, call: CallContext, params: keystore.ResolveUserParams
    ) -> keystore.ResolveUserResult:
        return await self._look_up(call, "proxyResolveUser", params, keystore.ResolveUserResult)

    async def proxy_resolve_identity(
        self, call: CallContext, params: keystore.ResolveIdentityParams
    ) -> keystore.ResolveIdentityResult:
        return await self._look_up(call, "proxyResolveIdentity", params, keystore.ResolveIdentityResult)

    async def proxy_device_lists(
        self, call: CallContext, params: keystore.DeviceListsParams
    ) -> keystore.DeviceListsResult:
        return await self._look_up(call, "proxyDeviceLists", params, keystore.DeviceListsResult)

    async def proxy_resolve_endpoint(
        self, call: CallContext, params: keystore.ResolveEndpointParams
    ) -> keystore.ResolveEndpointResult:
        return await self._look_up(call, "proxyResolveEndpoint", params, keystore.ResolveEndpointResult)

    async def proxy_fetch_blob(self, call: CallContext, params: blob.DownloadBlobParams) -> blob.DownloadBlobResult:
        return await self._blob.for_peer(_own(call), blob.BlobForPeerParams(domain=_peer(call), params=params))

    # --- of our services, to another domain

    async def call_peer(self, call: CallContext, params: api.CallPeerParams) -> api.CallPeerResult:
        method = rules.method_of(params.method)
        peer = self.links.to(params.domain)
        result = await peer.call(
            method.number, params.params, deadline_s=call.deadline_s, key=call.idempotency_key, trace=call.traceparent
        )
        return api.CallPeerResult(result=result)

    async def describe_peer(self, call: CallContext, params: api.DescribePeerParams) -> api.FederationHealthResult:
        peer = self.links.to(params.domain)
        if not peer.health.external_sender_key:
            await peer.greet(call.deadline_s)
        return peer.health


def _peer(call: CallContext) -> str:
    """Return the domain that a call was proved to come from. Refusal(forbidden)."""
    if call.caller.kind is not CallerKind.PEER or not call.caller.name:
        raise Refusal(ErrorCode.FORBIDDEN, "for other domains alone")
    return call.caller.name


def _own(call: CallContext) -> CallContext:
    """Return the context in which we ask our own services on a peer's behalf."""
    return CallContext(
        caller=SELF, deadline_s=call.deadline_s, idempotency_key=call.idempotency_key, traceparent=call.traceparent,
        now_ms=call.now_ms,
    )  # fmt: skip
