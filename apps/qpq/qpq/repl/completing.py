"""Completes what is typed: commands, people, groups, files, emoji; by the table's kinds of arguments."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from qpq.emoji import emoji_named
from qpq.table.commands import CHAT
from qpq.table.model import Argument, Command, Kind
from qpq.table.parsing import command_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prompt_toolkit.completion import CompleteEvent

    from qpq.repl.view import Snapshot

SHOWN_MAX = 50
"""Choices offered at a time."""
FIXED = {
    Kind.SWITCH: ("on", "off"),
    Kind.DURATION: ("30m", "1h", "1d", "7d", "off"),
    Kind.COMMAND: tuple(CHAT),
}


class ChatCompleter(Completer):
    """Offers what fits where the cursor stands."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the choices for what stands before the cursor."""
        line = document.text_before_cursor
        given = command_of(line)
        if given is None:
            word = line.rpartition(" ")[2]
            yield from _emoji_names(word) if word.startswith(":") else ()
            return
        name, _ = given
        if " " not in line.lstrip():
            yield from _choices(name, ((n, CHAT[n].help) for n in CHAT))
            return
        command = CHAT.get(name)
        argument = _argument_at(command, line) if command is not None else None
        if argument is not None:
            yield from self._values(argument, line.rpartition(" ")[2], complete_event)

    def _values(self, argument: Argument, word: str, event: CompleteEvent) -> Iterator[Completion]:
        snapshot = self._snapshot
        match argument.kind:
            case Kind.PERSON:
                yield from _choices(word.removeprefix("@"), ((p, "") for p in snapshot.people))
            case Kind.CONVERSATION:
                targets = (*("@" + p for p in snapshot.people), *("#" + g for g in snapshot.groups))
                yield from _choices(word, ((t, "") for t in targets))
            case Kind.FILE | Kind.FOLDER:
                yield from self._paths.get_completions(Document(word, len(word)), event)
            case Kind.EMOJI:
                yield from _emoji_names(word)
            case kind:
                yield from _choices(word, ((v, "") for v in FIXED.get(kind, ())))


def _argument_at(command: Command, line: str) -> Argument | None:
    """Return the argument that the cursor is in."""
    place = len(line.lstrip().split(" ")) - 2
    by_place = [a for a in command.arguments if a.kind is not Kind.FLAG]
    if not by_place:
        return None
    return by_place[min(place, len(by_place) - 1)] if place < len(by_place) or by_place[-1].many else None


def _choices(word: str, choices: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    fitting = ((c, meta) for c, meta in choices if c.lower().startswith(word.lower()))
    for choice, meta in islice(fitting, SHOWN_MAX):
        yield Completion(choice, -len(word), display_meta=meta)


def _emoji_names(word: str) -> Iterator[Completion]:
    """Offer emoji for `:thumbs` or `thumbs`: by the words of their Unicode names."""
    for char, name in islice(emoji_named(word.strip(":").replace("_", " ")), SHOWN_MAX):
        yield Completion(char, -len(word), display=f"{char} {name.lower()}")
