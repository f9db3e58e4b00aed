"""The account root key, what is sealed under it, and its wraps (docs/spec/recovery.md)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qpqclient.errors import WrapsDamaged
from qpqcore.crypto.parts import Malformed, Reader, u8, u64, vec

KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = 1
LABEL = b"qpq wrap v1"
LABEL_BYTES_MAX = 200
"""The server takes 256 sealed bytes."""
IDENTITY, PASSWORD, CODE = 0, 1, 2


def derive(secret: bytes, info: str, salt: bytes = b"") -> bytes:
    """HKDF-SHA-512, 32 bytes."""
    return HKDF(SHA512(), KEY_BYTES, salt or None, info.encode()).derive(secret)


def seal_box(key: bytes, plain: bytes, aad: bytes) -> bytes:
    """AES-256-GCM under a fresh nonce, which stands before."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, aad)


def open_box(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Open such a box; WrapsDamaged."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
    except (InvalidTag, ValueError) as exc:
        raise WrapsDamaged("the account's sealed keys do not open") from exc


def _place(kind: int, version: int, account: bytes) -> bytes:
    """Return what a wrap is bound to."""
    return LABEL + u8(kind) + u64(version) + account


@dataclass(frozen=True, slots=True)
class Vault:
    """What only the account's owner has."""

    account: bytes
    root_key: bytes
    identity_secret: bytes
    version: int

    def wraps(self, export_key: bytes, version: int) -> bytes:
        """Return the wraps for a password whose OPAQUE export key is given."""
        identity = seal_box(
            derive(self.root_key, "qpq identity seal v1"), self.identity_secret, _place(IDENTITY, version, self.account)
        )
        root = seal_box(
            derive(export_key, "qpq wrap password v1"), self.root_key, _place(PASSWORD, version, self.account)
        )
        return u8(VERSION) + u64(version) + vec(self.account) + vec(identity) + u8(1) + u8(PASSWORD) + vec(root)


def open_wraps(wraps: bytes, export_key: bytes, account: bytes) -> Vault:
    """Open the wraps with a password's export key; WrapsDamaged."""
    try:
        r = Reader(wraps)
        r.version(VERSION)
        version, named, identity, count = r.number(8), r.vec(), r.vec(), r.number(1)
        ways = {r.number(1): r.vec() for _ in range(count)}
        r.end()
    except Malformed as exc:
        raise WrapsDamaged("the account's sealed keys are malformed") from exc
    if named != account or PASSWORD not in ways:
        raise WrapsDamaged("the sealed keys are another account's")
    root = open_box(derive(export_key, "qpq wrap password v1"), ways[PASSWORD], _place(PASSWORD, version, account))
    secret = open_box(derive(root, "qpq identity seal v1"), identity, _place(IDENTITY, version, account))
    return Vault(account, root, secret, version)


def seal_label(root_key: bytes, device: bytes, label: str) -> bytes:
    """Seal a device's name for its owner's eyes, cut to what the server takes; empty stays empty."""
    if not label:
        return b""
    return seal_box(derive(root_key, "qpq label v1"), label.encode()[:LABEL_BYTES_MAX], device)


def open_label(root_key: bytes, device: bytes, sealed: bytes) -> str:
    """Open a device's name; empty when it is not this account's."""
    try:
        return open_box(derive(root_key, "qpq label v1"), sealed, device).decode(errors="replace")
    except WrapsDamaged:
        return ""


CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
CODE_CHARS, CODE_GROUP = 32, 4
_MISREAD = str.maketrans("ILO", "110")


def new_code() -> str:
    """Return a recovery code: 160 random bits as 32 letters and digits in groups of four (docs/spec/recovery.md)."""
    number = int.from_bytes(secrets.token_bytes(20), "big")
    chars = "".join(CODE_ALPHABET[number >> 5 * place & 31] for place in reversed(range(CODE_CHARS)))
    return "-".join(chars[i : i + CODE_GROUP] for i in range(0, CODE_CHARS, CODE_GROUP))


def code_key(code: str, account: bytes) -> bytes:
    """Return the key of a recovery code, as people write it: in small letters, with spaces, I for 1. WrapsDamaged."""
    plain = "".join(c for c in code.upper() if c.isalnum()).translate(_MISREAD)
    if len(plain) != CODE_CHARS or any(c not in CODE_ALPHABET for c in plain):
        raise WrapsDamaged(f"a recovery code has {CODE_CHARS} letters and digits, without U")
    number = 0
    for c in plain:
        number = number << 5 | CODE_ALPHABET.index(c)
    return derive(number.to_bytes(20, "big"), "qpq wrap code v1", account)
