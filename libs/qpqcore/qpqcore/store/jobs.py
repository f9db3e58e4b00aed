"""What waits for a database's threads: functions, each begun once or given up, and answered once."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import outcome
import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.store.connection import Connection


@dataclass(slots=True, eq=False)
class Job:
    """A function that waits for its turn, and what came of it."""

    run: Callable[[Connection], Any]
    task: trio.lowlevel.Task | None = None
    """Who waits for the answer; None once it is answered."""
    abandoned: bool = False
    result: outcome.Outcome[Any] | None = None
    _decided: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """Begin, in the thread that works; False when its caller has given it up."""
        return self._decided.acquire(blocking=False)

    def give_up(self) -> bool:
        """Give it up, as its caller; False when it has begun."""
        self.abandoned = self._decided.acquire(blocking=False)
        return self.abandoned


@dataclass(slots=True, eq=False)
class Lane:
    """A queue of jobs and the threads that work it off."""

    jobs: queue.SimpleQueue[Job | None] = field(default_factory=queue.SimpleQueue)
    threads: list[threading.Thread] = field(default_factory=list)

    def batch(self, first: Job, limit: int) -> tuple[list[Job], bool]:
        """Return a job and what waits behind it, up to `limit`; and whether the lane ends there."""
        found = [first]
        while len(found) < limit:
            try:
                more = self.jobs.get_nowait()
            except queue.Empty:
                break
            if more is None:
                return found, True
            found.append(more)
        return found, False

    def end(self, why: Exception) -> None:
        """Answer all that waits with an error, in the Trio thread: nobody works it off any more."""
        with suppress(queue.Empty):
            while True:
                job = self.jobs.get_nowait()
                if job is not None and job.begin():
                    job.result = outcome.Error(why)
                    answer([job])


def answer(jobs: Sequence[Job]) -> None:
    """Wake who waits for these jobs, in the Trio thread; each is woken once."""
    for job in jobs:
        if not job.abandoned and job.task is not None and job.result is not None:
            task, job.task = job.task, None
            trio.lowlevel.reschedule(task, job.result)
