"""Group commit: what arrives while a batch is flushed forms the next one. No timer, one flush at a time.

An item whose caller goes before its batch has begun is left out; after that nobody goes before it has ended.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - runs on the bridge
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qpqcore.store.postgres.pool import Pool

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """A queue that is flushed in turn; `flush` returns one result for each item, in order.

    `idle` is run when nothing waits any more, and raises nothing.
    """

    def __init__(
        self, pool: Pool, flush: Callable[[list[Item]], Awaitable[Sequence[Result]]], weigh: Callable[[Item], int],
        idle: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._pool = pool
        self._idle = idle
        self._flush = flush
        self._weigh = weigh
        self._waiting: deque[tuple[Item, asyncio.Future[Result], asyncio.Task[Any] | None]] = deque()
        self._is_flushing = False

    @property
    def waiting(self) -> int:
        """Items that are not being flushed yet."""
        return len(self._waiting)

    async def add(self, item: Item) -> Result:
        """Wait until the item is flushed; return its result, or raise what its batch met. On the bridge."""
        if len(self._waiting) >= limits.WAITING_MAX:
            raise Refusal(ErrorCode.OVERLOADED, "too much waits to be written", retry_after_ms=limits.RETRY_AFTER_MS)
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result, asyncio.current_task()))
        if not self._is_flushing:
            self._is_flushing = True
            self._pool.keep(asyncio.get_running_loop().create_task(self._flush_all()))
        with self._pool.may_cancel():
            return await result

    async def _flush_all(self) -> None:
        try:
            while True:
                while batch := self._next():
                    await self._flush_one(batch)
                await self._idle()
                if not self._waiting:
                    return
        finally:
            self._is_flushing = False

    def _next(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        room = limits.BATCH_BYTES_MAX
        while self._waiting and len(batch) < limits.BATCH_ITEMS_MAX and (room > 0 or not batch):
            item, result, task = self._waiting.popleft()
            if not result.done():  # else its caller has gone
                if task is not None:
                    self._pool.cancellable.discard(task)
                batch.append((item, result))
                room -= self._weigh(item)
        return batch

    async def _flush_one(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        statistics = self._pool.statistics
        statistics.batches += 1
        statistics.batched += len(batch)
        statistics.largest_batch = max(statistics.largest_batch, len(batch))
        statistics.batch.observe(len(batch))
        try:
            answers = await self._flush([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 - handed to every member of the batch
            for _, result in batch:
                if not result.done():
                    result.set_exception(exc)
            return
        for (_, result), answer in zip(batch, answers, strict=True):
            if not result.done():
                result.set_result(answer)
