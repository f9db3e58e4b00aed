"""What happens in a run, as data: steps drawn from a seed, each with dice of its own, so that one can be left out."""

from __future__ import annotations

import random  # noqa: TID251 - seeded
from dataclasses import dataclass

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj")
STEPS_DEFAULT = 40

PEOPLE = {
    "send": 40, "reply": 3, "delete": 3, "edit": 3, "read": 4, "pin": 1, "react": 3, "timer": 1, "file": 2, "download": 2, "typing": 2, "found": 4,
    "direct": 3, "invite": 5, "remove": 4, "leave": 2, "admins": 1, "update": 6, "rename": 1, "rejoin": 2,
    "password": 1, "new_device": 4, "revoke": 2, "delete_account": 1, "look": 2,
}  # fmt: skip
"""What people do, and how often."""
FAULTS = {
    "crash_device": 8, "crash_server": 5, "cut_off": 5, "weather": 4, "slow_disk": 2, "full_disk": 2, "full_device": 2, "deaf": 2,
    "skew": 1, "jump": 1, "small_mailbox": 1, "copy_back": 1,
}  # fmt: skip
"""What befalls them."""
FAULT_SHARE = 0.25
PAUSES_S = (0.0, 0.0, 0.02, 0.2, 1.0, 5.0)
"""Between steps: most follow at once, so that calls meet."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens."""

    number: int
    kind: str
    dice: str
    """The seed of the step's own dice."""
    pause_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A run."""

    seed: int
    people: int
    steps: tuple[Step, ...]

    def without(self, numbers: frozenset[int]) -> Plan:
        """Return the plan with some steps left out; the others stay as they are."""
        return Plan(self.seed, self.people, tuple(s for s in self.steps if s.number not in numbers))


def make(seed: int, steps: int = STEPS_DEFAULT, people: int = 0) -> Plan:
    """Draw a plan; `people`: how many accounts there are, 0: drawn too."""
    dice = random.Random(f"plan {seed}")  # noqa: S311 - a simulation
    count = people or dice.choice((2, 3, 3, 4, 4, 5, 6, 8, 12))
    drawn = [Step(0, "found_all", f"{seed}/0", 1.0)]
    for number in range(1, steps):
        table = FAULTS if dice.random() < FAULT_SHARE else PEOPLE
        kind = dice.choices(list(table), list(table.values()))[0]
        drawn.append(Step(number, kind, f"{seed}/{number}", dice.choice(PAUSES_S)))
    return Plan(seed, count, tuple(drawn))
