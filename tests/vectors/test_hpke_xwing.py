"""HPKE-PQ vectors of KEM 0x647a (X-Wing), through the very KEM of suite 0xF04F."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qpqnative import MlsError, testing

Case = dict[str, Any]
X_WING = 0x647A
CASES = 2
HKDF_SHA256 = 1


def cases(vectors: Callable[[str, int], Any]) -> list[Case]:
    return [case for case in vectors("hpke-pq/test-vectors.json", CASES) if case["kem_id"] == X_WING]


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


def hpke(case: Case) -> None:
    """All ciphertexts and exports under the vector's own key schedule."""
    keys = hexed(case["skRm"]), hexed(case["pkRm"]), hexed(case["enc"])
    sealed = [(hexed(e["aad"]), hexed(e["ct"])) for e in case["encryptions"]]
    exports = [(hexed(e["exporter_context"]), e["L"]) for e in case["exports"]]
    opened, exported = testing.xwing_hpke(keys, hexed(case["info"]), sealed, exports)
    assert [p.hex() for p in opened] == [e["pt"] for e in case["encryptions"]]
    assert [x.hex() for x in exported] == [e["exported_value"] for e in case["exports"]]


def test_the_kem(vectors: Callable[[str, int], Any]) -> None:
    found = cases(vectors)
    assert len(found) == CASES
    for case in found:
        kem(case)


def test_the_whole_of_hpke_with_the_suites_kdf(vectors: Callable[[str, int], Any]) -> None:
    found = [case for case in cases(vectors) if case["kdf_id"] == HKDF_SHA256]
    assert len(found) == 1
    hpke(found[0])


def fails(run: Callable[[Case], None], case: Case) -> bool:
    try:
        run(case)
    except (MlsError, AssertionError):
        return True
    return False


def flipped(value: str) -> str:
    raw = bytearray.fromhex(value)
    raw[len(raw) // 2] ^= 0x10
    return raw.hex()


def test_one_flipped_byte_fails(vectors: Callable[[str, int], Any]) -> None:
    for case in cases(vectors):
        for field in ("ikmE", "ikmR", "skRm", "pkRm", "enc", "shared_secret"):
            assert fails(kem, case | {field: flipped(case[field])}), field
        if case["kdf_id"] == HKDF_SHA256:
            for field in ("skRm", "enc", "info"):
                assert fails(hpke, case | {field: flipped(case[field])}), field
            for field in ("ct", "aad", "pt"):
                first = case["encryptions"][0]
                changed = [first | {field: flipped(first[field])}, *case["encryptions"][1:]]
                assert fails(hpke, case | {"encryptions": changed}), field
