"""Rules of the run itself: no plaintext at the server, nobody stuck, nothing broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle import history as h
from tests.oracle.rules.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Iterator


def readable(facts: Facts) -> Iterator[str]:
    """The server has no plaintext, anywhere."""
    return (f"{s.what} in {s.where}" for s in facts.all(h.Sighted))


def stuck(facts: Facts) -> Iterator[str]:
    """With a connection and time, every device finishes what it has to do."""
    return (f"{w.device}: {w.what}" for w in facts.all(h.Waits) if w.device not in facts.cut_off)


def broke(facts: Facts) -> Iterator[str]:
    """Nothing ends by an error that nobody expected."""
    return (f"{b.process}: {b.error}" for b in facts.all(h.Broke))
