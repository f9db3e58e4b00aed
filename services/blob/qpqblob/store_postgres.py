"""The store on PostgreSQL: chunks are rows, so that a half-written one cannot be. Who appends holds the blob's row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqblob import postgres_statements as sql
from qpqblob.store import Blob
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres.pool import rows_of
from qpqcore.store.postgres.refusals import Again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.store.postgres.bridge import Postgres
    from qpqcore.store.postgres.pool import Connection

SWEEP_BLOBS_MAX = 16
"""Blobs dropped in one transaction: they may be large."""
ERASED_TABLES = ("blobs", "chunks")


def _need(row: Any) -> Blob:
    if row is None:
        raise Refusal(ErrorCode.NOT_FOUND, "no such blob")
    return Blob(*row)


async def _drop(c: Connection, blobs: Sequence[bytes]) -> int:
    if blobs:
        await c.execute(sql.DROP_BLOBS, blobs)  # first: it waits for who appends, whose chunks go with the next
        await c.execute(sql.DROP_CHUNKS, blobs)
    return len(blobs)


class PostgresStore:
    """Implements `qpqblob.store.Store`."""

    def __init__(self, database: Postgres) -> None:
        self._db = self.database = database

    @property
    def away(self) -> str:
        """Why the database could not be reached the last time; empty while all is well."""
        return self._db.away

    async def blob(self, blob: bytes) -> Blob | None:
        async def body(c: Connection) -> Blob | None:
            row = await c.fetchrow(sql.BLOB, blob)
            return Blob(*row) if row else None

        return await self._db.read(body, at=("blobs", blob))

    async def begin(self, fresh: Blob, account_bytes_max: int) -> Blob:
        async def body(c: Connection) -> Blob:
            there = await c.fetchrow(sql.BLOB, fresh.blob)
            if there is not None:
                return Blob(*there)
            if not rows_of(await c.execute(sql.HOLD_UPLOADER, fresh.account)):
                raise Again
            if await c.fetchval(sql.USED, fresh.account) + fresh.total_bytes > account_bytes_max:
                raise Refusal(ErrorCode.BLOB_QUOTA, "this account keeps too much here")
            await c.execute(
                sql.BEGIN, fresh.blob, fresh.account, fresh.total_bytes, fresh.secret_hash, fresh.expires_ms
            )
            await c.execute(sql.LET_UPLOADER_GO, fresh.account)
            return _need(await c.fetchrow(sql.BLOB, fresh.blob))  # another account may have begun it at this moment

        return await self._db.write(body)

    async def append(self, blob: bytes, offset: int, chunks: Sequence[bytes], expires_ms: int) -> Blob:
        async def body(c: Connection) -> Blob:
            there = _need(await c.fetchrow(sql.BLOB_LOCKED, blob))
            if there.complete or offset != there.received:
                raise Refusal(ErrorCode.BLOB_OFFSET, f"go on at byte {there.received}")
            at = offset
            for chunk in chunks:
                await c.execute(sql.ADD_CHUNK, blob, at, chunk)
                at += len(chunk)
            return _need(await c.fetchrow(sql.RECEIVED, blob, at, expires_ms))

        return await self._db.write(body, at=("blobs", blob))

    async def chunk(self, blob: bytes, offset: int, bytes_max: int) -> bytes:
        async def body(c: Connection) -> bytes:
            rows = await c.fetch(sql.CHUNKS, blob, offset, bytes_max)
            found = b"".join(data[max(0, offset - at) : offset + bytes_max - at] for at, data in rows)
            return found[:bytes_max]

        return await self._db.read(body, at=("chunks", blob))

    async def complete(self, blob: bytes, expires_ms: int) -> Blob:
        return await self._changed(sql.COMPLETE, blob, expires_ms)

    async def extend(self, blob: bytes, expires_ms: int) -> Blob:
        return await self._changed(sql.EXTEND, blob, expires_ms)

    async def _changed(self, statement: str, blob: bytes, expires_ms: int) -> Blob:
        async def body(c: Connection) -> Blob:
            return _need(await c.fetchrow(statement, blob, expires_ms))

        return await self._db.change(body, at=("blobs", blob))

    async def delete(self, blob: bytes) -> None:
        await self._db.write(lambda c: _drop(c, [blob]), at=("blobs", blob))

    async def purge(self, account: bytes) -> int:
        """Drop an account's blobs, then take them out of the tables' pages, as far as that goes.

        See docs/operate/postgresql.md: PostgreSQL does not wipe what it frees, and its write-ahead log keeps it a while.
        """

        async def body(c: Connection) -> int:
            return await _drop(c, [row[0] for row in await c.fetch(sql.BLOBS_OF, account)])

        count = await self._db.write(body)
        self._db.owe_vacuum(*ERASED_TABLES)
        return count

    async def stored_bytes(self) -> int:
        return int(await self._db.read(lambda c: c.fetchval(sql.STORED_BYTES)))

    async def sweep(self, now_ms: int) -> int:
        async def over(c: Connection) -> list[bytes]:
            return [row[0] for row in await c.fetch(sql.OLD_BLOBS, now_ms, SWEEP_BLOBS_MAX)]

        async def body(c: Connection) -> int:
            # One that was extended since stays; one that another process drops at this moment is not there any more.
            gone = [row[0] for row in await c.fetch(sql.DROP_OLD, old, now_ms)]
            if gone:
                await c.execute(sql.DROP_CHUNKS, gone)
            return len(gone)

        old = await self._db.read(over)
        count = await self._db.write(body) if old else 0
        if not count:
            await self._db.vacuum()
        return count
