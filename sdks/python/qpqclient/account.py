"""Registration, log-in, resumption, devices and the password: what concerns the account as a whole."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqclient.errors import IdentityChanged, NotLoggedIn, Refused, ServerBroke
from qpqclient.groups import sha256
from qpqclient.transport import Link, new_key
from qpqclient.upkeep import SURVEY
from qpqclient.vault import Vault, open_label, open_wraps, seal_label
from qpqcore.api import auth, keystore
from qpqcore.crypto.hybrid import generate_hybrid_key
from qpqcore.crypto.identity import Credential, DeviceEntry, DeviceList, SignedHybridKey
from qpqcore.crypto.names import normalise_name
from qpqcore.crypto.signatures import generate_key, public_of, sign
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId, domain_of, make_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqclient.store import Store

ONE_TIME_PACKAGES = {qpqnative.SUITE_1: 50, qpqnative.SUITE_XWING: 10}
"""Kept in stock; an X-Wing package is six times as large."""
PACKAGE_LIFETIME_S = 90 * 24 * 3600
PACKAGE_EARLY_S = 24 * 3600
"""How far a peer's clock may be behind ours."""
LIST_TRIES_MAX = 8
WANTED = "history:wanted"
"""1: this new device wants what the others have; 2: it has asked them."""
ENROL = "enrol"
"""The public hybrid key of a device whose keys are not all with the keystore yet."""


