"""Connections of one service to PostgreSQL, on the bridge's thread.

1. Who wants a connection waits in turn, for WAIT_SECONDS_MAX at most; past WAITING_MAX nobody waits.
2. A connection is opened when it is wanted and none is free. One that has seen an error of its own (`is_away`), or whose
   work was cut short, is dropped; the next is opened at the next need: so a server that comes back is found by itself.
3. A transaction that fails before its COMMIT has done nothing. One whose COMMIT was not answered may have been done:
   its caller gets `unavailable` like the others, and what it does again is told apart by its key or its hash.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - asyncpg's own loop
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import asyncpg
import structlog

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.obs.histogram import COUNTS, Histogram
from qpqcore.store.errors import DatabaseError
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.refusals import Unreached, is_again, is_away, translated
from qpqcore.store.readings import Connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from qpqcore.store.postgres.shards import Address

T = TypeVar("T")
log = structlog.get_logger()


class Connection(Protocol):
    """What a body may ask of its connection: a statement by its text, which is prepared once."""

    async def fetch(self, query: str, *args: Any) -> Sequence[Any]:
        """Return all rows."""

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """Return the first row, or None."""

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Return the first column of the first row, or None."""

    async def execute(self, query: str, *args: Any) -> str:
        """Return the command's status: `UPDATE 3`."""


def rows_of(status: str) -> int:
    """Return how many rows a command has changed, of its status."""
    return int(status.rsplit(" ", 1)[1])


@dataclass(slots=True)
class Statistics:
    """Counters since the database was opened."""

    transactions: int = 0
    reads: int = 0
    tries: int = 0
    """Transactions that were run again after a deadlock."""
    connections_opened: int = 0
    connections_dropped: int = 0
    batches: int = 0
    batched: int = 0
    largest_batch: int = 0
    by_owner: int = 0
    """Transactions and reads that went to the node that owns their rows; 0 on a plain PostgreSQL."""
    by_coordinator: int = 0
    batch: Histogram = field(default_factory=lambda: Histogram(COUNTS))
    commit_seconds: Histogram = field(default_factory=Histogram)


class _Waiter:
    """One who waits for a connection; the result is one, or None: there is room to open another."""

    def __init__(self) -> None:
        self.turn: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


def _itself(connection: Any) -> Connection:
    found: Connection = connection
    return found


class _Stale(Exception):
    """A connection was broken before anything was done on it."""


def _is_lost(connection: Any, exc: Exception) -> bool:
    """Tell whether a connection is of no use any more: not where Citus says over it that another node is away (08...)."""
    is_told = isinstance(exc, asyncpg.PostgresError) and (exc.sqlstate or "").startswith("08")
    return is_away(exc) and (connection.is_closed() or not is_told)


