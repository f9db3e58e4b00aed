"""Reads what was typed or sent: a line of a chat, or values by name, become the arguments of a command.

A line whose first character other than a blank is `/` is a command or a mistake, never a message; `//` begins a
message that begins with one slash.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpq.table.model import Argument, Command, Kind, Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNT_MAX = 100_000
"""Messages of one listing."""
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
EMOJI_BYTES_MAX = 64
"""The longest emoji sequences have some 35 bytes; a reaction is no message."""
_QUOTED = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""")
"""A word as a shell has it, with quotation marks and escapes."""
ON, OFF = frozenset({"on", "true", "yes", "1"}), frozenset({"off", "false", "no", "0"})


def command_of(line: str) -> tuple[str, str] | None:
    """Split a line into a command's name and the rest; None for a text. A leading blank hides no slash."""
    stripped = line.lstrip()
    if not stripped.startswith("/") or stripped.startswith("//"):
        return None
    name, _, rest = stripped[1:].partition(" ")
    return name.strip(), rest.strip()


def text_of(line: str) -> str:
    """Return the message that a line stands for: `//` is one slash."""
    stripped = line.lstrip()
    return stripped[1:] if stripped.startswith("//") else line


def find_command(commands: Mapping[str, Command], name: str) -> Command:
    """Return the command of a name or alias; Mistake, with what may be meant."""
    found = commands.get(name.lower())
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), commands, 1)
        hint = f"did you mean /{near[0]}?" if near else "/help lists all."
        raise Mistake(f"There is no command /{name}: {hint} (A message that begins with a slash: type // first.)")
    return found


def read_line(command: Command, rest: str) -> dict[str, Any]:
    """Turn what follows a command's name into its arguments; Mistake."""
    given: dict[str, Any] = {}
    places = [a for a in command.arguments if a.placed]
    while rest:
        named = _named(command, rest.split(maxsplit=1)[0])
        if named is not None:
            rest = _take_option(command, named, _word(command, rest)[1], given, places)
        elif not places:
            raise Mistake(f"Too much: {rest!r}. It is {command.usage()}")
        elif places[0].kind is Kind.TEXT:
            given[places[0].name], rest = rest, ""
        elif places[0].collects:
            word, rest = _word(command, rest)
            given.setdefault(places[0].name, []).append(word)
        else:
            given[places.pop(0).name], rest = _word(command, rest)
    return finish(command, given)


def _take_option(command: Command, named: Argument, rest: str, given: dict[str, Any], places: list[Argument]) -> str:
    if named in places:
        places.remove(named)
    if named.kind is Kind.FLAG:
        given[named.name] = True
        return rest
    value, rest = _word(command, rest)
    if named.collects:
        given.setdefault(named.name, []).append(value)
    else:
        given[named.name] = value
    return rest


def _named(command: Command, word: str) -> Argument | None:
    """Return the argument that a word like `--name` begins."""
    return next((a for a in command.arguments if a.option and word == "--" + a.name), None)


def _word(command: Command, rest: str) -> tuple[str, str]:
    """Take a word, in quotes or with escapes as a shell has them, off the front; the rest stays as it was typed."""
    if not rest:
        raise Mistake(f"Something is missing. It is {command.usage()}")
    if rest[0] not in "'\"" and "\\" not in rest.split(maxsplit=1)[0]:
        word, *left = rest.split(maxsplit=1)
        return word, left[0] if left else ""
    found = _QUOTED.match(rest)
    if found is None or rest[found.end() :][:1].strip():
        raise Mistake("A quotation mark is missing.")
    import shlex

    return shlex.split(found[0])[0], rest[found.end() :].lstrip()


def finish(command: Command, given: Mapping[str, Any], *, slash: bool = True) -> dict[str, Any]:
    """Turn values by name into what the command takes: defaults filled in, each read as its kind says; Mistake."""
    known = {a.name: a for a in command.arguments}
    if strange := given.keys() - known.keys():
        raise Mistake(f"{', '.join(sorted(map(repr, strange)))}: no argument of {command.usage(slash=slash)}")
    values: dict[str, Any] = {}
    for argument in command.arguments:
        key = argument.name.replace("-", "_")
        if argument.name in given:
            value = given[argument.name]
            if argument.collects:
                values[key] = tuple(read_value(argument, v) for v in value)
            else:
                values[key] = read_value(argument, value)
        elif argument.required:
            raise Mistake(f"{argument.name} is missing. It is {command.usage(slash=slash)}")
        else:
            values[key] = argument.default
    return values


def read_value(argument: Argument, value: Any) -> Any:
    """Read one value as its kind says; Mistake."""
    match argument.kind:
        case Kind.SWITCH | Kind.FLAG:
            return _switch(argument, value)
        case Kind.COUNT:
            return _count(argument, value)
        case Kind.DURATION:
            return seconds_of(value) if isinstance(value, str) else _count(argument, value)
        case _:
            return _read_text(argument, str(value) if isinstance(value, int | Path) else value)


def _read_text(argument: Argument, value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        raise Mistake(f"{argument.name}: a text that is not empty is wanted")
    if argument.choices and value not in argument.choices:
        raise Mistake(f"{argument.name}: one of {', '.join(argument.choices)} is wanted, not {value[:20]!r}")
    if argument.kind not in {Kind.FILE, Kind.FOLDER}:
        value = value.encode(errors="replace").decode()  # half a surrogate pair is no text that could travel
    match argument.kind:
        case Kind.PERSON:
            return _plain_name(argument, value.removeprefix("@"))
        case Kind.GROUP:
            return _plain_name(argument, value.removeprefix("#"))
        case Kind.FILE | Kind.FOLDER:
            return Path(value).expanduser()
        case Kind.EMOJI if len(value.encode(errors="replace")) > EMOJI_BYTES_MAX:
            raise Mistake(f"{argument.name}: a reaction is one emoji, of at most {EMOJI_BYTES_MAX} bytes")
        case _:
            return value


def _plain_name(argument: Argument, value: str) -> str:
    if not value.strip():
        raise Mistake(f"{argument.name}: a name is missing")
    return value


def _switch(argument: Argument, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ON or word in OFF:
        return word in ON
    raise Mistake(f"{argument.name}: say on or off")


def _count(argument: Argument, value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= COUNT_MAX:
        raise Mistake(f"{argument.name}: a number from 1 to {COUNT_MAX} is wanted, not {text[:20]!r}")
    return int(text)


def seconds_of(text: str) -> int:
    """Turn 30m, 1h, 1d, 7d or off into seconds; Mistake."""
    if text in {"off", "0"}:
        return 0
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if found is None or int(found[1]) == 0:
        raise Mistake(f"How long? 30m, 1h, 1d, 7d or off, not {text[:20]!r}")
    return int(found[1]) * UNIT_SECONDS[found[2]]
