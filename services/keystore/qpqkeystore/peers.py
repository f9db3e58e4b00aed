"""Look-ups by other domains: of this domain's own accounts, under limits of their own (docs/spec/federation.md#look-ups)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.api import federation as fed
from qpqcore.api import keystore as api
from qpqcore.bus.limits import enforce
from qpqcore.crypto.names import split_name
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, box_of, domain_of, is_domain, is_id

if TYPE_CHECKING:
    from qpqcore.bus.limits import Limiter
    from qpqkeystore.config import Config

LOCAL = {
    "proxyFetchKeyPackage": "fetch_key_package", "proxyFetchHybridKey": "fetch_hybrid_keys",
    "proxyResolveUser": "resolve_user", "proxyResolveIdentity": "resolve_identity",
    "proxyDeviceLists": "device_lists", "proxyResolveEndpoint": "resolve_endpoint",
}  # fmt: skip
METHODS = {m.number: m for m in fed.METHODS if m.name in LOCAL}
LISTS_MAX = 256
"""Accounts or devices that one call of another domain names; a domain that asks for more makes several."""


class Peers:
    """The part of `Keystore` that other domains come to."""

    _config: Config
    _limiter: Limiter

    async def for_peer(self, call: CallContext, params: api.KeysForPeerParams) -> api.KeysForPeerResult:
        """Look up for another domain."""
        own, domain = self._config.domain, params.domain
        if not self._config.federated or not is_domain(domain) or domain == own:
            raise Refusal(ErrorCode.PEER_MISMATCH, "not another domain that this one talks to")
        method = METHODS.get(params.method)
        if method is None:
            raise Refusal(ErrorCode.UNKNOWN_METHOD, "not for other domains")
        asked: Any = method.params.from_bytes(params.params)  # type: ignore[attr-defined]  # every generated struct has it
        count = _check_own(own, asked)
        if count:
            enforce(self._limiter, b"p" + domain.encode(), self._config.looked_up_per_peer, call.now_ms, count)
        # A domain draws and looks up as one account would, so that it cannot empty anybody's stock.
        caller = Caller(CallerKind.ACCOUNT, AccountId(box_of(domain)), name=domain)
        context = CallContext(
            caller=caller, deadline_s=call.deadline_s, traceparent=call.traceparent, now_ms=call.now_ms,
            idempotency_key=call.idempotency_key,
        )  # fmt: skip
        result: Any = await getattr(self, LOCAL[method.name])(context, asked)
        return api.KeysForPeerResult(result=result.to_bytes())


def _check_own(own: str, asked: Any) -> int:
    """Refuse a look-up of anybody who is not ours: nothing is passed on. Return how many it is of."""
    if isinstance(asked, api.ResolveUserParams):
        if split_name(asked.name, "")[1] != own:
            raise Refusal(ErrorCode.PEER_MISMATCH, "a name of another domain")
        return 1
    if isinstance(asked, api.ResolveIdentityParams):
        if asked.identity_key or not asked.account:
            raise Refusal(ErrorCode.MALFORMED, "an account is looked up by its id")
        idents: tuple[bytes, ...] = (asked.account,)
    elif isinstance(asked, api.ResolveEndpointParams):
        idents = (asked.device,)
    elif isinstance(asked, api.FetchHybridKeysParams):
        idents = asked.devices
    else:
        idents = asked.accounts
    if len(idents) > LISTS_MAX:
        raise Refusal(ErrorCode.TOO_LARGE, f"at most {LISTS_MAX} at once")
    if not all(is_id(i) and domain_of(i) == own for i in idents):
        raise Refusal(ErrorCode.PEER_MISMATCH, "somebody of another domain")
    return len(idents)
