"""The manual, made from the command table: a page for `man`, and the book's page docs/how-to/commands.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.table.commands import TABLE
from qpq.table.model import Face, Needs

if TYPE_CHECKING:
    from qpq.table.model import Argument, Command

FACES = ((Face.CHAT, "chat"), (Face.SHELL, "shell"), (Face.RPC, "daemon"))
HEAD = """\
# Commands

Made from the command table by `qpq man --markdown`: what is typed in the REPL (`/name ...`), in a shell (`qpq NAME ...`), and asked of the daemon (`{"method": "name"}`). In a shell and for the daemon, a command that concerns a conversation takes it as its
first argument: `@person`, `#group`, or an id's beginning. `index` is a number of `/history`, which stays while the process runs; `-1` is the newest message. Words with blanks go in quotation marks; a `text` is all that follows, as it is.

| command | also | | where |
|---|---|---|---|
"""


def shell_usage(command: Command) -> str:
    """Return how a command is given in a shell."""
    target = ["CONVERSATION"] if command.needs is Needs.CONVERSATION else []
    words = [_shell_argument(a) for a in command.arguments]
    return " ".join(["qpq", command.subcommand or command.name, *target, *words])


def _shell_argument(argument: Argument) -> str:
    return f"[--{argument.name} <{argument.name}>]" if argument.option and argument.placed else argument.shown()


def markdown() -> str:
    """Return the book's page."""
    rows = []
    for command in TABLE:
        where = ", ".join(name for face, name in FACES if face in command.faces)
        usage = command.usage() if Face.CHAT in command.faces else shell_usage(command)
        also = " ".join(f"`/{alias}`" for alias in command.aliases)
        notes = "; ".join(f"`{a.name}`: {a.help}" for a in command.arguments if a.help)
        cells = (f"`{usage}`", also, command.help + (f" ({notes})" if notes else ""), where)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return HEAD + "\n".join(rows) + "\n"


def roff(version: str) -> str:
    """Return the page for `man`."""
    lines = [
        f'.TH QPQ 1 "" "qpq {version}"',
        ".SH NAME", r"qpq \- end-to-end encrypted messages",
        ".SH SYNOPSIS", ".B qpq", "[OPTIONS] COMMAND [ARGUMENTS]", ".br", ".B qpq repl --username", "NAME",
        ".SH DESCRIPTION",
        "A conversation is named @person or #group. In the REPL the same commands begin with a slash; everything else is sent.",
        ".SH COMMANDS",
    ]  # fmt: skip
    for command in TABLE:
        usages = [command.usage()] if Face.CHAT in command.faces else []
        usages += [f"/{alias}" for alias in command.aliases]
        usages += [shell_usage(command)] if Face.SHELL in command.faces else []
        lines += [".TP", f".B {_escaped(', '.join(usages))}", _escaped(command.help + ".")]
        lines += [line for a in command.arguments if a.help for line in (".br", _escaped(f"{a.name}: {a.help}"))]
    lines += [
        ".SH EXIT STATUS",
        "That of the error table: 0 done, 2 a mistake in what was asked for, others by the error's name.",
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("-", "\\-")
