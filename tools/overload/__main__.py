"""Find the sustainable rate of a server, offer twice that, and judge what became of it (docs/operate/overload.md)."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random  # noqa: TID251 - the seeded dice of a load
from typing import TYPE_CHECKING

import trio

from tools.bench.served import served
from tools.overload.offering import senders
from tools.overload.play import Found, play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

SHED_DELAY_US = 500


@asynccontextmanager
async def embedded(root: Path, shed_delay_us: int) -> AsyncIterator[tuple[str, Callable[[], Awaitable[int]]]]:
    """Run a server in one process; yield its address, and what says its memory.

    It has a core of its own, and who offers has the others: else each would be late by what the other takes.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # a process that is started has its starter's
    async with served(root / "server", shed_delay_us=shed_delay_us) as server:
        os.sched_setaffinity(0, cores[1:] or cores)

        async def resident_kib() -> int:
            return (await server.usage()).resident_kib

        yield server.where, resident_kib


async def run(seconds: float, seed: int, shed_delay_us: int) -> Found:
    """Play everything against a server of its own."""
    with tempfile.TemporaryDirectory(prefix="qpq-overload-") as folder:
        root = Path(folder)
        async with embedded(root, shed_delay_us) as (where, resident_kib), senders(root / "people", where) as to:
            return await play(to, resident_kib, Random(seed), seconds=seconds)  # noqa: S311 - a seed that can be played again


def main() -> None:
    """Measure; the exit code is 1 where what was asked for does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a phase; the overload lasts five")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--shed-delay-us", type=int, default=SHED_DELAY_US, help="the server's setting; 0: it sheds nothing"
    )
    parser.add_argument("--judge", action="store_true", help="leave with 1 unless everything holds")
    arguments = parser.parse_args()
    found = trio.run(partial(run, arguments.seconds, arguments.seed, arguments.shed_delay_us))
    sys.stdout.write(json.dumps(found.as_json(), indent=1) + "\n")
    if arguments.judge and not all(found.verdict().values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
