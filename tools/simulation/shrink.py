"""Makes a failing plan small: leaves steps out as long as the same rule is still broken (delta debugging)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.simulation.plan import Plan

RUNS_MAX = 150


def shrink(plan: Plan, fails: Callable[[Plan], bool]) -> frozenset[int]:
    """Return the numbers of the steps that can be left out."""
    left = [s.number for s in plan.steps]
    out: frozenset[int] = frozenset()
    size, runs = max(len(left) // 2, 1), 0
    while runs < RUNS_MAX:
        start = 0
        while start < len(left) and runs < RUNS_MAX:
            chunk = left[start : start + size]
            runs += 1
            if fails(plan.without(out | set(chunk))):
                out |= set(chunk)
                left = left[:start] + left[start + size :]
            else:
                start += size
        if size == 1:
            break
        size = max(size // 2, 1)
    return out


def to_text(numbers: frozenset[int]) -> str:
    """Return numbers as "1,4-7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def from_text(text: str) -> frozenset[int]:
    """Return the numbers of "1,4-7"; ValueError."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)
