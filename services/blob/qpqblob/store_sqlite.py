"""The store on SQLCipher: chunks are rows, so that a half-written one cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqblob.store import Blob
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.store.connection import Connection
    from qpqcore.store.database import Database

COLUMNS = "blob, account, total_bytes, received, complete, secret_hash, expires_ms"
SWEEP_BLOBS_MAX = 16
"""Blobs dropped in one transaction: they may be large."""


def _find(c: Connection, blob: bytes) -> Blob | None:
    row = c.execute(f"SELECT {COLUMNS} FROM blobs WHERE blob = ?", (blob,)).fetchone()  # noqa: S608 - fixed text
    return Blob(row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6]) if row else None


def _need(c: Connection, blob: bytes) -> Blob:
    found = _find(c, blob)
    if found is None:
        raise Refusal(ErrorCode.NOT_FOUND, "no such blob")
    return found


def _drop(c: Connection, blob: bytes) -> None:
    c.execute("DELETE FROM chunks WHERE blob = ?", (blob,))
    c.execute("DELETE FROM blobs WHERE blob = ?", (blob,))


class SqliteStore:
    """Implements `qpqblob.store.Store`."""

    def __init__(self, database: Database) -> None:
        self._db = self.database = database

    async def blob(self, blob: bytes) -> Blob | None:
        return await self._db.read(lambda c: _find(c, blob))

    async def begin(self, fresh: Blob, account_bytes_max: int) -> Blob:
        def body(c: Connection) -> Blob:
            there = _find(c, fresh.blob)
            if there is not None:
                return there
            used = c.execute(
                "SELECT coalesce(sum(total_bytes), 0) FROM blobs WHERE account = ?", (fresh.account,)
            ).fetchone()[0]
            if used + fresh.total_bytes > account_bytes_max:
                raise Refusal(ErrorCode.BLOB_QUOTA, "this account keeps too much here")
            c.execute(
                f"INSERT INTO blobs ({COLUMNS}) VALUES (?, ?, ?, 0, 0, ?, ?)",  # noqa: S608 - fixed text
                (fresh.blob, fresh.account, fresh.total_bytes, fresh.secret_hash, fresh.expires_ms),
            )
            return fresh

        return await self._db.write(body)

    async def append(self, blob: bytes, offset: int, chunks: Sequence[bytes], expires_ms: int) -> Blob:
        def body(c: Connection) -> Blob:
            there = _need(c, blob)
            if there.complete or offset != there.received:
                raise Refusal(ErrorCode.BLOB_OFFSET, f"go on at byte {there.received}")
            at = offset
            for chunk in chunks:
                c.execute("INSERT INTO chunks VALUES (?, ?, ?)", (blob, at, chunk))
                at += len(chunk)
            c.execute(
                "UPDATE blobs SET received = ?, expires_ms = max(expires_ms, ?) WHERE blob = ?", (at, expires_ms, blob)
            )
            return _need(c, blob)

        return await self._db.write(body)

    async def chunk(self, blob: bytes, offset: int, bytes_max: int) -> bytes:
        def body(c: Connection) -> bytes:
            rows = c.execute(
                "SELECT at, data FROM chunks WHERE blob = ? AND at < ? AND at >= "
                "(SELECT coalesce(max(at), 0) FROM chunks WHERE blob = ? AND at <= ?) ORDER BY at",
                (blob, offset + bytes_max, blob, offset),
            )
            found = b"".join(data[max(0, offset - at) : offset + bytes_max - at] for at, data in rows)
            return found[:bytes_max]

        return await self._db.read(body)

    async def complete(self, blob: bytes, expires_ms: int) -> Blob:
        def body(c: Connection) -> Blob:
            c.execute("UPDATE blobs SET complete = 1, expires_ms = ? WHERE blob = ?", (expires_ms, blob))
            return _need(c, blob)

        return await self._db.write(body)

    async def extend(self, blob: bytes, expires_ms: int) -> Blob:
        def body(c: Connection) -> Blob:
            c.execute("UPDATE blobs SET expires_ms = max(expires_ms, ?) WHERE blob = ?", (expires_ms, blob))
            return _need(c, blob)

        return await self._db.write(body)

    async def delete(self, blob: bytes) -> None:
        await self._db.write(lambda c: _drop(c, blob))

    async def purge(self, account: bytes) -> int:
        def body(c: Connection) -> int:
            blobs = [r[0] for r in c.execute("SELECT blob FROM blobs WHERE account = ?", (account,))]
            for blob in blobs:
                _drop(c, blob)
            return len(blobs)

        count = await self._db.write(body)
        await self._db.erase()
        return count

    async def stored_bytes(self) -> int:
        return int(
            await self._db.read(lambda c: c.execute("SELECT coalesce(sum(received), 0) FROM blobs").fetchone()[0])
        )

    async def sweep(self, now_ms: int) -> int:
        def body(c: Connection) -> int:
            rows = c.execute(
                "SELECT blob FROM blobs WHERE expires_ms <= ? LIMIT ? + 0", (now_ms, SWEEP_BLOBS_MAX)
            ).fetchall()
            for (blob,) in rows:
                _drop(c, blob)
            return len(rows)

        count = await self._db.write(body)
        await self._db.erase_in_time(now_ms, gone=count > 0)
        return count
