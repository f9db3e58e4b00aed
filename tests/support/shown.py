"""What a page shows, played as it stands: sentences like "alice types `/dm bob hi`, bob sees `[alice] hi`", at real terminals."""

from __future__ import annotations

import re
from itertools import permutations
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.terminals import Terminal

CELL = re.compile(r"(?<!\\)\|")
STEP = re.compile(
    r"(?:(?P<who>alice|bob) )?(?P<verb>types|sees next|sees|and|never saw|has the same|ends with|starts|sees the same digits)"
    r"(?:(?<!starts)(?<!digits) `(?P<what>[^`]+)`)?(?:, |$| (?=and ))"
)
DIGITS_LINES = 2


class Player(Protocol):
    """Somebody at a terminal, with a folder of his own."""

    terminal: Terminal
    folder: Path

    def start(self) -> None:
        """Start the program anew."""


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, its head left out."""
    part = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]] for line in table[2:]]


def steps_of(cell: str) -> list[tuple[str, str, list[str]]]:
    """Return who, what is done, and its texts, for each step of a sentence; AssertionError for what is none."""
    at, steps = 0, []
    while at < len(cell):
        found = STEP.match(cell, at)
        assert found, f"not a step: {cell[at:]}"
        if found["verb"] == "and":
            steps[-1][2].append(found["what"])
        else:
            steps.append((found["who"] or steps[-1][0], found["verb"], [found["what"] or ""]))
        at = found.end()
    return steps


def texts_of(cell: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall("`([^`]+)`", cell)


def fits_value(found: Any, shown: Any) -> bool:
    """Tell whether a JSON value is the one that is shown, in which "…" is any value."""
    if shown == "…":
        return found is not None
    if isinstance(shown, dict):
        return (
            isinstance(found, dict)
            and found.keys() == shown.keys()
            and all(fits_value(found[k], shown[k]) for k in shown)
        )
    if isinstance(shown, list):
        return isinstance(found, list) and len(found) == len(shown) and all(map(fits_value, found, shown))
    return type(found) is type(shown) and bool(found == shown)


def fits_values(found: list[Any], shown: list[Any]) -> bool:
    """Tell whether each of some values is one that is shown, in whatever order."""
    return len(found) == len(shown) and any(
        all(map(fits_value, found, order)) for order in permutations(shown)
    )  # fmt: skip


def digits(terminal: Terminal) -> list[str]:
    """Return the lines of the safety number that was shown last."""
    shown = [line for line in terminal.lines() if len(line.split()) == 6 and line.replace(" ", "").isdigit()]
    assert len(shown) >= DIGITS_LINES
    return shown[-DIGITS_LINES:]


class Play:
    """Two people, and what they do."""

    def __init__(self, people: dict[str, Player]) -> None:
        self._people = people

    def sentence(self, cell: str) -> None:
        """Play one."""
        for who, verb, texts in steps_of(cell):
            try:
                self._step(who, verb, texts)
            except AssertionError as exc:
                screens = ("\n".join([f"--- {n}", *filter(None, p.terminal.lines())]) for n, p in self._people.items())
                exc.add_note("\n".join([f"{who} {verb} {texts}, of: {cell}", *screens]))
                raise

    def _step(self, who: str, verb: str, texts: list[str]) -> None:
        person = self._people[who]
        terminal, what = person.terminal, texts[0]
        match verb:
            case "types":
                terminal.type(what)
            case "sees":
                terminal.sees(*texts)
            case "sees next":
                terminal.sees_next(what)
            case "sees the same digits":
                (other,) = (p for name, p in self._people.items() if name != who)
                terminal.sees(*digits(other.terminal))
            case "never saw":
                assert not [line for line in terminal.lines() if what.strip("…") in line]
            case "has the same":
                (other,) = (p for name, p in self._people.items() if name != who)
                assert (person.folder / what).read_bytes() == (other.folder / what).read_bytes()
            case "ends with":
                assert terminal.ends() == int(what)
            case "starts":
                person.start()
            case _:
                raise AssertionError(verb)
