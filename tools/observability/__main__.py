"""`python -m tools.observability`: everything in turn; `--only WORD` those conditions; exit code 1 if anything is wrong."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
import trio

from tools.dashboards.boards import BOARDS
from tools.observability.conditions import NOT_PLANTED, Condition
from tools.observability.load import load
from tools.observability.peers import ALL
from tools.observability.prometheus import RULES, Missing, Prometheus, alerts_of, check_rules, hurried, prometheus
from tools.observability.stage import PROCESSES, START_SECONDS_MAX, Stage, stage

if TYPE_CHECKING:
    from tools.dashboards.panels import Panel
    from tools.observability.load import Load

    Seen = dict[str, float]
    """Each line of a panel with its number."""

WARM_SECONDS: Final = 25
"""Of load before anything is asked: longer than the windows."""
LOOK_SECONDS: Final = 0.5
ALIVE_SECONDS_MAX: Final = 20
MORE, LEAST = 1.5, 0.001
ERROR: Final = 40
"""structlog's level: connections come and go here."""


@dataclass
class Report:
    """What was found."""

    wrong: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Print a line."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def fault(self, line: str) -> None:
        """Print a line, and remember that something is wrong."""
        self.wrong.append(line)
        self.say(f"  WRONG: {line}")


async def ready(asked: Prometheus) -> None:
    """Wait until every process is scraped and ready."""
    with trio.fail_after(START_SECONDS_MAX):
        while True:
            try:
                if await asked.values("sum(qpq_ready)") == [float(len(PROCESSES))]:
                    return
            except ValueError:
                pass
            await trio.sleep(LOOK_SECONDS)


async def panels(asked: Prometheus, report: Report, later: list[tuple[Panel, str]]) -> None:
    """Ask every panel's expressions; what returns nothing has to have said under which condition it does."""
    count = 0
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                count += 1
                try:
                    found = await asked.ask(hurried(query.expr))
                except ValueError as exc:
                    report.fault(f"{board.uid}: {panel.title}: {exc}")
                    continue
                if not found and query.only:
                    later.append((panel, query.only))
                elif not found:
                    report.fault(f"{board.uid}: {panel.title}: no data: {query.expr}")
            if not panel.moves and not await is_alive(asked, panel):
                report.fault(f"{board.uid}: {panel.title}: nothing but zeros under load, and no condition moves it")
    report.say(
        f"{count} expressions of {sum(len(b.panels) for b in BOARDS)} panels parsed; {len(later)} wait for a condition"
    )


async def is_alive(asked: Prometheus, panel: Panel) -> bool:
    """Tell whether a panel shows anything but zeros, within some seconds: a moment without calls is none."""
    with trio.move_on_after(ALIVE_SECONDS_MAX):
        while not any((await look(asked, panel)).values()):
            await trio.sleep(LOOK_SECONDS)
        return True
    return False


async def alerts(asked: Prometheus, report: Report) -> None:
    """Ask every alert's expression."""
    known = alerts_of(RULES.read_text())
    for name, expr in known.items():
        try:
            await asked.ask(hurried(expr))
        except ValueError as exc:
            report.fault(f"{name}: {exc}")
    planted = {name for condition in ALL for name in condition.fires}
    if unplanted := known.keys() - planted - NOT_PLANTED.keys():
        report.fault(f"no condition fires {', '.join(sorted(unplanted))}")
    firing = await asked.firing()
    report.say(f"{len(known)} alert expressions parsed; firing before anything is planted: {sorted(firing) or 'none'}")
    if firing:
        report.fault(f"{', '.join(sorted(firing))} fires when all is well")


async def look(asked: Prometheus, panel: Panel) -> Seen:
    """Return what a panel shows."""
    return {
        f"{query.expr} {sorted(sample['metric'].items())}": float(sample["value"][1])
        for query in panel.queries
        for sample in await asked.ask(hurried(query.expr))
        if not math.isnan(float(sample["value"][1]))
    }


def has_moved(before: Seen, after: Seen) -> bool:
    """Tell whether a line is there that was not, is gone, has grown by half or shrunk to the half."""
    return before.keys() != after.keys() or any(
        new > before[line] * MORE + LEAST or new < before[line] / 2 - LEAST for line, new in after.items()
    )


async def play(condition: Condition, on: Stage, under: Load, asked: Prometheus, report: Report) -> None:
    """Plant a condition; its alerts fire, its panels move; end it; its alerts clear."""
    mine = [panel for board in BOARDS for panel in board.panels if condition.name == panel.moves]
    before = {panel.title: await look(asked, panel) for panel in mine}
    begun, missing, still = time.monotonic(), set(condition.fires), set(before)
    async with condition.plant(on, under):
        with trio.move_on_after(condition.seconds):
            while missing or still:
                await trio.sleep(LOOK_SECONDS)
                missing -= await asked.firing()
                still -= {p.title for p in mine if has_moved(before[p.title], await look(asked, p))}
    fired = time.monotonic() - begun
    for name in missing:
        report.fault(f"{condition.name}: {name} did not fire in {condition.seconds} s")
    for title in still:
        report.fault(f"{condition.name}: the panel {title!r} did not move")
    begun, left = time.monotonic(), set(condition.fires)
    with trio.move_on_after(condition.seconds):
        while left := left & await asked.firing():
            await trio.sleep(LOOK_SECONDS)
    if left:
        report.fault(f"{condition.name}: {', '.join(sorted(left))} did not clear in {condition.seconds} s")
    seen = [name for name in condition.fires if name not in missing]
    report.say(
        f"{condition.name}: {', '.join(seen) or 'no alert'} fired, {len(mine) - len(still)} panels moved within {fired:.0f} s; "
        f"cleared within {time.monotonic() - begun:.0f} s"
    )
    await ready(asked)


async def run(root: Path, only: str, report: Report) -> None:
    """Do everything."""
    with stage(root / "server") as on:
        async with prometheus(root / "prometheus", on.pages) as asked:
            await ready(asked)
            async with load(root, on.where) as under:
                await trio.sleep(WARM_SECONDS)
                later: list[tuple[Panel, str]] = []
                await panels(asked, report, later)
                await alerts(asked, report)
                for condition in ALL:
                    if any(word in condition.name for word in only.split(",")):
                        await play(condition, on, under, asked, report)
                    later = [(p, c) for p, c in later if c != condition.name]
                for panel, name in later:
                    report.fault(f"{panel.title}: nobody plants {name!r}")


def main() -> int:
    """Check, run, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="conditions with one of these, parted by commas, in their name")
    parser.add_argument("--rules", action="store_true", help="promtool alone")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERROR))
    report = Report()
    try:
        for line in check_rules():
            report.fault(line)
        report.say("promtool: rules and their tests are as they should be" if not report.wrong else "")
        if not arguments.rules:
            with tempfile.TemporaryDirectory(prefix="qpq-observed-") as root:
                trio.run(run, Path(root), arguments.only, report)
    except Missing as exc:
        report.fault(str(exc))
    for name, why in NOT_PLANTED.items():
        report.say(f"{name}: by promtool alone: {why}")
    report.say(
        "no Grafana is started: its JSON is checked in, compared with the code that writes it, and asked of Prometheus"
    )
    report.say(f"{len(report.wrong)} wrong" if report.wrong else "all as it should be")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
