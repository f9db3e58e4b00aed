"""Plays one case for one pair, or all, and writes the page (docs/spec/quic-conformance.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import trio
from trio.testing import MockClock

from . import certificate_cases  # noqa: F401 - enters its cases
from .cases import CASES
from .listed import LISTED, reason
from .place import OWN, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

Pair = tuple[str, str]  # (server, client)

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "quic-conformance.md"
FOREIGN = "s2n-quic"
OWN_PAIRS: list[Pair] = [(server, client) for server in OWN for client in OWN]
FOREIGN_PAIRS: list[Pair] = [*((FOREIGN, own) for own in OWN), *((own, FOREIGN) for own in OWN)]
MOCK_PATIENCE_S = 300.0  # of the mock clock, which jumps
REAL_PATIENCE_S = 20.0
LISTED_PATIENCE_S = 6.0  # of either clock: what is not expected to hold is not waited for as long


def play(pair: Pair, name: str, patience_s: float | None = None) -> None:
    """Play a case; raises whatever is wrong."""
    server, client = pair
    real = not {server, client} <= set(OWN)

    async def bounded() -> None:
        with trio.fail_after(patience_s or (REAL_PATIENCE_S if real else MOCK_PATIENCE_S)):
            await CASES[name](Stage(server, client))

    trio.run(bounded, clock=None if real else MockClock(autojump_threshold=0))


def holds(pair: Pair, name: str) -> bool:
    """Play a case; whether it holds."""
    try:
        play(pair, name, LISTED_PATIENCE_S)
    except Exception:
        return False
    return True


def column(pair: Pair) -> str:
    """A pair's title."""
    return f"{pair[1]} to {pair[0]}"


def page(pairs: Iterable[Pair] = (*OWN_PAIRS, *FOREIGN_PAIRS)) -> str:
    """The page, as it must be: every case holds that is not listed."""
    pairs = list(pairs)
    reasons = list(dict.fromkeys(LISTED.values()))
    lines = [
        "# The conformance of the QUIC engines",
        "",
        "Every pair of a client and a server plays every case (`tests/conformance/*cases.py`). The engines of `trio_quic` meet on a",
        "link in memory under a mock clock, in `make test`; s2n-quic, which shares no code with them, on real sockets, in",
        "`make conformance`. A number is a case that does not hold, for the reason below (`tests/conformance/listed.py`); the suite",
        "plays it all the same, and fails when it does hold. Columns read: client to server.",
        "",
        "| case | " + " | ".join(map(column, pairs)) + " |",
        "|---" * (len(pairs) + 1) + "|",
    ]
    for name in CASES:
        found = [reason(pair, name) for pair in pairs]
        lines.append(
            f"| {name} | " + " | ".join("yes" if why is None else str(reasons.index(why) + 1) for why in found) + " |"
        )
    lines += ["", *(f"{number}. {why}" for number, why in enumerate(reasons, 1))]
    return "\n".join(lines) + "\n"
