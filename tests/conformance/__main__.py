"""`python -m tests.conformance`: plays every case for every pair, the foreign ones too, and prints the matrix.

`--own` leaves the foreign peer out, `--case WORD` plays the cases with that word in their names, `--write` writes the page.
1 if a case fails that is not listed, or holds though it is.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback

from .cases import CASES
from .listed import reason
from .matrix import FOREIGN_PAIRS, OWN_PAIRS, PAGE, Pair, column, holds, page, play


def verdict(pair: Pair, name: str) -> str:
    """What came of a case, in a word or a line; off if it begins with a capital."""
    why = reason(pair, name)
    if why is not None:
        return f"LISTED BUT HOLDS: {why}" if holds(pair, name) else f"listed: {why}"
    try:
        play(pair, name)
    except Exception:
        traceback.print_exc()
        return "FAILED"
    return "yes"


def main() -> int:
    """Play all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--case", default="")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        PAGE.write_text(page())
    logging.getLogger("quic").setLevel(logging.CRITICAL)  # aioquic warns of each refusal, which is what is wanted here
    pairs = OWN_PAIRS if arguments.own else OWN_PAIRS + FOREIGN_PAIRS
    off = played = 0
    begun = time.monotonic()
    for name in CASES:
        if arguments.case not in name:
            continue
        print(name, flush=True)
        for pair in pairs:
            started = time.monotonic()
            found = verdict(pair, name)
            played += 1
            off += found[0].isupper()
            print(f"    {column(pair):22} {time.monotonic() - started:6.2f} s  {found}", flush=True)
    print(f"{played} played in {time.monotonic() - begun:.0f} s, {off} off")
    return int(bool(off))


if __name__ == "__main__":
    sys.exit(main())
