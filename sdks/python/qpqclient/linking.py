"""Links a new device without the password: it shows a one-time code, a device of the account reads it (docs/spec/recovery.md#linking-a-device).

The code carries public keys alone, so that a photo of it is of no use. The old device signs the new one's key into the
device list, begins its session, and leaves the account's secrets for it at the server, sealed to the code's key (HPKE).
Either side may die at any moment and go on with the same code.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from qpqclient.account import LIST_TRIES_MAX, own_list
from qpqclient.errors import NO_SESSION, IdentityChanged, LinkRefused, Refused, Unreachable, WrapsDamaged
from qpqclient.groups import sha256
from qpqclient.pacing import pause
from qpqclient.vault import Vault, open_box, seal_box, seal_label
from qpqcore.api import auth, keystore
from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.parts import Malformed, Reader, u8, u32, u64, vec
from qpqcore.crypto.signatures import generate_key, sign
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import AccountId, DeviceId, make_id

if TYPE_CHECKING:
    from qpqclient.core import Core
    from qpqclient.transport import Link

VERSION = 1
ID_BYTES, KEY_BYTES, CHECK_BYTES = 16, 32, 3
LINK_SECONDS = 600
"""How old a code may be: time to walk from one device to the other."""
POLL_SECONDS = 1.5
LABEL = b"qpq link v1\0"
PENDING = "link"
"""What a new device keeps while its code is shown: the code, and the secrets that belong to it."""
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class LinkCode:
    """What a new device shows: when it was made, its id without the domain, and the public halves of its secrets."""

    made_s: int
    device: bytes
    device_key: bytes
    session_hash: bytes
    seal_key: bytes

    def to_bytes(self) -> bytes:
        """Encode, with a checksum against mistyping."""
        body = u8(VERSION) + u32(self.made_s) + self.device + self.device_key + self.session_hash + self.seal_key
        return body + hashlib.sha256(LABEL + body).digest()[:CHECK_BYTES]

    @property
    def text(self) -> str:
        """The code as it is shown: 192 capital letters and digits, as QR codes take them best."""
        return base64.b32encode(self.to_bytes()).decode()

    @classmethod
    def read(cls, text: str) -> LinkCode:
        """Read what was shown, with any spaces and dashes; LinkRefused."""
        try:
            data = base64.b32decode("".join(text.upper().replace("-", " ").split()))
            r = Reader(data)
            r.version(VERSION)
            code = cls(r.number(4), r.take(ID_BYTES), *(r.take(KEY_BYTES) for _ in range(3)))
            r.take(CHECK_BYTES)
            r.end()
        except (Malformed, ValueError) as exc:
            raise LinkRefused("this is no code for linking a device, or a part of it is missing") from exc
        if code.to_bytes() != data:
            raise LinkRefused("the code was mistyped: its last characters do not fit")
        return code

    def check_age(self, now_s: int) -> None:
        """Refuse a code that is too old; LinkRefused."""
        if not -LINK_SECONDS <= now_s - self.made_s <= LINK_SECONDS:
            raise LinkRefused(
                f"the code is older than {LINK_SECONDS // 60} minutes: let the new device show another one"
            )


@dataclass(frozen=True, slots=True)
class _Pending:
    """A code and the secrets behind it, on the new device."""

    code: LinkCode
    device_secret: bytes
    session: bytes
    seal_secret: bytes

    def to_bytes(self) -> bytes:
        return vec(self.code.to_bytes()) + self.device_secret + self.session + self.seal_secret

    @classmethod
    def from_bytes(cls, data: bytes) -> _Pending:
        r = Reader(data)
        code = LinkCode.read(base64.b32encode(r.vec()).decode())
        return cls(code, r.take(KEY_BYTES), r.take(KEY_BYTES), r.take(KEY_BYTES))


# --- the new device


def new_code(core: Core) -> LinkCode:
    """Return the code to be shown: the one that was shown before, while it is good."""
    now_s = core.now_ms() // 1000
    stored = core.store.get(PENDING)
    if stored:
        pending = _Pending.from_bytes(stored)
        if now_s - pending.code.made_s < LINK_SECONDS // 2:
            return pending.code
    device_secret, device_key = generate_key()
    session, seal = secrets.token_bytes(KEY_BYTES), X25519PrivateKey.from_private_bytes(secrets.token_bytes(KEY_BYTES))
    code = LinkCode(
        now_s, secrets.token_bytes(ID_BYTES), device_key, sha256(session), seal.public_key().public_bytes_raw()
    )
    core.store.put({PENDING: _Pending(code, device_secret, session, seal.private_bytes_raw()).to_bytes()})
    return code


async def be_linked(core: Core, name: str, *, history: bool) -> Link:
    """Wait until a device of the account `name` has taken the code, then be a device of it; LinkRefused.

    Return the connection, on which the session is open.
    """
    stored = core.store.get(PENDING)
    if not stored:
        raise LinkRefused("no code was shown here")
    pending = _Pending.from_bytes(stored)
    while True:
        pending.code.check_age(core.now_ms() // 1000)
        link = await core.link()
        device = DeviceId(make_id(pending.code.device, link.hello.domain))
        signature = sign(pending.device_secret, "qpq resume v1", link.hello.challenge, sha256(pending.session), device)
        try:
            params = auth.ResumeParams(session=pending.session, device=device, signature=signature)
            resumed = await link.call(params, auth.ResumeResult)
            found = await _secrets(link, pending, resumed.account, device)
        except Refused as exc:
            if exc.code not in NO_SESSION:
                raise
            found = None
        except Unreachable:
            found = None  # the code is good for as long as it is good
        if found is not None:
            break
        await pause(POLL_SECONDS)
    known_as, vault = found
    if known_as != name:
        raise LinkRefused(f"another account took this code: {known_as}, not {name}")
    with core.store.transaction():
        core.account.enter(name, vault, device, pending.device_secret, pending.session, history=history)
        core.store.db.execute("DELETE FROM meta WHERE name = ?", (PENDING,))
    return link


async def _secrets(link: Link, pending: _Pending, account: bytes, device: DeviceId) -> tuple[str, Vault] | None:
    """Return name and secrets of the account, if one of its devices has left them."""
    listed = await link.call(auth.ListDevicesParams(), auth.ListDevicesResult)
    for info in listed.devices:
        if info.device == device:
            continue
        try:
            params = keystore.ResolveEndpointParams(device=info.device)
            left = await link.call(params, keystore.ResolveEndpointResult)
        except Refused as exc:
            if exc.code is not ErrorCode.NOT_FOUND:
                raise
            continue
        opened = _open(pending, account, left.endpoint)
        if opened is not None:
            name, vault = opened
            if own_list(listed.device_list, vault).key_of(device) != pending.code.device_key:
                raise IdentityChanged("the account's device list does not have this device")
            return name, vault
    return None


# --- the device that is there


async def admit(core: Core, code: LinkCode, label: str) -> DeviceId:
    """Take the device that shows `code` into the account; return its id. The same again changes nothing. LinkRefused."""
    code.check_age(core.now_ms() // 1000)
    link = await core.link()
    vault = core.account.vault()
    device = DeviceId(make_id(code.device, link.hello.domain))
    for attempt in range(LIST_TRIES_MAX):
        try:
            await _register(core, code, device, label)
            break
        except Refused as exc:
            if exc.code is not ErrorCode.DEVICE_LIST_STALE or attempt == LIST_TRIES_MAX - 1:
                raise
    sealed = _seal(code, core.account.name, vault)
    signature = sign(core.account.device_secret, "qpq endpoint v1", core.account.device, LINK_SECONDS, sealed)
    params = keystore.PublishEndpointParams(endpoint=sealed, ttl_seconds=LINK_SECONDS, signature=signature)
    await core.call(params, keystore.PublishEndpointResult)
    return device


async def _register(core: Core, code: LinkCode, device: DeviceId, label: str) -> None:
    vault = core.account.vault()
    listed = await core.call(auth.ListDevicesParams(), auth.ListDevicesResult)
    current = own_list(listed.device_list, vault)
    known = current.key_of(device)
    if known is None:
        entries = (*current.devices, DeviceEntry(device, code.device_key))
        current = DeviceList.make(vault.identity_secret, AccountId(vault.account), entries, current)
    elif known != code.device_key:
        raise LinkRefused("another device has this code's id")
    params = auth.RegisterDeviceParams(
        device_list=current.to_bytes(), device=device, label=seal_label(vault.root_key, device, label),
        session_hash=code.session_hash,
    )  # fmt: skip
    await core.call(params, auth.RegisterDeviceResult)


def _outer_key(code: bytes) -> bytes:
    """Return a key that only who has seen the code has: a server that could break X25519 one day has not."""
    return hashlib.sha256(LABEL + code).digest()


def _seal(code: LinkCode, name: str, vault: Vault) -> bytes:
    plain = vec(name.encode()) + vec(vault.account) + vault.root_key + vault.identity_secret + u64(vault.version)
    boxed = seal_box(_outer_key(code.to_bytes()), plain, LABEL)
    try:
        key = X25519PublicKey.from_public_bytes(code.seal_key)
        return LABEL + _SUITE.encrypt(boxed, key, info=LABEL + vec(vault.account) + code.device)
    except ValueError as exc:
        raise LinkRefused("the code's key is none") from exc


def _open(pending: _Pending, account: bytes, sealed: bytes) -> tuple[str, Vault] | None:
    """Return what was sealed for a code; None for what was not."""
    code = pending.code
    if not sealed.startswith(LABEL):
        return None
    try:
        key = X25519PrivateKey.from_private_bytes(pending.seal_secret)
        boxed = _SUITE.decrypt(sealed[len(LABEL) :], key, info=LABEL + vec(account) + code.device)
        r = Reader(open_box(_outer_key(code.to_bytes()), boxed, LABEL))
        name, named = r.vec().decode(), r.vec()
        vault = Vault(named, r.take(KEY_BYTES), r.take(KEY_BYTES), r.number(8))
        r.end()
    except (Malformed, ValueError, InvalidTag, WrapsDamaged):
        return None
    return (name, vault) if named == account else None
