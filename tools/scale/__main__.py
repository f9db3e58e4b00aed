"""Play it, and print a row for each figure as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import structlog
import trio

from tools.scale import crowd, sweep

ERROR = 40
"""structlog's level: what the clients here say of connections that come and go stays out."""


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("crowd", "sweep"))
    parser.add_argument("--clients", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument(
        "--share", type=float, default=0.1, help="of a core, for each process of the tier that is measured"
    )
    parser.add_argument("--keep", type=Path, help="a folder for logs and data, kept")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERROR))
    begun_s = time.perf_counter()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - begun_s:6.1f} s  {line}\n")

    with tempfile.TemporaryDirectory(prefix="qpq-scale-") as made:
        folder = arguments.keep or Path(made)
        if arguments.what == "sweep":
            rows = trio.run(sweep.sweep, folder, sweep.Effort(arguments.share, arguments.seconds), say)
        else:
            effort = crowd.Effort(
                clients=arguments.clients, idle_seconds=3 * arguments.seconds, wake_ups=int(50 * arguments.seconds),
                traffic_per_second=2_000, traffic_seconds=arguments.seconds,
            )  # fmt: skip
            rows = trio.run(crowd.crowd, folder, effort, say)
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
