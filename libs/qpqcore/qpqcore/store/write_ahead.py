"""The write-ahead log of a SQLCipher database is brought into the database beside its writer.

A commit that does it, as SQLite has it by itself, makes everybody wait: 28 ms for 4,000 pages, two to three times a second
under load. Here another connection does it while commits go on (SQLite's PASSIVE checkpoint), and the writer, between two
commits, just what has come meanwhile: some 3 ms. After that the log begins at its front again.

Whatever becomes of it nothing is lost: the log is part of the database. Past LOG_PAGES_MAX the writer does all of it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from qpqcore.store.connection import STORE_ERRORS

if TYPE_CHECKING:
    from qpqcore.store.connection import Connection

log = structlog.get_logger()

LOG_PAGES = 4_000
"""Of 4 KiB, from which on the log is brought in. With SQLite's 1,000 the same pages are written again and again: with 16 calls at
work 4,000 give 2,470 messages a second in place of 2,260; 16,000 give nothing more.
"""
LOG_PAGES_MAX = 16_000
EVERY_FIRST, EVERY_MIN, EVERY_MAX = 64, 8, 4_096
"""Commits from one time to the next: at first, and within which bounds what they write is estimated from then on."""


def set_limit(writer: Connection, pages: int) -> None:
    """Say from which length on a commit itself brings the log in."""
    writer.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchone()


def brought(connection: Connection) -> int:
    """Bring in what no reader stands in the way of; return the pages in the log, 0 where it cannot be done now."""
    try:
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except STORE_ERRORS:  # a full disk: the next commit says so
        return 0
    return max(int(pages), 0)


class WriteAhead:
    """Brings it in, by a thread and a connection of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._due = threading.Event()
        self._over = False
        self._commits, self._every = 0, EVERY_FIRST
        self.lock = threading.Lock()
        """Held while it is done: who empties the log would be refused meanwhile."""
        self._is_brought = False
        self._thread = threading.Thread(target=self._run, name="qpq-store", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """Count a commit."""
        self._commits += 1
        if self._commits >= self._every:
            self._due.set()

    def finish(self, writer: Connection) -> None:
        """Bring in the rest, as the writer, between two commits."""
        if self._is_brought and self.lock.acquire(blocking=False):
            try:
                self._is_brought = False
                brought(writer)
            finally:
                self.lock.release()

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
        commits, self._commits = self._commits, 0
        with self.lock:
            pages = brought(self._connection)
        if pages:
            self._every = min(max(commits * LOG_PAGES // pages, EVERY_MIN), EVERY_MAX)
            self._is_brought = True

    def close(self) -> None:
        """End the thread."""
        self._over = True
        self._due.set()
        self._thread.join()
        self._connection.close()
