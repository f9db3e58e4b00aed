"""What a command tells and asks while it runs, for a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from qpq.harmless import harmless
from qpq.output import Progress
from qpq.repl.view import Style
from qpq.table.model import Mistake
from qpq.tui.scene import Notice, Passing, Result

if TYPE_CHECKING:
    from qpq.tui.session import Session

RESULT_LINES_MAX = 5_000
"""Of one command; the rest is counted."""


class Running:
    """A command that runs; the listener of what it tells (`qpq.here.Listener`)."""

    def __init__(self, session: Session, title: str) -> None:
        self._session, self._title = session, title
        self._lines: list[str] = []
        self._left_out = 0
        self._bar = Progress()
        self._passing = False

    def tell(self, value: dict[str, Any], *lines: str) -> None:
        """Take a result; it is shown when the command ends."""
        del value
        room = RESULT_LINES_MAX - len(self._lines)
        self._lines.extend(harmless(line) for line in lines[:room])
        self._left_out += max(0, len(lines) - room)

    async def ask(self, question: str) -> str:
        """Ask at the screen."""
        return await self._session.ask(question, secret=False) or ""

    async def ask_secret(self, question: str) -> str:
        """Ask twice, unseen."""
        first = await self._session.ask(question, secret=True)
        again = await self._session.ask("once more", secret=True) if first else None
        if not first or first != again:
            raise Mistake("the two were not equal: nothing was changed")
        return first

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a file has come."""
        line = self._bar.line(what, done_bytes, total_bytes, trio.current_time())
        if line is not None:
            self._passing = True
            self._session.show(Passing(line))

    def end(self) -> None:
        """Show what was told."""
        if self._passing:
            self._session.show(Passing(""))
        lines = [*self._lines, *([f"({self._left_out} lines more)"] if self._left_out else [])]
        if len(lines) == 1:
            self._session.show(Notice(lines[0], Style.RESULT))
        elif lines:
            self._session.show(Result(self._title, tuple(lines)))
