"""The keystore's use cases: one method per call of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

import qpqnative
from qpqcore.api import keystore as api
from qpqcore.api.auth import CurrentDeviceListParams
from qpqcore.api.gateway import SubscribeEventLowStock
from qpqcore.bus.background import repeat
from qpqcore.bus.limits import enforce, enforce_each
from qpqcore.bus.notices import stock_topic
from qpqcore.crypto.identity import DeviceList, SignedHybridKey
from qpqcore.crypto.names import split_name
from qpqcore.crypto.signatures import verify
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of, is_id
from qpqcore.store.keyed import Keyed
from qpqkeystore import rules
from qpqkeystore.abroad import Abroad
from qpqkeystore.peers import Peers
from qpqkeystore.store import Endpoint, Entry, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.api.auth import AuthInternalApi
    from qpqcore.bus.limits import Limiter
    from qpqcore.bus.notices import Notices
    from qpqcore.obs.metrics import Reading
    from qpqkeystore.config import Config
    from qpqkeystore.store import Store

log = structlog.get_logger()

FETCH = next(m.number for m in api.METHODS if m.name == "fetchKeyPackage")
ENDPOINT_LABEL = "qpq endpoint v1"
SELF = Caller(CallerKind.SERVICE, name="keystore")


class Keystore(Peers):
    """Implements `qpqcore.api.keystore.KeystoreApi` and `KeystoreInternalApi`."""

    def __init__(
        self, config: Config, store: Store, *, notices: Notices, limiter: Limiter, clock_ms: Callable[[], int]
    ) -> None:
        self._config = config
        self._store = store
        self._notices = notices
        self._limiter = limiter
        self._clock_ms = clock_ms
        self._auth: AuthInternalApi | None = None
        self.abroad = Abroad(config)
        """Of whom federation has to be told (`bind`)."""
        self._one_time = self._last_resort = self._low = 0

    def bind(self, auth: AuthInternalApi) -> None:
        """Say where auth is: the two need each other, so one comes later."""
        self._auth = auth

    def readings(self) -> list[Reading]:
        """Return what was handed out, as `qpqcore.obs.metrics` reads it."""
        given = {"one_time": self._one_time, "last_resort": self._last_resort}
        return [
            ("qpq_key_packages_given_total", "KeyPackages handed out.", "kind", given),
            ("qpq_key_packages_low_total", "Times a device's stock was low after one was taken.", "", {"": self._low}),
        ]

    async def run(self) -> None:
        """Collect what has expired, for ever."""

        async def work() -> None:
            await self._store.sweep(self._clock_ms())

        await repeat("keystore", self._config.sweep_seconds, work)

    # --- KeyPackages

    async def upload_key_packages(
        self, call: CallContext, params: api.UploadKeyPackagesParams
    ) -> api.UploadKeyPackagesResult:
        account, device = call.caller.account, call.caller.device
        rules.check_upload(self._config, params.packages, params.last_resort)
        listed = await self._listed(account)
        checked = [self._package(p, call, listed, last_resort=False) for p in params.packages]
        checked += [self._package(p, call, listed, last_resort=True) for p in params.last_resort]
        if checked:
            await self._store.add_packages(account, device, checked, self._config.packages_per_device_max)
        stock = await self._store.stock(account, device, call.now_ms)
        return api.UploadKeyPackagesResult(
            stock=tuple(
                api.Stock(suite=s, one_time=stock.get(s, (0, False))[0], last_resort=stock.get(s, (0, False))[1])
                for s in self._config.suites
            )
        )

    async def _listed(self, account: bytes) -> DeviceList | None:
        """Return an account's device list, or None while it has none."""
        entry = (await self._store.entries([account]))[0]
        return DeviceList.from_bytes(entry.device_list) if entry and entry.device_list else None

    def _package(
        self, data: bytes, call: CallContext, listed: DeviceList | None, *, last_resort: bool
    ) -> rules.Package:
        try:
            info = qpqnative.inspect_key_package(data, call.now_ms // 1000)
        except qpqnative.MlsError as exc:
            raise Refusal(ErrorCode.KEY_PACKAGE_INVALID, f"a KeyPackage is not valid: {exc.kind}") from exc
        if info.suite not in self._config.suites or info.last_resort is not last_resort:
            raise Refusal(ErrorCode.KEY_PACKAGE_INVALID, "a KeyPackage of another suite or kind")
        rules.check_owner(info.credential, info.signature_key, call.caller.account, call.caller.device, listed)
        return rules.Package(info.reference, info.suite, data, info.not_after_s * 1000, last_resort)

    async def fetch_key_package(
        self, call: CallContext, params: api.FetchKeyPackageParams
    ) -> api.FetchKeyPackageResult:
        own = call.caller.account
        if not params.accounts or not params.suites:
            raise Refusal(ErrorCode.MALFORMED, "no accounts, or no suites")
        if len(params.accounts) > self._config.accounts_per_fetch_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"at most {self._config.accounts_per_fetch_max} accounts")
        if len(params.suites) > self._config.suites_per_fetch_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"at most {self._config.suites_per_fetch_max} suites")
        # Each becomes part of a limit's key, and of a reply that is kept for 7 days.
        if not all(map(is_id, params.accounts)):
            raise Refusal(ErrorCode.MALFORMED, "not an account id")
        # All or none: what a refused call had taken its retry would miss, and a fetch of many would never get through. What
        # `for_peer` took of another domain's limit stays taken where one of these refuses: it has 333 a second.
        asked = set(params.accounts)
        drained = self._config.drained_per_peer if call.caller.name else self._config.drained_per_pair
        takings = [(b"d" + own + account, drained, 1) for account in asked if account != own]
        if not call.caller.name:
            takings.append((b"f" + own, self._config.fetch_per_account, len(asked)))
        enforce_each(self._limiter, takings, call.now_ms)
        away = [account for account in dict.fromkeys(params.accounts) if self.abroad.home(account)]
        if away:
            return await self._fetch_from_several(call, params, away)
        return await self._fetch_here(call, params)

    async def _fetch_here(self, call: CallContext, params: api.FetchKeyPackageParams) -> api.FetchKeyPackageResult:
        """Fetch of this domain's own accounts; they are paid for."""
        suites = [s for s in dict.fromkeys(params.suites) if s in self._config.suites]
        keyed = Keyed(call.caller.account, FETCH, call.idempotency_key, params.to_bytes(), call.now_ms)
        unique = list(dict.fromkeys(params.accounts))
        reply, taken = await self._store.take(unique, suites, keyed, lambda t: _reply(unique, t).to_bytes())
        for _, devices in taken:
            for d in devices:
                self._tell_low(d)
        return api.FetchKeyPackageResult.from_bytes(reply)

    async def _fetch_from_several(
        self, call: CallContext, params: api.FetchKeyPackageParams, away: list[bytes]
    ) -> api.FetchKeyPackageResult:
        """Fetch from other domains first: what is refused there leaves our own stock as it is."""
        unique = list(dict.fromkeys(params.accounts))
        found = {k.account: k for k in await self.abroad.key_packages(call, away, params.suites)}
        here = tuple(account for account in unique if account not in found)
        if here:
            own = api.FetchKeyPackageParams(accounts=here, suites=params.suites)
            found |= {k.account: k for k in (await self._fetch_here(call, own)).accounts}
        return api.FetchKeyPackageResult(accounts=tuple(found[account] for account in unique))

    def _tell_low(self, taken: Taken) -> None:
        if taken.suite:
            self._last_resort += taken.last_resort
            self._one_time += not taken.last_resort
        if taken.suite and taken.left <= self._config.low_stock:
            self._low += 1
            notice = SubscribeEventLowStock(suite=taken.suite, left=taken.left)
            self._notices.publish(stock_topic(taken.device), notice.to_bytes())

    # --- hybrid keys

    async def upload_hybrid_key(
        self, call: CallContext, params: api.UploadHybridKeyParams
    ) -> api.UploadHybridKeyResult:
        key = SignedHybridKey.from_bytes(params.hybrid_key)
        listed = await self._listed(call.caller.account)
        device_key = listed.key_of(call.caller.device) if listed else None
        if key.device != call.caller.device or device_key is None or not key.verify(device_key):
            raise Refusal(ErrorCode.HYBRID_KEY_INVALID, "not signed by the calling device")
        await self._store.put_hybrid_key(call.caller.account, key.device, params.hybrid_key, key.created_ms)
        return api.UploadHybridKeyResult()

    async def fetch_hybrid_key(self, call: CallContext, params: api.FetchHybridKeyParams) -> api.FetchHybridKeyResult:
        found = (await self._hybrid_keys(call, [params.device]))[0]
        if not found:
            raise Refusal(ErrorCode.NOT_FOUND, "no hybrid key of this device")
        return api.FetchHybridKeyResult(hybrid_key=found)

    async def fetch_hybrid_keys(
        self, call: CallContext, params: api.FetchHybridKeysParams
    ) -> api.FetchHybridKeysResult:
        if len(params.devices) > self._config.devices_per_fetch_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"at most {self._config.devices_per_fetch_max} devices")
        return api.FetchHybridKeysResult(hybrid_keys=tuple(await self._hybrid_keys(call, params.devices)))

    async def _hybrid_keys(self, call: CallContext, devices: Sequence[bytes]) -> list[bytes]:
        away = [device for device in devices if self.abroad.home(device)]
        here = [device for device in devices if not self.abroad.home(device)]
        found = dict(zip(away, await self.abroad.hybrid_keys(call, away), strict=True)) if away else {}
        found |= zip(here, await self._store.hybrid_keys(here), strict=True)
        return [found[device] for device in devices]

    # --- the directory

    def _limit_look_ups(self, call: CallContext, count: int = 1) -> None:
        if not call.caller.name:  # another domain pays in `for_peer`
            enforce(self._limiter, b"u" + call.caller.account, self._config.resolve_per_account, call.now_ms, count)

    async def resolve_user(self, call: CallContext, params: api.ResolveUserParams) -> api.ResolveUserResult:
        self._limit_look_ups(call)
        name, domain = split_name(params.name, self._config.domain)
        if domain != self._config.domain:
            return await self.abroad.resolve_user(call, name, domain)
        entry = await self._store.by_name(name)
        if entry is None:
            raise Refusal(ErrorCode.NOT_FOUND, "no such user")
        return api.ResolveUserResult(
            account=entry.account, name=entry.name, identity_key=entry.identity_key, device_list=entry.device_list
        )

    async def resolve_identity(self, call: CallContext, params: api.ResolveIdentityParams) -> api.ResolveIdentityResult:
        self._limit_look_ups(call)
        if bool(params.identity_key) == bool(params.account):
            raise Refusal(ErrorCode.MALFORMED, "an identity key or an account, one of the two")
        if params.account and self.abroad.home(params.account):
            return await self.abroad.resolve_identity(call, params.account)
        if params.account:
            entry = (await self._store.entries([params.account]))[0]
        else:
            entry = await self._store.by_identity(params.identity_key)
        if entry is None:
            raise Refusal(ErrorCode.NOT_FOUND, "nobody has this identity")
        return _identity(entry)

    async def resolve_identities(
        self, call: CallContext, params: api.ResolveIdentitiesParams
    ) -> api.ResolveIdentitiesResult:
        own = self._config.domain
        if not params.accounts:
            raise Refusal(ErrorCode.MALFORMED, "no accounts")
        if len(params.accounts) > self._config.accounts_per_fetch_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"at most {self._config.accounts_per_fetch_max} accounts")
        # A wrong call, and not `peerMismatch`, which domains tell each other: a client sees by an id whose it is, and one
        # domain that is away must not keep it from the names of its own.
        if not all(is_id(account) and domain_of(account) == own for account in params.accounts):
            raise Refusal(ErrorCode.MALFORMED, "an account of another domain, or no account")
        self._limit_look_ups(call, len(params.accounts))
        entries = await self._store.entries(params.accounts)
        return api.ResolveIdentitiesResult(
            identities=tuple(_identity(entry) if entry else api.ResolveIdentityResult() for entry in entries)
        )

    # --- endpoints

    async def publish_endpoint(self, call: CallContext, params: api.PublishEndpointParams) -> api.PublishEndpointResult:
        if not 0 < len(params.endpoint) <= self._config.endpoint_bytes_max:
            raise Refusal(ErrorCode.TOO_LARGE, f"an endpoint has 1 to {self._config.endpoint_bytes_max} bytes")
        if not 0 < params.ttl_seconds <= self._config.endpoint_seconds_max:
            raise Refusal(ErrorCode.MALFORMED, f"an endpoint lives 1 to {self._config.endpoint_seconds_max} seconds")
        listed = await self._listed(call.caller.account)
        key = listed.key_of(call.caller.device) if listed else None
        signed = (call.caller.device, params.ttl_seconds, params.endpoint)
        if key is None or not verify(key, params.signature, ENDPOINT_LABEL, *signed):
            raise Refusal(ErrorCode.SIGNATURE_INVALID, "not signed by the calling device")
        expires_ms = call.now_ms + params.ttl_seconds * 1000
        endpoint = Endpoint(params.endpoint, params.ttl_seconds, params.signature, expires_ms)
        await self._store.put_endpoint(call.caller.account, call.caller.device, endpoint)
        return api.PublishEndpointResult(expires_ms=expires_ms)

    async def resolve_endpoint(self, call: CallContext, params: api.ResolveEndpointParams) -> api.ResolveEndpointResult:
        if self.abroad.home(params.device):
            return await self.abroad.endpoint(call, params.device)
        found = await self._store.endpoint(params.device, call.now_ms)
        if found is None:
            raise Refusal(ErrorCode.NOT_FOUND, "this device has published no endpoint")
        return api.ResolveEndpointResult(
            endpoint=found.endpoint,
            expires_ms=found.expires_ms,
            signature=found.signature,
            ttl_seconds=found.ttl_seconds,
        )

    # --- device lists

    async def publish_device_list(
        self, call: CallContext, params: api.PublishDeviceListParams
    ) -> api.PublishDeviceListResult:
        fresh = DeviceList.from_bytes(params.device_list)
        if fresh.account != call.caller.account:
            raise Refusal(ErrorCode.FORBIDDEN, "another account's device list")
        if self._auth is None:
            raise Refusal(ErrorCode.UNAVAILABLE, "auth is away")
        current = await self._auth.current_device_list(
            CallContext(caller=SELF, now_ms=call.now_ms), CurrentDeviceListParams(account=fresh.account)
        )
        if current.device_list != params.device_list:
            raise Refusal(ErrorCode.DEVICE_LIST_STALE, "not the list that was registered last")
        return api.PublishDeviceListResult(version=await self._put_list(fresh, params.device_list))

    async def _put_list(self, fresh: DeviceList, data: bytes) -> int:
        return await self._store.put_list(fresh.account, fresh.version, data, [d.device for d in fresh.devices])

    # --- for other services

    async def put_account(self, call: CallContext, params: api.PutAccountParams) -> api.PutAccountResult:
        del call
        await self._store.put_account(params.account, params.name, params.identity_key)
        return api.PutAccountResult()

    async def put_device_list(
        self, call: CallContext, params: api.PublishDeviceListParams
    ) -> api.PublishDeviceListResult:
        del call
        fresh = DeviceList.from_bytes(params.device_list)
        if not fresh.verify():
            raise Refusal(ErrorCode.DEVICE_LIST_INVALID, "not signed by the account")
        return api.PublishDeviceListResult(version=await self._put_list(fresh, params.device_list))

    async def device_lists(self, call: CallContext, params: api.DeviceListsParams) -> api.DeviceListsResult:
        away = [account for account in params.accounts if self.abroad.home(account)]
        found = dict(zip(away, await self.abroad.device_lists(call, away), strict=True)) if away else {}
        here = [account for account in params.accounts if account not in found]
        for account, entry in zip(here, await self._store.entries(here), strict=True):
            found[account] = entry.device_list if entry else b""
        return api.DeviceListsResult(device_lists=tuple(found[account] for account in params.accounts))

    async def purge_account(self, call: CallContext, params: api.PurgeAccountParams) -> api.PurgeAccountResult:
        del call
        await self._store.purge(params.account)
        return api.PurgeAccountResult()


def _identity(entry: Entry) -> api.ResolveIdentityResult:
    return api.ResolveIdentityResult(
        account=entry.account, name=entry.name, identity_key=entry.identity_key, device_list=entry.device_list
    )


def _reply(accounts: list[bytes], taken: list[tuple[Entry | None, list[Taken]]]) -> api.FetchKeyPackageResult:
    return api.FetchKeyPackageResult(
        accounts=tuple(
            api.AccountKeys(
                account=account,
                device_list=entry.device_list if entry else b"",
                packages=tuple(
                    api.DeviceKeys(
                        device=d.device,
                        suite=d.suite,
                        key_package=d.data,
                        last_resort=d.last_resort,
                        hybrid_key=d.hybrid_key,
                    )
                    for d in devices
                ),
            )
            for account, (entry, devices) in zip(accounts, taken, strict=True)
        )
    )