class Pool:
    """Runs bodies over connections."""

    def __init__(
        self,
        url: str,
        settings: dict[str, str],
        check: Callable[[Connection], Awaitable[None]],
        *,
        connections_max: int,
        at: Address | None = None,
        beside: Pool | None = None,
    ) -> None:
        """`at`: of another node than `url` says. `beside`: with whose tasks its own are counted, cancelled and awaited."""
        self._url = url
        self._at = {} if at is None else {"host": at[0], "port": at[1]}
        self.is_citus = False
        """Whether the newest connection has found the extension."""
        self.face: Callable[[Any], Connection] = _itself
        """What bodies see of a connection."""
        self._is_closed = False
        self._settings = settings
        self._check = check
        self._max = connections_max
        self._free: list[Any] = []
        self._open = 0
        """Connections there are, with those on their way."""
        self._waiting: deque[_Waiter] = deque()
        self._opening = asyncio.Semaphore(limits.CONNECTIONS_OPENING_MAX)
        self._away_until = 0.0
        self.is_started = False
        """Whether who opened it goes on: a schema that does not fit is a refusal from then on, no fault at start."""
        self._knocking: asyncio.Task[None] | None = None
        self.away = ""
        """Why no connection could be had the last time; empty: one could."""
        self.cancellable: set[asyncio.Task[Any]] = beside.cancellable if beside else set()
        """Tasks that only wait for their turn: nothing is begun yet."""
        self.running: set[asyncio.Task[Any]] = beside.running if beside else set()
        """Tasks that have to end before the connections are closed."""
        self.statistics: Statistics = beside.statistics if beside else Statistics()

    @property
    def waiting(self) -> int:
        """Those who wait for a connection."""
        return len(self._waiting)

    @property
    def connections(self) -> Connections:
        """Return how many there are, and what became of others."""
        dropped = self.statistics.connections_dropped
        return Connections(open=self._open, in_use=self._open - len(self._free), dropped=dropped)

    # --- what bodies run in

    async def transaction(self, body: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `body` in a transaction and return its result once that is durable; again after a deadlock.

        Raises what `body` raises (nothing is done then), Refusal(unavailable), (overloaded), (storageFull), (malformed).
        """
        self.statistics.transactions += 1
        return await self._tried(lambda: self._transaction(body))

    async def single(self, body: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `body` without a transaction, each of its statements by itself; it may be run twice, and must be fit for that.

        For reading, and for one statement whose repetition changes nothing.
        """
        return await self._tried(lambda: self._single(body))

    async def _tried(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for left in reversed(range(limits.TRIES_MAX)):
            try:
                return await attempt()
            except Exception as exc:
                if left and (is_again(exc) or isinstance(exc, _Stale)):
                    self.statistics.tries += 1
                    continue
                told = translated(exc.__cause__ or exc) if isinstance(exc, _Stale) else translated(exc)
                if self.is_started and isinstance(exc, DatabaseError):
                    told = Refusal(
                        ErrorCode.UNAVAILABLE, "the database is another version's", retry_after_ms=limits.RETRY_AFTER_MS
                    )
                if told is exc:
                    raise
                raise told from exc
        raise AssertionError

    async def _single(self, body: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._borrowed() as connection:
            try:
                return await body(self.face(connection))
            except Exception as exc:
                if _is_lost(connection, exc):
                    raise self._stale() from exc
                raise

    async def _transaction(self, body: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._borrowed() as connection:
            begun_s = time.perf_counter()
            try:
                await connection.execute("BEGIN")
            except Exception as exc:
                if is_away(exc):
                    raise self._stale() from exc
                raise
            try:
                value = await body(self.face(connection))
            except Exception as exc:  # noqa: BLE001 - raised again when it is undone
                failed = exc
            else:
                await connection.execute("COMMIT")
                self.statistics.commit_seconds.observe(time.perf_counter() - begun_s)
                return value
            if not _is_lost(connection, failed):
                await connection.execute("ROLLBACK")
            raise failed

    def _stale(self) -> _Stale:
        """Drop what waits beside a connection that turned out to be broken: the server has been away."""
        for connection in self._free:
            self._dropped(connection)
        self._free.clear()
        return _Stale()

    @contextlib.asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        connection = await self._acquire()
        sound = False
        try:
            async with asyncio.timeout(limits.TRANSACTION_SECONDS_MAX):
                yield connection
            sound = True
        except Exception as exc:
            # an ordinary error leaves the connection as it was
            sound = not isinstance(exc, _Stale) and not _is_lost(connection, exc)
            raise
        finally:
            usable = sound and not connection.is_closed() and not connection.is_in_transaction()
            self._give_back(connection, sound=usable)

    # --- connections

    async def _acquire(self) -> Any:
        if self._waiting or not (self._free or self._open < self._max):
            connection = await self._turn()
        else:
            connection = self._pick()
        return connection if connection is not None else await self._opened()

    def _pick(self) -> Any:
        """Take a free connection, or room for one (None)."""
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
            self._dropped(connection)
        self._open += 1
        return None

    async def _turn(self) -> Any:
        if len(self._waiting) >= limits.WAITING_MAX:
            raise Refusal(ErrorCode.OVERLOADED, "too much waits for the database", retry_after_ms=limits.RETRY_AFTER_MS)
        waiter = _Waiter()
        self._waiting.append(waiter)
        try:
            with self.may_cancel():
                async with asyncio.timeout(limits.WAIT_SECONDS_MAX):
                    return await waiter.turn
        except BaseException as exc:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif waiter.turn.done() and not waiter.turn.cancelled():  # it came in this very moment
                self._give_back(waiter.turn.result(), sound=waiter.turn.result() is not None)
            if isinstance(exc, TimeoutError):
                raise Refusal(
                    ErrorCode.OVERLOADED, "the database is busy", retry_after_ms=limits.RETRY_AFTER_MS
                ) from None
            raise

    async def _opened(self) -> Any:
        connection = None
        try:
            with self.may_cancel():
                async with self._opening:
                    if asyncio.get_running_loop().time() < self._away_until:
                        raise Unreached(
                            ErrorCode.UNAVAILABLE, "the database is away", retry_after_ms=limits.RETRY_AFTER_MS
                        )
                    connection = await self._connect()
        finally:
            if connection is None:
                self._give_back(None, sound=False)
        return connection

    async def _connect(self) -> Any:
        try:
            connection = await asyncpg.connect(
                self._url, timeout=limits.CONNECT_SECONDS_MAX, server_settings=self._settings, **self._at,
                statement_cache_size=limits.STATEMENTS_CACHED_MAX, max_cached_statement_lifetime=0,
            )  # fmt: skip
            try:
                await self._check(connection)
            except BaseException:
                connection.terminate()
                raise
        except (asyncpg.ClientConfigurationError, ValueError) as exc:
            raise DatabaseError(f"the database_url cannot be used: {exc}") from exc
        except Exception as exc:
            self._not_had(exc)
            no = translated(exc)
            if isinstance(no, Refusal):
                raise Unreached(no.code, no.detail, retry_after_ms=no.retry_after_ms) from exc
            if isinstance(exc, asyncpg.PostgresError):
                raise Unreached(
                    ErrorCode.UNAVAILABLE, "the database is away", retry_after_ms=limits.RETRY_AFTER_MS
                ) from exc
            raise
        if self.away:
            log.info("database_back", **self._at)
        self.away = ""
        self.statistics.connections_opened += 1
        return connection

    def _not_had(self, exc: Exception) -> None:
        """Note why no connection could be had, and knock again a little later."""
        self._away_until = asyncio.get_running_loop().time() + limits.AWAY_SECONDS
        reason = str(exc) if isinstance(exc, DatabaseError) else type(exc).__name__
        if self.away != reason:
            log.warning("database_away", reason=reason, **self._at)
        self.away = reason
        if self._knocking is None or self._knocking.done():
            self._knocking = asyncio.get_running_loop().create_task(self._knock())

    async def _knock(self) -> None:
        """Try again until the server is there, also when nobody asks: a process that is not ready is not asked."""
        while self.away:
            await asyncio.sleep(limits.KNOCK_SECONDS)
            with contextlib.suppress(Exception):  # noted where it was met
                async with self._borrowed():
                    pass

    def _give_back(self, connection: Any, *, sound: bool) -> None:
        """Hand a connection, or the room of one that is gone, to who has waited longest."""
        sound = sound and not self._is_closed
        if not sound:
            self._dropped(connection)
        while self._waiting:
            waiter = self._waiting[0]
            if waiter.turn.done():
                self._waiting.popleft()
                continue
            if not sound:
                self._open += 1
            self._waiting.popleft()
            waiter.turn.set_result(connection if sound else None)
            return
        if sound:
            self._free.append(connection)

    def _dropped(self, connection: Any) -> None:
        self._open -= 1
        if connection is not None:
            self.statistics.connections_dropped += 1
            connection.terminate()

    @contextlib.contextmanager
    def may_cancel(self) -> Any:
        """Mark what runs in the block as not begun: a caller who goes away takes it along."""
        task = asyncio.current_task()
        assert task is not None
        self.cancellable.add(task)
        try:
            yield
        finally:
            self.cancellable.discard(task)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Note a task that has to end before the connections are closed."""
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    def stop_knocking(self) -> None:
        """Nobody waits for the server any more."""
        if self._knocking is not None:
            self._knocking.cancel()

    async def close(self) -> None:
        """Close the connections that are free, and those that are at work when that is done."""
        self._is_closed = True
        self.stop_knocking()
        free, self._free = self._free, []
        self._open -= len(free)
        for connection in free:
            with contextlib.suppress(Exception):
                await connection.close(timeout=1.0)
