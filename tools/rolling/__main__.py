"""Replace every process of the scaled form by the next version under load, and say what callers saw (docs/operate/rolling.md)."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import trio

from tools.rolling.load import Load, people
from tools.rolling.names import Resolver
from tools.rolling.stage import Replica, Stage, plant, stage

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS_PER_SECOND_MIN = 300.0
QUIET_SECONDS = 2.0
"""Under load before the first process goes, and between two."""
ERROR = 40
"""structlog's level: what the clients here say of connections that come and go stays out."""


async def drill(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Play it; return what was found."""
    with stage(folder / "stage") as place:
        trio.socket.set_custom_hostname_resolver(Resolver(place.hosts))
        everyone = place.everyone
        for one in everyone:
            place.start(one)
        for one in everyone:
            await place.wait_ready(one)
        expanded, contracted = (
            plant(folder / f"next-{contract}", contract=contract) for contract in (False, True)
        )  # fmt: skip
        async with people(folder / "people", place.where) as clients:
            load = Load(place.where, clients)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run)
                await trio.sleep(QUIET_SECONDS)
                took = await upgrade(place, expanded, everyone, say)
                say(await place.migrate(contracted))
                await trio.sleep(QUIET_SECONDS)
                load.end()
            lost = await load.missing()
        return report(load, took) | {"words_lost_or_doubled": lost, "old_says": place.refused(everyone[2])}


async def upgrade(place: Stage, program: Path, everyone: list[Replica], say: Callable[[str], None]) -> dict[str, float]:
    """Migrate, then replace one process after another; return what each took."""
    say(await place.migrate(program))
    took = {}
    for one in everyone:
        took[str(one)] = await place.replace(one, program)
        say(f"{one}: {took[str(one)]:.1f} s")
        await trio.sleep(QUIET_SECONDS)
    return took


def report(load: Load, took: dict[str, float]) -> dict[str, Any]:
    """Return the figures."""
    found: dict[str, Any] = {
        name: {
            "per_second": seen.answered / load.seconds, "answered": seen.answered, "failed": dict(seen.failed),
            "longest_gap_s": seen.longest_gap_s, "slowest_call_s": seen.slowest_s,
        }
        for name, seen in (("sdk", load.sdk), ("raw", load.raw))
    }  # fmt: skip
    return found | {
        "seconds": load.seconds, "calls_per_second": (load.sdk.answered + load.raw.answered) / load.seconds,
        "words": sum(map(len, load.words.values())), "errors_users_saw": dict(load.troubled),
        "replacing_s": {name: round(seconds, 2) for name, seconds in took.items()},
    }  # fmt: skip


def verdict(found: dict[str, Any]) -> dict[str, bool]:
    """Return what was asked for, and whether it holds."""
    return {
        "load": found["calls_per_second"] >= CALLS_PER_SECOND_MIN,
        "sdk": not found["sdk"]["failed"] and not found["errors_users_saw"],
        "words": not found["words_lost_or_doubled"],
        "contracted": "use the newer one" in found["old_says"],
    }


def main() -> None:
    """Play it; the exit code is 1 where what was asked for does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a folder for logs and data, kept")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERROR))
    begun = time.perf_counter()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - begun:6.1f} s  {line.strip()}\n")

    with tempfile.TemporaryDirectory(prefix="qpq-rolling-") as folder:
        found = trio.run(drill, arguments.keep or Path(folder), say)
    found["verdict"] = verdict(found)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    sys.exit(0 if all(found["verdict"].values()) else 1)


if __name__ == "__main__":
    main()
