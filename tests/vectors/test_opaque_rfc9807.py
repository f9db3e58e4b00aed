"""RFC 9807, appendix C: ristretto255-SHA512 with 3DH, real and fake, with the vectors' own randomness.

The library shows messages and keys; the intermediate values of a real case are held against them by the RFC's own
formulas. One flipped byte is noticed in every field but these:

| case | field | why it cannot matter |
|---|---|---|
| real | intermediates.oprf_key | never leaves the library; what it makes, registration_response, is compared |
| fake | inputs.client_private_key | nobody holds it: there is no client |
| fake | inputs.client_keyshare_seed | the vector gives KE1, into which it went |
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from qpqnative import (
    OpaqueServerSetup,
    opaque_login_finish,
    opaque_registration_record,
    opaque_registration_response,
    testing,
)
from tests.vectors.flips import unnoticed

Case = dict[str, Any]
REAL, FAKE = 2, 1
PARTS = ("inputs", "intermediates", "outputs")
REAL_FLIPS = {False: 31, True: 33}
"""Byte fields of a real case, without and with identities."""
FAKE_FLIPS = 16
REAL_BLIND = {("intermediates", "oprf_key")}
FAKE_BLIND = {("inputs", "client_private_key"), ("inputs", "client_keyshare_seed")}
MAC_BYTES = 64


def cases(vectors: Callable[[str, int], Any], fake: str) -> list[Case]:
    """The cases without the names in their configuration; all that is left is hexadecimal."""
    found = vectors("opaque/rfc9807.json", REAL + FAKE)
    ours = [case for case in found if case["config"]["Group"] == "ristretto255" and case["config"]["Fake"] == fake]
    return [{part: case[part] for part in PARTS} | {"context": case["config"]["Context"]} for case in ours]


def decoded(case: Case) -> Case:
    """The same case as bytes."""
    parts = {part: {name: bytes.fromhex(value) for name, value in case[part].items()} for part in PARTS}
    return parts | {"context": bytes.fromhex(case["context"])}


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


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"".join(parts), "sha512")


def expanded(secret: bytes, *info: bytes) -> bytes:
    """HKDF-Expand to one block (RFC 5869 §2.3)."""
    return mac(secret, *info, b"\x01")


def prefixed(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def mac_key(handshake_secret: bytes, label: bytes) -> bytes:
    """Derive-Secret with an empty transcript (RFC 9807 §6.4.2.1)."""
    label = b"OPAQUE-" + label
    return expanded(handshake_secret, MAC_BYTES.to_bytes(2, "big"), bytes([len(label)]), label, b"\0")


def hold_intermediates(case: Case) -> None:
    """Holds what the vector says of the inside against what the library showed, `outputs` being that by now."""
    i, m, o = (case[part] for part in PARTS)
    nonce, public = i["envelope_nonce"], i["server_public_key"]
    assert o["registration_upload"] == m["client_public_key"] + m["masking_key"] + m["envelope"]
    # RFC 9807 §4.1.2
    assert m["masking_key"] == expanded(m["randomized_password"], b"MaskingKey")
    assert m["auth_key"] == expanded(m["randomized_password"], nonce, b"AuthKey")
    assert o["export_key"] == expanded(m["randomized_password"], nonce, b"ExportKey")
    client, server = i.get("client_identity", m["client_public_key"]), i.get("server_identity", public)
    assert m["envelope"] == nonce + mac(m["auth_key"], nonce, public, prefixed(server), prefixed(client))
    # RFC 9807 §6.4
    ke2, server_mac = o["KE2"][:-MAC_BYTES], o["KE2"][-MAC_BYTES:]
    preamble = b"OPAQUEv1-" + prefixed(case["context"]) + prefixed(client) + o["KE1"] + prefixed(server) + ke2
    assert m["server_mac_key"] == mac_key(m["handshake_secret"], b"ServerMAC")
    assert m["client_mac_key"] == mac_key(m["handshake_secret"], b"ClientMAC")
    assert server_mac == mac(m["server_mac_key"], hashlib.sha512(preamble).digest())
    assert o["KE3"] == mac(m["client_mac_key"], hashlib.sha512(preamble + server_mac).digest())


def replay(raw: Case) -> None:
    case = decoded(raw)
    log_in(case, *register(case))
    hold_intermediates(case)


def fake_login(raw: Case, *, dummy: bool) -> None:
    """The answer for an unknown user: once with the vector's fake record, once by the server's own dummy."""
    case = decoded(raw)
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


def test_one_flipped_byte_fails_in_real_cases(vectors: Callable[[str, int], Any]) -> None:
    for case in cases(vectors, "False"):
        assert unnoticed(replay, case) == (REAL_FLIPS["client_identity" in case["inputs"]], REAL_BLIND)


@pytest.mark.parametrize("dummy", [False, True], ids=["record of the vector", "the server's dummy"])
def test_one_flipped_byte_fails_in_the_fake_case(vectors: Callable[[str, int], Any], dummy: bool) -> None:
    for case in cases(vectors, "True"):
        assert unnoticed(lambda c: fake_login(c, dummy=dummy), case) == (FAKE_FLIPS, FAKE_BLIND)
