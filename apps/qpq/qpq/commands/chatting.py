"""What only a chat has: help and quit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpq.table.model import Command, Face

if TYPE_CHECKING:
    from qpq.here import Here

USAGE_CHARS = 36


class Quit(Exception):
    """The person wants to end the chat."""


async def help_(here: Here, command: str) -> None:
    """Show all commands, or one in full."""
    from qpq.table.commands import CHAT, TABLE
    from qpq.table.parsing import find_command

    if command:
        found = find_command(CHAT, command.removeprefix("/"))
        here.tell({"command": found.name, "usage": found.usage(), "help": found.help}, *full_help(found))
        return
    for each in TABLE:
        if Face.CHAT in each.faces:
            here.tell({"command": each.name, "usage": each.usage(), "help": each.help}, short_help(each))
    here.tell({}, "Everything else that you type is sent to the open conversation; // begins a message with a slash.")


def short_help(command: Command) -> str:
    """Return the line of the listing."""
    also = f" (/{', /'.join(command.aliases)})" if command.aliases else ""
    return f"{command.usage():<{USAGE_CHARS}} {command.help}{also}"


def full_help(command: Command) -> list[str]:
    """Return all that is to be said of a command."""
    notes = (f"    {a.shown():<{USAGE_CHARS - 4}} {a.help}" for a in command.arguments if a.help)
    return [short_help(command), *notes]


async def quit_(_here: Here) -> None:
    """End the chat; what waits to be sent stays stored."""
    raise Quit
