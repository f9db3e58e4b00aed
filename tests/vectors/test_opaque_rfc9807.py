"""RFC 9807, appendix C: ristretto255-SHA512 with 3DH, real and fake, with the vectors' own randomness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qpqnative import (
    OpaqueError,
    OpaqueServerSetup,
    opaque_login_finish,
    opaque_registration_record,
    opaque_registration_response,
    testing,
)

Case = dict[str, Any]
REAL, FAKE = 2, 1


def cases(vectors: Callable[[str, int], Any], fake: str) -> list[Case]:
    found = vectors("opaque/rfc9807.json", REAL + FAKE)
    ours = [case for case in found if case["config"]["Group"] == "ristretto255" and case["config"]["Fake"] == fake]
    return [{part: {k: bytes.fromhex(v) for k, v in case[part].items()} for part in ("inputs", "outputs")} | {
        "context": bytes.fromhex(case["config"]["Context"])} for case in ours]  # fmt: skip


def setup_of(inputs: dict[str, bytes], dummy: bytes) -> OpaqueServerSetup:
    setup = OpaqueServerSetup.from_bytes(inputs["oprf_seed"] + inputs["server_private_key"] + dummy)
    assert setup.public_key == inputs["server_public_key"]
    return setup


def register(case: Case) -> tuple[OpaqueServerSetup, bytes]:
    """Replays the registration; the setup and the record."""
    i, o = case["inputs"], case["outputs"]
    setup = setup_of(i, i["server_public_key"])
    registration, request = testing.opaque_registration_start(i["password"], i["blind_registration"])
    assert request == o["registration_request"]
    response = opaque_registration_response(setup, request, i["credential_identifier"])
    assert response == o["registration_response"]
    upload, export_key, _ = testing.opaque_registration_finish(
        registration, i["password"], response, envelope_nonce=i["envelope_nonce"],
        client=i.get("client_identity"), server=i.get("server_identity"),
    )  # fmt: skip
    assert (upload, export_key) == (o["registration_upload"], o["export_key"])
    return setup, opaque_registration_record(upload)


def log_in(case: Case, setup: OpaqueServerSetup, record: bytes) -> None:
    i, o = case["inputs"], case["outputs"]
    client, server = i.get("client_identity"), i.get("server_identity")
    login, ke1 = testing.opaque_login_start(
        i["password"], i["blind_login"], i["client_keyshare_seed"], i["client_nonce"]
    )
    assert ke1 == o["KE1"]
    ke2, state = testing.opaque_login_response(
        setup, record, ke1, i["credential_identifier"], context=case["context"], client=client, server=server,
        randomness=(bytes(64), i["masking_nonce"], i["server_keyshare_seed"], i["server_nonce"]),
    )  # fmt: skip
    assert ke2 == o["KE2"]
    ke3, session_key, export_key, public = testing.opaque_login_finish(
        login, i["password"], ke2, context=case["context"], client=client, server=server
    )
    assert (ke3, session_key, export_key) == (o["KE3"], o["session_key"], o["export_key"])
    assert public == i["server_public_key"]
    assert opaque_login_finish(state, ke3) == o["session_key"]


def replay(case: Case) -> None:
    log_in(case, *register(case))


def fake_login(case: Case, *, dummy: bool) -> None:
    """The answer for an unknown user: once with the vector's fake record, once by the server's own dummy."""
    i = case["inputs"]
    setup = setup_of(i, i["client_public_key"])
    record = None if dummy else i["client_public_key"] + i["masking_key"] + bytes(96)
    ke2, _ = testing.opaque_login_response(
        setup, record, i["KE1"], i["credential_identifier"], context=case["context"],
        client=i["client_identity"], server=i["server_identity"],
        randomness=(i["masking_key"], i["masking_nonce"], i["server_keyshare_seed"], i["server_nonce"]),
    )  # fmt: skip
    assert ke2 == case["outputs"]["KE2"]


def test_real_cases(vectors: Callable[[str, int], Any]) -> None:
    found = cases(vectors, "False")
    assert len(found) == REAL
    for case in found:
        replay(case)


@pytest.mark.parametrize("dummy", [False, True], ids=["record of the vector", "the server's dummy"])
def test_fake_case(vectors: Callable[[str, int], Any], dummy: bool) -> None:
    found = cases(vectors, "True")
    assert len(found) == FAKE
    for case in found:
        fake_login(case, dummy=dummy)


def flipped(value: bytes) -> bytes:
    raw = bytearray(value)
    raw[len(raw) // 2] ^= 0x10
    return bytes(raw)


def fails(run: Callable[[Case], None], case: Case) -> bool:
    try:
        run(case)
    except (OpaqueError, AssertionError):
        return True
    return False


def test_one_flipped_byte_fails(vectors: Callable[[str, int], Any]) -> None:
    for case in cases(vectors, "False"):
        for part in ("inputs", "outputs"):
            for name, value in case[part].items():
                assert fails(replay, case | {part: case[part] | {name: flipped(value)}}), name
    for case in cases(vectors, "True"):
        for part in ("inputs", "outputs"):
            for name in set(case[part]) - {"client_private_key", "client_keyshare_seed"}:  # KE1 is given
                changed = case | {part: case[part] | {name: flipped(case[part][name])}}
                assert fails(lambda c: fake_login(c, dummy=False), changed), name
