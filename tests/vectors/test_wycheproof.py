"""Project Wycheproof: the primitives in use, through the suites themselves and through ``cryptography``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import qpqnative
from qpqnative import MlsError, testing

Vectors = Callable[[str, int], Any]
Test = dict[str, Any]


def hexed(value: str) -> bytes:
    return bytes.fromhex(value)


def flipped(value: bytes) -> bytes:
    raw = bytearray(value)
    raw[len(raw) // 2] ^= 0x10
    return bytes(raw)


def groups(vectors: Vectors, name: str, count: int) -> Iterator[tuple[Test, Test]]:
    """Every (group, test) of a file, whose number must be what it is known to be."""
    file = vectors(f"wycheproof/{name}.json", count)
    pairs = [(group, test) for group in file["testGroups"] for test in group["tests"]]
    assert len(pairs) == file["numberOfTests"] == count
    yield from pairs


def suite_opens(key: bytes, nonce: bytes, aad: bytes, sealed: bytes) -> bytes | None:
    try:
        return testing.suite_open(key, nonce, aad, sealed)
    except MlsError:
        return None


def aead_opens(
    kind: type[AESGCM | ChaCha20Poly1305], key: bytes, nonce: bytes, aad: bytes, sealed: bytes
) -> bytes | None:
    try:
        return kind(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError):
        return None


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_ed25519(vectors: Vectors) -> None:
    for group, test in groups(vectors, "ed25519_test", 151):
        public, message, signature = hexed(group["publicKey"]["pk"]), hexed(test["msg"]), hexed(test["sig"])
        valid = test["result"] == "valid"
        assert testing.suite_verify(public, message, signature) is valid, test["tcId"]
        assert verifies(public, message, signature) is valid, test["tcId"]
        assert qpqnative.is_signed(public, message, signature) is valid, test["tcId"]
        if valid:
            assert not testing.suite_verify(public, message, flipped(signature))
            assert not verifies(public, message, flipped(signature))
            assert not qpqnative.is_signed(public, message, flipped(signature))


def test_aes_gcm(vectors: Vectors) -> None:
    ours = 0
    for group, test in groups(vectors, "aes_gcm_test", 316):
        key, nonce, aad = hexed(test["key"]), hexed(test["iv"]), hexed(test["aad"])
        sealed, plain = hexed(test["ct"] + test["tag"]), hexed(test["msg"])
        valid = test["result"] == "valid"
        if 8 <= len(nonce) <= 128:  # cryptography refuses others
            assert (aead_opens(AESGCM, key, nonce, aad, sealed) == plain) is valid, test["tcId"]
        if group["keySize"] == 128 and group["ivSize"] == 96:
            ours += 1
            assert (suite_opens(key, nonce, aad, sealed) == plain) is valid, test["tcId"]
            assert suite_opens(key, nonce, aad, flipped(sealed)) is None
    assert ours > 50


def test_chacha20_poly1305(vectors: Vectors) -> None:
    for group, test in groups(vectors, "chacha20_poly1305_test", 325):
        key, nonce, aad = hexed(test["key"]), hexed(test["iv"]), hexed(test["aad"])
        sealed, plain = hexed(test["ct"] + test["tag"]), hexed(test["msg"])
        opened = aead_opens(ChaCha20Poly1305, key, nonce, aad, sealed)
        assert (opened == plain) is (test["result"] == "valid" and group["ivSize"] == 96), test["tcId"]
        if sealed:
            assert aead_opens(ChaCha20Poly1305, key, nonce, aad, flipped(sealed)) is None


def test_hkdf_sha256(vectors: Vectors) -> None:
    for _, test in groups(vectors, "hkdf_sha256_test", 86):
        ikm, salt, info, size = hexed(test["ikm"]), hexed(test["salt"]), hexed(test["info"]), test["size"]
        if test["result"] == "invalid":  # more than 255 blocks
            assert size > 255 * 32
            continue
        assert HKDF(SHA256(), size, salt, info).derive(ikm).hex() == test["okm"], test["tcId"]
        assert testing.suite_hkdf(salt, ikm, info, size).hex() == test["okm"], test["tcId"]
        assert testing.suite_hkdf(salt, flipped(ikm), info, size).hex() != test["okm"]


def test_hkdf_sha512(vectors: Vectors) -> None:
    for _, test in groups(vectors, "hkdf_sha512_test", 83):
        ikm, salt, info, size = hexed(test["ikm"]), hexed(test["salt"]), hexed(test["info"]), test["size"]
        if test["result"] == "invalid":
            assert size > 255 * 64
            continue
        assert HKDF(SHA512(), size, salt, info).derive(ikm).hex() == test["okm"], test["tcId"]
        assert HKDF(SHA512(), size, salt, info).derive(flipped(ikm)).hex() != test["okm"]


def exchanged(private: bytes, public: bytes) -> bytes:
    """The shared secret; zeros where ``cryptography`` refuses it for being zeros (RFC 7748 §6.1)."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return bytes(32)


def test_x25519(vectors: Vectors) -> None:
    for _, test in groups(vectors, "x25519_test", 518):
        private, public, shared = hexed(test["private"]), hexed(test["public"]), hexed(test["shared"])
        assert exchanged(private, public) == shared, test["tcId"]
        if any(shared):
            assert exchanged(flipped(private), public) != shared


def test_mlkem_768_keys(vectors: Vectors) -> None:
    for _, test in groups(vectors, "mlkem_768_keygen_seed_test", 100):
        key = MLKEM768PrivateKey.from_seed_bytes(hexed(test["seed"]))
        assert key.public_key().public_bytes_raw().hex() == test["ek"], test["tcId"]
        d, z = hexed(test["seed"])[:32], hexed(test["seed"])[32:]
        other = MLKEM768PrivateKey.from_seed_bytes(flipped(d) + z)
        assert other.public_key().public_bytes_raw().hex() != test["ek"]


def test_mlkem_768_decapsulation(vectors: Vectors) -> None:
    for _, test in groups(vectors, "mlkem_768_test", 193):
        valid = test["result"] == "valid"
        try:
            key = MLKEM768PrivateKey.from_seed_bytes(hexed(test["seed"]))
            shared = key.decapsulate(hexed(test["c"])).hex()
        except ValueError:
            assert not valid, test["tcId"]
            continue
        assert (shared == test["K"]) is valid, test["tcId"]
        if valid:
            assert key.decapsulate(flipped(hexed(test["c"]))).hex() != test["K"]


def test_mlkem_768_public_keys_through_the_suites_kem(vectors: Vectors) -> None:
    """X-Wing's key is ML-KEM's followed by X25519's: it must take the valid ones and no other."""
    refused = 0
    for _, test in groups(vectors, "mlkem_768_encaps_test", 265):
        valid = test["result"] == "valid"
        assert testing.xwing_public_key_ok(hexed(test["ek"]) + bytes(32)) is valid, test["tcId"]
        refused += not valid
    assert refused > 50
