"""What opens over the screen: the switcher, the emoji, questions, a picture."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
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
    from collections.abc import Iterable

    from textual.strip import Strip

    from qpq.tui.scene import Place

SHOWN_MAX = 50
"""Choices offered at a time."""
OFTEN = (("👍", "yes"), ("❤️", "love"), ("😂", "laughing"), ("😮", "astonished"), ("😢", "sad"), ("🎉", "celebration"), ("✅", "done"), ("👎", "no"))  # fmt: skip


class Choosing(ModalScreen[str | None]):
    """A field and what fits what is typed there; the arrows choose, Enter takes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "none", "Close"),
        Binding("down", "go(1)", show=False, priority=True),
        Binding("up", "go(-1)", show=False, priority=True),
    ]

    def __init__(self, head: str, hint: str) -> None:
        super().__init__()
        self._head, self._hint = head, hint

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content(self._head), classes="head")
            yield Input(placeholder=self._hint)
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        """Offer what there is."""
        self._offer("")

    def fitting(self, query: str) -> Iterable[tuple[str, Content]]:
        """Return what fits, best first: an id, and how it is shown."""
        raise NotImplementedError

    def _offer(self, query: str) -> None:
        options = self.query_one(OptionList)
        options.set_options(
            Option(shown, ident) for (ident, shown), _ in zip(self.fitting(query), range(SHOWN_MAX), strict=False)
        )
        options.highlighted = 0 if options.option_count else None

    def on_input_changed(self, event: Input.Changed) -> None:
        """Offer what fits now."""
        self._offer(event.value)

    def on_input_submitted(self) -> None:
        """Take what is chosen."""
        chosen = self.query_one(OptionList).highlighted_option
        self.dismiss(chosen.id if chosen else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take what was clicked."""
        self.dismiss(event.option.id)

    def action_go(self, step: int) -> None:
        """Choose the next one, or the one before."""
        options = self.query_one(OptionList)
        if options.option_count:
            options.highlighted = ((options.highlighted or 0) + step) % options.option_count

    def action_none(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


class Switcher(Choosing):
    """Finds a conversation by some of its letters, in their order; or begins one with a person."""

    NEW = "new:"

    def __init__(self, places: tuple[Place, ...]) -> None:
        super().__init__("Go to", "some letters of a name")
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

    def __init__(self) -> None:
        super().__init__("React with", "a word: heart, fire, …")

    def fitting(self, query: str) -> Iterable[tuple[str, Content]]:
        """Return what is used most, or what is called so."""
        for emoji, name in emoji_named(query) if query.strip() else OFTEN:
            yield emoji, Content(f"{emoji}  {name.lower()}")


class Asking(ModalScreen[str | None]):
    """One question and a field; Escape answers nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "none", "Close")]

    def __init__(self, question: str, *, secret: bool) -> None:
        super().__init__()
        self._question, self._secret = question, secret

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content(self._question), classes="head")
            yield Input(password=self._secret)
            yield Static(Content("Enter answers, Esc does not"), classes="foot")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer."""
        self.dismiss(event.value)

    def action_none(self) -> None:
        """Answer nothing."""
        self.dismiss(None)


class Deleting(ModalScreen[bool]):
    """Asks before a message is deleted for everybody."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Delete"),
        Binding("n,escape", "answer(False)", "Keep"),
    ]

    def __init__(self, line: str) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content("Delete this message, for everybody?"), classes="head")
            yield Static(Content(self._line))
            yield Static(Content("y deletes it, n keeps it"), classes="foot")

    def action_answer(self, answer: bool) -> None:
        """Answer."""
        self.dismiss(answer)


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
    """A picture."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,v", "close", "Close")]

    def __init__(self, name: str, dots: Dots) -> None:
        super().__init__()
        self._name, self._dots = name, dots

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Vertical():
            yield Static(Content(self._name), classes="head")
            yield self._dots
            yield Static(Content("Esc closes"), classes="foot")

    def action_close(self) -> None:
        """Close."""
        self.dismiss(None)
