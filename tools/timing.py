"""The time of log-ins of known and unknown names: `python -m tools.timing --trials 2000 --seed 1`; 1 if they differ.

Known and unknown are interleaved at random at the auth service over its real store; the CPU time of the whole process
is taken, so that a busy machine adds noise and no bias. The statistic is Mann and Whitney's U, as z and two-sided p, and
as the effect: how often a known name's log-in took longer than an unknown one's; 0.5 says nothing.
"""

from __future__ import annotations

import argparse
import gc
import math
import random  # noqa: TID251 - the order of the trials
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import trio

import qpqnative
from tests.support.logins import REQUEST_PASSWORD, Logins, open_logins

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = 200
WARM_UP = 200
P_MIN = 0.0001
"""Below, the difference is taken for one: a run in ten thousand is wrong about it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples, in microseconds, compared."""

    known_us: float
    """Medians."""
    unknown_us: float
    z: float
    p: float
    effect: float

    @property
    def differ(self) -> bool:
        """Whether the samples are told apart."""
        return self.p < P_MIN

    def line(self, what: str, trials: int) -> str:
        """Return it in one line."""
        return (
            f"{what}: {trials} trials, median CPU known {self.known_us:.1f} us, unknown {self.unknown_us:.1f} us; "
            f"z {self.z:+.2f}, p {self.p:.3f}, known slower in {100 * self.effect:.1f} % of pairs"
        )


def compare(known: Sequence[float], unknown: Sequence[float]) -> Comparison:
    """Compare by Mann and Whitney's U, with the normal approximation, corrected for ties."""
    ranked = sorted((value, sample) for sample, values in ((0, known), (1, unknown)) for value in values)
    count, at, rank_sum, ties = len(ranked), 0, 0.0, 0.0
    while at < count:
        end = at
        while end < count and ranked[end][0] == ranked[at][0]:
            end += 1
        rank_sum += (at + 1 + end) / 2 * sum(1 for _, sample in ranked[at:end] if sample == 0)
        ties += (end - at) ** 3 - (end - at)
        at = end
    pairs = len(known) * len(unknown)
    u = rank_sum - len(known) * (len(known) + 1) / 2
    variance = pairs / 12 * (count + 1 - ties / (count * (count - 1)))
    z = (u - pairs / 2) / math.sqrt(variance)
    return Comparison(median(known), median(unknown), z, math.erfc(abs(z) / math.sqrt(2)), u / pairs)


async def trial(logins: Logins, name: str) -> tuple[float, float]:
    """Begin and fail one log-in; return the CPU time of both calls in microseconds."""
    call, request = logins.call(), qpqnative.OpaqueLogin().start(REQUEST_PASSWORD)
    begun = time.process_time_ns()
    answer = await logins.start(call, name, request)
    started = time.process_time_ns()
    await logins.finish(call, answer.state)
    return (started - begun) / 1000, (time.process_time_ns() - started) / 1000


async def measure(folder: Path, trials: int, seed: int) -> tuple[Comparison, Comparison]:
    """Play all trials; return loginStart's and loginFinish's comparison."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    names: dict[bool, list[str]] = {
        True: [f"known{n:03}" for n in range(NAMES)], False: [f"other{n:03}" for n in range(NAMES)]
    }  # fmt: skip
    order = [True, False] * (trials // 2)
    dice.shuffle(order)
    taken: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    async with open_logins(folder, names[True]) as logins:
        for number in range(WARM_UP):
            await trial(logins, dice.choice(names[number % 2 == 0]))
        gc.disable()
        for known in order:
            taken[known].append(await trial(logins, dice.choice(names[known])))
        gc.enable()
    start, finish = (compare([t[i] for t in taken[True]], [t[i] for t in taken[False]]) for i in range(2))
    return start, finish


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    given: Any = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="qpq-timing-") as folder:
        found = trio.run(measure, Path(folder), given.trials, given.seed)
    for what, comparison in zip(("loginStart", "loginFinish"), found, strict=True):
        print(comparison.line(what, given.trials))  # noqa: T201 - the tool's purpose
    return 1 if any(comparison.differ for comparison in found) else 0


if __name__ == "__main__":
    sys.exit(main())
