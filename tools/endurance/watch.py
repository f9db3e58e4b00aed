"""Samples of the server's process, and what they say: memory flat, nothing left behind."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from statistics import mean
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from pathlib import Path

    from tools.bench.served import Served
    from tools.endurance.crowd import Crowd
    from tools.endurance.stream import Stream

SAMPLE_SECONDS = 10.0
GROWTH_MAX = 0.05
"""Of the mean memory, from the first window to the last."""
LEAVING_SECONDS_MAX = 90
"""Who vanished is noticed within the server's idle time of 60 s."""
MIB = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment, and the stream since the one before."""

    seconds: float
    memory_mib: float
    sqlite_mib: float
    """Of it: page caches, which fill up to their bound for as long as the databases grow."""
    cpu: float
    """Of one core."""
    per_second: float
    p50_ms: float
    p99_ms: float
    census: dict[str, int]


@dataclass(slots=True)
class Verdict:
    """What came of a run."""

    window_seconds: float
    samples: list[Sample] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    """What was open before anybody came, and after all had gone."""
    after: dict[str, int] = field(default_factory=dict)
    capacity: float = 0.0
    """Messages a second at most."""
    sent: int = 0
    arrived: int = 0
    lost: int = 0
    twice: int = 0
    count: dict[str, int] = field(default_factory=dict)
    trouble: dict[str, int] = field(default_factory=dict)
    unequal: int = 0

    def window(self, *, last: bool) -> list[Sample]:
        """Return the samples of the first, or of the last window."""
        end = self.samples[-1].seconds
        return [
            s
            for s in self.samples
            if (s.seconds > end - self.window_seconds if last else s.seconds <= self.window_seconds)
        ]

    def findings(self) -> list[str]:
        """Return what is off."""
        first, last = (mean(s.memory_mib for s in self.window(last=which)) for which in (False, True))
        found = [
            f"{name}: {self.before[name]} before, {self.after.get(name)} after all have gone"
            for name in self.before
            if self.before[name] != self.after.get(name)
        ]
        if last > first * (1 + GROWTH_MAX):
            found.append(f"memory grew from {first:.1f} to {last:.1f} MiB")
        if self.lost or self.twice or self.unequal or self.sent != self.arrived:
            found.append(f"{self.lost} lost, {self.twice} twice, {self.unequal} with one and not with another")
        return found + [f"{what}: {times}" for what, times in self.trouble.items()]

    def lines(self) -> list[str]:
        """Return the first and last window beside each other, and the totals."""
        rows = []
        for name, last in (("first", False), ("last", True)):
            window = self.window(last=last)
            memory = [s.memory_mib for s in window]
            rows.append(
                f"{name} {self.window_seconds / 60:.0f} min: memory {mean(memory):.1f} MiB ({min(memory):.1f} to {max(memory):.1f}), "
                f"of it SQLite's {mean(s.sqlite_mib for s in window):.1f}, "
                f"CPU {mean(s.cpu for s in window) * 100:.0f} %, {mean(s.per_second for s in window):.0f} messages a second, "
                f"p50 {mean(s.p50_ms for s in window):.1f} ms, p99 {mean(s.p99_ms for s in window):.1f} ms"
            )
        done = ", ".join(f"{what} {times}" for what, times in sorted(self.count.items()))
        return [
            *rows,
            f"at most {self.capacity:.0f} a second; sent {self.sent}, arrived {self.arrived}, lost {self.lost}, twice {self.twice}",
            f"{done}; messages with one and not with another {self.unequal}",
            f"open before: {self.before}; after all have gone: {self.after}",
        ]

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


async def sample(server: Served, stream: Stream, verdict: Verdict, over: trio.Event, every: float) -> None:
    """Take samples until it is over."""
    begun = time.perf_counter()
    used, arrived, before = await server.usage(), stream.arrived, begun
    while not over.is_set():
        with trio.move_on_after(every):
            await over.wait()
        now, census, at = await server.usage(), await server.census(), time.perf_counter()
        latencies = stream.taken() or [0.0]
        verdict.samples.append(
            Sample(
                at - begun, now.resident_kib / MIB, now.sqlite_kib / MIB, (now.cpu_s - used.cpu_s) / (at - before),
                (stream.arrived - arrived) / (at - before), latencies[len(latencies) // 2],
                latencies[len(latencies) * 99 // 100], census,
            )
        )  # fmt: skip
        used, arrived, before = now, stream.arrived, at


async def left_behind(server: Served, before: dict[str, int] | None = None) -> dict[str, int]:
    """Wait, for as long as that may take, until nobody is there and all is as before; return what is open."""
    with trio.move_on_after(LEAVING_SECONDS_MAX):
        while (found := await server.census()) != (before or found | {"connections": 0, "calls": 0, "half_open": 0}):
            await trio.sleep(1.0)
    return found


def take(verdict: Verdict, stream: Stream, crowd: Crowd) -> None:
    """Note what stream and crowd have counted."""
    verdict.sent, verdict.arrived, verdict.lost, verdict.twice = (
        stream.sent, stream.arrived, stream.missing, stream.twice
    )  # fmt: skip
    verdict.count, verdict.trouble, verdict.unequal = dict(crowd.count), dict(crowd.trouble), crowd.unequal
