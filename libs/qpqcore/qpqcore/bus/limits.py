"""Rate limits by GCRA (generic cell rate algorithm): one number a key, no counters to reset."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from qpqcore.model.errors import ErrorCode, Refusal

KEYS_MAX = 200_000
"""Keys remembered in one process; the one unused for longest goes, which only makes it free again."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in `per_seconds`, of which `burst` may come at once."""

    count: int
    per_seconds: float
    burst: int

    @property
    def interval_ms(self) -> float:
        """The time one call pays for."""
        return self.per_seconds * 1000 / self.count


class Limiter(Protocol):
    """Says how long a key has to wait."""

    def take(self, key: bytes, rate: Rate, now_ms: int) -> int:
        """Take one; return 0, or the milliseconds to wait when nothing was taken."""


class LocalLimiter:
    """Limits within one process."""

    def __init__(self) -> None:
        self._free_at_ms: OrderedDict[bytes, float] = OrderedDict()

    def take(self, key: bytes, rate: Rate, now_ms: int) -> int:
        """Take one; return 0, or the milliseconds to wait when nothing was taken."""
        interval = rate.interval_ms
        due = max(self._free_at_ms.get(key, 0.0), now_ms)
        early_ms = due - now_ms - interval * (rate.burst - 1)
        if early_ms > 0:
            return int(early_ms) + 1
        self._free_at_ms[key] = due + interval
        self._free_at_ms.move_to_end(key)
        if len(self._free_at_ms) > KEYS_MAX:
            self._free_at_ms.popitem(last=False)
        return 0


def enforce(limiter: Limiter, key: bytes, rate: Rate, now_ms: int) -> None:
    """Take one or raise Refusal(rateLimited) with the time to wait."""
    wait_ms = limiter.take(key, rate, now_ms)
    if wait_ms:
        raise Refusal(ErrorCode.RATE_LIMITED, "too many calls; try again later", retry_after_ms=wait_ms)
