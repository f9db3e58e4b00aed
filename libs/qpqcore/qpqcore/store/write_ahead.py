"""The write-ahead log of a SQLCipher database is brought into the database beside its writer.

A commit that does it, as SQLite has it by itself, makes everybody wait: 28 ms for 4,000 pages, two to three times a second
under load. Here another connection does it while commits go on (SQLite's PASSIVE checkpoint), and the writer, between two
commits, just what has come meanwhile: some 3 ms. After that the log begins at its front again.

A reader that stays (a backup) keeps in the log what came after it, hundreds of megabytes: then too it is the thread that brings them
in, never the writer (10 ms a megabyte). Whatever becomes of it nothing is lost: the log is part of the database.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import structlog

from qpqcore.store.connection import STORE_ERRORS

if TYPE_CHECKING:
    from qpqcore.store.connection import Connection

log = structlog.get_logger()

LOG_PAGES = 4_000
"""Of 4 KiB, from which on the log is brought in. With SQLite's 1,000 the same pages are written again and again: with 16 calls at
work 4,000 give 2,470 messages a second in place of 2,260; 16,000 give nothing more.
"""
LOG_PAGES_MAX = 262_144
"""1 GiB, past which a commit does it all the same: where the thread cannot, or is slower than what is written."""
LOG_BYTES_KEPT = 64 * 1024 * 1024
"""Of its file when it begins at its front again: more than it needs from day to day, so that it is not cut and grown in turn."""
REST_PAGES_MAX = 1_000
"""That the writer brings in by itself: some 7 ms."""


class Log(NamedTuple):
    """A write-ahead log."""

    pages: int
    brought: int
    """How many of them are in the database."""

    @property
    def rest(self) -> int:
        """How many are not."""
        return self.pages - self.brought


def set_limit(writer: Connection, pages: int) -> None:
    """Say from which length on a commit itself brings the log in; and cut its file when a reader has let it grow."""
    writer.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchone()
    writer.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_KEPT}").fetchone()


def measured(connection: Connection) -> Log:
    """Look how long the log is, and bring nothing in: 2 us."""
    try:
        return Log(*connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()[1:])
    except STORE_ERRORS:  # what was committed is committed
        return Log(0, 0)


def brought(connection: Connection) -> Log | None:
    """Bring in what no reader stands in the way of; None where it cannot be done now."""
    try:
        busy, *log_pages = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except STORE_ERRORS:  # a full disk: the next commit says so
        return None
    return None if busy else Log(*log_pages)


class WriteAhead:
    """Brings it in, by a thread and a connection of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._due = threading.Event()
        self._over = False
        self._pages = self._from = 0
        """How long the log was the last time, and from which length on the thread is called again."""
        self.lock = threading.Lock()
        """Held while it is done: who empties the log would be refused meanwhile."""
        self._is_brought = False
        self._thread = threading.Thread(target=self._run, name="qpq-store", daemon=True)
        self._thread.start()

    def committed(self, writer: Connection) -> None:
        """Call the thread if there is enough for it; a reader in its way is looked for again each LOG_PAGES / 4."""
        found = measured(writer)
        if found.pages < self._pages:
            self._from = 0
        self._pages = found.pages
        if found.rest >= LOG_PAGES and found.pages >= self._from:
            self._from = found.pages + LOG_PAGES // 4
            self._due.set()

    def finish(self, writer: Connection) -> None:
        """Bring in the rest, as the writer, between two commits; if it is too much for that, call the thread once more."""
        if self._is_brought and self.lock.acquire(blocking=False):
            try:
                self._is_brought = False
                if measured(writer).rest <= REST_PAGES_MAX:
                    brought(writer)
                else:
                    self._due.set()
            finally:
                self.lock.release()

    def is_short(self, writer: Connection) -> bool:
        """Tell whether the writer can bring in all of it, to empty it; if it is too much for that, call the thread."""
        if measured(writer).rest <= 2 * LOG_PAGES:
            return True
        self._due.set()
        return False

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._over:
                return
            try:
                self._bring()
            except Exception:  # it goes on: without it the writer does all of it, past LOG_PAGES_MAX
                log.exception("write_ahead_failed")

    def _bring(self) -> None:
        with self.lock:
            found = brought(self._connection)
        if found is not None and not found.rest:  # else a reader is in the way, and would be in the writer's
            self._is_brought = True

    def close(self) -> None:
        """End the thread."""
        self._over = True
        self._due.set()
        self._thread.join()
        self._connection.close()
