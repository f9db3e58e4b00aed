"""The goals of docs/benchmarks.md beside what a run measured, and a run beside another one."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tools.bench.measure import Row

Found = dict[str, "list[Row]"]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table: `figure` takes the part's rows; at most `limit`, or at least."""

    measure: str
    part: str
    figure: Callable[[list[Row]], float | None]
    limit: float
    at_least: bool = False

    def met(self, figure: float) -> bool:
        """Tell whether a figure is good enough."""
        return figure >= self.limit if self.at_least else figure <= self.limit


def one(name: str, **where: object) -> Callable[[list[Row]], float | None]:
    """Return what takes a column of the one row that fits; None: that was not measured."""

    def take(rows: list[Row]) -> float | None:
        fit = [r for r in rows if all(r[key] == value for key, value in where.items())]
        return float(fit[0][name]) if fit else None

    return take


def of_aioquic(rows: list[Row]) -> float:
    """Return the worst share of aioquic's echo that a `health` call takes with many in flight."""
    shares = [r["cpu_us"] / r["aioquic_echo_us"] for r in rows if r["what"] == "health" and r["in_flight"] >= 128]
    return float(max(shares))


GOALS = (
    Goal("health, 4 x 32 in flight: native echoes", "calls", one("ratio", what="health", in_flight=128), 2.5),
    Goal("health, many in flight: aioquic echoes", "calls", of_aioquic, 0.5),
    Goal("bus, 128 in flight: us of both ends a call", "bus", one("cpu_us", in_flight=128), 80),
    Goal("enqueue, 256 in flight: share of the store's own rate", "store", one("share"), 0.6, at_least=True),
    Goal("durable message, device to device: us of the server", "messages", one("server_cpu_us"), 350),
    Goal("send to receive at half load: p50, ms", "messages", one("p50_ms"), 5),
    Goal("send to receive at half load: p99, ms", "messages", one("p99_ms"), 25),
    Goal("fan-out to 200 devices: us a copy", "fan-out", one("cpu_us_a_copy", devices=200), 25),
    Goal("handshake: ms of the server", "entering", one("server_cpu_ms", what="handshake"), 0.6),
    Goal("log-in: ms of the server", "entering", one("server_cpu_ms", what="log-in"), 1.5),
    Goal("idle subscribed client: KiB of the server", "idle", one("kib_each", clients=5_000), 48),
    Goal("5,000 idle subscribed clients: % of a core", "idle", one("cpu_percent", clients=5_000), 1),
    Goal("file up: MB/s", "blobs", one("up_mb_s"), 60, at_least=True),
    Goal("file down: MB/s", "blobs", one("down_mb_s"), 60, at_least=True),
    Goal("group of 1,000 through the server: create, s", "large", one("create_s", members=1_000), 2),
    Goal("group of 1,000 through the server: join, s", "large", one("join_s", members=1_000), 0.5),
    Goal("group of 1,000 through the server: add one, ms", "large", one("add_ms", members=1_000), 50),
    Goal("group of 1,000 through the server: send, ms", "large", one("send_ms", members=1_000), 5),
    Goal("restart with a million entries, to the first delivery: s", "restart", one("seconds"), 2),
)


def figures(goal: Goal, runs: Sequence[Found]) -> list[float]:
    """Return a goal's figure of each run that measured it, the lowest first."""
    found = [goal.figure(run[goal.part]) for run in runs if goal.part in run]
    return sorted(figure for figure in found if figure is not None)


def lines(runs: Sequence[Found]) -> Iterator[str]:
    """Return a line for each goal whose figure was measured: its median, the verdict on it, the spread of several runs."""
    for goal in GOALS:
        found = figures(goal, runs)
        if found:
            sign = ">=" if goal.at_least else "<="
            middle = median(found)
            verdict = "met" if goal.met(middle) else "MISSED"
            spread = f"  {found[0]:.2f} to {found[-1]:.2f}" if len(found) > 1 else ""
            yield f"{goal.measure:<58}{sign} {goal.limit:>6g}{middle:>12.2f}  {verdict}{spread}"


def middle_of(runs: Sequence[Found]) -> Found:
    """Return the median of every measured figure; what is no figure is the first run's."""
    return {
        part: [
            {
                name: median(run[part][number][name] for run in runs) if isinstance(value, float) else value
                for name, value in row.items()
            }
            for number, row in enumerate(rows)
        ]
        for part, rows in runs[0].items()
    }


def compared(before: Mapping[str, list[Row]], after: Found) -> Iterator[str]:
    """Return a line for each figure of two runs: rows are matched by what is no measured figure."""
    for part in after.keys() & before.keys():
        old = {_name(row): row for row in before[part]}
        for row in after[part]:
            for column, value in row.items():
                there = old.get(_name(row), {}).get(column)
                if isinstance(value, float) and isinstance(there, float) and there:
                    yield f"{part:<10}{_name(row):<60}{column:<24}{there:>12.2f}{value:>12.2f}{value / there:>8.2f}"


def _name(row: Row) -> str:
    return ", ".join(f"{value}" for value in row.values() if not isinstance(value, float))
