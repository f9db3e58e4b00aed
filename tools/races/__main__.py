"""`python -m tools.races`: the races and absences at full size, with their figures; exit code 1 for a finding."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import trio

from tools.races import away, crowd


def main() -> int:
    """Play what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", default=["crowd", "typing", "behind"])
    bad = 0
    for which in parser.parse_args().which:
        begun_s = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            outcome: crowd.Crowd | away.Typed | away.Behind
            if which == "crowd":
                outcome = trio.run(partial(crowd.play, root, senders=20, committers=20, messages=10))
            elif which == "typing":
                outcome = trio.run(partial(away.typing, root, signals=2_000))
            else:
                outcome = trio.run(partial(away.behind, root, messages=5_000, epochs=50))
        sys.stdout.write(f"{which}: {outcome.line()}; {time.monotonic() - begun_s:.1f} s in all\n")
        for finding in outcome.findings:
            sys.stdout.write(f"  {finding.rule}: {finding.what}\n")
        bad += len(outcome.findings)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
