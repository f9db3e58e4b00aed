"""Idempotency keys on PostgreSQL; what they are stands in `qpqcore.store.keyed`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.store.keyed import KEPT_MS, PRUNE_ROWS_MAX
from qpqcore.store.postgres.pool import rows_of
from qpqcore.store.postgres.refusals import Again

if TYPE_CHECKING:
    from qpqcore.store.keyed import Keyed
    from qpqcore.store.postgres.pool import Connection

KEPT = "SELECT request_hash, reply FROM keyed WHERE caller = $1 AND method = $2 AND key = $3"
KEEP = (
    "INSERT INTO keyed (caller, method, key, request_hash, reply, at_ms) VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (caller, method, key) DO NOTHING"
)
FORGET_OLD = (
    "DELETE FROM keyed WHERE (caller, method, key) IN "
    "(SELECT caller, method, key FROM keyed WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)"
)


async def replay(c: Connection, keyed: Keyed) -> bytes | None:
    """Return the reply given before, or None; Refusal(idempotencyMismatch), Refusal(malformed)."""
    place = keyed.place()
    row = None if place is None else await c.fetchrow(KEPT, *place)
    return None if row is None else keyed.opened(row[0], row[1])


async def remember(c: Connection, keyed: Keyed, reply: bytes) -> None:
    """Keep the reply for a repetition of the call; does nothing without a key.

    If the same call has been answered at the same moment this one is undone and run again: it finds that answer then.
    """
    place = keyed.place()
    if place is not None and not rows_of(await c.execute(KEEP, *place, *keyed.sealed(reply), keyed.now_ms)):
        raise Again


async def prune(c: Connection, now_ms: int) -> None:
    """Forget replies past their time, at most PRUNE_ROWS_MAX."""
    await c.execute(FORGET_OLD, now_ms - KEPT_MS, PRUNE_ROWS_MAX)
