"""Reads the steps out of the page: in a block behind the mark, a line is who, what is done, and its text.

alice$ COMMAND   a program begins in alice's terminal
alice> LINE      she types a line
alice^ KEYS      she presses keys, by tmux's names
alice| LINE      a row of her screen is this one; … at an end is whatever stands there, {name} is kept for later lines
alice~ TEXT      her screen, as it is now, has this somewhere
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "walkthrough.md"
FOLDER = ROOT / "docs" / "walkthrough"
BLOCK = re.compile(r"<!-- played -->\n```text\n(.*?)\n```", re.DOTALL)
LINE = re.compile(r"(?P<who>[a-z]+)(?P<verb>[$>^|~]) (?P<text>.*)")
BEGINS, TYPES, PRESSES, SEES, SHOWS = "$", ">", "^", "|", "~"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the page."""

    who: str
    verb: str
    text: str


def steps(page: str) -> list[Step]:
    """Return all steps of a page, in order; ValueError for a line that is none."""
    found = []
    for block in BLOCK.findall(page):
        for line in block.splitlines():
            step = LINE.fullmatch(line)
            if step is None:
                raise ValueError(f"not a step: {line}")
            found.append(Step(step["who"], step["verb"], step["text"]))
    return found
