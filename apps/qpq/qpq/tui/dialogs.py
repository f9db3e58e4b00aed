"""What opens over the screen: the switcher, the emoji, questions, a picture."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from qpq.emoji import emoji_named
from qpq.harmless import harmless_name
from qpqclient import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual import events
    from textual.app import ComposeResult
    from textual.strip import Strip

    from qpq.tui.scene import Place

SHOWN_MAX = 50
"""Choices offered at a time."""
OFTEN = (("👍", "yes"), ("❤️", "love"), ("😂", "laughing"), ("😮", "astonished"), ("😢", "sad"), ("🎉", "celebration"), ("✅", "done"), ("👎", "no"))  # fmt: skip


class Field(Input):
    """A field in a dialog; like the composer it hands the keys that mean something over in their turn."""

    def __init__(self, keys: dict[str, Callable[[], object]], hint: str = "", *, secret: bool = False) -> None:
        super().__init__(placeholder=hint, password=secret, select_on_focus=False)  # what came early stays
        self._keys = keys

    async def _on_key(self, event: events.Key) -> None:
        call = self._keys.get(event.key)
        if call is None:
            return  # Textual calls the same method of Input next
        event.stop()
        event.prevent_default()
        call()


class Dialog(ModalScreen[None]):
    """What has a field; keys that come before the field is there wait for it (`ChatApp.on_event`)."""


class Choosing(Dialog):
    """A field and what fits what is typed there; the arrows choose, Enter takes."""

    def __init__(self, head: str, hint: str, then: Callable[[str], object]) -> None:
        super().__init__()
        self._head, self._hint, self._then = head, hint, then

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content(self._head), classes="head")
            keys: dict[str, Callable[[], object]] = {
                "enter": self._take,
                "escape": self.dismiss,
                "down": partial(self._go, 1),
                "up": partial(self._go, -1),
            }
            yield Field(keys, self._hint)
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Offer what there is."""
        self._offer("")

    def fitting(self, query: str) -> Iterable[tuple[str, Content]]:
        """Return what fits, best first: an id, and how it is shown."""
        raise NotImplementedError

    def _offer(self, query: str) -> None:
        self._offered = query
        options = self.query_one(OptionList)
        options.set_options(
            Option(shown, ident) for (ident, shown), _ in zip(self.fitting(query), range(SHOWN_MAX), strict=False)
        )
        options.highlighted = 0 if options.option_count else None

    def on_input_changed(self, event: Input.Changed) -> None:
        """Offer what fits now."""
        if event.value != self._offered:
            self._offer(event.value)

    def _take(self) -> None:
        """Take what is chosen, of what fits what is typed by now."""
        if self.query_one(Field).value != self._offered:
            self._offer(self.query_one(Field).value)
        chosen = self.query_one(OptionList).highlighted_option
        self._end(chosen.id if chosen else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take what was clicked."""
        self._end(event.option.id)

    def _end(self, ident: str | None) -> None:
        self.dismiss()
        if ident is not None:
            self._then(ident)

    def _go(self, step: int) -> None:
        """Choose the next one, or the one before."""
        options = self.query_one(OptionList)
        if options.option_count:
            options.highlighted = ((options.highlighted or 0) + step) % options.option_count


class Switcher(Choosing):
    """Finds a conversation by some of its letters, in their order; or begins one with a person."""

    NEW = "new:"

    def __init__(self, places: tuple[Place, ...], then: Callable[[str], object]) -> None:
        super().__init__("Go to", "some letters of a name", then)
        self._places = places
        self._search = FuzzySearch()

    @classmethod
    def line(cls, ident: str) -> Draft:
        """Return the line that begins a conversation, as it would be typed."""
        return Draft("/dm " + shlex.quote(ident.removeprefix(cls.NEW)))

    def fitting(self, query: str) -> Iterable[tuple[str, Content]]:
        """Return the conversations that fit; of those that fit alike, what is unread first."""
        found = [(self._search.match(query, p.label)[0] if query else 1.0, p) for p in self._places]
        for _, place in sorted(
            ((score, p) for score, p in found if score > 0), key=lambda f: (-f[0], not f[1].unread, f[1].label)
        ):
            unread = f"  {place.unread}{'!' if place.mentions else ''}" if place.unread else ""
            yield place.channel.hex(), Content(place.label) + Content.styled(unread, "bold $warning")
        name = query.strip().removeprefix("@")
        if name and not query.startswith("#") and f"@{harmless_name(name)}" not in {p.label for p in self._places}:
            yield self.NEW + name, Content.styled(f"talk to {harmless_name(name)}", "italic")


class Reacting(Choosing):
    """Finds an emoji by words of its name."""

    def __init__(self, then: Callable[[str], object]) -> None:
        super().__init__("React with", "a word: heart, fire, …", then)

    def fitting(self, query: str) -> Iterable[tuple[str, Content]]:
        """Return what is used most, or what is called so."""
        for emoji, name in emoji_named(query) if query.strip() else OFTEN:
            yield emoji, Content(f"{emoji}  {name.lower()}")


class Asking(Dialog):
    """One question and a field; Escape answers nothing."""

    def __init__(self, question: str, then: Callable[[str | None], object], *, secret: bool) -> None:
        super().__init__()
        self._question, self._secret, self._then = question, secret, then

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content(self._question), classes="head")
            yield Field({"enter": self._answer, "escape": partial(self._end, None)}, secret=self._secret)
            yield Static(Content("Enter answers, Esc does not"), classes="foot")

    def _answer(self) -> None:
        self._end(self.query_one(Field).value)

    def _end(self, text: str | None) -> None:
        self.dismiss()
        self._then(text)


class Deleting(ModalScreen[None]):
    """Asks before a message is deleted for everybody. Who goes on writing keeps it, and has written: `write_on`."""

    def __init__(self, line: str, sure: Callable[[], object], write_on: Callable[[events.Key], object]) -> None:
        super().__init__()
        self._line, self._sure, self._write_on = line, sure, write_on

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content("Delete this message, for everybody?"), classes="head")
            yield Static(Content(self._line))
            yield Static(Content("y deletes it, n keeps it"), classes="foot")

    def on_key(self, event: events.Key) -> None:
        """Take an answer; other keys are none, and those that can be written are written."""
        event.stop()
        if event.key in {"y", "n", "escape"} or event.is_printable:
            self.dismiss()
            if event.key == "y":
                self._sure()
            elif event.key != "n" and event.is_printable:
                self._write_on(event)


class Dots(Static):
    """A picture: each cell is two dots, one above the other."""

    def __init__(self, width: int, height: int, pixels: bytes) -> None:
        super().__init__(id="picture")
        self._width, self._height, self._pixels = width, height, pixels
        self.styles.width, self.styles.height = width, (height + 1) // 2

    def render_line(self, y: int) -> Strip:
        """Return a row of cells."""
        from rich.color import Color
        from rich.segment import Segment
        from rich.style import Style
        from textual.strip import Strip

        def dot(x: int, row: int) -> Color | None:
            if row >= self._height:
                return None
            at = 3 * (row * self._width + x)
            return Color.from_rgb(*self._pixels[at : at + 3])

        return Strip(
            Segment("▀", Style(color=dot(x, 2 * y), bgcolor=dot(x, 2 * y + 1))) for x in range(self._width)
        )  # fmt: skip


class Viewing(ModalScreen[None]):
    """A picture. Who goes on writing closes it, and has written: `write_on`."""

    def __init__(self, name: str, dots: Dots, write_on: Callable[[events.Key], object]) -> None:
        super().__init__()
        self._head, self._dots, self._write_on = name, dots, write_on

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content(self._head), classes="head")
            yield self._dots
            yield Static(Content("Esc closes"), classes="foot")

    def on_key(self, event: events.Key) -> None:
        """Close."""
        event.stop()
        closing = event.key in {"escape", "q", "enter", "v"}
        if closing or event.is_printable:
            self.dismiss()
            if not closing:
                self._write_on(event)
