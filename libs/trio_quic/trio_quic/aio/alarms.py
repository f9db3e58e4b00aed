"""What is due at a time, over all connections of an engine: one heap. Stale entries are recognised when they come up."""

from __future__ import annotations

import heapq

Alarm = tuple[int, int, str, int]
"""(microseconds, connection, what, stream)."""


class Alarms:
    """The heap, and the deadlines of aioquic's own timers in it."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._armed: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_us(self) -> int | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    def set(self, at_us: int, number: int, what: str, stream: int) -> None:
        """Adds one."""
        heapq.heappush(self._heap, (at_us, number, what, stream))

    def pop_due(self, now_us: int) -> Alarm | None:
        """Takes the next one that is due."""
        return heapq.heappop(self._heap) if self._heap and self._heap[0][0] <= now_us else None

    def arm(self, number: int, at_us: int) -> None:
        """Sets a connection's timer, if it comes earlier than the one set: a later one is found when the earlier has
        come, and the heap stays small.
        """
        armed = self._armed.setdefault(number, [])
        if not armed or at_us < armed[-1]:
            armed.append(at_us)
            self.set(at_us, number, "transport", 0)

    def disarm(self, number: int, at_us: int) -> bool:
        """A connection's timer has come; whether it was set for then."""
        armed = self._armed.get(number)
        if armed and armed[-1] == at_us:
            armed.pop()
            return True
        return False

    def forget(self, number: int) -> None:
        """The connection is gone."""
        self._armed.pop(number, None)
