"""`python -m tools.domains`: play the conversation over three domains in a temporary folder; exit 1 if anything is off."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from tools.demo.processes import played
from tools.domains.play import perform
from tools.domains.storm import perform as storm
from tools.domains.succession import perform as succession


def main() -> int:
    """Parse the options and play."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quic-engine", choices=["native", "aioquic"], default="native")
    parser.add_argument("--keep", type=Path, help="use this folder and leave it behind")
    parser.add_argument("--storm", type=int, metavar="SEED", help="messages and commits under kills and cuts instead")
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--commits", type=int, default=50)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument(
        "--processes", type=int, default=1, help="federation processes of the first domain, which is then scaled"
    )
    parser.add_argument("--kills", type=int, default=6, help="of who brings what waits, with several processes")
    arguments = parser.parse_args()
    if os.environ.get("DEMO_FAULT", "") not in {"", "drop", "double", "swap"}:
        parser.error("DEMO_FAULT is drop, double or swap")
    with tempfile.TemporaryDirectory(prefix="qpq-domains-") as temporary:
        root = arguments.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        if arguments.storm is not None:
            given = {"seed": arguments.storm, "messages": arguments.messages, "commits": arguments.commits}
            return played(partial(storm, root, arguments.quic_engine, faults=arguments.faults, **given))
        if arguments.processes > 1:
            succeeding = partial(succession, processes=arguments.processes, kills=arguments.kills)
            return played(succeeding, root, arguments.quic_engine)
        return played(perform, root, arguments.quic_engine)


if __name__ == "__main__":
    sys.exit(main())
