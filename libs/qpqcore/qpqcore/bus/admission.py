"""Load shedding: how many calls a process works at at once, found by how much work what is ready waits for.

1. Past the window a call is refused at once, with `overloaded` and a time to come back. Nothing queues here: who waits
   makes everybody late, and the caller can wait himself.
2. The sign of too much work is a standing queue, not a long answer: the work that this process does between a call's coming
   and its first turn, on average over an interval (CoDel's idea, RFC 8289 §3: a queue that is gone within an interval is a
   burst, and welcome). Answers may take long for reasons of their own: a password's hash, a disk, a poll.
   The work is counted in processor time, not by the clock on the wall: what other programs take of the machine makes all
   calls slower, and refusing some would not help the others. And a process that had nothing to do for half of the interval has
   no standing queue: what waited came in one batch, or waits for a disk.
3. A standing delay narrows the window in proportion, a full window without one widens it (AIMD, as TCP's: RFC 5681 §3.1), and
   so does one that turned somebody away: strangers never fill it. A window that nobody fills says nothing and stays as it is. It never gets narrower than what is worked off in STAY_SECONDS
   (Little's law): narrower, calls would be quicker by little, and far fewer, since they share commits and datagrams.
4. What was admitted once is not refused half-way: services' calls of each other only count (`refusable`).

The limits of shedding all stand here; docs/adr/0006 says why they are what they are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api.delivery import METHODS as DELIVERY
from qpqcore.api.delivery import FetchWaitParams
from qpqcore.bus.cores import cores
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.model.method import Method
    from qpqcore.obs.metrics import Reading

log = structlog.get_logger()

INTERVAL_SECONDS = 0.1
"""Of one judgement: longer than a burst that is worked off, shorter than anybody's patience (RFC 8289 §4.3 has the same)."""
DELAY_SECONDS = 0.0005
"""Of work before a call's first turn. A call takes some five turns: those admitted lose some 2.5 ms where it is kept, and
nothing below it. Measured on one server: each message at work adds 0.01 to 0.05 ms to it.
"""
WINDOW_START = 1_024
"""Before anything was measured, and again when it is over: ten connections' calls at once, less than a second's work."""
WINDOW_MIN = 12
"""A group commit is shared by about so many; narrower, a disk would wait for its writers. Whoever asks for a stay that is shorter than
STAY_SECONDS has it narrower in proportion: else it would be this that says how long calls stay, and not he.
"""
WINDOW_LEAST = 4
"""However short the stay: one call is worked at, one is committed, and one of each waits."""
WIDER = 1 / 8
"""A full window without delay grows by this share in an interval: tenfold in 2 s."""
IDLE_SHARE = 0.5
"""A process that had nothing to do for so much of an interval has worked off what there was. At its end one waits for a disk
for a third of the time all the same. Threads that work are something to do where they have the only core (`Competition`).
"""
STAY_SECONDS = 0.025
"""A call's stay, on average, that is not worth being shortened: longer, more messages share a commit, and each costs less. Measured
with one core, offered twice what it can: 5 ms give 2,200 messages a second, 12 ms 3,000, 25 ms 3,500 (docs/operate/overload.md).
"""
NARROWEST = 0.3
"""One interval takes no more than this leaves, however long the delay was: it may have been one hiccup."""
STRANGERS_SHARE = 0.5
"""Of the window, for who has no session: a crowd that logs in, or only says so, leaves the other half to who is there."""
STRANGERS_KEPT = 1 / 8
"""As much as this of the window is theirs beside it, however many of the others are at work: else nobody could log in to a server
whose people fill half of it. It takes no place of theirs, and they none of it.
"""
RETRY_MS = 1_000
"""When to come back. Who does adds as much again by chance, so that not all come together (SDK: `pacing.later`)."""
TOO_MANY = Refusal(ErrorCode.OVERLOADED, "too many calls at once", retry_after_ms=RETRY_MS)
CALM_SECONDS = 5.0
"""After so long without a refusal it is over."""
FETCH_WAIT = next(m.number for m in DELIVERY if m.name == "fetchWait")
"""It waits, and does not work: a call of this costs its memory, for which `calls_max` is the bound."""
WAIT_MS_MIN = 1_000
"""Who lets it wait for less, or for nothing, makes it read rather than wait: that is a `fetch`. The SDK's waits for 30 s."""


def refusable(method: Method | None, params: bytes) -> bool:
    """Tell whether a call of this method may be shed, and counts as work. Of `params` only fetchWait's are looked at."""
    if method is None or method.internal:
        return False
    return method.number != FETCH_WAIT or not _waits(params)


def _waits(params: bytes) -> bool:
    try:
        return FetchWaitParams.from_bytes(params).wait_ms >= WAIT_MS_MIN
    except Refusal:
        return False  # it is answered at once


