"""HPKE-PQ vectors of KEM 0x647a (X-Wing), both whole, through qpqnative's Python face.

| part | both vectors | through |
|---|---|---|
| DeriveKeyPair, encapsulation, decapsulation | both | the very KEM of suite 0xF04F |
| key schedule, ciphertexts both ways, exports | KDF 0x0001 | mls-rs's HPKE with this KEM, as in suite 0xF04F; aws-lc's ChaCha20 |
| the same | KDF 0x0011 (SHAKE256, one stage) | python_testing.rs: RustCrypto's SHAKE256 and aws-lc's ChaCha20 |
| key, base nonce, exporter secret written down | KDF 0x0001 | the suite's HKDF here, since mls-rs keeps them to itself |

No group uses KDF 0x0011 or ChaCha20Poly1305: for that vector, what a group shares is the KEM and SHAKE256.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from qpqnative import testing
from tests.vectors.flips import unnoticed

Case = dict[str, Any]
BASE_MODE, X_WING, CHACHA20_POLY1305 = 0, 0x647A, 3
HKDF_SHA256, SHAKE256 = 0x0001, 0x0011
KDFS = {HKDF_SHA256, SHAKE256}
ENCRYPTIONS, EXPORTS = 10, 5
FLIPS = 11 + 4 * ENCRYPTIONS + 2 * EXPORTS
"""A vector's byte fields. All matter: the numbers of mode, KEM, KDF, AEAD and lengths are not bytes."""


def cases(vectors: Callable[[str, int], Any]) -> list[Case]:
    found = [case for case in vectors("hpke-pq/test-vectors.json", len(KDFS)) if case["kem_id"] == X_WING]
    assert {case["kdf_id"] for case in found} == KDFS
    assert len(found) == len(KDFS)
    return found


def hexed(value: str) -> bytes:
    return bytes.fromhex(value)


def kem(case: Case) -> None:
    """DeriveKeyPair, encapsulation and decapsulation."""
    secret, public = testing.xwing_derive(hexed(case["ikmR"]))
    assert (secret.hex(), public.hex()) == (case["skRm"], case["pkRm"])
    assert testing.xwing_public_key_ok(public)
    shared, enc = testing.xwing_encap(public, hexed(case["ikmE"]))
    assert (shared.hex(), enc.hex()) == (case["shared_secret"], case["enc"])
    assert testing.xwing_decap(hexed(case["enc"]), secret, public).hex() == case["shared_secret"]


def hkdf_schedule(case: Case) -> tuple[bytes, bytes, bytes]:
    """Key, base nonce and exporter secret by RFC 9180 §5.1."""
    suite = hexed(case["suite_id"])

    def context(label: bytes, value: bytes) -> bytes:
        return hmac.digest(bytes(32), b"HPKE-v1" + suite + label + value, "sha256")

    hashes = b"\0" + context(b"psk_id_hash", b"") + context(b"info_hash", hexed(case["info"]))

    def expand(label: bytes, length: int) -> bytes:
        info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + hashes
        return testing.suite_hkdf(hexed(case["shared_secret"]), b"HPKE-v1" + suite + b"secret", info, length)

    return expand(b"key", 32), expand(b"base_nonce", 12), expand(b"exp", 32)


def by_hkdf(case: Case) -> None:
    """All ciphertexts both ways and all exports, through mls-rs's HPKE; then what it derives inside."""
    info, encryptions = hexed(case["info"]), case["encryptions"]
    texts = [(hexed(e["aad"]), hexed(e["pt"])) for e in encryptions]
    enc, sealed = testing.xwing_hpke_seal(hexed(case["pkRm"]), hexed(case["ikmE"]), info, texts)
    assert enc.hex() == case["enc"]
    assert [c.hex() for c in sealed] == [e["ct"] for e in encryptions]
    keys = hexed(case["skRm"]), hexed(case["pkRm"]), hexed(case["enc"])
    exports = [(hexed(e["exporter_context"]), e["L"]) for e in case["exports"]]
    opened, exported = testing.xwing_hpke(keys, info, [(hexed(e["aad"]), hexed(e["ct"])) for e in encryptions], exports)
    assert [p.hex() for p in opened] == [e["pt"] for e in encryptions]
    assert [x.hex() for x in exported] == [e["exported_value"] for e in case["exports"]]
    schedule = tuple(part.hex() for part in hkdf_schedule(case))
    assert schedule == (case["key"], case["base_nonce"], case["exporter_secret"])


def by_shake(case: Case) -> None:
    """The same for the one-stage key schedule, from the shared secret that decapsulation gave."""
    encryptions = case["encryptions"]
    shared = testing.xwing_decap(hexed(case["enc"]), hexed(case["skRm"]), hexed(case["pkRm"]))
    texts = [(hexed(e["aad"]), hexed(e["pt"]), hexed(e["ct"])) for e in encryptions]
    exports = [(hexed(e["exporter_context"]), e["L"]) for e in case["exports"]]
    schedule, sealed, opened, exported = testing.xwing_hpke_one_stage(shared, hexed(case["info"]), texts, exports)
    assert tuple(part.hex() for part in schedule) == (case["key"], case["base_nonce"], case["exporter_secret"])
    assert [c.hex() for c in sealed] == [e["ct"] for e in encryptions]
    assert [p.hex() for p in opened] == [e["pt"] for e in encryptions]
    assert [x.hex() for x in exported] == [e["exported_value"] for e in case["exports"]]


def whole(case: Case) -> None:
    """A vector from its first field to its last."""
    ids = (X_WING, case["kdf_id"], CHACHA20_POLY1305)
    assert (case["mode"], case["kem_id"], case["aead_id"]) == (BASE_MODE, X_WING, CHACHA20_POLY1305)
    assert hexed(case["suite_id"]) == b"HPKE" + b"".join(number.to_bytes(2, "big") for number in ids)
    assert (len(case["encryptions"]), len(case["exports"])) == (ENCRYPTIONS, EXPORTS)
    kem(case)
    {HKDF_SHA256: by_hkdf, SHAKE256: by_shake}[case["kdf_id"]](case)
    base_nonce = int(case["base_nonce"], 16)
    for sequence, encryption in enumerate(case["encryptions"]):
        assert int(encryption["nonce"], 16) == base_nonce ^ sequence


def test_both_vectors_whole(vectors: Callable[[str, int], Any]) -> None:
    for case in cases(vectors):
        whole(case)


def test_one_flipped_byte_fails(vectors: Callable[[str, int], Any]) -> None:
    for case in cases(vectors):
        assert unnoticed(whole, case) == (FLIPS, set())
