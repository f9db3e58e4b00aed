"""`python -m tools.soak --seed 7 --kills 200`: play, judge, print a line for each window and the totals; 1 if anything is off."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import get_args

import trio

from tools.soak.conductor import run
from tools.soak.verdict import judge
from trio_quic import EngineName


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--engine", choices=get_args(EngineName), default="native", help="QUIC, at both ends")
    parser.add_argument("--folder", type=Path, help="an empty folder to use and leave behind")
    parser.add_argument("--verbose", action="store_true", help="say which window is hit, as it goes")
    arguments = parser.parse_args()

    def told(line: str) -> None:
        if arguments.verbose:
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - the tool's purpose

    with tempfile.TemporaryDirectory(prefix="qpq-soak-") as made:
        root = arguments.folder or Path(made)
        root.mkdir(parents=True, exist_ok=True)
        soak, ended = trio.run(run, root, arguments.seed, arguments.kills, told, arguments.engine)
        verdict = judge(soak, ended)
    for finding in verdict.findings:
        print(f"  OFF: {finding}")  # noqa: T201 - as above
    print(f"seed {arguments.seed}:", *verdict.lines(), sep="\n")  # noqa: T201 - as above
    return 0 if not verdict.findings else 1


if __name__ == "__main__":
    sys.exit(main())