class _Idle(trio.abc.Instrument):
    """How long a scheduler has had nothing to do."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since_s = 0.0

    def before_io_wait(self, timeout: float) -> None:
        self._since_s = time.perf_counter() if timeout > 0 else 0.0

    def after_io_wait(self, timeout: float) -> None:
        if self._since_s:
            self.seconds += time.perf_counter() - self._since_s


_idle: trio.lowlevel.RunVar[_Idle] = trio.lowlevel.RunVar("qpq idle")


class Competition:
    """How long other threads have had the core that the scheduler would need: that is what they did beyond what all the other
    cores can do. On one core all that they do is such; on four cores three may work at no cost to it.
    """

    def __init__(self, cores: float, now_s: float, others_s: float) -> None:
        """Begin. `others_s` is the processor time that the other threads have used, `cores` at least 1."""
        self._beside = cores - 1.0
        self._now_s, self._others_s = now_s, others_s
        self._taken_s = 0.0

    def until(self, now_s: float, others_s: float) -> float:
        """Return the seconds since the beginning. From call to call: cores that were free before are of no use now."""
        self._taken_s += max(0.0, others_s - self._others_s - self._beside * (now_s - self._now_s))
        self._now_s, self._others_s = now_s, others_s
        return self._taken_s


def idle_seconds(cores_there: float | None = None) -> Callable[[], float]:
    """Return what tells the seconds in which this run of Trio had nothing to do while a core was free for it.

    They count from some moment on, and may go back by what several threads do at a time. Trio's thread may ask; the cores
    (`cores_there`) are as many as there are now.
    """
    try:
        found = _idle.get()
    except LookupError:
        found = _Idle()
        trio.lowlevel.add_instrument(found)
        _idle.set(found)
    competition = Competition(cores_there or cores(), *_others())
    return lambda: found.seconds - competition.until(*_others())


def _others() -> tuple[float, float]:
    """Return the time, and what all threads but this one have used of the processor."""
    return time.perf_counter(), time.process_time() - time.thread_time()


class Admission:
    """The window of one process. `clock` gives seconds that are never set back, `work` the seconds that the calling thread
    has used of the processor, `idle` those in which it had nothing to do.
    """

    def __init__(
        self, place: str, clock: Callable[[], float], *, delay_seconds: float = DELAY_SECONDS,
        stay_seconds: float = STAY_SECONDS, work: Callable[[], float] = time.thread_time, idle: Callable[[], float] = float,
    ) -> None:  # fmt: skip
        """Begin. `place` names it in logs and metrics; with a `delay_seconds` of 0 nothing is ever shed."""
        self._place = place
        self._clock = clock
        self._work = work
        self.delay_seconds_max, self.stay_seconds = delay_seconds, stay_seconds
        self._idle = idle
        self._idle_s = idle()
        self._ends_s = clock() + INTERVAL_SECONDS
        self._waited_s = 0.0
        self._begun = 0
        self._most = 0
        self._turned_away = False
        self._refused_s: float | None = None
        self.window = float(WINDOW_START)
        self.working = 0
        """Calls admitted that have not ended."""
        self.strangers = 0
        """Of them those that came without a session."""
        self.shed = 0
        """Calls refused, ever."""
        self.delay_s = 0.0
        """Of the last interval in which calls began."""

    def enter(self, *, stranger: bool = False) -> float | None:
        """Count a call in; None: it has to be refused. Who is in gives what it got to `begun`, and says `left` at its end, as what
        it came.
        """
        now_s = self._clock()
        if now_s >= self._ends_s:
            self._judge(now_s)
        if self.delay_seconds_max and not self._has_room(stranger=stranger):
            self.shed += 1
            self._turned_away = True
            if self._refused_s is None:
                log.warning("shedding_began", place=self._place, window=int(self.window), delay_s=self.delay_s)
            self._refused_s = now_s
            return None
        self.working += 1
        self.strangers += stranger
        self._most = max(self._most, self.working)
        return self._work()

    def _has_room(self, *, stranger: bool) -> bool:
        kept = self.window * STRANGERS_KEPT
        if stranger:
            return self.strangers < kept or self.working < self.window * STRANGERS_SHARE
        return self.working - min(self.strangers, kept) < self.window

    @property
    def _narrowest(self) -> float:
        return max(WINDOW_LEAST, WINDOW_MIN * min(self.stay_seconds / STAY_SECONDS, 1.0))

    def begun(self, entered: float) -> None:
        """Note the work that was done between `enter` and a call's first turn."""
        self._waited_s += self._work() - entered
        self._begun += 1

    def left(self, *, stranger: bool = False) -> None:
        """Count a call out; `stranger` as it was for `enter`, whatever the caller has become."""
        self.working -= 1
        self.strangers -= stranger

    def _judge(self, now_s: float) -> None:
        """Set the window by what the interval showed."""
        is_short = self._turned_away or self._most >= self.window
        idle_s, interval_s = self._idle(), now_s - self._ends_s + INTERVAL_SECONDS
        is_busy = idle_s - self._idle_s < IDLE_SHARE * interval_s
        if self._begun:
            self.delay_s = self._waited_s / self._begun
            if is_busy and self.delay_s > self.delay_seconds_max:
                if self._most >= self._narrowest:
                    kept = max(self.delay_seconds_max / self.delay_s, NARROWEST)
                    worked_off = self.stay_seconds * self._begun / interval_s
                    self.window = max(min(self.window, self._most) * kept, self._narrowest, worked_off)
            elif is_short:
                self.window += self.window * WIDER
        self._ends_s, self._idle_s = now_s + INTERVAL_SECONDS, idle_s
        self._waited_s, self._begun, self._most, self._turned_away = 0.0, 0, self.working, False
        if self._refused_s is not None and now_s - self._refused_s >= CALM_SECONDS:
            self._refused_s = None
            self.window = max(self.window, WINDOW_START)
            log.info("shedding_ended", place=self._place, shed=self.shed)

    def readings(self) -> list[Reading]:
        """Return the numbers, for `Metrics.watch`."""
        of = self._place
        return [
            ("qpq_calls_shed_total", "Calls refused to keep the others' time.", "service", {of: self.shed}),
            ("qpq_calls_working", "Calls that are worked at.", "service", {of: self.working}),
            ("qpq_calls_window", "So many may be.", "service", {of: int(self.window)}),
            (
                "qpq_turn_delay_seconds",
                "Work that a ready call waited for, on average.",
                "service",
                {of: self.delay_s},
            ),
        ]
