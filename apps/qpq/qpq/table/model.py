"""What a command is: its names, arguments, help, where it may be used, and the function that does it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpq.here import Here


class Mistake(Exception):
    """What was asked for cannot be meant: a sentence that says why, and what can be."""


class NotWell(Exception):
    """A command has told that something is not well: the exit code of its process is 1."""


class Kind(Enum):
    """What an argument is; it decides how it is read and completed."""

    PERSON = "person"
    CONVERSATION = "@person|#group"
    GROUP = "group name"
    TEXT = "text"
    EMOJI = "emoji"
    MESSAGE = "number"
    COUNT = "count"
    DURATION = "30m|1h|1d|7d|off"
    SWITCH = "on|off"
    FILE = "path"
    FOLDER = "folder"
    COMMAND = "command"
    WORD = "word"
    SECRET = "secret"  # noqa: S105 - a kind of argument
    FLAG = "flag"


class Face(Flag):
    """Where a command can be given."""

    SHELL = auto()
    """`qpq NAME ...`, one process each."""
    CHAT = auto()
    """`/name ...` in the REPL and in the full-screen view."""
    RPC = auto()
    """A method of the daemon."""
    EVERYWHERE = SHELL | CHAT | RPC


class Needs(Enum):
    """What has to be there before a command can run."""

    NOTHING = auto()
    FOLDER = auto()
    """An open profile, with an account in it or not."""
    ACCOUNT = auto()
    CONVERSATION = auto()
    """The open conversation of a chat; elsewhere the first argument names it."""


REQUIRED: Any = object()
"""In the place of a default: the argument has to be given."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, by its place; `option` ones are `--name VALUE` in the shell, and `--name VALUE` elsewhere too."""

    name: str
    kind: Kind
    default: Any = REQUIRED
    many: bool = False
    """All that is left: a text as it was typed, or a tuple of words."""
    option: str = ""
    """Its short form (in a chat it goes by place), or `--`: given by name alone."""
    help: str = ""
    choices: tuple[str, ...] = ()
    """What it can be, where that is known."""
    environment: str = ""
    """The variable that a shell may give it in, for secrets."""

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is REQUIRED

    @property
    def placed(self) -> bool:
        """Whether a chat takes it by its place."""
        return self.option != "--"

    @property
    def collects(self) -> bool:
        """Whether it is a tuple of all the words that are left."""
        return self.many and self.kind is not Kind.TEXT

    def shown(self) -> str:
        """Return how it is written in a usage line."""
        word = "|".join(self.choices) or f"<{self.name}>"
        if "|" in self.kind.value and self.kind is not Kind.CONVERSATION:
            word = self.kind.value
        if not self.placed:
            word = f"--{self.name}" if self.kind is Kind.FLAG else f"--{self.name} {word}"
        if self.collects:
            word += " ..."
        return word if self.required else f"[{word}]"


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    name: str
    help: str
    """One sentence, without a full stop."""
    run: Callable[..., Awaitable[None] | None]
    """Takes `Here`, then the arguments by their names; a plain function where nothing is waited for."""
    arguments: tuple[Argument, ...] = ()
    aliases: tuple[str, ...] = ()
    needs: Needs = Needs.ACCOUNT
    faces: Face = Face.EVERYWHERE
    subcommand: str = ""
    """Its name as a subcommand, where that is another one: `group create`."""
    fresh: bool = True
    """Whether a command that ends after it must have caught up with the server first."""
    confirm: bool = False
    """Whether it asks for the password twice where it makes one (the shell)."""

    begins: bool = False
    """Whether a conversation with a person may begin by it: others look, or change what there is."""

    leads: bool = False
    """Whether it may open another conversation: what is typed after it belongs there."""

    settles: bool = False
    """Whether it changes a conversation's name or timer: its answer says so, and it is no news afterwards."""

    async def call(self, here: Here, values: dict[str, Any]) -> None:
        """Run it."""
        waiting = self.run(here, **values)
        if waiting is not None:
            await waiting

    def usage(self, *, slash: bool = True) -> str:
        """Return the line that shows how it is given."""
        return " ".join([("/" if slash else "") + self.name, *(a.shown() for a in self.arguments)])
