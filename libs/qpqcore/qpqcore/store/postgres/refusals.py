"""What PostgreSQL's errors mean to a caller: away, full, busy, asked for too much, or a fault of ours.

The classes are those of PostgreSQL's appendix "Error Codes" (SQLSTATE).
"""

from __future__ import annotations

import asyncpg

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres.limits import FULL_RETRY_AFTER_MS, RETRY_AFTER_MS

AGAIN = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected: the same transaction, run again, finds its way."""
FULL = frozenset({"53100"})
BUSY = frozenset({"53000", "53200", "53300", "53400", "55P03", "57014"})
"""Out of memory or connections; a lock or a statement took too long."""
AWAY = frozenset({"25006", "25P03", "57P01", "57P02", "57P03", "57P04", "57P05", "58000", "58030", "3D000", "40003"})
"""Read-only (it has become a standby), shutting down, starting, failing to read its disk; no such database (yet)."""
AWAY_CLASSES = ("08", "28")
"""The connection is broken; the server does not let us in (a password that is being rotated)."""
NOT_TEXT = frozenset({"22021", "22P05"})
"""Text with a zero character: no name that was ever given out."""
NUMBER_TOO_LARGE = ("int64 range", "int32 range", "int16 range")
"""What asyncpg says of a number past the column's."""


class Again(Exception):
    """Raised by a body whose transaction has to be run again: another one did the same at the same time."""


class Unreached(Refusal):
    """No connection could be had: nothing was begun."""


def is_away(exc: BaseException) -> bool:
    """Tell whether the connection is of no use any more, or could not be had."""
    if isinstance(exc, asyncpg.PostgresError):
        state = exc.sqlstate or ""
        return state in AWAY or state.startswith(AWAY_CLASSES)
    return isinstance(exc, OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError | EOFError)


def is_again(exc: BaseException) -> bool:
    """Tell whether the same transaction may succeed if it is run again at once."""
    return isinstance(exc, Again) or (isinstance(exc, asyncpg.PostgresError) and exc.sqlstate in AGAIN)


def translated(exc: BaseException) -> BaseException:
    """Return the refusal that an error means, or the error itself: then it is a fault."""
    if isinstance(exc, asyncpg.DataError) and any(text in str(exc) for text in NUMBER_TOO_LARGE):
        return Refusal(ErrorCode.MALFORMED, "a number past 2^63")
    if isinstance(exc, asyncpg.PostgresError):
        state = exc.sqlstate or ""
        if state in FULL:
            return Refusal(ErrorCode.STORAGE_FULL, "the server's disk is full", retry_after_ms=FULL_RETRY_AFTER_MS)
        if state in BUSY or state in AGAIN:
            return Refusal(ErrorCode.OVERLOADED, "the database is busy", retry_after_ms=RETRY_AFTER_MS)
        if state in NOT_TEXT:
            return Refusal(ErrorCode.MALFORMED, "not a text")
    if isinstance(exc, Again):
        return Refusal(ErrorCode.OVERLOADED, "the same was asked for at the same time", retry_after_ms=RETRY_AFTER_MS)
    if is_away(exc):
        return Refusal(ErrorCode.UNAVAILABLE, "the database is away", retry_after_ms=RETRY_AFTER_MS)
    return exc
