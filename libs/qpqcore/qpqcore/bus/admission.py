"""Load shedding: how many calls a process works at at once, found by how long what is ready waits for its turn.

1. Past the window a call is refused at once, with `overloaded` and a time to come back. Nothing queues here: who waits
   makes everybody late, and the caller can wait himself.
2. The sign of too much work is a standing delay, not a long answer: what a ready call waits for its first turn, on
   average over an interval (CoDel's idea, RFC 8289 §3: a queue that is gone within an interval is a burst, and welcome).
   Answers may take long for reasons of their own: a password's hash, a disk, a poll.
3. A standing delay narrows the window in proportion, a full window without one widens it (AIMD, as TCP's: RFC 5681 §3.1).
   A window that nobody fills says nothing and stays as it is.
4. What was admitted once is not refused half-way: services' calls of each other only count (`refusable`).

The limits of shedding all stand here; docs/adr/0006 says why they are what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from qpqcore.api.delivery import METHODS as DELIVERY

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.model.method import Method
    from qpqcore.obs.metrics import Reading

log = structlog.get_logger()

INTERVAL_SECONDS = 0.1
"""Of one judgement: longer than a burst that is worked off, shorter than anybody's patience (RFC 8289 §4.3 has the same)."""
DELAY_SECONDS = 0.005
"""A call takes some five turns, so that those admitted lose some 25 ms where it is kept, and none below it
(RFC 8289 §4.4 has the same target).
"""
WINDOW_START = 1_024
"""Before anything was measured, and again when it is over: ten connections' calls at once, less than a second's work."""
WINDOW_MIN = 24
"""A group commit is shared by about so many; narrower, a disk would wait for its writers."""
WIDER = 1 / 8
"""A full window without delay grows by this share in an interval: tenfold in 2 s."""
NARROWEST = 0.6
"""One interval takes no more than this leaves, however long the delay was: it may have been one hiccup."""
RETRY_MS = 1_000
"""When to come back. Who does adds as much again by chance, so that not all come together (SDK: `connection.later`)."""
CALM_SECONDS = 5.0
"""After so long without a refusal it is over."""
WAITING = frozenset(m.number for m in DELIVERY if m.name == "fetchWait")
"""They wait, and do not work: a call of these costs its memory, for which `calls_max` is the bound."""


def refusable(method: Method | None) -> bool:
    """Tell whether a call of this method may be shed, and counts as work."""
    return method is not None and not method.internal and method.number not in WAITING


class Admission:
    """The window of one process. `clock` gives seconds that are never set back."""

    def __init__(self, place: str, clock: Callable[[], float], *, delay_seconds: float = DELAY_SECONDS) -> None:
        """Begin. `place` names it in logs and metrics; with a `delay_seconds` of 0 nothing is ever shed."""
        self._place = place
        self._clock = clock
        self.delay_seconds_max = delay_seconds
        self._ends_s = clock() + INTERVAL_SECONDS
        self._waited_s = 0.0
        self._begun = 0
        self._most = 0
        self._refused_s: float | None = None
        self.window = float(WINDOW_START)
        self.working = 0
        """Calls admitted that have not ended."""
        self.shed = 0
        """Calls refused, ever."""
        self.delay_s = 0.0
        """Of the last interval in which calls began."""

    def enter(self) -> bool:
        """Count a call in; False: it has to be refused. Who is in says so by `begun`, and at its end by `left`."""
        now_s = self._clock()
        if now_s >= self._ends_s:
            self._judge(now_s)
        if self.working >= self.window and self.delay_seconds_max:
            self.shed += 1
            if self._refused_s is None:
                log.warning("shedding_began", place=self._place, window=int(self.window), delay_s=self.delay_s)
            self._refused_s = now_s
            return False
        self.working += 1
        self._most = max(self._most, self.working)
        return True

    def begun(self, waited_s: float) -> None:
        """Note how long a call waited between `enter` and its first turn."""
        self._waited_s += waited_s
        self._begun += 1

    def left(self) -> None:
        """Count a call out."""
        self.working -= 1

    def _judge(self, now_s: float) -> None:
        """Set the window by what the interval showed."""
        is_full = self._most >= self.window
        if self._begun:
            self.delay_s = self._waited_s / self._begun
            if self.delay_s > self.delay_seconds_max:
                if self._most >= WINDOW_MIN:
                    kept = max(self.delay_seconds_max / self.delay_s, NARROWEST)
                    self.window = max(min(self.window, self._most) * kept, WINDOW_MIN)
            elif is_full:
                self.window += self.window * WIDER
        self._ends_s = now_s + INTERVAL_SECONDS
        self._waited_s, self._begun, self._most = 0.0, 0, self.working
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
                "What a ready call waited for its turn, on average.",
                "service",
                {of: self.delay_s},
            ),
        ]
