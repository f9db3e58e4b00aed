"""Opens SQLCipher connections with the settings that durability and speed were measured with (FACTS: stores)."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlcipher3
from sqlcipher3 import _sqlite3

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.errors import DatabaseUnreadable

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
CACHE_KIBIBYTES = 16 * 1024
"""Of each connection, and a server in its embedded form has twelve: what they may hold is a large part of its memory."""
BUSY_MS = 5_000
EMPTYING_MS = 100
"""How long emptying the log waits for readers: ours take a few milliseconds, and meanwhile nobody writes."""
PACKED_BYTES_MAX = 32 * 1024 * 1024
"""A database of this size takes 0.3 s to be packed, and meanwhile nobody writes."""
STATEMENTS_MAX = 256
"""Kept ready. A LIMIT that is a variable alone is planned by its value, so that SQLite (3.53) prepares the statement anew each time it
is run: 15 us, more where the caches are cold. `LIMIT ? + 0` is not.
"""
DISK_FULL = ("disk is full", "disk I/O error", "unable to open")
"""What SQLite says when the disk, its quota or its number of files is used up."""

STORE_ERRORS = (sqlcipher3.Error, MemoryError)
"""What the driver raises; the second for a page whose seal does not hold: SQLCipher says "out of memory" then."""

_memory_used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
_memory_used.restype = ctypes.c_int64

# For each value bound that is no int, float, str or bytearray, the driver looks for an adapter, and finds by way of two
# exceptions that there is none: 2.3 us for each bytes and None. These give back what they are given, in 0.1 us.
sqlcipher3.register_adapter(bytes, bytes)
sqlcipher3.register_adapter(type(None), {}.get)

Connection: TypeAlias = Any
"""A sqlcipher3.Connection: the driver has no type stubs, so its rows are untyped too."""


def connect(path: Path | None, key: bytes, *, read_only: bool = False, shared_name: str = "") -> Connection:
    """Open one connection; DatabaseUnreadable when the key or the file is wrong.

    `path` None: a database in memory, shared by all that give the same `shared_name`.
    """
    if len(key) != KEY_BYTES:
        raise ValueError("a database key has 32 bytes")
    where = f"file:{shared_name}?mode=memory&cache=shared" if path is None else str(path)
    connection = sqlcipher3.connect(
        where, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_MAX, uri=path is None
    )
    try:
        if path is not None:
            connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if path is not None and not read_only:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
    except STORE_ERRORS as exc:
        connection.close()
        raise DatabaseUnreadable(f"{path} cannot be read: not a database, or another key") from exc
    return connection


def memory_bytes() -> int:
    """Return what SQLite holds in this process (sqlite3_memory_used): above all page caches, each up to CACHE_KIBIBYTES."""
    return int(_memory_used())


def is_disk_full(exc: Exception) -> bool:
    """Tell whether an error says that the disk takes nothing more."""
    return isinstance(exc, sqlcipher3.OperationalError) and any(text in str(exc) for text in DISK_FULL)


def packed(connection: Connection) -> bool:
    """Write a database of up to PACKED_BYTES_MAX anew, page by page, without what stands in unused parts of its pages.

    `secure_delete` wipes a row where it stands; of rows that were moved while a tree was balanced SQLite leaves copies.
    False if a full disk was in the way. A larger database stays as it is: this would stop its writers for seconds.
    """
    try:
        pages, page_bytes = (
            int(connection.execute(f"PRAGMA {of}").fetchone()[0]) for of in ("page_count", "page_size")
        )
        if pages * page_bytes > PACKED_BYTES_MAX:
            return True
        connection.execute("VACUUM")
    except STORE_ERRORS:
        return False
    return True


def emptied_log(connection: Connection, patience_ms: int = EMPTYING_MS) -> bool:
    """Bring the write-ahead log into the database and empty it.

    False if a full disk, or for `patience_ms` a reader of an older snapshot, was in the way: nothing is lost by that.
    """
    try:
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except STORE_ERRORS:
        return False
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")


def translated(exc: Exception) -> Exception:
    """Turn the driver's disk-full errors into Refusal(storageFull), numbers past its columns into Refusal(malformed).

    Others are returned as they are. The wire's numbers go up to 2^64, SQLite's integers to 2^63: what lies between is no
    epoch, position or offset that was ever given out.
    """
    if isinstance(exc, OverflowError) and "SQLite INTEGER" in str(exc):
        return Refusal(ErrorCode.MALFORMED, "a number past 2^63")
    if is_disk_full(exc):
        return Refusal(ErrorCode.STORAGE_FULL, "the server's disk is full", retry_after_ms=60_000)
    return exc
