"""The terminal: a prompt in a worker thread, and lines that appear above it.

Lines are handed over in a queue. Whoever can write to the terminal at that moment empties it: the prompt's own loop
while a prompt is open, else the thread that adds the line. So none is lost when a prompt ends just then.

From its beginning to its end the terminal hands over keys one by one. By the line it would make something else of some of
them: a Ctrl-D would be lost, a Ctrl-C would end the program.
"""

from __future__ import annotations

import os
import sys
import termios
import threading
from collections import deque
from contextlib import nullcontext, suppress
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import DummyHistory, InMemoryHistory
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.defaults import create_output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style as Colours

from qpq.repl.completing import ChatCompleter
from qpq.repl.themes import THEMES
from qpq.repl.view import Snapshot, Style

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from prompt_toolkit.key_binding import KeyPressEvent

_writes_above: ContextVar[bool] = ContextVar("writes_above", default=False)
"""Whether the prompt makes room for lines, and not for a program such as $EDITOR."""


class Keyboard(Vt100Input):
    """The terminal's keys. While lines are written above the prompt they go on coming one by one."""

    def cooked_mode(self) -> AbstractContextManager[None]:
        """Have the terminal work by the line, as a program expects it; nobody reads while lines are written."""
        return nullcontext() if _writes_above.get() else super().cooked_mode()


class Screen:
    """A terminal with a prompt (`qpq.repl.view.View`)."""

    def __init__(self, theme: str) -> None:
        self.snapshot = Snapshot()
        self._waiting: deque[tuple[str, Style]] = deque()
        self._writing = threading.Lock()
        self._open = False
        """Whether a prompt is open, or about to be."""
        self._ending = self._passing = False
        self._colours = Colours.from_dict(THEMES[theme])
        self._depth = ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None
        self._output = create_output()
        keyboard = Keyboard(sys.stdin)
        self._asking = False
        self._typist: PromptSession[str] = PromptSession(
            history=InMemoryHistory(),  # in memory only: what was typed stands nowhere unencrypted
            completer=ChatCompleter(self.snapshot), complete_while_typing=False, style=self._colours,
            color_depth=self._depth, input=keyboard, output=self._output, key_bindings=_keys(),
            enable_open_in_editor=True, bottom_toolbar=lambda: self.snapshot.status or None,
        )  # fmt: skip
        self._asker: PromptSession[str] = PromptSession(
            history=DummyHistory(), style=self._colours, color_depth=self._depth, input=keyboard, output=self._output,
            is_password=Condition(lambda: self._asking),
        )  # fmt: skip
        self._session = self._typist
        self._found = _silence()

    def show(self, line: str, style: Style) -> None:
        """Show one line above the prompt."""
        self._waiting.append((line, style))
        if not self._open:
            self._write()
            return
        loop = self._session.app.loop
        if loop is not None:
            with suppress(RuntimeError):  # the prompt has just ended: its thread writes what waits
                loop.call_soon_threadsafe(self._write_above)

    def show_passing(self, line: str) -> None:
        """Show a line that the next one replaces; not while a prompt is open."""
        if not self._open:
            with self._writing:
                self._begin_row()
                self._output.write(line[: self._output.get_size().columns - 1])
                self._output.flush()
                self._passing = True

    async def read(self, question: str = "", *, secret: bool = False) -> str | None:
        """Return what is typed next."""
        self._open, self._ending, self._asking = True, False, secret
        self._session = self._asker if question else self._typist
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_when_cancelled)
                line, interrupted = await trio.to_thread.run_sync(self._prompt, question)
                nursery.cancel_scope.cancel()
        finally:
            self._open = self._asking = False
            self._write()
        if interrupted:
            raise KeyboardInterrupt
        return line

    def close(self) -> None:
        """Show what waits, and let the terminal echo again."""
        self._write()
        if self._found is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._found)

    def refresh(self) -> None:
        """Draw the prompt and the status anew."""
        self._session.app.invalidate()

    async def _end_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._ending = True
            loop = self._session.app.loop
            if loop is not None:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit(exception=EOFError)

    def _prompt(self, question: str) -> tuple[str | None, bool]:
        """Open one prompt; return what was typed, None at the end, and whether it was Ctrl-C. Runs in the worker thread."""
        message = question or (lambda: FormattedText([("class:prompt", self.snapshot.prompt)]))
        try:
            return self._session.prompt(message, handle_sigint=False, pre_run=self._begin), False
        except EOFError:
            return None, False
        except KeyboardInterrupt:
            return None, True
        finally:
            self._write()

    def _begin(self) -> None:
        """Take over what came before the prompt's loop was there."""
        loop = get_app().loop
        if loop is not None:
            loop.call_soon(self._write_above)
            if self._ending:
                loop.call_soon(self._end)

    def _write_above(self) -> None:
        if self._waiting:
            context = copy_context()
            context.run(_writes_above.set, True)
            context.run(run_in_terminal, self._write)

    def _write(self) -> None:
        with self._writing:
            if self._passing:
                self._begin_row()
            while self._waiting:
                line, style = self._waiting.popleft()
                text = FormattedText([(f"class:{style.value}", line), ("", "\n")])
                print_formatted_text(self._output, text, self._colours, color_depth=self._depth)

    def _begin_row(self) -> None:
        """Clear the row that a passing line stands in."""
        self._output.write_raw("\r")
        self._output.erase_end_of_line()
        self._passing = False


def _silence() -> list[Any] | None:
    """Let the terminal keep what is typed between two prompts, key by key and unseen: the next one takes it all.

    By the line, a Ctrl-D that comes early is lost. Return how the terminal was found.
    """
    try:
        found: list[Any] = termios.tcgetattr(sys.stdin)
    except termios.error:
        return None
    quiet = list(found)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
    return found


def _keys() -> KeyBindings:
    """Return the keys beside the usual ones: Alt-Enter begins another line; Ctrl-X Ctrl-E opens $EDITOR."""
    keys = KeyBindings()

    @keys.add("escape", "enter")
    @keys.add("escape", "c-j")  # what Enter is when it was typed before the prompt was there
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
