"""The bridge from Trio to asyncpg: a thread with a loop of its own, and two queues that many calls cross together.

1. A call hands a coroutine function over and sleeps; what finishes in one round of the loop wakes Trio once.
2. uvloop halves what a call costs: 16 in flight take 80 us of CPU each for a select by key, 150 with asyncio's own loop.
3. A call that is cancelled while it waits for its turn is not begun. One that is under way ends, within its bounds, and its
   caller goes on with what came of it: what follows from a commit follows from every commit (as in `store.database`).
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - asyncpg's own loop
import threading
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import structlog
import trio
import uvloop

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.obs import traces
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.batches import Batches
from qpqcore.store.postgres.face import OnCitus
from qpqcore.store.postgres.nodes import Nodes
from qpqcore.store.postgres.pool import Connection, Pool, Statistics
from qpqcore.store.postgres.schemas import Schema, become_routed, check_version, node_settings, session_settings
from qpqcore.store.readings import Connections, Load, Routes
from qpqcore.store.waits import Waits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

    from qpqcore.store.postgres.shards import Address, Place

T = TypeVar("T")
log = structlog.get_logger()
VACUUM = "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF, SKIP_LOCKED) "
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Job:
    """What a Trio task asked for, and what came of it."""

    work: Callable[[], Coroutine[Any, Any, Any]]
    sleeper: trio.lowlevel.Task
    task: asyncio.Task[None] | None = None
    abandoned: bool = False
    result: outcome.Outcome[Any] | None = None


class Postgres:
    """One service's database; made by `open_postgres`."""

    def __init__(self, url: str, schema: Schema, *, connections_max: int) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._asked: deque[Job] = deque()
        self._is_called = False
        self._done: list[Job] = []
        self._owed: set[str] = set()
        self._queues: list[Batches[Any, Any]] = []
        self._waits = Waits(schema.name)

        async def check(connection: Connection) -> None:
            self.pool.is_citus = await check_version(connection, schema)
            if self.pool.is_citus:
                await become_routed(connection, schema)

        def face(connection: Any) -> Connection:
            return OnCitus(connection, schema.layout.on_citus) if self.pool.is_citus else connection

        def open_node(address: Address) -> Pool:
            settings, count = node_settings(schema), connections_max
            made = Pool(url, settings, _nothing, connections_max=count, at=address, beside=self.pool)
            made.face, made.is_started = face, True
            return made

        self.pool = Pool(url, session_settings(schema), check, connections_max=connections_max)
        self.pool.face = face
        self.nodes = Nodes(self.pool, schema.name, schema.layout, open_node)
        """For coroutines that run on the bridge, `call`: the connections that the database_url names, and all nodes'."""
        self._thread = threading.Thread(target=self._serve, name="qpq-postgres", daemon=True)
        self._thread.start()

    @property
    def away(self) -> str:
        """Why no connection could be had the last time; empty while all is well."""
        return self.pool.away

    @property
    def statistics(self) -> Statistics:
        """Counters since the database was opened."""
        return self.pool.statistics

    async def write(self, body: Callable[[Connection], Awaitable[T]], at: Place | None = None) -> T:
        """Run `body` in a transaction on the bridge; see `Pool.transaction`.

        `at`, here and below: a table and a value of the column by which it is distributed, if all that the body touches is
        of this value and of tables in that table's group. Then it goes to the node that owns it (`nodes`).
        """
        return await self.call(lambda: self.nodes.transaction(body, at))

    async def read(self, body: Callable[[Connection], Awaitable[T]], at: Place | None = None) -> T:
        """Run `body`, which only reads, without a transaction on the bridge; see `Pool.single`."""
        self.statistics.reads += 1
        return await self.call(lambda: self.nodes.single(body, at))

    async def change(self, body: Callable[[Connection], Awaitable[T]], at: Place | None = None) -> T:
        """Run `body`, one statement whose repetition changes nothing more, on the bridge; see `Pool.single`."""
        return await self.call(lambda: self.nodes.single(body, at))

    async def look_up(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function on the bridge that only reads, over `nodes` in steps of its own."""
        self.statistics.reads += 1
        return await self.call(work)

    async def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function on the bridge's thread; return, or raise, what it does."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if (span := traces.step("store transaction")) is not None:
            with traces.within(span):
                return await self._queued(work)
        return await self._queued(work)

    async def _queued(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if len(self._asked) >= limits.WAITING_MAX:
            raise Refusal(ErrorCode.OVERLOADED, "too much waits for the database", retry_after_ms=limits.RETRY_AFTER_MS)
        job = Job(work, trio.lowlevel.current_task())
        self._waits.begin(job)
        self._asked.append(job)
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon_threadsafe(self._take)

        def abort(_: Any) -> trio.lowlevel.Abort:
            self._loop.call_soon_threadsafe(self._abandon, job)
            return trio.lowlevel.Abort.FAILED

        try:
            value: T = await trio.lowlevel.wait_task_rescheduled(abort)
        except asyncio.CancelledError:
            await trio.lowlevel.checkpoint_if_cancelled()
            raise
        except Refusal as no:
            self._waits.met(no)
            raise
        finally:
            self._waits.end(job)
        return value

    def batches(
        self, flush: Callable[[list[Item]], Awaitable[Sequence[Result]]], weigh: Callable[[Item], int],
        idle: Callable[[], Awaitable[None]],
    ) -> Batches[Item, Result]:  # fmt: skip
        """Return a queue whose items are flushed together, in turn."""
        made = Batches(self.pool, flush, weigh, idle)
        self._queues.append(made)
        return made

    @property
    def load(self) -> Load:
        """Return what an operator sees of it."""
        counted, pools = self.pool.statistics, [self.pool, *self.nodes.pools]
        waiting = len(self._asked) + sum(pool.waiting for pool in pools)
        connections = [pool.connections for pool in pools]
        return Load(
            up=not self.pool.away, writes=counted.transactions, reads=counted.reads,
            waiting=waiting + sum(queue.waiting for queue in self._queues),
            commit_seconds=counted.commit_seconds, batch=counted.batch, oldest_seconds=self._waits.oldest_seconds,
            full=self._waits.is_full,
            connections=Connections(
                open=sum(c.open for c in connections), in_use=sum(c.in_use for c in connections),
                dropped=counted.connections_dropped,
            ),
            routes=Routes(counted.by_owner, counted.by_coordinator),
        )  # fmt: skip

    # --- on the bridge's thread

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _take(self) -> None:
        self._is_called = False
        while self._asked:
            job = self._asked.popleft()
            if not job.abandoned:
                job.task = self._loop.create_task(self._run(job))
                self.pool.keep(job.task)

    async def _run(self, job: Job) -> None:
        self._finished(job, await outcome.acapture(job.work))

    def _finished(self, job: Job, result: outcome.Outcome[Any]) -> None:
        job.result = result
        if not self._done:
            self._loop.call_soon(self._tell)
        self._done.append(job)

    def _abandon(self, job: Job) -> None:
        """Take back what has not begun; its caller is woken in either case."""
        if job.task is None:
            job.abandoned = True
            self._finished(job, outcome.Error(asyncio.CancelledError()))
        elif job.task in self.pool.cancellable:
            job.task.cancel()

    def _tell(self) -> None:
        done, self._done = self._done, []

        def wake() -> None:
            for job in done:
                if job.result is not None:
                    trio.lowlevel.reschedule(job.sleeper, job.result)

        try:
            self._token.run_sync_soon(wake)
        except trio.RunFinishedError:
            return

    async def _finish(self) -> None:
        """Let what is under way end: it is bounded."""
        for pool in [self.pool, *self.nodes.pools]:
            pool.stop_knocking()
        own = asyncio.current_task()
        while left := [task for task in self.pool.running if task is not own]:
            await asyncio.wait(left)
        for pool in [self.pool, *self.nodes.pools]:
            await pool.close()

    def close(self) -> None:
        """Finish what is under way and end the thread."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # --- what was deleted

    def owe_vacuum(self, *tables: str) -> None:
        """Note that rows of these tables were deleted for good; the next `vacuum` takes them out of the tables."""
        self._owed.update(tables)

    async def vacuum(self) -> None:
        """Take out of the tables what was deleted for good since the last time; what takes too long is left to autovacuum."""
        owed, self._owed = sorted(self._owed), set()
        for table in owed:

            async def body(connection: Connection, table: str = table) -> None:
                await connection.execute(f"SET statement_timeout = {limits.VACUUM_MS_MAX}")
                try:
                    await connection.execute(VACUUM + table)
                finally:
                    await connection.execute("RESET statement_timeout")

            try:
                await self.change(body)
            except Refusal as no:
                log.warning("vacuum_waits", table=table, code=no.code.name)


@asynccontextmanager
async def open_postgres(
    url: str, schema: Schema, *, connections_max: int = limits.CONNECTIONS_MAX
) -> AsyncIterator[Postgres]:
    """Open a service's database. DatabaseTooOld, DatabaseTooNew.

    One that is away is no reason not to start: its calls are refused with `unavailable` until it is there, and a schema
    that does not fit shows in `away` then.
    """
    database = Postgres(url, schema, connections_max=connections_max)
    try:
        try:
            await database.read(_nothing)
        except Refusal as no:
            log.warning("database_away_at_start", service=schema.name, code=no.code.name)
        database.pool.is_started = True
        yield database
    finally:
        database.close()


async def _nothing(connection: Connection) -> None:
    """Ask for a connection, and for nothing of it."""
