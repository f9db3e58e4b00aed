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
    return Keyed(caller, method, key, request, 0).replay(connection)


def remember(
    connection: Connection, caller: bytes, method: int, key: bytes, request: bytes, reply: bytes, now_ms: int
) -> None:
    """Keep the reply for a repetition of the call; does nothing without a key."""
    Keyed(caller, method, key, request, now_ms).remember(connection, reply)


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

    def place(self) -> tuple[bytes, int, bytes] | None:
        """Return where the reply stands (caller, method, the key's hash); None without a key. Refusal(malformed)."""
        if not self.key:
            return None
        if len(self.key) != KEY_BYTES:
            raise Refusal(ErrorCode.MALFORMED, "an idempotency key has 16 bytes")
        return self.caller, self.method, _hashed(b"name", self.key)

    def opened(self, request_hash: bytes, sealed: bytes) -> bytes:
        """Return the reply that stands there. Refusal(idempotencyMismatch)."""
        if bytes(request_hash) != hashlib.sha256(self.request).digest():
            raise Refusal(ErrorCode.IDEMPOTENCY_MISMATCH)
        return _sealer(self.key).decrypt(bytes(sealed[:NONCE_BYTES]), bytes(sealed[NONCE_BYTES:]), request_hash)

    def sealed(self, reply: bytes) -> tuple[bytes, bytes]:
        """Return the request's hash and the reply, as they are to be kept."""
        request_hash, nonce = hashlib.sha256(self.request).digest(), secrets.token_bytes(NONCE_BYTES)
        return request_hash, nonce + _sealer(self.key).encrypt(nonce, reply, request_hash)

    def replay(self, connection: Connection) -> bytes | None:
        """Return the reply given before, or None; Refusal(idempotencyMismatch), Refusal(malformed)."""
        place = self.place()
        if place is None:
            return None
        row = connection.execute(
            "SELECT request_hash, reply FROM keyed WHERE caller = ? AND method = ? AND key = ?", place
        ).fetchone()
        return None if row is None else self.opened(row[0], row[1])

    def remember(self, connection: Connection, reply: bytes) -> None:
        """Keep the reply for a repetition of the call; does nothing without a key."""
        place = self.place()
        if place is not None:
            connection.execute(
                "INSERT INTO keyed VALUES (?, ?, ?, ?, ?, ?)", (*place, *self.sealed(reply), self.now_ms)
            )


def prune(connection: Connection, now_ms: int) -> int:
    """Forget replies past their time, at most PRUNE_ROWS_MAX; return how many."""
    cursor = connection.execute(
        "DELETE FROM keyed WHERE (caller, method, key) IN "
        "(SELECT caller, method, key FROM keyed WHERE at_ms < ? LIMIT ? + 0)",
        (now_ms - KEPT_MS, PRUNE_ROWS_MAX),
    )
    return int(cursor.rowcount)
