"""What was deleted is erased from a database's files, by its writer between two commits.

A reader of an older snapshot (a backup) may be in the way for minutes. The first time is waited for it, since our own readers
take milliseconds; while it stays it is tried again by time, hardly waiting, since all that is written meanwhile waits with it.
What such a reader has let the log grow to is brought in by its thread first.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qpqcore.store.connection import EMPTYING_MS, emptied_log, packed

if TYPE_CHECKING:
    from qpqcore.store.connection import Connection
    from qpqcore.store.write_ahead import WriteAhead

AGAIN_SECONDS = 1.0
"""From one time to the next while a reader, or a full disk, is in the way."""
EMPTYING_AGAIN_MS = 10
"""How long each time but the first waits for readers: a hundredth of the time between two, and longer than most of our reads."""


def asks(_: Connection) -> None:
    """Write nothing: what is run by who waits for an erasing."""


class Erasing:
    """How often it was asked for, and up to which asking the first half and all of it is done."""

    def __init__(self, log: WriteAhead | None) -> None:
        """`log`: who brings the write-ahead log in beside the writer."""
        self.asked = self.done = 0
        self._tried = self._packed = 0
        self._again_s = 0.0
        self._log = log

    @property
    def is_due(self) -> bool:
        """Whether something is to be erased, and it is time to try."""
        return self.done < self.asked and (self._tried < self.asked or time.monotonic() >= self._again_s)

    def attempt(self, writer: Connection) -> None:
        """Try, between two commits."""
        first, asked = self._tried == self.done, self.asked
        self._tried = asked
        if self._log is None or self._log.is_short(writer):  # before it is packed: that is written into the log, too
            if self._packed < asked and packed(writer):
                self._packed = asked
            if self.done < self._packed and self._emptied(writer, first=first):
                self.done = self._packed
        self._again_s = time.monotonic() + AGAIN_SECONDS

    def _emptied(self, writer: Connection, *, first: bool) -> bool:
        patience_ms = EMPTYING_MS if first else EMPTYING_AGAIN_MS
        if self._log is None:
            return emptied_log(writer, patience_ms)
        if not self._log.lock.acquire(timeout=-1 if first else patience_ms / 1_000):
            return False
        try:
            return emptied_log(writer, patience_ms)
        finally:
            self._log.lock.release()