class Account:
    """The account of one folder, on one device."""

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    # --- what is stored

    @property
    def known(self) -> bool:
        """Whether this folder has an account with a device."""
        return self._store.get("device") is not None

    def _need(self, name: str) -> bytes:
        value = self._store.get(name)
        if value is None:
            raise NotLoggedIn("this folder has no account: register or log in first")
        return value

    @property
    def name(self) -> str:
        """The user name."""
        return self._need("name").decode()

    def is_own_name(self, name: str) -> bool:
        """Whether somebody is oneself, with or without the domain."""
        local, _, domain = name.partition("@")
        try:
            return normalise_name(local) == self.name and domain in ("", domain_of(self.account))
        except Refusal:
            return False

    @property
    def account(self) -> AccountId:
        """The account's id."""
        return AccountId(self._need("account"))

    @property
    def device(self) -> DeviceId:
        """This device's id."""
        return DeviceId(self._need("device"))

    @property
    def device_secret(self) -> bytes:
        """This device's Ed25519 seed."""
        return self._need("device_secret")

    @property
    def hybrid_seed(self) -> bytes:
        """The X-Wing seed of this device's hybrid key."""
        return self._need("hybrid_seed")

    def vault(self) -> Vault:
        """Return the account's secrets."""
        return Vault(
            self.account, self._need("root_key"), self._need("identity_secret"), self._store.number("wrap_version")
        )

    def credential(self) -> bytes:
        """Return this device's MLS credential."""
        return self._need("credential")

    # --- registration

    async def register(self, link: Link, name: str, password: str, token: str) -> None:
        """Make an account; the caller logs in afterwards."""
        name = _normal(name)
        domain = link.hello.domain
        secret, public = generate_key()
        account = make_id(secrets.token_bytes(16), domain)
        vault = Vault(account, secrets.token_bytes(32), secret, 1)
        await self._set_record(link, name, password, vault, 1, public, token)

    async def _set_record(
        self, link: Link, name: str, password: str, vault: Vault, version: int, public: bytes, token: str = ""
    ) -> int:
        opaque = qpqnative.OpaqueRegistration()
        request = opaque.start(password.encode())
        started = await link.call(
            auth.RegisterStartParams(name=name, request=request, token=token), auth.RegisterStartResult
        )
        try:
            upload, export_key, _ = await trio.to_thread.run_sync(opaque.finish, password.encode(), started.response)
        except qpqnative.OpaqueError as exc:
            raise ServerBroke("the server's answer to a registration makes no sense") from exc
        wraps = vault.wraps(export_key, version)
        signature = sign(
            vault.identity_secret,
            "qpq register v1",
            name,
            vault.account,
            public,
            sha256(upload),
            sha256(wraps),
            version,
        )
        params = auth.RegisterFinishParams(
            name=name, upload=upload, account=vault.account, identity_key=public, wraps=wraps, wrap_version=version,
            token=token, signature=signature,
        )  # fmt: skip
        done = await link.call(params, auth.RegisterFinishResult, key=new_key())
        return done.sessions_ended

    async def change_password(self, link: Link, password: str) -> int:
        """Give the account another password; return how many other sessions ended."""
        vault = self.vault()
        public = Credential.from_bytes(self.credential()).identity_key
        version = vault.version + 1
        ended = await self._set_record(link, self.name, password, vault, version, public)
        with self._store.transaction():
            self._store.put_number("wrap_version", version)
        return ended

    # --- log-in

    async def login(self, link: Link, name: str, password: str, label: str = "", *, history: bool = False) -> bool:
        """Log in; in a folder without a device, become a new device. Return whether it is new.

        `history`: as such, want what the account's other devices have.
        """
        name = _normal(name)
        opaque = qpqnative.OpaqueLogin()
        request = opaque.start(password.encode())
        started = await link.call(auth.LoginStartParams(name=name, request=request), auth.LoginStartResult)
        try:
            finalization, _, export_key, _ = await trio.to_thread.run_sync(
                opaque.finish, password.encode(), started.response
            )
        except qpqnative.OpaqueError as exc:
            raise Refused(Refusal(ErrorCode.LOGIN_FAILED, "wrong name or password")) from exc
        device, signature = b"", b""
        if self.known:
            device = self.device
            signature = sign(self.device_secret, "qpq login v1", link.hello.challenge, sha256(started.state), device)
        done = await link.call(
            auth.LoginFinishParams(
                state=started.state, finalization=finalization, device=device, device_signature=signature
            ),
            auth.LoginFinishResult,
        )
        vault = open_wraps(done.wraps, export_key, done.account)
        if self.known:
            with self._store.transaction():
                self._store.put({"session": done.session})
                self._store.put_number("wrap_version", vault.version)
            return False
        await self._become_device(link, name, vault, done, label, history=history)
        return True

    async def _become_device(
        self, link: Link, name: str, vault: Vault, done: auth.LoginFinishResult, label: str, *, history: bool
    ) -> None:
        device = DeviceId(make_id(secrets.token_bytes(16), link.hello.domain))
        secret, public = generate_key()
        stored = done.device_list
        for attempt in range(LIST_TRIES_MAX):
            previous = own_list(stored, vault) if stored else None
            entries = (*(previous.devices if previous else ()), DeviceEntry(device, public))
            fresh = DeviceList.make(vault.identity_secret, AccountId(vault.account), entries, previous)
            try:
                await link.call(
                    auth.RegisterDeviceParams(
                        device_list=fresh.to_bytes(), device=device, label=seal_label(vault.root_key, device, label)
                    ),
                    auth.RegisterDeviceResult,
                )
                break
            except Refused as exc:
                if exc.code is not ErrorCode.DEVICE_LIST_STALE or attempt == LIST_TRIES_MAX - 1:
                    raise
            stored = (await link.call(auth.ListDevicesParams(), auth.ListDevicesResult)).device_list
        with self._store.transaction():
            self.enter(name, vault, device, secret, done.session, history=history)

    def enter(self, name: str, vault: Vault, device: DeviceId, secret: bytes, session: bytes, *, history: bool) -> None:
        """Be a device of an account from now on, with keys of its own; inside a transaction."""
        seed, hybrid_public = generate_hybrid_key()
        credential = Credential.make(vault.identity_secret, AccountId(vault.account), device, public_of(secret))
        self._store.put(
            {
                "name": name.encode(),
                "account": vault.account,
                "root_key": vault.root_key,
                "identity_secret": vault.identity_secret,
                "device": device,
                "device_secret": secret,
                "hybrid_seed": seed,
                "credential": credential.to_bytes(),
                "session": session,
                ENROL: hybrid_public,
            }
        )
        self._store.put_number("wrap_version", vault.version)
        self._store.put_number(SURVEY, 1)
        if history:
            self._store.put({WANTED: b"\1"})

    async def enrol(self, link: Link) -> None:
        """Bring a new device's keys to the keystore; does nothing once that is done."""
        hybrid_public = self._store.get(ENROL)
        if not hybrid_public:
            return
        signed = SignedHybridKey.make(self.device_secret, self.device, self._now_ms(), hybrid_public)
        await link.call(keystore.UploadHybridKeyParams(hybrid_key=signed.to_bytes()), keystore.UploadHybridKeyResult)
        await self.top_up(link)
        with self._store.transaction():
            self._store.put({ENROL: b""})

    async def resume(self, link: Link) -> None:
        """Resume the stored session on a new connection; Refused when it is over."""
        session = self._need("session")
        signature = sign(self.device_secret, "qpq resume v1", link.hello.challenge, sha256(session), self.device)
        await link.call(auth.ResumeParams(session=session, device=self.device, signature=signature), auth.ResumeResult)

    def open_label(self, device: bytes, sealed: bytes) -> str:
        """Return a device's label; empty where it has none that this account sealed."""
        return open_label(self._need("root_key"), device, sealed)

    # --- KeyPackages

    def native(self) -> qpqnative.Device:
        """Return this device's MLS object, fresh from the store."""
        entries = [*self._store.mls(b"k/"), *self._store.mls(b"p/")]
        return qpqnative.Device(credential=self.credential(), signature_secret=self.device_secret, entries=entries)

    async def top_up(self, link: Link) -> None:
        """Bring the stock of KeyPackages to what it should be; the private halves are stored first."""
        stock = await link.call(keystore.UploadKeyPackagesParams(), keystore.UploadKeyPackagesResult)
        device = self.native()
        not_before_s = self._now_ms() // 1000 - PACKAGE_EARLY_S
        for have in stock.stock:
            missing = max(0, ONE_TIME_PACKAGES.get(have.suite, 0) - have.one_time)
            fresh = [
                device.key_package(have.suite, not_before_s=not_before_s, lifetime_s=PACKAGE_LIFETIME_S)
                for _ in range(missing)
            ]
            last = (
                []
                if have.last_resort
                else [
                    device.key_package(
                        have.suite, last_resort=True, not_before_s=not_before_s, lifetime_s=PACKAGE_LIFETIME_S
                    )
                ]
            )
            if not fresh and not last:
                continue
            with self._store.transaction():
                self._store.write_mls(device.take_changes())
            await link.call(
                keystore.UploadKeyPackagesParams(packages=tuple(fresh), last_resort=tuple(last)),
                keystore.UploadKeyPackagesResult,
            )

    # --- devices and the end

    async def revoke(self, link: Link, device: bytes) -> None:
        """Cut a device off: the next device list lacks it."""
        for attempt in range(LIST_TRIES_MAX):
            listed = await link.call(auth.ListDevicesParams(), auth.ListDevicesResult)
            current = own_list(listed.device_list, self.vault())
            entries = tuple(d for d in current.devices if d.device != device)
            if len(entries) == len(current.devices):
                return
            fresh = DeviceList.make(self.vault().identity_secret, self.account, entries, current)
            try:
                await link.call(auth.RevokeDeviceParams(device_list=fresh.to_bytes()), auth.RevokeDeviceResult)
            except Refused as exc:
                if exc.code is not ErrorCode.DEVICE_LIST_STALE or attempt == LIST_TRIES_MAX - 1:
                    raise
            else:
                return

    async def delete(self, link: Link) -> None:
        """Delete the account for ever."""
        signature = sign(self.vault().identity_secret, "qpq delete account v1", self.account, link.hello.challenge)
        await link.call(auth.DeleteAccountParams(account=self.account, signature=signature), auth.DeleteAccountResult)


def own_list(data: bytes, vault: Vault) -> DeviceList:
    """Return the account's device list as the server shows it; IdentityChanged unless the account has signed it.

    What follows it is signed by the account: a device that somebody slipped in would be made genuine.
    """
    try:
        shown = DeviceList.from_bytes(data)
    except Refusal as exc:
        raise ServerBroke("the server's device list cannot be read") from exc
    if (shown.account, shown.identity_key) != (vault.account, public_of(vault.identity_secret)) or not shown.verify():
        raise IdentityChanged("the server shows a device list that this account has not signed")
    return shown


def _normal(name: str) -> str:
    try:
        return normalise_name(name)
    except Refusal as exc:
        raise Refused(exc) from exc
