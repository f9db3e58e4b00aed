"""OPAQUE (RFC 9807) on both sides: the server reads four messages and its own state, the client two answers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import qpqnative
from qpqnative import OpaqueError
from qpqnative.testing import opaque_login_start, opaque_registration_start
from tools.fuzz.target import Target, demand

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = b"the password"
CREDENTIAL_ID = b"c" * 32
BLIND = bytes([7]) + bytes(31)
"""A scalar of ristretto255: below the group's order, not zero."""
RANDOMNESS = bytes(range(64)) + b"n" * 32 + b"s" * 32 + b"r" * 32
"""As the server draws it: masking key, masking nonce, key share seed, nonce."""


class Talk:
    """One registration and one log-in, step by step, with all of the client's randomness given."""

    registration_request: bytes
    registration_response: bytes
    upload: bytes
    login_request: bytes
    login_response: bytes
    finalization: bytes
    state: bytes

    def __init__(self) -> None:
        self.setup = qpqnative.OpaqueServerSetup.from_bytes(SETUP)
        registration, self.registration_request = opaque_registration_start(PASSWORD, BLIND)
        self.registration_response = qpqnative.opaque_registration_response(
            self.setup, self.registration_request, CREDENTIAL_ID
        )
        self.upload, _, _ = registration.finish(
            PASSWORD, self.registration_response, identity_stretch=True, randomness=b"e" * 32
        )
        self.record = qpqnative.opaque_registration_record(self.upload)
        login, self.login_request = self.login()
        self.login_response, self.state = qpqnative.opaque_login_response(
            self.setup, self.record, self.login_request, CREDENTIAL_ID, randomness=RANDOMNESS
        )
        self.finalization, self.session_key, _, _ = login.finish(PASSWORD, self.login_response, identity_stretch=True)

    @staticmethod
    def login() -> tuple[qpqnative.OpaqueLogin, bytes]:
        """Return a fresh log-in and its request; always the same."""
        return opaque_login_start(PASSWORD, BLIND, b"k" * 32, b"n" * 32)


SETUP = bytes.fromhex(
    "00" * 64  # the OPRF seed
    + "01"
    + "00" * 31  # the server's private key: a scalar
    + "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"  # the dummy's public key: the base point
)


@cache
def _talk() -> Talk:
    return Talk()


def registration_request(data: bytes) -> None:
    """The server answers a registration."""
    answer = qpqnative.opaque_registration_response(_talk().setup, data, CREDENTIAL_ID)
    demand(len(answer) == len(_talk().registration_response), "an answer of another length")


def registration_upload(data: bytes) -> None:
    """The server checks an upload; its record is canonical, and a log-in with it is answered."""
    record = qpqnative.opaque_registration_record(data)
    demand(qpqnative.opaque_registration_record(record) == record, "a record changes when it is read again")
    qpqnative.opaque_login_response(_talk().setup, record, _talk().login_request, CREDENTIAL_ID)


def registration_response(data: bytes) -> None:
    """The client finishes a registration."""
    registration, _ = opaque_registration_start(PASSWORD, BLIND)
    registration.finish(PASSWORD, data, identity_stretch=True)


def login_request(data: bytes) -> None:
    """The server answers a log-in of a known and of an unknown user by as many bytes."""
    talk = _talk()
    known, _ = qpqnative.opaque_login_response(talk.setup, talk.record, data, CREDENTIAL_ID)
    unknown, _ = qpqnative.opaque_login_response(talk.setup, None, data, CREDENTIAL_ID)
    demand(len(known) == len(unknown) == len(talk.login_response), "a known user's answer has another length")


def login_response(data: bytes) -> None:
    """The client finishes a log-in: with the genuine answer only."""
    login, _ = Talk.login()
    _, key, _, _ = login.finish(PASSWORD, data, identity_stretch=True)
    demand(data == _talk().login_response and key == _talk().session_key, "an answer that the server never gave")


def login_finalization(data: bytes) -> None:
    """The server finishes a log-in: with the genuine finalization only."""
    key = qpqnative.opaque_login_finish(_talk().state, data)
    demand(data == _talk().finalization and key == _talk().session_key, "a finalization that the client never sent")


def login_state(data: bytes) -> None:
    """The server takes its own state up again, damaged."""
    qpqnative.opaque_login_finish(data, _talk().finalization)


def server_setup(data: bytes) -> None:
    """The server takes its own setup up; what it takes is written as it was read."""
    setup = qpqnative.OpaqueServerSetup.from_bytes(data)
    demand(qpqnative.OpaqueServerSetup.from_bytes(setup.to_bytes()).public_key == setup.public_key, "another key")


def _target(run: Callable[[bytes], None], what: str, seed: Callable[[Talk], bytes], *, slow: bool = False) -> Target:
    return Target(
        name=f"opaque_{run.__name__}", what=what, run=run, slow=slow, errors=(OpaqueError,), native=True,
        seeds=lambda: [("genuine", seed(_talk()))],
    )  # fmt: skip


TARGETS = (
    _target(registration_request, "OPAQUE registration requests", lambda t: t.registration_request),
    _target(
        registration_response,
        "OPAQUE registration responses, at the client",
        lambda t: t.registration_response,
        slow=True,
    ),
    _target(registration_upload, "OPAQUE uploads", lambda t: t.upload, slow=True),
    _target(login_request, "OPAQUE log-in requests", lambda t: t.login_request, slow=True),
    _target(login_response, "OPAQUE log-in responses, at the client", lambda t: t.login_response, slow=True),
    _target(login_finalization, "OPAQUE finalizations", lambda t: t.finalization),
    _target(login_state, "the server's stored log-in state", lambda t: t.state),
    _target(server_setup, "the server's OPAQUE setup", lambda _: SETUP),
)
