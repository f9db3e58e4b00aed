"""`make bad-days`: play every bad day at real processes and write the table (docs/operate/bad-days.md)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import trio

import qpqclient
from qpqcore.model.errors import ErrorCode
from qpqcore.runtime.clock import now_ms
from tools.bad_days.days import DAYS, Day, Scene
from tools.bad_days.revoked import Revoked, revoke
from tools.bad_days.watch import DEADLINE_MS, SHOWN_MAX, SLACK_SECONDS, Watch, moved
from tools.bench.people import PASSWORD, STORE_KEY
from tools.rolling.stage import BEHIND, stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.rolling.stage import Stage

BAD_SECONDS = 8
"""How long a day is bad, from when it is."""
GATEWAYS = 3
TIMES = 100
PAGE = Path(__file__).parent.parent.parent / "docs" / "operate" / "bad-days.md"
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"
ERROR = 40
HEAD = (
    "| bad day | callers were told | slowest call, s | back after, s | lost | `/readyz` | metrics | logs |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a bad day came to."""

    name: str
    codes: tuple[str, ...]
    slowest_s: float
    back_s: float | None
    """None: it did not recover."""
    lost: int
    ready: tuple[str, ...]
    metrics: tuple[str, ...]
    events: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether answers came within the deadline, all recovered by itself, and nothing was lost."""
        return self.slowest_s <= DEADLINE_MS / 1000 + SLACK_SECONDS and self.back_s is not None and not self.lost

    def line(self) -> str:
        """Return it as a line of the table."""
        told = "; ".join(self.codes) or "nothing"
        back = "never" if self.back_s is None else f"{self.back_s:.1f}"
        shown = ("; ".join(each) or "-" for each in (self.ready, self.metrics, self.events))
        return f"| {self.name} | {told} | {self.slowest_s:.1f} | {back} | {self.lost} | {' | '.join(shown)} |"


async def play(day: Day, scene: Scene, watch: Watch) -> Row:
    """Play one."""
    since, before, known = watch.logs(), await watch.pages(), await watch.readiness()
    watch.forget()
    async with day.plant(scene):
        await trio.sleep(BAD_SECONDS)
        said, after = await watch.readiness(), await watch.pages()
        # What a day before it is still said of is not of this one.
        ready = [line for line in said if line not in known][:SHOWN_MAX]
        codes = tuple(f"`{code}` ({', '.join(sorted(of))})" for code, of in watch.codes.items())
        slowest_s, ended_s = watch.slowest_s, time.monotonic()
    try:
        back_s: float | None = await watch.recovered(ended_s)
    except trio.TooSlowError:
        back_s = None
    slowest_s = max(slowest_s, watch.slowest_s)
    return Row(
        day.name, codes, slowest_s, back_s, watch.wrong(), tuple(ready), tuple(moved(before, after)),
        tuple(f"`{event}`" for event in watch.events(since)),
    )  # fmt: skip


async def enter(client: qpqclient.Client, name: str) -> None:
    """Register somebody; a gateway may be ready before each of the services behind it."""
    while not client.known:
        try:
            await client.register(name, PASSWORD)
        except qpqclient.Refused as no:
            if no.code is not ErrorCode.UNAVAILABLE:
                raise


async def open_scene(folder: Path, place: Stage, stack: AsyncExitStack) -> tuple[Scene, Watch]:
    """Start everything, and let people in."""
    for one in place.everyone:
        place.start(one)
    for one in place.everyone:
        await place.wait_ready(one)
    people = []
    for name, host in (("alice", place.hosts[0]), ("bob", place.hosts[-1])):
        opened = qpqclient.open_client(folder / name, server=f"{host}:{place.port}", store_key=STORE_KEY)
        people.append(await stack.enter_async_context(opened))
        await enter(people[-1], name)
    watch = Watch(place, *people)
    return Scene(place, people[0], lambda: watch.talk), watch


@dataclass(slots=True)
class Played:
    """What has been played so far."""

    rows: list[Row] = field(default_factory=list)
    revoked: Revoked | None = None
    loads: list[float] = field(default_factory=list)
    """The machine's load averages, of a minute each."""


async def drill(folder: Path, only: str, times: int, say: Callable[[str], None]) -> Played:
    """Play those whose name has one of the words in it."""
    done = Played()
    with stage(folder / "stage", dict.fromkeys(BEHIND, 1) | {"gateway": GATEWAYS}) as place:
        async with AsyncExitStack() as stack:
            scene, watch = await open_scene(folder, place, stack)
            say("everything runs")
            nursery = await stack.enter_async_context(trio.open_nursery())
            nursery.start_soon(place.supervise)
            nursery.start_soon(watch.run)
            await watch.recovered(time.monotonic())
            for day in DAYS:
                if any(word in day.name for word in only.split("|")):
                    done.rows.append(await play(day, scene, watch))
                    done.loads.append(os.getloadavg()[0])
                    say(done.rows[-1].line())
            if times and only in "revoked":
                done.revoked = await revoke(folder, place, scene.alice, times)
                done.loads.append(os.getloadavg()[0])
                say(done.revoked.line())
            nursery.cancel_scope.cancel()
    return done


def machine(loads: list[float]) -> str:
    """Return in a line on what it was played."""
    return (
        f"Played in {datetime.fromtimestamp(now_ms() / 1000, UTC):%B %Y} on {os.cpu_count()} cores that much else was running on: "
        f"load average {min(loads):.0f} to {max(loads):.0f}, this drill's own processes among it."
    )


def write(done: Played) -> None:
    """Put the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    lines = [machine(done.loads), "", HEAD, *(row.line() for row in done.rows)]
    if done.revoked is not None:
        lines += ["", done.revoked.line()]
    PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")


def main() -> int:
    """Play; the exit code is 1 where a day does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="words of the days' names, with | between them")
    parser.add_argument("--times", type=int, default=TIMES, help="how often a device is revoked; 0: never")
    parser.add_argument("--keep", type=Path, help="a folder for logs and data, kept")
    parser.add_argument("--write", action="store_true", help="put the table into docs/operate/bad-days.md")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERROR))
    begun = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:6.1f} s  {line}\n")

    with tempfile.TemporaryDirectory(prefix="qpq-bad-days-") as folder:
        done = trio.run(drill, arguments.keep or Path(folder), arguments.only, arguments.times, say)
    if arguments.write:
        write(done)
    bad = [row.name for row in done.rows if not row.holds]
    bad += [] if done.revoked is None or done.revoked.holds else ["revoked"]
    lines = [HEAD, *(row.line() for row in done.rows), *(f"  does not hold: {b}" for b in bad)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
