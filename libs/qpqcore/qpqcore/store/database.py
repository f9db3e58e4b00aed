"""A SQLCipher database under Trio: one writer thread with group commit, reader threads with snapshots.

1. All writes that wait when the writer becomes free share one transaction: no timer, what arrives during
   a commit forms the next batch. Each runs in a savepoint: its exception undoes it and nothing else.
2. `write` returns after the commit is durable (`synchronous=FULL`): acknowledged means committed.
3. A write cancelled while it waits is not run. One that runs is not cancelled: its caller goes on with what came of it, so
   that what follows from a commit (who waits is told, who was revoked is cut off) follows from every commit.
4. A thread that cannot go on (it could not even undo) ends the database: who waits is told, each later call is refused with
   DatabaseBroken, and what was opened ends with that too: a process that keeps nothing any more does not go on in silence.
5. `erase` returns when nothing of what was deleted before is left in the files: pages are overwritten as they are
   freed (`secure_delete`), small databases are packed, since moved rows leave copies in their pages, and the write-ahead
   log, where older copies of them stand, is emptied.
"""

from __future__ import annotations

import fcntl
import threading
import time
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar
from uuid import uuid4

import outcome
import structlog
import trio

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.obs import traces
from qpqcore.obs.histogram import COUNTS, Histogram
from qpqcore.store.connection import Connection, connect, emptied_log, translated
from qpqcore.store.erasing import Erasing, asks
from qpqcore.store.errors import DatabaseBroken, DatabaseBusy
from qpqcore.store.jobs import Job, Lane, answer
from qpqcore.store.migrations import Migration, migrate
from qpqcore.store.readings import Load
from qpqcore.store.waits import Waits
from qpqcore.store.write_ahead import LOG_PAGES, LOG_PAGES_MAX, WriteAhead, set_limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

log = structlog.get_logger()

T = TypeVar("T")

BATCH_MAX = 512
"""Writes in one transaction: bounds what one commit failure takes with it."""
WAITING_MAX = 10_000
"""Jobs that may wait; one more is refused with `overloaded`."""
ERASE_MS = 240_000
"""Between two erasings of what goes by itself: a thousandth of the time, and each sweep of blobs may end in one."""


@dataclass(slots=True)
class Statistics:
    """Counters since the database was opened."""

    writes: int = 0
    commits: int = 0
    reads: int = 0
    largest_batch: int = 0
    batch: Histogram = field(default_factory=lambda: Histogram(COUNTS))
    commit_seconds: Histogram = field(default_factory=Histogram)


