"""Find the sustainable rate of a server, offer twice that, and judge what became of it (docs/operate/overload.md)."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random  # noqa: TID251 - the seeded dice of a load
from typing import TYPE_CHECKING

import trio

from qpqcore.runtime import memory
from tools.bench.served import served
from tools.overload.offering import senders
from tools.overload.play import Found, play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PLAYS: tuple[tuple[int, int, frozenset[str]], ...] = (
    (500, 25, frozenset({"goodput", "latency"})),
    (100, 3, frozenset({"latency"})),
)
"""shed_delay_us and shed_stay_ms: the server's own, which put the number of those answered first, and some that put their time first;
and what of the verdict is told, not judged, since not all of it can be had at once (docs/operate/overload.md).
"""
PAIRS = 8
"""Of people who write to each other."""
CONNECTIONS = 64
"""Most calls come alone, each in a datagram of its own, as from many people; a few connections would share datagrams."""


@asynccontextmanager
async def embedded(root: Path, delay_us: int, stay_ms: int) -> AsyncIterator[tuple[str, Callable[[], Awaitable[int]]]]:
    """Run a server in one process; yield its address, and what says its memory.

    It has a core of its own, and who offers has the others: else each would be late by what the other takes.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # a process that is started has its starter's
    async with served(root / "server", shed_delay_us=delay_us, shed_stay_ms=stay_ms) as server:
        os.sched_setaffinity(0, cores[1:] or cores)

        async def resident_kib() -> int:
            return (await server.usage()).resident_kib

        yield server.where, resident_kib
    os.sched_setaffinity(0, cores)


async def run(seconds: float, seed: int, delay_us: int, stay_ms: int) -> Found:
    """Play everything against a server of its own."""
    with tempfile.TemporaryDirectory(prefix="qpq-overload-") as folder:
        root = Path(folder)
        async with (
            embedded(root, delay_us, stay_ms) as (where, resident_kib),
            senders(root / "people", where, PAIRS, CONNECTIONS) as to,
        ):
            memory.settle()  # who offers is not late by looking through its own memory
            return await play(to, resident_kib, Random(seed), seconds=seconds)  # noqa: S311 - a seed that can be played again


def main() -> None:
    """Measure; the exit code is 1 where what was asked for does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a phase; the overload lasts five")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--settings", type=int, nargs=2, metavar=("DELAY_US", "STAY_MS"), help="others; a delay of 0 sheds nothing"
    )
    parser.add_argument("--judge", action="store_true", help="leave with 1 unless everything holds")
    arguments = parser.parse_args()
    broken = set[str]()
    for delay_us, stay_ms, told in [(*arguments.settings, frozenset[str]())] if arguments.settings else PLAYS:
        found = trio.run(run, arguments.seconds, arguments.seed, delay_us, stay_ms)
        used = {"shed_delay_us": delay_us, "shed_stay_ms": stay_ms}
        sys.stdout.write(json.dumps(used | found.as_json(), indent=1) + "\n")
        sys.stdout.flush()
        broken |= {what for what, holds in found.verdict().items() if not holds} - told
    if arguments.judge and broken:
        sys.exit(1)


if __name__ == "__main__":
    main()
