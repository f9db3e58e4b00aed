"""What only a chat has: help and quit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpq.table.model import Command, Face, Needs

if TYPE_CHECKING:
    from qpq.here import Here

USAGE_CHARS = 36


class Quit(Exception):
    """The person wants to end the chat."""


def help_(here: Here, command: str) -> None:
    """Show all commands, or one in full."""
    from qpq.table.commands import TABLE, by_name
    from qpq.table.parsing import find_command

    here_commands = [c for c in TABLE if here.face in c.faces]
    if command:
        found = find_command(by_name(here_commands), command.removeprefix("/"))
        here.tell(described(found), *full_help(found))
        return
    for each in here_commands:
        here.tell(described(each), short_help(each))
    if here.face is Face.CHAT:
        here.tell(
            {}, "Everything else that you type is sent to the open conversation; // begins a message with a slash."
        )


def short_help(command: Command) -> str:
    """Return the line of the listing."""
    also = f" (/{', /'.join(command.aliases)})" if command.aliases else ""
    return f"{command.usage():<{USAGE_CHARS}} {command.help}{also}"


def described(command: Command) -> dict[str, Any]:
    """Return what a program has to know of a command."""
    needs = [{"name": "conversation", "kind": "@person|#group", "required": True, "list": False}]
    return {
        "method": command.name,
        "aliases": list(command.aliases),
        "help": command.help,
        "params": needs * (command.needs is Needs.CONVERSATION)
        + [
            {"name": a.name.replace("-", "_"), "kind": a.kind.value, "required": a.required, "list": a.collects}
            for a in command.arguments
        ],
    }


def full_help(command: Command) -> list[str]:
    """Return all that is to be said of a command."""
    notes = (f"    {a.shown():<{USAGE_CHARS - 4}} {a.help}" for a in command.arguments if a.help)
    return [short_help(command), *notes]


def quit_(_here: Here) -> None:
    """End the chat; what waits to be sent stays stored."""
    raise Quit
