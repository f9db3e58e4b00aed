"""A log-in's two halves: what it is answered from, and its state in between, sealed, so that any replica can finish it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import qpqnative
from qpqcore.crypto.parts import Malformed, Reader, u64, vec
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqauth.store import Account

AAD = b"qpq login state v1"
NONCE_BYTES = 12
FAKE_KEY_BYTES = 32
"""At the end of a setup: the public key that is shown for unknown users (qpqnative's OpaqueServerSetup)."""
FAKE_REST_BYTES = 64 + 96
"""Of a record: masking key and envelope."""


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """What loginStart answers from: an account's, or a stranger's."""

    account: bytes
    setup: int
    credential_id: bytes
    record: bytes


def login_record(stored: Account) -> LoginRecord:
    """Return an account's."""
    return LoginRecord(stored.account, stored.setup, stored.credential_id, stored.record)


def fake_record(setup: bytes) -> bytes:
    """Return a record that nobody has the password of.

    Answering from it is the very work of answering from a real one (RFC 9807 §6.3.2.2 recommends one such record).
    """
    return qpqnative.opaque_registration_record(setup[-FAKE_KEY_BYTES:] + secrets.token_bytes(FAKE_REST_BYTES))


@dataclass(frozen=True, slots=True)
class LoginState:
    """What loginFinish has to know; `account` is a random id for an unknown user, as long as a real one."""

    account: bytes
    known: bool
    opaque: bytes
    expires_ms: int


def seal(key: bytes, state: LoginState) -> bytes:
    """Seal a state under the servers' common key."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    plain = u64(state.expires_ms) + (b"\1" if state.known else b"\0") + vec(state.account) + vec(state.opaque)
    return nonce + AESGCM(key).encrypt(nonce, plain, AAD)


def unseal(key: bytes, sealed: bytes, now_ms: int) -> LoginState:
    """Open a state; Refusal(loginExpired) for one that is not ours or too old."""
    try:
        r = Reader(AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], AAD))
        expires_ms, known, account, opaque = r.number(8), r.number(1) == 1, r.vec(), r.vec()
        r.end()
    except (InvalidTag, ValueError, Malformed) as exc:
        raise Refusal(ErrorCode.LOGIN_EXPIRED, "begin the log-in again") from exc
    if expires_ms <= now_ms:
        raise Refusal(ErrorCode.LOGIN_EXPIRED, "the log-in took too long: begin again")
    return LoginState(account, known, opaque, expires_ms)
