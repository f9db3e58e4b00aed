"""`python -m tools.demo`: play the conversation in a temporary folder; exit 1 if anything is off."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tools.demo.conductor import perform
from tools.demo.processes import free_port, played


def main() -> int:
    """Parse the options and play."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quic-engine", choices=["native", "aioquic"], default="native")
    parser.add_argument("--keep", type=Path, help="use this folder and leave it behind")
    arguments = parser.parse_args()
    fault = os.environ.get("DEMO_FAULT", "")
    if fault not in {"", "drop", "double", "swap"}:
        parser.error("DEMO_FAULT is drop, double or swap")
    with tempfile.TemporaryDirectory(prefix="qpq-demo-") as temporary:
        root = arguments.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        return played(perform, root, arguments.quic_engine, free_port())


if __name__ == "__main__":
    sys.exit(main())
