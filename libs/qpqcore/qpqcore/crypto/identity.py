"""The credential, the device list and the hybrid key, byte for byte as docs/spec/identity.md has them.

A value of these classes is well-formed; whether it is genuine is what `verify` tells.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from qpqcore.crypto.parts import Malformed, Reader, u8, u16, u64, vec
from qpqcore.crypto.signatures import KEY_BYTES, SIGNATURE_BYTES, generate_key, public_of, sign, verify
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, DeviceId, domain_of, is_domain, is_id

__all__ = [
    "Credential", "DeviceEntry", "DeviceList", "SignedHybridKey", "generate_key", "public_of",
    "safety_number", "sign", "verify",
]  # fmt: skip

CREDENTIAL_LABEL = "qpq credential v1"
DEVICE_LIST_LABEL = "qpq device list v1"
HYBRID_KEY_LABEL = "qpq hybrid key v1"

VERSION = 1
DEVICES_MAX = 32
HASH_BYTES = 32
HYBRID_KEY_BYTES = 1_216
SAFETY_ROUNDS = 5_200
SAFETY_GROUPS = 6


@dataclass(frozen=True, slots=True)
class Credential:
    """The identity in a leaf's `basic` credential: one device of one account, signed by the account."""

    domain: str
    account: AccountId
    device: DeviceId
    identity_key: bytes
    signature: bytes

    @classmethod
    def make(cls, identity_secret: bytes, account: AccountId, device: DeviceId, device_key: bytes) -> Credential:
        """Sign a credential for a device's key with the account's identity key."""
        domain, key = domain_of(account), public_of(identity_secret)
        signature = sign(identity_secret, CREDENTIAL_LABEL, domain, account, device, key, device_key)
        return cls(domain, account, device, key, signature)

    def to_bytes(self) -> bytes:
        """Encode as the credential's identity."""
        head = u8(VERSION) + vec(self.domain.encode()) + vec(self.account) + vec(self.device)
        return head + self.identity_key + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Credential:
        """Decode; Refusal(credentialInvalid)."""
        try:
            r = Reader(data)
            r.version(VERSION)
            domain, account, device = r.vec().decode("ascii"), r.vec(), r.vec()
            key, signature = r.take(KEY_BYTES), r.take(SIGNATURE_BYTES)
            r.end()
            if not is_domain(domain) or not _ids_of(domain, account, device):
                raise Malformed("an id of another domain")
        except (Malformed, UnicodeDecodeError) as exc:
            raise Refusal(ErrorCode.CREDENTIAL_INVALID, "a credential is not well-formed") from exc
        return cls(domain, AccountId(account), DeviceId(device), key, signature)

    def verify(self, device_key: bytes) -> bool:
        """Tell whether the account's identity key vouches for this device and `device_key`."""
        return verify(
            self.identity_key, self.signature, CREDENTIAL_LABEL,
            self.domain, self.account, self.device, self.identity_key, device_key,
        )  # fmt: skip


