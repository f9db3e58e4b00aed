"""What fits where the cursor stands: commands, people, groups, files, emoji; by the table's kinds of arguments."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qpq.emoji import emoji_named
from qpq.table.commands import CHAT
from qpq.table.model import Argument, Command, Kind
from qpq.table.parsing import command_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SHOWN_MAX = 50
"""Choices that a person is shown at a time; what they have in common is that of all."""
FIXED = {
    Kind.SWITCH: ("on", "off"),
    Kind.DURATION: ("30m", "1h", "1d", "7d", "off"),
    Kind.COMMAND: tuple(CHAT),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What could stand in the place of the last `back` characters."""

    text: str
    back: int
    meta: str = ""
    """What it means."""
    shown: str = ""
    """How it is listed, where that is not its text."""


def choices(line: str, people: Sequence[str], groups: Sequence[str]) -> Iterator[Choice]:
    """Yield all that fits at the end of a line."""
    given = command_of(line)
    word = line.rpartition(" ")[2]
    if given is None:
        yield from _emoji_names(word) if word.startswith(":") else ()
        return
    name, _ = given
    if " " not in line.lstrip():
        yield from _fitting(name, ((n, CHAT[n].help) for n in CHAT))
        return
    command = CHAT.get(name)
    argument = _argument_at(command, line) if command is not None else None
    if argument is not None:
        yield from _values(argument, word, people, groups)


def _values(argument: Argument, word: str, people: Sequence[str], groups: Sequence[str]) -> Iterator[Choice]:
    match argument.kind:
        case Kind.PERSON:
            yield from _fitting(word.removeprefix("@"), ((p, "") for p in people))
        case Kind.CONVERSATION:
            targets = (*("@" + p for p in people), *("#" + g for g in groups))
            yield from _fitting(word, ((t, "") for t in targets))
        case Kind.FILE | Kind.FOLDER:
            yield from _paths(word)
        case Kind.EMOJI:
            yield from _emoji_names(word)
        case kind:
            yield from _fitting(word, ((v, "") for v in FIXED.get(kind, ())))


def _argument_at(command: Command, line: str) -> Argument | None:
    """Return the argument that the cursor is in."""
    place = len(line.lstrip().split(" ")) - 2
    by_place = [a for a in command.arguments if a.kind is not Kind.FLAG]
    if not by_place:
        return None
    return by_place[min(place, len(by_place) - 1)] if place < len(by_place) or by_place[-1].many else None


def _fitting(word: str, known: Iterable[tuple[str, str]]) -> Iterator[Choice]:
    fitting = ((c, meta) for c, meta in known if c.lower().startswith(word.lower()))
    for choice, meta in fitting:
        yield Choice(choice, len(word), meta)


def _emoji_names(word: str) -> Iterator[Choice]:
    """Offer emoji for `:thumbs` or `thumbs`: by the words of their Unicode names."""
    for char, name in emoji_named(word.strip(":").replace("_", " ")):
        yield Choice(char, len(word), shown=f"{char} {name.lower()}")


def _paths(word: str) -> Iterator[Choice]:
    """Offer what is in a folder; a folder ends with a slash, so that one can go on."""
    folder, begun = os.path.split(word)
    try:
        found = sorted(os.scandir(Path(folder or ".").expanduser()), key=lambda entry: entry.name)
    except (OSError, RuntimeError, ValueError):  # no such folder; no such person's home; no path at all
        return
    for entry in found:
        if entry.name.startswith(begun) and (begun or not entry.name.startswith(".")):
            yield Choice(entry.name[len(begun) :] + "/" * _is_folder(entry), 0, shown=entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links that go round in a ring
        return False
