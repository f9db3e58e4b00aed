"""The phases, in order, and what they have to show."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tools.overload.offering import Outcome, offer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random  # noqa: TID251 - the seeded dice of a load

    from tools.overload.offering import Sender

FIRST_RATE = 100.0
RATE_MAX = 50_000.0
CLOSE = 1.1
"""The search ends where what is sustained and what is not lie so close together."""
SUSTAINED = 0.97
"""Of what was offered has to be answered with a result, within the phase and PATIENCE_MS."""
PATIENCE_MS = 250.0
"""At 99 of 100 calls, while the rate is searched: above it, it only grows."""
LIGHT = 0.1
"""Of the sustained rate: what is called unloaded."""
TWICE = 2.0
AFTER = 0.5
"""Of the sustained rate, after the overload."""
LOOK_SECONDS = 0.5
RECOVERY_SECONDS_MAX = 5.0
GOODPUT_MIN = 0.9
LATENCY_MAX = 2.0
KEPT_MAX = 1.5
"""So many times what calls take at the sustained rate they may take past it: past capacity the admitted keep their latency."""
GROWTH_MAX = 0.1
"""By so much of itself the server's memory may grow while it is overloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All figures."""

    sustained_per_second: float
    peak_per_second: float
    """The most results a second in any phase of the search."""
    unloaded_p50_ms: float
    unloaded_p99_ms: float
    """The longer of two, before the overload and after it: the machine has other things to do."""
    unloaded_p99_after_ms: float
    full_p99_ms: float
    """At the sustained rate."""
    offered_per_second: float
    goodput_per_second: float
    shed: int
    failed: int
    capacity_after_per_second: float
    """Results a second when the sustained rate is offered behind the overload: what a larger database leaves of it."""
    admitted_p50_ms: float
    admitted_p99_ms: float
    resident_before_kib: int
    resident_after_kib: int
    recovery_s: float
    generator_late_ms: float

    def verdict(self) -> dict[str, bool]:
        """Return what was asked for, and whether it holds."""
        return {
            "goodput": self.goodput_per_second >= GOODPUT_MIN * self.peak_per_second,
            "latency": self.admitted_p99_ms <= LATENCY_MAX * self.unloaded_p99_ms,
            "kept": self.admitted_p99_ms <= KEPT_MAX * self.full_p99_ms,
            "memory": self.resident_after_kib <= (1 + GROWTH_MAX) * self.resident_before_kib,
            "recovery": self.recovery_s < RECOVERY_SECONDS_MAX,
            "typed": self.failed == 0,
        }

    def as_json(self) -> dict[str, object]:
        """Return figures and verdict."""
        return asdict(self) | {"verdict": self.verdict()}


def is_sustained(outcome: Outcome) -> bool:
    """Tell whether a server keeps up with what it was offered."""
    enough = len(outcome.took_s) >= SUSTAINED * outcome.offered
    return enough and not outcome.failed and outcome.percentile_ms(0.99) <= PATIENCE_MS


async def search(at: Callable[[float], Awaitable[Outcome]]) -> tuple[Outcome, float, float]:
    """Find the highest rate that is sustained; return its outcome, the rate, and the most results a second ever seen."""
    low, high, rate, peak = 0.0, 0.0, FIRST_RATE, 0.0
    best: Outcome | None = None
    while rate <= RATE_MAX and (not high or not low or high / low > CLOSE):
        outcome = await at(rate)
        peak = max(peak, outcome.goodput)
        if not is_sustained(outcome):  # by chance, perhaps: the machine has other things to do
            outcome = await at(rate)
            peak = max(peak, outcome.goodput)
        if is_sustained(outcome):
            low, best = rate, outcome
        else:
            high = rate
        rate = (low * high) ** 0.5 if low and high else 2 * rate if low else rate / 2
        if rate < 1:
            break
    if best is None:
        raise RuntimeError("the server sustains no rate at all")
    return best, low, peak


async def play(to: list[Sender], resident_kib: Callable[[], Awaitable[int]], dice: Random, *, seconds: float) -> Found:
    """Play all phases, `seconds` each; the overload lasts five times that."""
    await offer(to, FIRST_RATE, seconds, dice)  # what is loaded late is loaded now
    full, rate, peak = await search(lambda per_second: offer(to, per_second, seconds, dice))
    light = await offer(to, LIGHT * rate, 2 * seconds, dice)
    await offer(to, TWICE * rate, seconds, dice)  # buffers have their size from here on
    before_kib = await resident_kib()
    over = await offer(to, TWICE * rate, 5 * seconds, dice)
    after_kib = await resident_kib()
    recovery_s = await recover(to, AFTER * rate, LATENCY_MAX * light.percentile_ms(0.99), dice)
    behind = await offer(to, rate, seconds, dice)
    again = await offer(to, LIGHT * rate, 2 * seconds, dice)
    return Found(
        sustained_per_second=rate, peak_per_second=peak, unloaded_p50_ms=light.percentile_ms(0.5),
        unloaded_p99_ms=max(light.percentile_ms(0.99), again.percentile_ms(0.99)),
        unloaded_p99_after_ms=again.percentile_ms(0.99), full_p99_ms=full.percentile_ms(0.99),
        offered_per_second=over.offered / over.seconds, goodput_per_second=over.goodput, shed=over.shed,
        failed=over.failed, capacity_after_per_second=behind.goodput,
        admitted_p50_ms=over.percentile_ms(0.5), admitted_p99_ms=over.percentile_ms(0.99),
        resident_before_kib=before_kib, resident_after_kib=after_kib, recovery_s=recovery_s,
        generator_late_ms=over.late_s * 1000,
    )  # fmt: skip


async def recover(to: list[Sender], per_second: float, within_ms: float, dice: Random) -> float:
    """Return how long after the overload nothing is refused and everything is quick again; at most twice what is allowed."""
    begun_s = time.perf_counter()
    while time.perf_counter() - begun_s < 2 * RECOVERY_SECONDS_MAX:
        since_s = time.perf_counter() - begun_s
        outcome = await offer(to, per_second, LOOK_SECONDS, dice)
        if not outcome.shed and not outcome.failed and outcome.percentile_ms(0.99) <= within_ms:
            return since_s
    return 2 * RECOVERY_SECONDS_MAX
