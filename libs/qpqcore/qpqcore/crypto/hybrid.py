"""What is sealed to an X-Wing key: HPKE base mode, KEM 0x647a. Welcomes are (docs/spec/groups.md#welcomes), and backups."""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from qpqcore.crypto.parts import Malformed, Reader, signed_string, u32, vec
from qpqcore.model.errors import ErrorCode, Refusal

LABEL = "qpq welcome v1"
SEED_BYTES = 32
MLKEM_KEY_BYTES = 1_184
MLKEM_SEED_BYTES = 64
ENC_BYTES = 1_120

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)


def _private(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    expanded = hashlib.shake_256(seed).digest(MLKEM_SEED_BYTES + 32)
    return (
        MLKEM768PrivateKey.from_seed_bytes(expanded[:MLKEM_SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(expanded[MLKEM_SEED_BYTES:]),
    )


def generate_hybrid_key(seed: bytes | None = None) -> tuple[bytes, bytes]:
    """Return (32-byte X-Wing seed, 1,216-byte public key) (draft-connolly-cfrg-xwing-kem §5.2)."""
    seed = seed or secrets.token_bytes(SEED_BYTES)
    mlkem, x25519 = _private(seed)
    return seed, mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def _info(channel: bytes, generation: int, device: bytes) -> bytes:
    return signed_string(LABEL) + vec(channel) + u32(generation) + vec(device)


def seal_welcome(public_key: bytes, welcome: bytes, *, channel: bytes, generation: int, device: bytes) -> bytes:
    """Seal a Welcome to a device's hybrid key; Refusal(hybridKeyInvalid)."""
    return seal_to(public_key, welcome, _info(channel, generation, device))


def seal_to(public_key: bytes, plain: bytes, info: bytes) -> bytes:
    """Seal something short to an X-Wing key; Refusal(hybridKeyInvalid)."""
    try:
        key = hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public_key[:MLKEM_KEY_BYTES]),
            X25519PublicKey.from_public_bytes(public_key[MLKEM_KEY_BYTES:]),
        )
        sealed = _SUITE.encrypt(plain, key, info=info)
    except ValueError as exc:
        raise Refusal(ErrorCode.HYBRID_KEY_INVALID, "not an X-Wing key") from exc
    return vec(sealed[:ENC_BYTES]) + vec(sealed[ENC_BYTES:])


def open_welcome(seed: bytes, sealed: bytes, *, channel: bytes, generation: int, device: bytes) -> bytes:
    """Open a sealed Welcome; Refusal(malformed) when it is not for this key and place."""
    return open_with(seed, sealed, _info(channel, generation, device))


def open_with(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """Open what `seal_to` sealed; Refusal(malformed) when it is not for this key and purpose."""
    try:
        r = Reader(sealed)
        enc, ciphertext = r.vec(), r.vec()
        r.end()
        key = hpke.MLKEM768X25519PrivateKey(*_private(seed))
        return _SUITE.decrypt(enc + ciphertext, key, info=info)
    except (Malformed, ValueError, InvalidTag) as exc:
        raise Refusal(ErrorCode.MALFORMED, "sealed to another key, or for something else") from exc
