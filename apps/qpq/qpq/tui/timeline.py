"""The timeline: messages as they are shown, and the one that is chosen.

Who has said something, and when, stands in a column that no text reaches: a long line, broken where the screen ends, goes
on further in, so that no message can look like the beginning of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.geometry import Spacing
from textual.visual import Padding, Visual
from textual.widgets import OptionList
from textual.widgets.option_list import Option

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.css.styles import RulesMap
    from textual.strip import Strip
    from textual.style import Style
    from textual.visual import RenderOptions

    from qpq.tui.scene import Entry

INDENT = 6
"""As wide as a time and a blank."""
WISHES = {
    "r": "reply", "e": "edit", "plus": "react", "a": "react", "d": "delete", "delete": "delete", "c": "copy", "v": "view",
    "enter": "view", "s": "download",
}  # fmt: skip
"""What the keys want to be done with the message that is chosen."""


class Spoken(Visual):
    """A message: a day, where one begins; who and when, on one line; what, further in."""

    def __init__(self, entry: Entry) -> None:
        self.entry, self.rows = entry, 0
        """`rows`: how many it took when it was measured last."""
        self._measured_width = 0
        self._parts: list[Visual] = []
        if entry.day:
            self._parts.append(Content.styled(f"── {entry.day} ──", "dim"))
        if entry.notice:
            self._parts.append(Padding(notice_of(entry), Spacing(left=INDENT)))
            return
        self._parts.append(head_of(entry))
        self._parts.append(Padding(body_of(entry), Spacing(left=INDENT)))

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """Return the width that it would like to have."""
        return max(p.get_optimal_width(rules, container_width) for p in self._parts)

    def get_height(self, rules: RulesMap, width: int) -> int:
        """Return how many rows it takes. Breaking lines is most of the work of showing a message: it is done once."""
        if width != self._measured_width:
            self._measured_width = width
            self.rows = sum(p.get_height(rules, width) for p in self._parts)
        return self.rows

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """Return its rows."""
        strips = [strip for p in self._parts for strip in p.render_strips(width, None, style, options)]
        return strips if height is None else strips[:height]


def head_of(entry: Entry) -> Content:
    """Return who and when, and how far it has come."""
    head = Content.assemble(
        (f"{entry.moment:<{INDENT}}", "dim"),
        (entry.sender, "bold $success" if entry.own else "bold $accent"),
    )
    marks = [*(["names you"] if entry.named else []), *(["edited"] if entry.edited else [])]
    marks += [entry.state] if entry.state else []
    style = "bold $error" if entry.state == "failed" else "bold $warning" if entry.named else "dim"
    return head + Content.styled("".join(f"  ({mark})" for mark in marks), style)


def body_of(entry: Entry) -> Content:
    """Return what was said, what it answers, and what others think of it."""
    lines = [Content.styled(f"│ {entry.quote}", "dim")] if entry.quote else []
    lines += [Content(line) for line in entry.lines]
    if entry.reactions:
        lines.append(Content("   ".join(f"{emoji} {count}" for emoji, count in entry.reactions)))
    return Content("\n").join(lines)


def notice_of(entry: Entry) -> Content:
    """Return what nobody has said."""
    return Content.styled("* " + " ".join(entry.lines), "bold $warning")


class Timeline(OptionList):
    """The messages of the open conversation. Arrows choose one; a letter says what is to be done with it.

    A key that means nothing here, and can be written, rises to `ChatApp.on_key`, which writes it.
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._entries: tuple[Entry, ...] = ()
        self._spoken: dict[bytes, Spoken] = {}
        self._older = False
        self.wish: Callable[[str, Entry], object] = lambda _what, _entry: None
        """Called with what is to be done with a message."""
        self.leave: Callable[[], object] = lambda: None
        """Called to go back to the composer."""
        self.turned: Callable[[], object] = lambda: None
        """Called when choosing begins or ends (`has_focus`)."""
        self.want_older: Callable[[], object] = lambda: None

    @property
    def chosen(self) -> Entry | None:
        """The message that is chosen."""
        return self._entries[self.highlighted] if self.highlighted is not None else None

    def show(self, entries: tuple[Entry, ...], *, older: bool, fresh: bool) -> None:
        """Show these messages; `fresh`: of another conversation, from its end.

        What is chosen stays chosen, and what is read stays where it is. Messages that were shown already are not made anew.
        """
        before, self._entries, self._older = self._entries, entries, older
        at_end = fresh or self.scroll_offset.y >= self.max_scroll_y - 1
        chosen = before[self.highlighted].id if self.highlighted is not None and not fresh else None
        spoken, self._spoken = self._spoken, {}
        top = None if at_end else self._top(before, spoken, {e.id for e in entries})
        for entry in entries:
            known = spoken.get(entry.id)
            self._spoken[entry.id] = known if known is not None and known.entry == entry else Spoken(entry)
        if fresh or [e.id for e in before] != [e.id for e in entries[: len(before)]] or not before:
            self.set_options(Option(self._spoken[e.id], e.id.hex()) for e in entries)
            places = {e.id: place for place, e in enumerate(entries)}
            self.highlighted = places.get(chosen) if chosen else None
            if top is not None:
                self.call_after_refresh(self._scroll_back, *top)
        else:
            for place, (old, new) in enumerate(zip(before, entries, strict=False)):
                if old != new:
                    self.replace_option_prompt_at_index(place, self._spoken[new.id])
            self.add_options(Option(self._spoken[e.id], e.id.hex()) for e in entries[len(before) :])
        if at_end and self.highlighted is None:
            self.call_after_refresh(self.scroll_end, animate=False, immediate=True)

    def _top(
        self, before: tuple[Entry, ...], spoken: dict[bytes, Spoken], staying: set[bytes]
    ) -> tuple[bytes, int] | None:
        """Return the first message on the screen that stays, and how many rows of it, or before it, are above."""
        above = self.scroll_offset.y
        for entry in before:
            rows = spoken[entry.id].rows
            if rows > above and entry.id in staying:
                return entry.id, above
            above -= rows
        return None

    def _scroll_back(self, ident: bytes, above: int) -> None:
        """Have a message where it was."""
        rows = 0
        for entry in self._entries:
            if entry.id == ident:
                self.scroll_to(y=rows + above, animate=False)
                return
            rows += self._spoken[entry.id].rows

    async def _on_key(self, event: events.Key) -> None:
        """Take a key in its turn (see `Composer`)."""
        if event.key in WISHES and self.chosen is not None:
            self.wish(WISHES[event.key], self.chosen)
        elif event.key in {"escape", "q"}:
            self.back()
        elif event.key in {"up", "k"}:
            self._choose_above()
        elif event.key in {"down", "j"}:
            self._choose_below()
        else:
            return  # Textual calls the same method of the classes above next
        event.stop()
        event.prevent_default()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Have it shown that messages are chosen, or not any more."""
        super().watch_has_focus(has_focus)
        self.turned()

    def back(self) -> None:
        """Choose nothing, and go back to the composer."""
        self.highlighted = None
        self.leave()

    def _choose_above(self) -> None:
        """Choose the message above; above the first, ask for older ones."""
        if self.highlighted == 0:
            if self._older:
                self.want_older()
        elif self.highlighted is None:
            self.action_last()
        else:
            self.highlighted -= 1

    def _choose_below(self) -> None:
        """Choose the message below; below the last, go back to the composer."""
        if self.highlighted is None or self.highlighted + 1 >= self.option_count:
            self.back()
        else:
            self.highlighted += 1
