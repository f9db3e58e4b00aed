"""Ed25519 (RFC 8032) over the labelled strings of docs/spec/identity.md#signatures.

Signatures are verified by aws-lc (qpqnative): half of OpenSSL's 94 us, and a group of 1,000 has thousands of them.
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import qpqnative
from qpqcore.crypto.parts import signed_string

KEY_BYTES = 32
SIGNATURE_BYTES = 64


def generate_key(seed: bytes | None = None) -> tuple[bytes, bytes]:
    """Return (secret seed, public key), 32 bytes each; from `seed` where one is given."""
    secret = Ed25519PrivateKey.from_private_bytes(seed or secrets.token_bytes(KEY_BYTES))
    return secret.private_bytes_raw(), secret.public_key().public_bytes_raw()


def public_of(secret: bytes) -> bytes:
    """Return the public key of a secret seed."""
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret: bytes, label: str, *parts: bytes | int | str) -> bytes:
    """Return the 64-byte signature of a labelled string."""
    return Ed25519PrivateKey.from_private_bytes(secret).sign(signed_string(label, *parts))


def verify(public: bytes, signature: bytes, label: str, *parts: bytes | int | str) -> bool:
    """Tell whether `signature` is the key's over the labelled string; never raises for bad bytes."""
    return qpqnative.is_signed(public, signed_string(label, *parts), signature)