def _ids_of(domain: str, *idents: bytes) -> bool:
    return all(is_id(i) and domain_of(i) == domain for i in idents)


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One active device: its id and its Ed25519 key."""

    device: DeviceId
    key: bytes


@dataclass(frozen=True, slots=True)
class DeviceList:
    """The account's active devices, signed by its identity key, chained by hash."""

    version: int
    previous: bytes
    domain: str
    account: AccountId
    identity_key: bytes
    devices: tuple[DeviceEntry, ...]
    signature: bytes

    @classmethod
    def make(
        cls,
        identity_secret: bytes,
        account: AccountId,
        devices: tuple[DeviceEntry, ...],
        previous: DeviceList | None = None,
    ) -> DeviceList:
        """Sign the list that follows `previous`, or the first one."""
        version = previous.version + 1 if previous else 1
        unsigned = cls(
            version, previous.hash() if previous else bytes(HASH_BYTES), domain_of(account), account,
            public_of(identity_secret), tuple(sorted(devices, key=lambda d: d.device)), b"",
        )  # fmt: skip
        signature = sign(identity_secret, DEVICE_LIST_LABEL, unsigned._body())
        return cls(
            unsigned.version, unsigned.previous, unsigned.domain, account,
            unsigned.identity_key, unsigned.devices, signature,
        )  # fmt: skip

    def _body(self) -> bytes:
        head = u8(VERSION) + u64(self.version) + self.previous + vec(self.domain.encode()) + vec(self.account)
        entries = b"".join(vec(d.device) + d.key for d in self.devices)
        return head + self.identity_key + u16(len(self.devices)) + entries

    def to_bytes(self) -> bytes:
        """Encode with the signature."""
        return self._body() + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceList:
        """Decode; Refusal(deviceListInvalid), Refusal(deviceLimit)."""
        try:
            return cls._read(Reader(data))
        except (Malformed, UnicodeDecodeError) as exc:
            raise Refusal(ErrorCode.DEVICE_LIST_INVALID, "a device list is not well-formed") from exc

    @classmethod
    def _read(cls, r: Reader) -> DeviceList:
        r.version(VERSION)
        version, previous = r.number(8), r.take(HASH_BYTES)
        domain, account, key = r.vec().decode("ascii"), r.vec(), r.take(KEY_BYTES)
        count = r.number(2)
        if count > DEVICES_MAX:
            raise Refusal(ErrorCode.DEVICE_LIMIT, f"an account has at most {DEVICES_MAX} devices")
        devices = tuple(DeviceEntry(DeviceId(r.vec()), r.take(KEY_BYTES)) for _ in range(count))
        signature = r.take(SIGNATURE_BYTES)
        r.end()
        idents = [d.device for d in devices]
        if version == 0 or not is_domain(domain) or not _ids_of(domain, account, *idents):
            raise Malformed("an id of another domain")
        if sorted(set(idents)) != idents:
            raise Malformed("devices are not sorted, or twice")
        return cls(version, previous, domain, AccountId(account), key, devices, signature)

    def verify(self) -> bool:
        """Tell whether the identity key in the list has signed it."""
        return verify(self.identity_key, self.signature, DEVICE_LIST_LABEL, self._body())

    def hash(self) -> bytes:
        """Return the SHA-256 of the whole list, its signature included."""
        return hashlib.sha256(self.to_bytes()).digest()

    def follows(self, previous: DeviceList | None) -> bool:
        """Tell whether this is the very next list after `previous` (None: the first)."""
        if previous is None:
            return self.version == 1 and self.previous == bytes(HASH_BYTES)
        return (
            self.version == previous.version + 1
            and self.previous == previous.hash()
            and (self.account, self.identity_key) == (previous.account, previous.identity_key)
        )

    def key_of(self, device: bytes) -> bytes | None:
        """Return an active device's key, or None."""
        return next((d.key for d in self.devices if d.device == device), None)


@dataclass(frozen=True, slots=True)
class SignedHybridKey:
    """A device's X-Wing public key, signed by the device."""

    device: DeviceId
    created_ms: int
    public_key: bytes
    signature: bytes

    @classmethod
    def make(cls, device_secret: bytes, device: DeviceId, created_ms: int, public_key: bytes) -> SignedHybridKey:
        """Sign a hybrid key with the device's key."""
        return cls(
            device, created_ms, public_key, sign(device_secret, HYBRID_KEY_LABEL, device, public_key, created_ms)
        )

    def to_bytes(self) -> bytes:
        """Encode with the signature."""
        return u8(VERSION) + vec(self.device) + u64(self.created_ms) + vec(self.public_key) + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedHybridKey:
        """Decode; Refusal(hybridKeyInvalid)."""
        try:
            r = Reader(data)
            r.version(VERSION)
            device, created_ms, key, signature = r.vec(), r.number(8), r.vec(), r.take(SIGNATURE_BYTES)
            r.end()
            if not is_id(device) or len(key) != HYBRID_KEY_BYTES:
                raise Malformed("not an X-Wing key of a device")
        except Malformed as exc:
            raise Refusal(ErrorCode.HYBRID_KEY_INVALID, "a hybrid key is not well-formed") from exc
        return cls(DeviceId(device), created_ms, key, signature)

    def verify(self, device_key: bytes) -> bool:
        """Tell whether the device's key has signed it."""
        return verify(device_key, self.signature, HYBRID_KEY_LABEL, self.device, self.public_key, self.created_ms)


def _safety_half(identity_key: bytes, account: bytes) -> str:
    digest = hashlib.sha512(u16(1) + identity_key + account).digest()
    for _ in range(SAFETY_ROUNDS - 1):
        digest = hashlib.sha512(digest + identity_key).digest()
    chunks = (digest[5 * i : 5 * i + 5] for i in range(SAFETY_GROUPS))
    return "".join(f"{int.from_bytes(c, 'big') % 100_000:05}" for c in chunks)


def safety_number(own: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> str:
    """Return the 60 digits of two (identity key, account id) pairs, equal on both sides."""
    return "".join(sorted((_safety_half(*own), _safety_half(*other))))
