"""`python -m tests.durability --writes 1500`: power cuts over longer traces than the suite's, in a line for each store.

As shipped, and then with `synchronous=OFF`, which has to lose. 1 if anything is off.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.durability.cuts import Outcome, compiled, judge, record

WRITES_UNSAFE = 60


def play(root: Path, what: str, count: int, how: str) -> Outcome:
    """Record in a folder of its own and cut."""
    folder = Path(tempfile.mkdtemp(dir=root))
    return judge(what, folder, record(compiled(folder), folder, what, count, how))


def main() -> int:
    """Play all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=1_500)
    arguments = parser.parse_args()
    off = False
    with tempfile.TemporaryDirectory(prefix="qpq-cuts-") as made:
        for what, count in (("secrets", 100), *((store, arguments.writes) for store in ("server", "large", "client"))):
            found = play(Path(made), what, count, "safe")
            off |= bool(found.lost or found.broken) or found.acknowledged != count
            print(found.line(), flush=True)
        for what in ("server", "client"):
            found = play(Path(made), what, WRITES_UNSAFE, "unsafe")
            off |= not found.lost
            print("with synchronous=OFF,", found.line(), flush=True)
    return int(off)


if __name__ == "__main__":
    sys.exit(main())
