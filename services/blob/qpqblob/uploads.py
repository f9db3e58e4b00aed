"""Uploads under way: chunks may come before their turn; what has its turn is stored together, and its hash goes along.

1. A chunk waits in the call that brought it, a bounded time, for those before it. Of a blob's calls one at a time stores
   all that have their turn, in one transaction: they share what a commit costs.
2. The hash goes along with what is stored. Where it does not, because the upload began in an earlier process, what is
   stored is read again at the end.
3. A lane knows of its blob what it stored itself. When that fails it is over, and the next begins with what the store says.
   So it is over when somebody is to be told where to go on and the store is further: where several processes share it, the
   bus brings a client's calls to one of them (`qpqcore.bus.tcp_client`), and while that one is away to another.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import BLOB_HASH_BYTES

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

    from qpqblob.store import Blob, Store

log = structlog.get_logger()

AHEAD_BYTES_MAX = 4 * 1024 * 1024
"""How far before its turn a chunk may come: bounds what waits for one blob."""
TURN_SECONDS = 2.0
"""How long a chunk waits while none is stored: for one before it that was lost on the way and is sent again."""
TOGETHER_MAX = 8
"""Chunks in one transaction: 2 MiB keep other uploads waiting for some 30 ms."""
LANES_MAX = 1_024
"""Uploads whose hash goes along; of more, the one unused for longest is read again at its end."""
HASH_STEP_BYTES = 1024 * 1024
"""What is read at a time when that has to be."""


class Lost(Exception):
    """What a lane knew may not be so any more."""


def check_begun(row: Blob, fresh: Blob) -> None:
    """Refuse to go on with an upload of somebody else, or of something else. Refusal(forbidden), Refusal(malformed)."""
    if row.account != fresh.account:
        raise Refusal(ErrorCode.FORBIDDEN, "somebody else keeps this blob")
    if row.total_bytes != fresh.total_bytes or not hmac.compare_digest(row.secret_hash, fresh.secret_hash):
        raise Refusal(ErrorCode.MALFORMED, "this blob was begun with another size or secret")


class Lane:
    """One blob's chunks on their way into the store."""

    def __init__(self, store: Store, row: Blob) -> None:
        self.row = row
        self._store = store
        self._digest: Hash | None = None if row.received else hashlib.sha256()
        self._waiting: dict[int, bytes] = {}
        self._busy = False
        self._over: Exception | None = None
        self._moved = trio.lowlevel.ParkingLot()

    @property
    def idle(self) -> bool:
        """Whether no call is in it."""
        return not self._waiting

    def differs(self, there: Blob | None) -> bool:
        """Whether the store says something else than what this lane knows, and is not just being written to by it."""
        known = (self.row.received, self.row.complete)
        return not self._busy and (there is None or (there.received, there.complete) != known)

    def end(self) -> None:
        """Send those who wait to the next lane."""
        self._over = Lost()
        self._moved.unpark_all()

    async def add(self, offset: int, chunk: bytes, unfinished_ms: int, kept_ms: int) -> Blob:
        """Store a chunk in its turn; one that is there is taken. Lost, Refusal(blobOffset), and what storing refuses."""
        end = offset + len(chunk)
        try:
            while not self.row.complete and not end <= self.row.received < self.row.total_bytes:
                if self._over is not None:
                    raise self._over
                if end > self.row.received and not 0 <= offset - self.row.received <= AHEAD_BYTES_MAX:
                    raise self._out_of_turn()
                self._waiting[offset] = chunk
                if not self._busy and self._has_turn():
                    await self._advance(unfinished_ms, kept_ms)
                else:
                    await self._wait()
        finally:
            self._waiting.pop(offset, None)
        return self.row

    def _has_turn(self) -> bool:
        return self.row.received in self._waiting or self.row.received == self.row.total_bytes

    def _out_of_turn(self) -> Refusal:
        return Refusal(ErrorCode.BLOB_OFFSET, f"go on at byte {self.row.received}")

    async def _wait(self) -> None:
        with trio.move_on_after(TURN_SECONDS) as scope:
            await self._moved.park()
        if scope.cancelled_caught and not self._busy:
            raise self._out_of_turn()

    async def _advance(self, unfinished_ms: int, kept_ms: int) -> None:
        """Store what has its turn; the last call completes the blob."""
        self._busy = True
        over: Exception | None = Lost()  # also when this call is cancelled: what it wrote may be committed
        try:
            self.row = await self._stored(unfinished_ms)
            if self.row.received == self.row.total_bytes:
                self.row = await self._finished(kept_ms)
            over = None
        except Refusal as no:
            over = Lost() if no.code is ErrorCode.BLOB_OFFSET else no
            raise over from None
        finally:
            self._busy, self._over = False, over
            self._moved.unpark_all()

    async def _stored(self, unfinished_ms: int) -> Blob:
        run: list[bytes] = []
        at = self.row.received
        while len(run) < TOGETHER_MAX and (chunk := self._waiting.get(at)):
            run.append(chunk)
            at += len(chunk)
        if not run:
            return self.row
        row = await self._store.append(self.row.blob, self.row.received, run, unfinished_ms)
        if self._digest is not None:
            for chunk in run:
                self._digest.update(chunk)
        return row

    async def _finished(self, kept_ms: int) -> Blob:
        """Verify the hash, then mark the blob complete; a blob that is not its name is dropped."""
        row, digest = self.row, self._digest
        if digest is None:
            digest = hashlib.sha256()
            for offset in range(0, row.total_bytes, HASH_STEP_BYTES):
                digest.update(await self._store.chunk(row.blob, offset, HASH_STEP_BYTES))
        if not hmac.compare_digest(digest.digest(), row.blob[:BLOB_HASH_BYTES]):
            await self._store.delete(row.blob)
            log.info("blob_hash_mismatch", bytes=row.total_bytes)
            raise Refusal(ErrorCode.BLOB_HASH_MISMATCH, "the bytes are not those that the id names: send them again")
        return await self._store.complete(row.blob, kept_ms)


