"""What every measurement shares: calls kept in flight, the two clocks, medians over repetitions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

T = TypeVar("T")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    repetitions: int
    """Of each figure; the median is reported."""
    health: Mapping[int, int]
    """In flight: calls in one repetition, the echo's always."""
    enqueue: Mapping[int, int]
    """The same; a device sends about the sum of them, which stays below delivery's burst of 2,000."""
    latencies: int
    """Messages in one repetition."""
    groups: Sequence[int]
    """Numbers of members."""
    messages: int
    """Messages of a group in one repetition."""
    sdk_members: int
    durable: int
    """Messages from device to device in one repetition."""
    copies: Sequence[int]
    """Devices that a message goes out to."""
    fan_outs: int
    """Messages to each such number in one repetition."""
    entries: int
    """Handshakes, and log-ins, in one repetition."""
    entries_kept: int
    """In the mailboxes of a server that starts again."""
    file_bytes: int
    large_members: int
    idle_clients: int
    idle_seconds: float
    """Each pings twice in a minute."""
    wake_ups: int
    """Notices between two processes at each rate."""
    takings: int
    """Of limits."""


FULL = Effort(
    repetitions=5, health={1: 2_000, 32: 5_000, 128: 10_000, 256: 10_000},
    enqueue={1: 200, 32: 400, 128: 600, 256: 600}, latencies=200,
    groups=(10, 100, 1_000), messages=50, sdk_members=10, durable=500, copies=(3, 20, 200), fan_outs=100, entries=100,
    entries_kept=1_000_000, file_bytes=40_000_000, large_members=1_000, idle_clients=5_000, idle_seconds=60,
    wake_ups=4_000, takings=5_000,
)  # fmt: skip
QUICK = Effort(
    repetitions=1, health={1: 20, 32: 64, 128: 256, 256: 512},
    enqueue={1: 20, 32: 64, 128: 256, 256: 512}, latencies=10, groups=(10,),
    messages=5, sdk_members=3, durable=12, copies=(3,), fan_outs=4, entries=2,
    entries_kept=2_000, file_bytes=100_000, large_members=4, idle_clients=20, idle_seconds=0.5,
    wake_ups=100, takings=100,
)  # fmt: skip


async def in_flight(calls: Sequence[Callable[[], Awaitable[Any]]], count: int, width: int) -> tuple[float, float]:
    """Run `count` calls, `width` of them in flight, spread over `calls`; return calls a second and CPU us a call."""
    left = count

    async def worker(call: Callable[[], Awaitable[Any]]) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    cpu, wall = time.process_time(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(width):
            nursery.start_soon(worker, calls[number % len(calls)])
    seconds = time.perf_counter() - wall
    return count / seconds, (time.process_time() - cpu) / count * 1e6


def timed(work: Callable[[], T], into: list[float]) -> T:
    """Do some work, note its milliseconds, return its result."""
    begun = time.perf_counter()
    result = work()
    into.append((time.perf_counter() - begun) * 1000)
    return result


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: median(run[name] for run in runs) for name in runs[0]}