class Database:
    """Runs functions over a connection; made by `open_database`."""

    def __init__(
        self, writer: Connection, readers: Sequence[Connection], log: WriteAhead | None = None, *, name: str = ""
    ) -> None:
        """Begin; without a `log` everything runs in the caller's task."""
        self._writer = writer
        self._log = log
        self._inline = inline = log is None
        self._token = trio.lowlevel.current_trio_token()
        self._writes, self._reads = Lane(), Lane()
        self._name, self._waits = name, Waits(name)
        self.broken: DatabaseBroken | None = None
        """Why nothing can be written or read any more."""
        self.life = trio.CancelScope()
        """Cancelled when it breaks."""
        self._erasing = Erasing(log)
        self._litter, self._erase_from_ms = False, 0
        self.statistics = Statistics()
        if not inline:
            self._start(self._writes, self._write_loop, writer)
            for connection in readers:
                self._start(self._reads, self._read_loop, connection)

    @property
    def load(self) -> Load:
        """Return what an operator sees of it."""
        counted, waiting = self.statistics, self._writes.jobs.qsize() + self._reads.jobs.qsize()
        return Load(
            up=True, writes=counted.writes, reads=counted.reads, waiting=waiting,
            commit_seconds=counted.commit_seconds, batch=counted.batch, oldest_seconds=self._waits.oldest_seconds,
            full=self._waits.is_full,
        )  # fmt: skip

    def _start(self, lane: Lane, loop: Callable[[Connection], None], connection: Connection) -> None:
        thread = threading.Thread(target=loop, args=(connection,), name="qpq-store", daemon=True)
        lane.threads.append(thread)
        thread.start()

    async def write(self, body: Callable[[Connection], T]) -> T:
        """Run `body` in a transaction; return its result once that is durable.

        Raises what `body` raises (its own changes are undone), Refusal(storageFull), Refusal(overloaded), DatabaseBroken.
        """
        self.statistics.writes += 1
        if self._inline:
            return await self._run_inline(body)
        return await self._run(self._writes, body)

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run `body` over a snapshot; it must not write. Raises what `body` raises, Refusal(overloaded), DatabaseBroken."""
        self.statistics.reads += 1
        if self._inline:
            return await self._run_inline(body)
        return await self._run(self._reads, body)

    async def erase(self) -> None:
        """Leave nothing of what was deleted in the files (see `packed` for its bound); as durable as a write.

        For what has to be gone: an account.

        Refusal(storageFull) while the disk, or a reader that still looks at an older snapshot, is in the way; later writes
        try again, once in AGAIN_SECONDS.
        """
        self._erasing.asked += 1
        asked = self._erasing.asked
        await self.write(asks)
        if self._erasing.done < asked:
            raise Refusal(ErrorCode.STORAGE_FULL, "what was deleted cannot be erased yet", retry_after_ms=1_000)

    async def erase_in_time(self, now_ms: int, *, gone: bool) -> None:
        """Erase, for what goes by itself when its time has come: at most once in ERASE_MS, and then all that went since.

        `gone`: whether something went now. Whatever is in the way, it is tried again the next time; a full disk, or a reader,
        is no error.
        """
        self._litter = self._litter or gone
        if not self._litter or now_ms < self._erase_from_ms:
            return
        self._erase_from_ms, self._litter = now_ms + ERASE_MS, False
        try:
            await self.erase()
        except BaseException as exc:
            self._litter = True
            if not isinstance(exc, Refusal) or exc.code is not ErrorCode.STORAGE_FULL:
                raise

    async def _run_inline(self, body: Callable[[Connection], T]) -> T:
        await trio.lowlevel.checkpoint()
        job = Job(body)
        self._commit([job])
        assert job.result is not None
        value: T = job.result.unwrap()
        return value

    async def _run(self, lane: Lane, body: Callable[[Connection], T]) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        if (span := traces.step("store write" if lane is self._writes else "store read")) is not None:
            with traces.within(span):
                return await self._queued(lane, body)
        return await self._queued(lane, body)

    async def _queued(self, lane: Lane, body: Callable[[Connection], T]) -> T:
        if self.broken is not None:
            raise DatabaseBroken(*self.broken.args) from self.broken
        if lane.jobs.qsize() >= WAITING_MAX:
            raise Refusal(ErrorCode.OVERLOADED, "too much waits to be written", retry_after_ms=1_000)
        job = Job(body, trio.lowlevel.current_task())
        self._waits.begin(job)
        lane.jobs.put(job)

        def abort(_: Any) -> trio.lowlevel.Abort:
            return trio.lowlevel.Abort.SUCCEEDED if job.give_up() else trio.lowlevel.Abort.FAILED

        try:
            value: T = await trio.lowlevel.wait_task_rescheduled(abort)
        except Refusal as no:
            self._waits.met(no)
            raise
        finally:
            self._waits.end(job)
        return value

    def _deliver(self, jobs: list[Job]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(answer, jobs)

    def _write_loop(self, connection: Connection) -> None:
        del connection
        batch: list[Job] = []
        last = False
        try:
            while not last and (first := self._writes.jobs.get()) is not None:
                batch, last = self._writes.batch(first, BATCH_MAX)
                self._commit(batch)
                self._deliver(batch)
                if self._log is not None:
                    self._log.finish(self._writer)
        except BaseException as exc:  # noqa: BLE001 - said, and told to all who wait
            self._break(batch, exc)

    def _break(self, begun: list[Job], exc: BaseException) -> None:
        """End all of it, from a thread that cannot go on with what it has begun."""
        broken = DatabaseBroken(f"the database {self._name} failed in use ({exc!r}): start the server again")
        broken.__cause__ = exc
        for job in begun:
            if job.result is None:
                job.result = outcome.Error(broken)
        self._deliver(begun)
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._end, broken)
        log.critical("store_broken", store=self._name, exc_info=exc)

    def _end(self, broken: DatabaseBroken) -> None:
        self.broken = broken
        for lane in (self._writes, self._reads):
            lane.end(broken)
        self.life.cancel()

    def _commit(self, batch: list[Job]) -> None:
        """Run the batch in one transaction and set every job's result."""
        begun_s = time.perf_counter()
        try:
            self._apply(batch)
            self._writer.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - handed to every member of the batch
            self._undo(batch, exc)
            return
        except BaseException as exc:
            self._undo(batch, RuntimeError(f"a write was broken off: {exc!r}"))
            raise
        self.statistics.commit_seconds.observe(time.perf_counter() - begun_s)
        self._committed(batch)

    def _apply(self, batch: list[Job]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        for job in batch:
            self._savepoint(self._writer, job)

    def _undo(self, batch: list[Job], exc: Exception) -> None:
        for job in batch:  # before all else: whatever happens next, none of them has been written
            job.result = None
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        for job in batch:
            job.result = outcome.Error(translated(exc))

    def _committed(self, batch: list[Job]) -> None:
        self.statistics.commits += 1
        self.statistics.largest_batch = max(self.statistics.largest_batch, len(batch))
        self.statistics.batch.observe(len(batch))
        if self._log is not None:
            self._log.committed(self._writer)
        if self._erasing.is_due:
            if not self._inline:  # nobody else waits for it
                self._deliver([job for job in batch if job.run is not asks])
            self._erasing.attempt(self._writer)

    def _savepoint(self, connection: Connection, job: Job) -> None:
        if not job.begin():
            return
        connection.execute("SAVEPOINT member")
        try:
            value = job.run(connection)
        except Exception as exc:
            if not connection.in_transaction:
                raise  # the driver has undone everything (a full disk): so it failed for all
            connection.execute("ROLLBACK TO member")
            job.result = outcome.Error(translated(exc))
        else:
            job.result = outcome.Value(value)
        connection.execute("RELEASE member")

    def _read_loop(self, connection: Connection) -> None:
        begun: list[Job] = []
        try:
            while (job := self._reads.jobs.get()) is not None:
                if job.begin():
                    begun = [job]
                    self._read(connection, job)
                    self._deliver(begun)
        except BaseException as exc:  # noqa: BLE001 - said, and told to all who wait
            self._break(begun, exc)

    def _read(self, connection: Connection, job: Job) -> None:
        try:
            connection.execute("BEGIN")
            job.result = outcome.Value(job.run(connection))
        except Exception as exc:  # noqa: BLE001 - raised again in the task that asked
            job.result = outcome.Error(translated(exc))
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def close(self) -> None:
        """Finish what is queued and end the threads."""
        for lane in (self._writes, self._reads):
            for _ in lane.threads:
                lane.jobs.put(None)
            for thread in lane.threads:
                thread.join()


class OpenStore(Protocol):
    """Opens a service's database; a simulation brings its own."""

    def __call__(
        self, path: Path | None, key: bytes, migrations: Sequence[Migration]
    ) -> AbstractAsyncContextManager[Database]:
        """Open, lock and migrate."""


def locked(path: Path) -> BinaryIO:
    """Lock a database for this process, until what is returned is closed. DatabaseBusy."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = path.with_name(path.name + ".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        lock.close()
        raise DatabaseBusy(f"{path} is open in another process: stop that one first") from exc
    return lock


@asynccontextmanager
async def open_database(
    path: Path | None,
    key: bytes,
    migrations: Sequence[Migration],
    *,
    readers: int = 2,
    inline: bool = False,
) -> AsyncIterator[Database]:
    """Open, lock and migrate a database; None: in memory (then always `inline`).

    Raises DatabaseUnreadable, DatabaseTooNew, DatabaseBusy; later DatabaseBroken, after it has cancelled what runs within.
    """
    inline = inline or path is None
    shared = uuid4().hex
    lock = None
    if path is not None:
        lock = locked(path)
    try:
        with closing(connect(path, key, shared_name=shared)) as writer:
            migrate(writer, migrations, path)
            set_limit(writer, LOG_PAGES if inline else LOG_PAGES_MAX)
            emptied_log(writer)  # what a process that died wanted erased is erased now
            others = [] if inline else [connect(path, key, read_only=True) for _ in range(readers)]
            behind = None if inline else WriteAhead(connect(path, key))
            database = Database(writer, others, behind, name=path.stem if path is not None else "")
            try:
                with database.life:
                    yield database
            finally:
                database.close()
                if behind is not None:
                    behind.close()
                for connection in others:
                    connection.close()
            if database.broken is not None:
                raise database.broken
    finally:
        if lock is not None:
            lock.close()
