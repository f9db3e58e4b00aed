"""OPAQUE as deployed: log-in across replicas, refusals, the dummy's likeness, Argon2id."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qpqnative import (
    OpaqueError,
    OpaqueLogin,
    OpaqueRegistration,
    OpaqueServerSetup,
    argon2id,
    opaque_login_finish,
    opaque_login_response,
    opaque_registration_record,
    opaque_registration_response,
)

PASSWORD, CREDENTIAL_ID = b"correct horse", b"credential id"


def refusal(call: Callable[[], object]) -> str:
    """The kind with which a call is refused."""
    with pytest.raises(OpaqueError) as refused:
        call()
    return refused.value.kind


def registered(setup: OpaqueServerSetup) -> tuple[bytes, bytes]:
    """A record and the client's export key."""
    registration = OpaqueRegistration()
    response = opaque_registration_response(setup, registration.start(PASSWORD), CREDENTIAL_ID)
    upload, export_key, public = registration.finish(PASSWORD, response)
    assert public == setup.public_key
    return opaque_registration_record(upload), export_key


def test_a_login_gives_both_sides_one_key_and_the_client_his_own() -> None:
    setup = OpaqueServerSetup.new()
    record, export_key = registered(setup)
    login = OpaqueLogin()
    response, state = opaque_login_response(
        OpaqueServerSetup.from_bytes(setup.to_bytes()), record, login.start(PASSWORD), CREDENTIAL_ID
    )
    finalization, session_key, again, public = login.finish(PASSWORD, response)
    assert (again, public, len(session_key), len(export_key)) == (export_key, setup.public_key, 64, 64)
    assert opaque_login_finish(state, finalization) == session_key


@pytest.mark.parametrize("known", [True, False], ids=["wrong password", "unknown user"])
def test_a_wrong_password_and_an_unknown_user_are_the_same(known: bool) -> None:
    setup = OpaqueServerSetup.new()
    record, _ = registered(setup)
    login = OpaqueLogin()
    response, state = opaque_login_response(setup, record if known else None, login.start(b"wrong"), CREDENTIAL_ID)
    assert (len(response), len(state)) == (320, 128)
    assert refusal(lambda: login.finish(b"wrong", response)) == "invalid_login"
    assert refusal(lambda: opaque_login_finish(state, bytes(64))) == "invalid_login"


def test_another_credential_id_is_another_user() -> None:
    setup = OpaqueServerSetup.new()
    record, _ = registered(setup)
    login = OpaqueLogin()
    response, _ = opaque_login_response(setup, record, login.start(PASSWORD), b"somebody else")
    assert refusal(lambda: login.finish(PASSWORD, response)) == "invalid_login"


def test_a_state_takes_its_own_finalization_only() -> None:
    setup = OpaqueServerSetup.new()
    record, _ = registered(setup)
    first, second = OpaqueLogin(), OpaqueLogin()
    response, _ = opaque_login_response(setup, record, first.start(PASSWORD), CREDENTIAL_ID)
    _, other_state = opaque_login_response(setup, record, second.start(PASSWORD), CREDENTIAL_ID)
    finalization, *_ = first.finish(PASSWORD, response)
    assert refusal(lambda: opaque_login_finish(other_state, finalization)) == "invalid_login"


def test_malformed_bytes_are_named() -> None:
    setup = OpaqueServerSetup.new()
    record, _ = registered(setup)
    request = OpaqueLogin().start(PASSWORD)
    calls: list[Callable[[], object]] = [
        lambda: OpaqueServerSetup.from_bytes(b""),
        lambda: OpaqueServerSetup.from_bytes(setup.to_bytes() + b"\0"),
        lambda: opaque_registration_response(setup, b"\xff" * 32, CREDENTIAL_ID),
        lambda: opaque_registration_response(setup, bytes(31), CREDENTIAL_ID),
        lambda: opaque_registration_record(bytes(191)),
        lambda: opaque_login_response(setup, record[:-1], request, CREDENTIAL_ID),
        lambda: opaque_login_response(setup, record, request[:-1], CREDENTIAL_ID),
        lambda: opaque_login_finish(b"short", bytes(64)),
    ]
    assert [refusal(call) for call in calls] == ["malformed"] * len(calls)


def test_steps_go_in_order_and_once() -> None:
    setup = OpaqueServerSetup.new()
    login = OpaqueLogin()
    assert refusal(lambda: login.finish(PASSWORD, bytes(320))) == "poisoned"
    login = OpaqueLogin()
    response, _ = opaque_login_response(setup, registered(setup)[0], login.start(PASSWORD), CREDENTIAL_ID)
    login.finish(PASSWORD, response)
    assert refusal(lambda: login.finish(PASSWORD, response)) == "poisoned"


def test_argon2id_is_rfc_9106s() -> None:
    """Against the reference implementation's answer for the same parameters."""
    hashed = argon2id(b"password", b"somesalt", 65_536, 2, 1, 32)
    assert hashed.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"
    assert refusal(lambda: argon2id(b"password", b"short", 65_536, 2, 1, 32)) == "malformed"
    assert refusal(lambda: argon2id(b"password", b"somesalt", 0, 2, 1, 32)) == "malformed"
