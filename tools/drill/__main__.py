"""`python -m tools.drill --store sql|postgres`: the backup drill, with its figures. Nonzero exit if anything does not hold."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import trio

from tools.drill.play import play


def main() -> int:
    """Play it on the stores asked for."""
    parser = argparse.ArgumentParser(prog="tools.drill", description=__doc__)
    parser.add_argument("--store", choices=["sql", "postgres", "both"], default="both")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load before the backup, and again after it")
    given = parser.parse_args()
    failed = 0
    for store in ("sql", "postgres") if given.store == "both" else (given.store,):
        with tempfile.TemporaryDirectory(prefix="qpq-drill-") as folder:
            figures = trio.run(play, Path(folder), store, given.people, given.seconds)
        failed += bool(figures["broken"])
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
