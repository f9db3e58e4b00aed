"""`make replicas-drill`: three of every process, two hundred people, 10,000 messages; everything dies three times meanwhile."""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.net import authority
from qpqcore.runtime.clock import now_ms
from tools.replicas.crowd import FAR, Calls, crowd
from tools.replicas.deaths import HERE, Deaths, schedule
from tools.replicas.verdict import COMMITS_OF_AN_EPOCH, Verdict, judge
from tools.rolling.names import Resolver
from tools.rolling.stage import DATABASE, Stage, stage

if TYPE_CHECKING:
    from collections.abc import Callable

EACH = 3
PEOPLE, MESSAGES = 200, 10_000
ERROR = 40
"""structlog's level: what the clients here say of connections that come and go stays out."""


def federated(place: Stage, stack: ExitStack) -> dict[str, str]:
    """Return settings by which other domains are asked for; the one there is takes datagrams and says nothing."""
    silent = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    silent.bind(("127.0.0.1", 0))
    authority.make_ca(place.folder / "domains", now := datetime.fromtimestamp(now_ms() / 1000, UTC))
    authority.issue_domain(place.folder / "domains", HERE, now)
    own = place.folder / "domains" / HERE
    return {
        "QPQ_FEDERATION_ENABLED": "true", "QPQ_FEDERATION_DOMAIN": HERE, "QPQ_FEDERATION_LISTEN": "127.0.0.1:0",
        "QPQ_FEDERATION_PEERS": f"{FAR}=127.0.0.1:{silent.getsockname()[1]}",
        "QPQ_FEDERATION_CA": str(own / authority.PEER_CA), "QPQ_FEDERATION_CERT": str(own / authority.PEER_CERT),
        "QPQ_FEDERATION_KEY": str(own / authority.PEER_KEY),
    }  # fmt: skip


async def drill(folder: Path, people: int, messages: int, say: Callable[[str], None]) -> Verdict:
    """Play it; return what it showed."""
    calls = Calls()
    with ExitStack() as stack:
        place = stack.enter_context(stage(folder / "stage", EACH))
        place.more = federated(place, stack)
        trio.socket.set_custom_hostname_resolver(Resolver(place.hosts))
        for one in place.everyone:
            place.start(one)
        for one in place.everyone:
            await place.wait_ready(one)
        say(f"{len(place.everyone)} processes are ready")
        forget = partial(place.redis.command, "FLUSHALL")
        async with crowd(folder / "people", place.where, people, forget) as everybody:
            say(f"{people} people have met")
            deaths, begun = Deaths(place, everybody, calls, say), time.monotonic()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(deaths.run, schedule(EACH), messages)
                nursery.start_soon(everybody.talk, messages)
            say(
                f"all is said, {messages / (time.monotonic() - begun):.0f} messages/s; slowest call {calls.longest_s:.1f} s"
            )
            waits = await everybody.rest()
            noted = everybody.history()
        commits = await trio.to_thread.run_sync(place.database.sql, DATABASE, COMMITS_OF_AN_EPOCH)
    count, most = map(int, commits[0].split("|"))
    say("judging")
    verdict = judge(noted, people, deaths.happened, (count, most))
    verdict.findings += waits
    verdict.findings += [f"a user of the SDK saw {what}, {n} times" for what, n in everybody.troubled.items()]
    say(f"callers who do not try again saw: {deaths.raw_failed or 'nothing'}; {calls.answered} calls")
    return verdict


def main() -> int:
    """Play it once; the exit code is 1 where something is off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--keep", type=Path, help="a folder for logs and data, kept")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERROR))
    begun = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:6.1f} s  {line}\n")

    with tempfile.TemporaryDirectory(prefix="qpq-replicas-") as folder:
        verdict = trio.run(drill, arguments.keep or Path(folder), arguments.people, arguments.messages, say)
    sys.stdout.write("\n".join([*verdict.lines(), *(f"  {finding}" for finding in verdict.findings)]) + "\n")
    return 1 if verdict.findings else 0


if __name__ == "__main__":
    sys.exit(main())
