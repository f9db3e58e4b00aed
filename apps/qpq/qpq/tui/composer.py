"""The composer: takes every keystroke, shows nothing that could do harm, and says when a line is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.strip import Strip
from textual.widgets import TextArea

from qpq.harmless import MARK, harmless_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events

CHARS_MAX = 64 * 1024
"""Twice what a message may hold, so that it can be refused with its length; what is pasted beyond is not taken, and said."""

NEW_LINE = frozenset({"alt+enter", "shift+enter", "ctrl+j"})


class Composer(TextArea):
    """A field of some lines. Alt-Enter, Shift-Enter or Ctrl-J begins another one.

    Keys that mean something else than writing are called from `keys`, in their turn: what was typed before Enter is in
    the text by then, and what is typed after it is not. (A binding with priority would overtake both.)
    """

    def __init__(self) -> None:
        super().__init__(
            soft_wrap=True, tab_behavior="focus", show_line_numbers=False, highlight_cursor_line=False,
            placeholder="Write, or /help",
        )  # fmt: skip
        self.keys: dict[str, Callable[[], object]] = {}
        self.full: Callable[[], object] = lambda: None
        """Called when something was pasted that is too long."""

    def get_line(self, line_index: int) -> Text:
        """Return a line as it may be shown: as many characters as it has, a mark for each that could do harm."""
        line = self.document.get_line(line_index)
        shown = (char if char == "\t" else cell or MARK for char, cell in zip(line, harmless_cells(line), strict=True))
        return Text("".join(shown), end="", no_wrap=True)

    def render_line(self, y: int) -> Strip:
        """Return a row; none is broken into lines of no width (Textual would fail, in a terminal that is made tiny)."""
        return super().render_line(y) if self.content_size.width > 0 else Strip.blank(0)

    def put(self, text: str) -> None:
        """Have this text, with the cursor at its end."""
        if text != self.text:
            self.load_text(text)
        self.move_cursor(self.document.end)

    @property
    def at_top(self) -> bool:
        """Whether the cursor is in the first row that is shown."""
        return self.wrapped_document.location_to_offset(self.cursor_location).y == 0

    async def _on_key(self, event: events.Key) -> None:
        call = self.keys.get(event.key)
        if event.key in NEW_LINE:
            call = self._begin_line
        if call is None or (event.key == "up" and not self.at_top):
            return  # Textual calls the same method of TextArea next
        event.stop()
        event.prevent_default()
        call()

    def _begin_line(self) -> None:
        self.insert("\n")

    async def _on_paste(self, event: events.Paste) -> None:
        if len(self.text) + len(event.text) > CHARS_MAX:
            event.prevent_default()
            event.stop()
            self.full()
