"""`python -m tools.endurance --minutes 60`: play the mixed load, print first and last ten minutes; 1 if anything is off."""

from __future__ import annotations

import argparse
import random  # noqa: TID251 - seeded
import sys
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import get_args

import structlog
import trio

from qpqclient.transport import Trust, open_link
from tools.bench.calls import DEVICES, prepared
from tools.bench.people import accounts
from tools.bench.served import Served, served
from tools.endurance.crowd import Crowd
from tools.endurance.stream import Stream
from tools.endurance.watch import SAMPLE_SECONDS, Verdict, left_behind, sample, take
from trio_quic import EngineName

JSON_DEFAULT = Path("build/endurance.json")
WINDOW_MINUTES_MAX = 10.0
WARM_UP_MINUTES = 5.0
"""Page caches, views of groups and assertions fill until then, each up to its bound."""
SHARE = 0.5
"""Of what the server takes at most."""
FLAT_OUT_SECONDS = 10.0
WIDTH = 32
MESSAGES_MAX = 1 << 40
"""Encrypted for each device as they are needed."""
CONNECTIONS_MAX = 1_000
"""From this machine."""
ERROR = 40
"""structlog's level: connections of a server that is busy come and go."""


async def play(
    root: Path, minutes: float, seed: int, engine: EngineName, every: float, warm_up: float = 0.0
) -> Verdict:
    """Run once, in an empty folder; samples are taken for so many minutes, after others of the same load."""
    verdict = Verdict(60 * min(WINDOW_MINUTES_MAX, minutes / 3))
    async with served(
        root / "server", engine=engine, connections_per_address_max=CONNECTIONS_MAX,
        handshakes_per_address_max=CONNECTIONS_MAX,
    ) as server:  # fmt: skip
        await accounts(root / "people", server.where, ["first"])  # the server has done everything once
        verdict.before = await left_behind(server)
        await load(root, server, verdict, (warm_up, minutes), seed, every)
        verdict.after = await left_behind(server, verdict.before)
    return verdict


async def load(
    root: Path, server: Served, verdict: Verdict, minutes: tuple[float, float], seed: int, every: float
) -> None:
    """Put the load on the server, and take it away again."""
    over = trio.Event()
    crowd = Crowd(root, server.where, random.Random(seed), over)  # noqa: S311 - a load's dice
    async with AsyncExitStack() as stack:
        links = [
            await stack.enter_async_context(open_link(server.where, Trust(), accept=lambda _: True))
            for _ in range(DEVICES)
        ]
        stream = Stream(links, await prepared(root / "devices", server.where, links, MESSAGES_MAX))
        readers = await stack.enter_async_context(trio.open_nursery())
        stack.callback(readers.cancel_scope.cancel)
        for number in range(DEVICES):
            await readers.start(stream.read, number)
        verdict.capacity = await stream.flat_out(WIDTH, min(FLAT_OUT_SECONDS, sum(minutes) * 6))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.run)
            nursery.start_soon(stream.paced, verdict.capacity * SHARE, over)
            await trio.sleep(minutes[0] * 60)
            nursery.start_soon(sample, server, stream, verdict, over, every)
            await trio.sleep(minutes[1] * 60)
            over.set()
        await stream.wait()
    take(verdict, stream, crowd)


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--warm-up", type=float, default=WARM_UP_MINUTES, help="minutes of load before the first sample"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=SAMPLE_SECONDS, help="seconds between samples")
    parser.add_argument("--engine", choices=get_args(EngineName), default="native", help="the server's")
    parser.add_argument("--json", type=Path, default=JSON_DEFAULT, metavar="FILE", help=f"default {JSON_DEFAULT}")
    a = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERROR))
    with tempfile.TemporaryDirectory(prefix="qpq-endurance-") as root:
        run = partial(play, Path(root), a.minutes, a.seed, a.engine, a.every, a.warm_up)
        verdict = trio.run(run)
    verdict.write(a.json)
    findings = verdict.findings()
    sys.stdout.write("\n".join([*verdict.lines(), *(f"  OFF: {finding}" for finding in findings), ""]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
