"""What a store's calls meet: one that is slow shows while it is, not only once it is over; a full disk until writes go again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.model.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Hashable

    from qpqcore.model.errors import Refusal

log = structlog.get_logger()

SLOW_SECONDS = 2.0
"""A call of a well store takes milliseconds; a vacuum after many deletions may take longer, and is said, too."""
SAID_EVERY_SECONDS = 60.0
"""A slow store is said once in this time, not for each call."""
FULL_SECONDS = 30.0
"""How long after the last refusal a disk counts as full: longer than between two scrapes, and than clients wait."""


class Waits:
    """The calls that a store has not answered yet, the oldest first; used by one Trio task at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: dict[Hashable, float] = {}
        self._said_s = float("-inf")
        self._full_until_s = float("-inf")

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

    def met(self, no: Refusal) -> None:
        """A call was refused with this."""
        if no.code is ErrorCode.STORAGE_FULL:
            if not self.is_full:
                log.error("storage_full", store=self._name)
            self._full_until_s = trio.current_time() + FULL_SECONDS

    @property
    def is_full(self) -> bool:
        """Whether a write was refused lately since the disk had no room."""
        return trio.current_time() < self._full_until_s

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest of them has been under way; 0 where there is none."""
        first = next(iter(self._since.values()), None)
        return 0.0 if first is None else trio.current_time() - first
