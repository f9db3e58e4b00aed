"""What a chat needs of the place where it is shown: a terminal with a prompt, or plain lines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Style(Enum):
    """What a line is; a theme gives each its colours."""

    MESSAGE = "message"
    MENTION = "mention"
    NOTICE = "notice"
    RESULT = "result"
    ERROR = "error"


@dataclass(slots=True)
class Snapshot:
    """What the prompt's thread may read at any time; written by Trio's thread, each field as a whole."""

    prompt: str = "qpq> "
    status: str = ""
    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class View(Protocol):
    """Where a chat is shown."""

    snapshot: Snapshot

    def show(self, line: str, style: Style) -> None:
        """Show one line, which is harmless already; it is never lost while the view is open."""

    def show_passing(self, line: str) -> None:
        """Show a line that the next one replaces, where that can be; a plain view shows none."""

    async def read(self, question: str = "", *, secret: bool = False) -> str | None:
        """Return what is typed next, None at the end of the input; KeyboardInterrupt on Ctrl-C."""

    def close(self) -> None:
        """Leave the place as it was found."""

    def refresh(self) -> None:
        """Draw the snapshot anew."""
