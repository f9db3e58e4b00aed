"""`python -m tools.bench`: run everything, print tables, write build/bench.json; never a test of time.

`--quick` runs each step once and briefly, to see that it works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.config.settings import Settings
from tools.bench import goals, page
from tools.bench.blobs import blobs
from tools.bench.bus import bus
from tools.bench.calls import calls
from tools.bench.entering import entering
from tools.bench.fan_out import fan_out
from tools.bench.groups import groups
from tools.bench.idle import idle
from tools.bench.large import large
from tools.bench.latency import group_by_sdk, latency
from tools.bench.measure import FULL, QUICK, Effort, Row
from tools.bench.messages import messages
from tools.bench.postgres import postgres
from tools.bench.redis import redis
from tools.bench.restart import restart
from tools.bench.store import store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JSON_DEFAULT = Path("build/bench.json")
WARNING = 30
"""structlog's level: what the server says of connections that come and go stays out."""


def server_in(root: Path) -> Settings:
    """Return the settings of a server in an empty folder."""
    data = root / "server"
    data.mkdir(parents=True)
    return Settings(listen="127.0.0.1:0", data_dir=str(data))


def run(root: Path, effort: Effort, say: Callable[[str], object], only: Sequence[str]) -> dict[str, list[Row]]:
    """Run every part, or the named ones, each with a server of its own; print its table as it comes."""
    parts: dict[str, Callable[[Path], list[Row]]] = {
        "calls": lambda folder: trio.run(calls, folder, effort),
        "bus": lambda folder: trio.run(bus, folder, effort),
        "store": lambda folder: trio.run(store, folder, effort),
        "postgres": lambda folder: trio.run(postgres, folder, effort),
        "messages": lambda folder: trio.run(messages, folder, effort),
        "fan-out": lambda folder: trio.run(fan_out, folder, effort),
        "entering": lambda folder: trio.run(entering, folder, effort),
        "blobs": lambda folder: trio.run(blobs, folder, effort),
        "restart": lambda folder: trio.run(restart, folder, effort),
        "idle": lambda folder: trio.run(idle, folder, effort),
        "large": lambda folder: trio.run(large, folder, effort),
        "redis": lambda folder: trio.run(redis, folder, effort),
        "latency": lambda folder: trio.run(latency, server_in(folder), folder, effort),
        "groups": lambda _folder: groups(effort),
        "sdk": lambda folder: trio.run(group_by_sdk, server_in(folder), folder, effort),
    }
    found: dict[str, list[Row]] = {}
    for name in only or parts:
        part, begun = parts[name], time.perf_counter()
        (root / name).mkdir()
        found[name] = part(root / name)
        say(f"\n{name} ({time.perf_counter() - begun:.0f} s)\n{table(found[name])}\n")
    return found


def table(rows: list[Row]) -> str:
    """Lay rows out, the first one's names on top."""
    lines = [list(rows[0]), *([figure(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def figure(value: object) -> str:
    """Write a figure with as many places as it deserves."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return str(value)


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once and briefly; the figures mean nothing")
    parser.add_argument("--json", type=Path, default=JSON_DEFAULT, metavar="FILE", help=f"default {JSON_DEFAULT}")
    parser.add_argument("--runs", type=int, default=1, help="how often all of it; figures are medians then")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    parser.add_argument("--part", action="append", default=[], metavar="NAME", help="only this one; may be said again")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show the figures beside those of a stored run")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    runs = []
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory(prefix="qpq-bench-") as temporary:
            runs.append(run(Path(temporary), QUICK if arguments.quick else FULL, sys.stdout.write, arguments.part))
    found = goals.middle_of(runs)
    sys.stdout.write("\n".join(("", *goals.lines(runs), "")))
    if arguments.write:
        page.write(runs, found)
    if arguments.compare:
        sys.stdout.write("\n".join(("", *goals.compared(json.loads(arguments.compare.read_bytes()), found), "")))
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(
        json.dumps({"quick": arguments.quick, "machine": machine, **found, "runs": runs}, indent=1) + "\n"
    )
    sys.stdout.write(f"\nwritten to {arguments.json}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
