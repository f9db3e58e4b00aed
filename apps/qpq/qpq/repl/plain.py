"""Plain lines: a chat through pipes and in terminals that can no more."""

from __future__ import annotations

import sys

import trio

from qpq.repl.view import Snapshot, Style

LINE_CHARS_MAX = 256 * 1024
"""Of one line of input: four times what a message may hold, so that it can be refused with its length."""


class PlainView:
    """Messages and results on standard output, the rest on standard error; the status is not shown."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()

    def show(self, line: str, style: Style) -> None:
        """Write one line."""
        stream = sys.stderr if style in {Style.NOTICE, Style.ERROR} else sys.stdout
        encoding = stream.encoding or "utf-8"
        stream.write(line.encode(encoding, errors="replace").decode(encoding) + "\n")
        stream.flush()

    def show_passing(self, line: str) -> None:
        """Show nothing: lines stay here."""

    async def read(self, question: str = "", *, secret: bool = False) -> str | None:
        """Return the next line of standard input."""
        if question:
            self.show(question, Style.NOTICE)
        del secret  # what comes through a pipe is not echoed
        line = await trio.to_thread.run_sync(sys.stdin.readline, LINE_CHARS_MAX, abandon_on_cancel=True)
        return line.rstrip("\r\n") if line else None

    def close(self) -> None:
        """Nothing was changed here."""

    def refresh(self) -> None:
        """Nothing stays drawn here."""
