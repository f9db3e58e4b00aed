"""Rules of logs and mailboxes: one content at a place, no holes, nothing that is for others."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.oracle import history as h
from tests.oracle.rules.facts import Facts, short

if TYPE_CHECKING:
    from collections.abc import Iterator


def rewritten(facts: Facts) -> Iterator[str]:
    """A place in a channel's log has one content, whoever is shown it."""
    contents: dict[tuple[bytes, int], set[tuple[int, int, bytes]]] = defaultdict(set)
    for t in facts.all(h.Took):
        if t.kind in {"MESSAGE", "COMMIT", "PROPOSAL"}:
            contents[t.channel, t.log_number].add((t.generation, t.epoch, t.payload))
    for m in facts.all(h.Answered):
        contents[m.channel, m.log_number].add((m.generation, m.epoch, m.payload))
    for c in facts.all(h.Committed):
        contents[c.channel, c.log_number].add((c.generation, c.epoch, c.commit))
    for (channel, number), found in contents.items():
        if len(found) > 1:
            yield f"number {number} of {short(channel)} has {len(found)} contents"


def mailbox(facts: Facts) -> Iterator[str]:
    """A mailbox has no holes, and a number in it one content for ever.

    A device that was killed may lack the note of the one entry that it had just stored: its next start says which.
    """
    stored = {(s.device, s.position) for s in facts.all(h.Started)}
    entries: dict[str, dict[int, tuple[Any, ...]]] = defaultdict(dict)
    for t in facts.all(h.Took):
        content = (t.channel, t.generation, t.epoch, t.log_number)
        if entries[t.device].setdefault(t.number, content) != content:
            yield f"entry {t.number} of {t.device} has changed"
    gaps = {(t.device, t.number) for t in facts.all(h.Took) if t.kind == "GAP"}
    for device, numbers in entries.items():
        for before, after in pairwise(sorted(numbers)):
            unseen = {n for n in range(before + 1, after) if (device, n) not in stored}
            if unseen and (device, after) not in gaps and device not in facts.restored:
                yield f"{device} took entry {after} after {before}"


def handed_twice(facts: Facts) -> Iterator[str]:
    """A place in a log comes into a mailbox once."""
    places: dict[tuple[str, bytes, int], set[int]] = defaultdict(set)
    for t in facts.all(h.Took):
        if t.kind in {"MESSAGE", "COMMIT", "PROPOSAL", "WELCOME"}:
            places[t.device, t.channel, t.log_number].add(t.number)
    for (device, channel, number), found in places.items():
        if len(found) > 1 and device not in facts.restored:
            yield f"{device} was handed number {number} of {short(channel)} as {sorted(found)}"


def foreign(facts: Facts) -> Iterator[str]:
    """A device is handed handshakes of groups that it is in, was until that very commit, or joined by it from outside."""
    for t in facts.all(h.Took):
        then = facts.members.get((t.channel, t.generation, t.epoch))
        after = (
            facts.members.get((t.channel, t.generation, t.epoch + 1), frozenset())
            if t.kind == "COMMIT"
            else frozenset()
        )
        if t.kind in {"COMMIT", "PROPOSAL"} and then is not None and t.device not in then | after:
            yield f"{t.device} was handed a {t.kind} of {short(t.channel)}, epoch {t.epoch}, which it was not in"
