"""Disks that keep exactly what was flushed: a crash undoes what was not, and a flush takes its time.

A write is applied in a transaction that stays open while the flush takes place: a crash meanwhile rolls it back. A crash
between the flush and the answer keeps it. Readers see what has been committed.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, TypeVar

import outcome
import sqlcipher3
import trio

from qpqcore.store.connection import connect
from qpqcore.store.database import BATCH_MAX, Database
from qpqcore.store.jobs import Job
from qpqcore.store.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from random import Random  # noqa: TID251 - the simulation's dice

    from qpqcore.store.connection import Connection
    from qpqcore.store.migrations import Migration

T = TypeVar("T")

READ_S_MAX = 0.001
WAIT_S_MAX = 0.002
FLUSH_S_MAX = 0.008
ANSWER_S_MAX = 0.002
STATEMENT_FAILS, FULL_UNDOES = 0.3, 0.5
"""On a client's full disk: how often a statement fails before the COMMIT does, and how often all is undone at once."""


class Disk:
    """The disk of one process; every database on it is as slow, as full and as dead."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.slowness = 1.0
        """By what every time on this disk is multiplied."""
        self.full = False
        self.dead = False

    async def take(self, seconds_max: float) -> None:
        """Take a moment; for ever once the process is dead."""
        await trio.sleep(self.dice.random() * seconds_max * self.slowness)
        if self.dead:
            await trio.sleep_forever()

    @asynccontextmanager
    async def open_store(
        self, path: Path | None, key: bytes, migrations: Sequence[Migration]
    ) -> AsyncIterator[Database]:
        """Open a database on this disk: `qpqcore.store.database.OpenStore`."""
        assert path is not None
        with closing(connect(path, key)) as writer, closing(connect(path, key, read_only=True)) as reader:
            migrate(writer, migrations, path)
            database = _Database(self, writer, reader)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(database.flush_for_ever)
                yield database
                nursery.cancel_scope.cancel()


class _Database(Database):
    """Group commit as the real one's, by a task in place of a thread."""

    def __init__(self, disk: Disk, writer: Connection, reader: Connection) -> None:
        super().__init__(writer, [])
        self._disk = disk
        self._reader = reader
        self._waiting: list[tuple[Job, trio.Event]] = []
        self._arrived = trio.Event()

    async def write(self, body: Callable[[Connection], T]) -> T:
        self.statistics.writes += 1
        job, done = Job(body), trio.Event()
        self._waiting.append((job, done))
        self._arrived.set()
        try:
            await done.wait()
        except trio.Cancelled:
            if job.give_up():
                raise
            with trio.CancelScope(shield=True):
                await done.wait()
        assert job.result is not None
        value: T = job.result.unwrap()
        return value

    async def read(self, body: Callable[[Connection], T]) -> T:
        self.statistics.reads += 1
        await self._disk.take(READ_S_MAX)
        self._reader.execute("BEGIN")
        try:
            return body(self._reader)
        finally:
            self._reader.execute("ROLLBACK")

    async def flush_for_ever(self) -> None:
        """Work off what is to be written, a batch at a time; whoever waits when the process dies learns of it."""
        batch: list[tuple[Job, trio.Event]] = []
        try:
            while True:
                await self._arrived.wait()
                await self._disk.take(WAIT_S_MAX)
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                if not self._waiting:
                    self._arrived = trio.Event()
                await self._flush([job for job, _ in batch])
                await self._disk.take(ANSWER_S_MAX)
                for _, done in batch:
                    done.set()
        finally:
            for job, done in (*batch, *self._waiting):
                if not done.is_set():
                    job.result = outcome.Error(Dead())
                    done.set()

    async def _flush(self, jobs: list[Job]) -> None:
        try:
            self._apply(jobs)
            await self._disk.take(FLUSH_S_MAX)
            if self._disk.full:
                raise sqlcipher3.OperationalError("database or disk is full")
            self._writer.execute("COMMIT")
        except sqlcipher3.Error as exc:
            self._undo(jobs, exc)
        except BaseException:
            self._writer.rollback()
            raise
        else:
            self._committed(jobs)

    def close(self) -> None:
        """Nothing runs beside the nursery."""


class SmallDisk:
    """Stands between a client and its database: while its disk is full, some statement of each write fails."""

    def __init__(self, connection: Any, dice: Random) -> None:
        self._connection = connection
        self._dice = dice
        self.full = False

    def _take(self, sql: str) -> None:
        writes = sql.startswith(("INSERT", "UPDATE", "DELETE", "COMMIT"))
        if self.full and writes and (sql == "COMMIT" or self._dice.random() < STATEMENT_FAILS):
            if self._dice.random() < FULL_UNDOES and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")  # the driver does so with some of these errors
            raise sqlcipher3.OperationalError("database or disk is full")

    def execute(self, sql: str, *values: Any) -> Any:
        """Run a statement, if there is room."""
        self._take(sql)
        return self._connection.execute(sql, *values)

    def executemany(self, sql: str, *values: Any) -> Any:
        """Run a statement for each row, if there is room."""
        self._take(sql)
        return self._connection.executemany(sql, *values)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._connection.in_transaction)

    def close(self) -> None:
        """Close the real one."""
        self._connection.close()


class Grave:
    """What a dead process's database is replaced with: clean-up code that still runs finds that it is dead."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, *_arguments: Any) -> Any:
        """Do nothing any more."""
        raise Dead

    executemany = execute

    def undo(self) -> None:
        """Do nothing any more."""
        raise Dead

    def close(self) -> None:
        """Close the real one."""
        self._connection.close()


class Dead(Exception):
    """The process that does this has been killed."""
