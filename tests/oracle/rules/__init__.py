"""The rules: each reads a history and names what breaks it. `check` applies all of them.

A device is owed a message if it was a member at the message's epoch and still was one at the message's place in the
channel's log (docs/spec/delivery.md#messages), unless it was cut off, put back, or fell behind a `gap`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.oracle.rules.accounts import damaged, key_reused, list_went_back, served_after
from tests.oracle.rules.facts import Facts, Finding
from tests.oracle.rules.groups import disagreement, forked, resurrected, second_commit
from tests.oracle.rules.mailboxes import foreign, handed_twice, mailbox, rewritten
from tests.oracle.rules.messages import (
    doubled,
    invented,
    lingering,
    lost,
    order,
    outsider,
    sent_twice,
    taken_twice,
    unheard,
    unsent,
)
from tests.oracle.rules.run import broke, readable, stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["RULES", "Finding", "check"]

RULES: dict[str, Callable[[Facts], Iterable[str]]] = {
    rule.__name__: rule
    for rule in (
        lost, unheard, unsent, doubled, taken_twice, sent_twice, order, invented, outsider, lingering, rewritten, mailbox, handed_twice, foreign, forked,
        second_commit, disagreement, resurrected, served_after, key_reused, list_went_back, damaged, readable, stuck,
        broke,
    )
}  # fmt: skip
"""Name -> rule."""


def check(noted: Sequence[Any]) -> list[Finding]:
    """Apply every rule; an empty list means that nothing is off."""
    facts = Facts.of(noted)
    return [Finding(name, what) for name, rule in RULES.items() for what in rule(facts)]
