"""People of other domains: what is to be known of them is asked of their own server (docs/spec/federation.md#look-ups).

An answer counts as far as it is about the asked domain's own accounts; whether it is genuine, the clients check by what
it is signed with. The other way round, another domain is told of this one's accounts and of no other's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from qpqcore.api import federation as fed
from qpqcore.api import keystore as api
from qpqcore.bus.abroad import ask_peer
from qpqcore.crypto.identity import DeviceList
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of, is_id
from qpqkeystore.peers import LISTS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.model.call import CallContext
    from qpqkeystore.config import Config

T = TypeVar("T")

SELF = Caller(CallerKind.SERVICE, name="keystore")
NEVER_ASKED = (-1, b"")
NUMBERS = {m.name: m.number for m in fed.METHODS if not m.internal}


class Abroad:
    """Asks other domains' servers."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._federation: fed.FederationInternalApi | None = None
        self._lists: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        """Device lists of other domains' accounts, and when they were asked for."""

    def bind(self, federation: fed.FederationInternalApi) -> None:
        """Say where federation is."""
        self._federation = federation

    def home(self, ident: bytes) -> str:
        """Return the other domain that an id is of; "" for one of our own, or where we go nowhere."""
        if not self._config.federated or not is_id(ident) or domain_of(ident) == self._config.domain:
            return ""
        return domain_of(ident)

    async def _ask(self, call: CallContext, domain: str, method: str, params: Any, result: type[T]) -> T:
        return await ask_peer(self._federation, SELF, call, domain, NUMBERS[method], params, result)

    async def resolve_user(self, call: CallContext, name: str, domain: str) -> api.ResolveUserResult:
        """Resolve a name of another domain. Refusal(notFound)."""
        if not self._config.federated:
            raise Refusal(ErrorCode.NOT_FOUND, "no such user")
        params = api.ResolveUserParams(name=f"{name}@{domain}")
        found = await self._ask(call, domain, "proxyResolveUser", params, api.ResolveUserResult)
        _check_account(found.account, found.device_list, domain)
        return found

    async def resolve_identity(self, call: CallContext, account: bytes) -> api.ResolveIdentityResult:
        """Resolve an account of another domain. Refusal(notFound)."""
        params = api.ResolveIdentityParams(account=account)
        domain = domain_of(account)
        found = await self._ask(call, domain, "proxyResolveIdentity", params, api.ResolveIdentityResult)
        _check_account(found.account, found.device_list, domain)
        if found.account != account:
            raise Refusal(ErrorCode.PEER_MISMATCH, "another domain's answer is about somebody else")
        return found

    async def key_packages(
        self, call: CallContext, accounts: Sequence[bytes], suites: tuple[int, ...]
    ) -> list[api.AccountKeys]:
        """Fetch KeyPackages of accounts of other domains, each domain for all of its own."""
        found: dict[bytes, api.AccountKeys] = {}

        async def ask(domain: str, some: tuple[bytes, ...]) -> None:
            params = api.FetchKeyPackageParams(accounts=some, suites=suites)
            answer = await self._ask(call, domain, "proxyFetchKeyPackage", params, api.FetchKeyPackageResult)
            if tuple(keys.account for keys in answer.accounts) != some:
                raise Refusal(ErrorCode.PEER_MISMATCH, "another domain's answer is about others")
            for keys in answer.accounts:
                if keys.device_list:
                    _check_account(keys.account, keys.device_list, domain)
                    self._keep(keys.account, keys.device_list, call.now_ms)
                found[keys.account] = keys

        await _each_domain(accounts, ask)
        return [found[account] for account in accounts]

    async def hybrid_keys(self, call: CallContext, devices: Sequence[bytes]) -> list[bytes]:
        """Fetch hybrid keys of devices of other domains; empty where there is none."""
        found: dict[bytes, bytes] = {}

        async def ask(domain: str, some: tuple[bytes, ...]) -> None:
            params = api.FetchHybridKeysParams(devices=some)
            answer = await self._ask(call, domain, "proxyFetchHybridKey", params, api.FetchHybridKeysResult)
            if len(answer.hybrid_keys) != len(some):
                raise Refusal(ErrorCode.PEER_MISMATCH, "another domain's answer does not fit")
            found.update(zip(some, answer.hybrid_keys, strict=True))

        await _each_domain(devices, ask)
        return [found[device] for device in devices]

    async def endpoint(self, call: CallContext, device: bytes) -> api.ResolveEndpointResult:
        """Fetch the endpoint of a device of another domain."""
        params = api.ResolveEndpointParams(device=device)
        return await self._ask(call, domain_of(device), "proxyResolveEndpoint", params, api.ResolveEndpointResult)

    async def device_lists(self, call: CallContext, accounts: Sequence[bytes]) -> list[bytes]:
        """Return device lists of accounts of other domains, as of some seconds ago at most.

        While their server is away, what was known last: who adds or updates a leaf has come through it.
        """
        fresh_ms = call.now_ms - self._config.guest_list_ms
        known = {account: self._lists.get(account, NEVER_ASKED) for account in accounts}
        due = [account for account, (asked_ms, _) in known.items() if asked_ms < max(fresh_ms, 0)]

        async def ask(domain: str, some: tuple[bytes, ...]) -> None:
            params = api.DeviceListsParams(accounts=some)
            try:
                answer = await self._ask(call, domain, "proxyDeviceLists", params, api.DeviceListsResult)
            except Refusal:
                if not all(known[account][1] for account in some):
                    raise
                return
            if len(answer.device_lists) != len(some):
                raise Refusal(ErrorCode.PEER_MISMATCH, "another domain's answer does not fit")
            for account, device_list in zip(some, answer.device_lists, strict=True):
                if device_list:
                    _check_account(account, device_list, domain)
                self._keep(account, device_list, call.now_ms)
                known[account] = (call.now_ms, device_list)

        await _each_domain(due, ask)
        return [known[account][1] for account in accounts]

    def _keep(self, account: bytes, device_list: bytes, now_ms: int) -> None:
        self._lists[account] = (now_ms, device_list)
        self._lists.move_to_end(account)
        if len(self._lists) > self._config.guest_lists_max:
            self._lists.popitem(last=False)


def _check_account(account: bytes, device_list: bytes, domain: str) -> None:
    """Refuse an answer about an account that is not of the domain that was asked. Refusal(peerMismatch)."""
    if not is_id(account) or domain_of(account) != domain:
        raise Refusal(ErrorCode.PEER_MISMATCH, "a domain speaks for its own accounts")
    if device_list and DeviceList.from_bytes(device_list).account != account:
        raise Refusal(ErrorCode.PEER_MISMATCH, "a device list of another account")


async def _each_domain(idents: Sequence[bytes], ask: Any) -> None:
    """Ask each id's domain for its own, as many in a call as it answers; all domains at once. Refusal: the first that came."""
    by_domain: dict[str, dict[bytes, None]] = {}
    for ident in idents:
        by_domain.setdefault(domain_of(ident), {})[ident] = None
    refused: list[Refusal] = []

    async def one(domain: str, some: tuple[bytes, ...]) -> None:
        try:
            for start in range(0, len(some), LISTS_MAX):
                await ask(domain, some[start : start + LISTS_MAX])
        except Refusal as no:
            refused.append(no)

    async with trio.open_nursery() as nursery:
        for domain, some in by_domain.items():
            nursery.start_soon(one, domain, tuple(some))
    if refused:
        raise refused[0]
