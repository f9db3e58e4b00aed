"""What a command had to say in several lines: above the composer, which keeps the cursor and so every keystroke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Results(Vertical):
    """Lines to be read; the composer's Page keys scroll, Escape closes."""

    def __init__(self) -> None:
        super().__init__(id="result")
        self._head, self._text = Static(classes="head"), Static()

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        yield self._head
        with VerticalScroll(id="lines", can_focus=False):
            yield self._text
        yield Static(Content("Esc closes, Page keys scroll"), classes="foot")

    @property
    def is_open(self) -> bool:
        """Whether it is there."""
        return self.has_class("-open")

    def show(self, title: str, lines: tuple[str, ...]) -> None:
        """Show lines, from their beginning."""
        self._head.update(Content(title))
        self._text.update(Content("\n".join(lines)))
        self.add_class("-open")
        self.query_one("#lines").scroll_home(animate=False)

    def scroll_pages(self, pages: int) -> None:
        """Scroll."""
        lines = self.query_one("#lines")
        lines.scroll_relative(y=pages * max(1, lines.size.height - 1), animate=False)

    def close(self) -> None:
        """Go away."""
        self.remove_class("-open")
