"""Idempotency keys: the first reply to (caller, method, key) is repeated for 7 days.

Used inside the very transaction that has the effect, so that effect and memory live or die together. A reply is sealed
under the key that it answers, of which only a hash is kept: it may name people who are gone before the 7 days are.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqcore.store.connection import Connection

KEPT_MS = 7 * 24 * 3600 * 1000
KEY_BYTES = 16
NONCE_BYTES = 12
PRUNE_ROWS_MAX = 1_000

KEYED_DDL = """
CREATE TABLE keyed (
    caller BLOB NOT NULL,
    method INTEGER NOT NULL,
    key BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    reply BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (caller, method, key)
) WITHOUT ROWID;
CREATE INDEX keyed_by_age ON keyed (at_ms);
"""
"""To be part of the first migration of a service that has `$keyed` methods."""


def replay(connection: Connection, caller: bytes, method: int, key: bytes, request: bytes) -> bytes | None:
    """Return the reply given before, or None; Refusal(idempotencyMismatch), Refusal(malformed)."""
    if not key:
        return None
    if len(key) != KEY_BYTES:
        raise Refusal(ErrorCode.MALFORMED, "an idempotency key has 16 bytes")
    row = connection.execute(
        "SELECT request_hash, reply FROM keyed WHERE caller = ? AND method = ? AND key = ?",
        (caller, method, _hashed(b"name", key)),
    ).fetchone()
    if row is None:
        return None
    if bytes(row[0]) != hashlib.sha256(request).digest():
        raise Refusal(ErrorCode.IDEMPOTENCY_MISMATCH)
    sealed = bytes(row[1])
    return _sealer(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], row[0])


def remember(
    connection: Connection, caller: bytes, method: int, key: bytes, request: bytes, reply: bytes, now_ms: int
) -> None:
    """Keep the reply for a repetition of the call; does nothing without a key."""
    if key:
        request_hash, nonce = hashlib.sha256(request).digest(), secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + _sealer(key).encrypt(nonce, reply, request_hash)
        connection.execute(
            "INSERT INTO keyed VALUES (?, ?, ?, ?, ?, ?)",
            (caller, method, _hashed(b"name", key), request_hash, sealed, now_ms),
        )


def _hashed(what: bytes, key: bytes) -> bytes:
    return hashlib.sha256(b"qpq keyed " + what + b" v1" + key).digest()


def _sealer(key: bytes) -> AESGCM:
    return AESGCM(_hashed(b"reply", key))


@dataclass(frozen=True, slots=True)
class Keyed:
    """The idempotency key of a call, with who asked for what: a store repeats or keeps the reply by it."""

    caller: bytes
    method: int
    key: bytes
    request: bytes
    now_ms: int

    def replay(self, connection: Connection) -> bytes | None:
        """Return the reply given before, or None; Refusal(idempotencyMismatch), Refusal(malformed)."""
        return replay(connection, self.caller, self.method, self.key, self.request)

    def remember(self, connection: Connection, reply: bytes) -> None:
        """Keep the reply for a repetition of the call; does nothing without a key."""
        remember(connection, self.caller, self.method, self.key, self.request, reply, self.now_ms)


def prune(connection: Connection, now_ms: int) -> int:
    """Forget replies past their time, at most PRUNE_ROWS_MAX; return how many."""
    cursor = connection.execute(
        "DELETE FROM keyed WHERE (caller, method, key) IN "
        "(SELECT caller, method, key FROM keyed WHERE at_ms < ? LIMIT ?)",
        (now_ms - KEPT_MS, PRUNE_ROWS_MAX),
    )
    return int(cursor.rowcount)
