"""`python -m tools.client_drills [DRILL ...] [--size small] [--form scaled]`: play, print a table, and 1 if anything is off."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from tools.client_drills import stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tools.client_drills.outcome import Outcome

DRILLS = ("files", "devices", "hostile", "vanishing", "outbox", "trust")
SIZES = ("full", "small")


def told(line: str) -> None:
    """Say how far a drill is."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> int:
    """Play the drills that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tools.client_drills", description=__doc__)
    parser.add_argument("drill", nargs="*", choices=[*DRILLS, []], help="which; without, all")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--form", choices=stage.FORMS, default=stage.chosen, help="of the server")
    arguments = parser.parse_args()
    stage.chosen = arguments.form
    found: list[Outcome] = []
    for name in arguments.drill or DRILLS:
        play: Callable[[Path, str, Callable[[str], None]], Awaitable[Outcome]] = import_module(
            f"tools.client_drills.{name}"
        ).play
        with tempfile.TemporaryDirectory(prefix=f"qpq-{name}-") as root:
            begun_s = time.monotonic()
            outcome = trio.run(play, Path(root), arguments.size, told)
        outcome.note("took", f"{time.monotonic() - begun_s:.0f} s")
        found.append(outcome)
    sys.stdout.write("| drill | what | was |\n|---|---|---|\n")
    for outcome in found:
        sys.stdout.write("\n".join(outcome.rows()) + "\n")
    return int(any(outcome.findings for outcome in found))


if __name__ == "__main__":
    sys.exit(main())
