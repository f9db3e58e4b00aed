"""The log-in state between start and finish: sealed, so that any replica can finish; single-use by its hash."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qpqcore.crypto.parts import Malformed, Reader, u64, vec
from qpqcore.model.errors import ErrorCode, Refusal

AAD = b"qpq login state v1"
NONCE_BYTES = 12


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