class Uploads:
    """The lanes of one process."""

    def __init__(self, store: Store, account_bytes_max: int) -> None:
        self._store = store
        self._account_bytes_max = account_bytes_max
        self._lanes: OrderedDict[bytes, Lane] = OrderedDict()

    async def begin(self, fresh: Blob, now_ms: int) -> Blob:
        """Begin an upload, or find the one that is there. Refusal(blobQuota), (forbidden), (malformed), (overloaded)."""
        lane = self._lanes.get(fresh.blob)
        if lane is not None and lane.row.expires_ms <= now_ms:
            self._drop(lane)
        return (await self._lane(fresh)).row

    async def look(self, fresh: Blob, now_ms: int) -> Blob:
        """`begin`, and what another process stored meanwhile counts: for who asks where to go on."""
        lane = self._lanes.get(fresh.blob)
        if lane is not None:
            await self._is_over(lane)
        return await self.begin(fresh, now_ms)

    async def add(self, fresh: Blob, offset: int, chunk: bytes, kept_ms: int) -> Blob:
        """Store a chunk in its turn; after the last one the blob is complete. The refusals of `begin` and of `Lane.add`."""
        while True:
            lane, refused = await self._lane(fresh), None
            try:
                row = await lane.add(offset, chunk, fresh.expires_ms, kept_ms)
            except Lost:
                self._drop(lane)
                continue
            except Refusal as no:
                refused = no
            if refused is None:
                if row.complete:
                    self._drop(lane)
                return row
            if refused.code is not ErrorCode.BLOB_OFFSET:
                self._drop(lane)
            elif await self._is_over(lane):
                continue
            raise refused

    async def _is_over(self, lane: Lane) -> bool:
        """Tell whether the store is elsewhere than the lane, which is over then."""
        if not lane.differs(await self._store.blob(lane.row.blob)):
            return False
        lane.end()
        self._drop(lane)
        return True

    def forget(self, blob: bytes) -> None:
        """Somebody deletes the blob."""
        self._lanes.pop(blob, None)

    async def _lane(self, fresh: Blob) -> Lane:
        lane = self._lanes.get(fresh.blob)
        if lane is None:
            row = await self._store.begin(fresh, self._account_bytes_max)
            lane = self._lanes.get(fresh.blob) or self._opened(row)
        check_begun(lane.row, fresh)
        if fresh.blob in self._lanes:
            self._lanes.move_to_end(fresh.blob)
        return lane

    def _opened(self, row: Blob) -> Lane:
        lane = Lane(self._store, row)
        if not row.complete:
            if len(self._lanes) >= LANES_MAX:
                idle = next((blob for blob, other in self._lanes.items() if other.idle), None)
                if idle is None:
                    raise Refusal(ErrorCode.OVERLOADED, "too many uploads at once", retry_after_ms=1_000)
                del self._lanes[idle]
            self._lanes[row.blob] = lane
        return lane

    def _drop(self, lane: Lane) -> None:
        if self._lanes.get(lane.row.blob) is lane:
            del self._lanes[lane.row.blob]
