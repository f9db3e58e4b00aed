"""How long a store's calls have been under way: what is slow shows while it is, not only once it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

if TYPE_CHECKING:
    from collections.abc import Hashable

log = structlog.get_logger()

SLOW_SECONDS = 2.0
"""A call of a well store takes milliseconds; a vacuum after many deletions may take longer, and is said, too."""
SAID_EVERY_SECONDS = 60.0
"""A slow store is said once in this time, not for each call."""


class Waits:
    """The calls that a store has not answered yet, the oldest first; used by one Trio task at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: dict[Hashable, float] = {}
        self._said_s = float("-inf")

    def begin(self, call: Hashable) -> None:
        """A call begins."""
        self._since[call] = trio.current_time()

    def end(self, call: Hashable) -> None:
        """It was answered, or given up."""
        now_s = trio.current_time()
        took_s = now_s - self._since.pop(call)
        if took_s >= SLOW_SECONDS and now_s - self._said_s >= SAID_EVERY_SECONDS:
            self._said_s = now_s
            log.warning("store_slow", store=self._name, seconds=round(took_s, 1))

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest of them has been under way; 0 where there is none."""
        first = next(iter(self._since.values()), None)
        return 0.0 if first is None else trio.current_time() - first
