"""Rules of groups: one state an epoch, one commit, and all agree at the end."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.oracle import history as h
from tests.oracle.rules.facts import Epoch, Facts, short

if TYPE_CHECKING:
    from collections.abc import Iterator


def forked(facts: Facts) -> Iterator[str]:
    """An epoch has one authenticator and one list of members, on every device that is in it."""
    seen: dict[Epoch, set[tuple[bytes, tuple[str, ...]]]] = defaultdict(set)
    for e in facts.all(h.Entered):
        seen[e.channel, e.generation, e.epoch].add((e.authenticator, e.members))
        if e.device not in e.members:
            yield f"{e.device} is in epoch {e.epoch} of {short(e.channel)} without being a member"
    for (channel, generation, epoch), states in seen.items():
        if len(states) > 1:
            yield f"epoch {generation}.{epoch} of {short(channel)} has {len(states)} states"


def second_commit(facts: Facts) -> Iterator[str]:
    """An epoch ends by one commit."""
    commits: dict[Epoch, set[tuple[bytes, int]]] = defaultdict(set)
    for t in facts.all(h.Took):
        if t.kind == "COMMIT":
            commits[t.channel, t.generation, t.epoch].add((t.payload, t.log_number))
    for c in facts.all(h.Committed):
        commits[c.channel, c.generation, c.epoch].add((c.commit, c.log_number))
    for (channel, generation, epoch), found in commits.items():
        if len(found) > 1:
            yield f"epoch {generation}.{epoch} of {short(channel)} was ended {len(found)} times"


def disagreement(facts: Facts) -> Iterator[str]:
    """At the end every member's device is in the same epoch, with the same authenticator."""
    states: dict[bytes, dict[str, h.Ended]] = defaultdict(dict)
    usable = facts.active - facts.cut_off
    for e in facts.all(h.Ended):
        if e.device in usable:
            states[e.channel][e.device] = e
    for channel, by_device in states.items():
        found = {(e.generation, e.epoch, e.authenticator) for e in by_device.values()}
        if len(found) > 1:
            yield f"{short(channel)} ended in {sorted((g, e) for g, e, _ in found)}"
        for e in by_device.values():
            then = facts.members.get((channel, e.generation, e.epoch))
            if then is not None and then != set(e.members):
                yield f"{e.device} shows other members of {short(channel)} than its epoch {e.epoch} has"
        newest = max(by_device.values(), key=lambda e: (e.generation, e.epoch))
        for device in sorted(set(newest.members) & usable - by_device.keys()):
            yield f"{device} is a member of {short(channel)} and does not know it"


def resurrected(facts: Facts) -> Iterator[str]:
    """A device that was cut off is in no group at the end."""
    for e in facts.all(h.Ended):
        back = sorted(facts.surely_out & set(e.members))
        if back and e.device in facts.active - facts.cut_off:
            yield f"{back[0]} was cut off and is a member of {short(e.channel)}"
