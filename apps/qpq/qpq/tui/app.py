"""The screen: shows scenes, keeps what is typed, and says what is wanted. It knows no client and waits for nothing."""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from qpq.harmless import harmless
from qpq.repl.view import Style
from qpq.table.completing import SHOWN_MAX, choices
from qpq.tui.bridge import taken
from qpq.tui.composer import CHARS_MAX, Composer
from qpq.tui.dialogs import Asking, Dialog, Dots, Switcher, Viewing
from qpq.tui.looks import LAYOUT, NARROW_COLUMNS, THEMES, WIDE_COLUMNS
from qpq.tui.results import Results
from qpq.tui.rows import about_row, person_row, place_row, status_row, title_row
from qpq.tui.scene import (
    Act,
    Answer,
    Break,
    Ended,
    Line,
    Notice,
    Older,
    Open,
    Passing,
    Picture,
    Question,
    Result,
    Returned,
    Scene,
)
from qpq.tui.timeline import Timeline
from qpq.tui.typed import Typed
from qpq.tui.wishes import carry_out

if TYPE_CHECKING:
    from qpq.tui.bridge import Bridge
    from qpq.tui.scene import Entry, Intent, Update

KEYS = (
    "Enter               send; a line that begins with / is a command, // begins a message with a slash",
    "Alt-Enter, Ctrl-J   begin another line",
    "Ctrl-K              go to a conversation by some letters of its name, or begin one",
    "Ctrl-N, Ctrl-P      the next conversation, the one before",
    "Up                  (at the composer's top) choose a message; then:",
    "   r reply   e edit   + react   d delete   c copy   v view a picture   s save a file   Esc back",
    "Page up, Page down  scroll",
    "Ctrl-O              show or hide who is in the conversation",
    "Tab                 complete a command, a name, a file or :emoji; in an empty composer, from field to field",
    "Ctrl-C              break off what runs",
    "Ctrl-Q              end; what was typed and not sent is there again next time",
)
KEYS_MAX = 100_000
"""That wait to be taken: more than the composer holds; they pile up where a terminal pastes key by key."""
ROUNDS_MAX = 100
"""In which a dialog that has just been opened gets the focus: it takes two or three."""


class ChatApp(App[None]):
    """One person's screen."""

    TITLE: str | None = "QPQ"
    CSS = LAYOUT
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012 - Textual declares it so
        (0, "-narrow"), (NARROW_COLUMNS, "-medium"), (WIDE_COLUMNS, "-wide"),
    ]  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+k", "switch", "Go to"),
        Binding("ctrl+n", "step(1)", "Next"),
        Binding("ctrl+p", "step(-1)", "Before"),
        Binding("ctrl+o", "people", "Members"),
        Binding("ctrl+c", "break", "Break off"),
        Binding("ctrl+q", "quit", "Quit"),
        Binding("f1", "keys", "Keys"),
    ]

    class News(Message):
        """The bridge has something to show."""

    def __init__(self, bridge: Bridge, *, theme: str, coloured: bool) -> None:
        super().__init__(ansi_color=None if coloured else True)  # then NO_COLOR leaves the terminal's own colours alone
        self._bridge, self.coloured = bridge, coloured
        self.scene = Scene(name="")
        self.composer, self.timeline, self._results = Composer(), Timeline(), Results()
        self._places, self._people = OptionList(id="places", markup=False), OptionList(id="people", markup=False)
        self._title, self._notice, self._about, self._status = (
            Static(id=name) for name in ("title", "notice", "about", "status")
        )
        self.typed = Typed(bridge, self.composer)
        self._passing = ""
        self.waiting_keys: deque[events.Key | events.Paste] = deque()
        self._taking = False
        for each in THEMES.values():
            self.register_theme(each)
        self.theme = THEMES[theme].name

    def compose(self) -> ComposeResult:
        """Yield the parts."""
        with Horizontal():
            yield self._places
            with Vertical(id="middle"):
                yield self._title
                yield self.timeline
                yield self._results
                yield self._notice
                yield self._about
                yield self.composer
            yield self._people
        yield self._status

    def on_mount(self) -> None:
        """Begin to listen."""
        self.composer.keys = {
            "enter": self.mean, "up": self._choose_message, "escape": self._escape, "ctrl+k": self.action_switch,
            "pageup": partial(self._scroll, -1), "pagedown": partial(self._scroll, 1), "ctrl+c": self.action_break,
            "ctrl+n": partial(self.action_step, 1), "ctrl+p": partial(self.action_step, -1),
            "tab": self._complete,
        }  # fmt: skip
        self.composer.full = self._say_full
        self.timeline.wish, self.timeline.leave = self._wish, self.write
        self.timeline.turned = self._show_status
        self.timeline.want_older = lambda: self.ask(Older(self.typed.channel))
        self.composer.focus()
        if not self.is_headless:
            self._bridge.end_on_signals(self.exit)
        self._bridge.listen(lambda: self.post_message(self.News()))

    # --- updates

    def on_chat_app_news(self) -> None:
        """Show what there is."""
        for update in self._bridge.news():
            self._take(update)

    def _take(self, update: Update) -> None:
        match update:
            case Scene():
                self._show(update)
            case Notice():
                self.say(update.line, update.style)
            case Passing():
                self._passing = update.line
                self._show_status()
            case Result():
                self._results.show(f"/{update.title}", update.lines)
            case Question():
                self._ask_person(update)
            case Returned():
                self.typed.put_back(update)
                self._show_about()
            case Picture():
                self.push_screen(Viewing(update.name, Dots(update.width, update.height, update.pixels), self.write_on))
            case Ended():
                self.exit()

    def _show(self, scene: Scene) -> None:
        """Show a scene; of a conversation that is not wanted any more only what is beside it."""
        before, moved = self.scene, self.typed.follow(scene)
        if moved is None:
            self.scene = scene = _beside(before, scene)
        self.scene = scene
        if scene.places != before.places or scene.open != before.open:
            self._show_places()
        if scene.people != before.people:
            self._people.set_options(Option(person_row(p)) for p in scene.people)
        fresh = scene.open != before.open
        if fresh or scene.entries != before.entries or scene.older != before.older:
            self.timeline.show(scene.entries, older=scene.older, fresh=fresh)
        self._title.update(title_row(scene))
        self._show_status()
        self._show_about()

    def _show_places(self) -> None:
        self._places.set_options(Option(place_row(p), p.channel.hex()) for p in self.scene.places)
        channels = [p.channel for p in self.scene.places]
        self._places.highlighted = channels.index(self.scene.open) if self.scene.open in channels else None

    def _show_status(self) -> None:
        self._status.update(status_row(self.scene, self._passing, choosing=self.timeline.has_focus))

    def _show_about(self) -> None:
        self._about.update(about_row(self.typed.draft, self.scene))

    def _ask_person(self, question: Question) -> None:
        def answered(text: str | None) -> None:
            self.ask(Answer(question.number, text))

        self.push_screen(Asking(question.question, answered, secret=question.secret))

    # --- intents

    def ask(self, intent: Intent) -> bool:
        """Want something; False, and said, when the client is too far behind."""
        taken = self._bridge.ask(intent)
        if not taken:
            self.say("The client is too busy to take this: nothing was done. Try again in a moment.", Style.ERROR)
        return taken

    def act(self, name: str, **values: object) -> None:
        """Want a command of the table, in the open conversation."""
        self.ask(Act(self.typed.channel, name, values))

    def say(self, line: str, style: Style = Style.NOTICE) -> None:
        """Show one line."""
        self._notice.set_class(style is Style.ERROR, "-error")
        self._notice.update(Content(line))

    def go(self, channel: bytes) -> None:
        """Open a conversation."""
        if channel != self.typed.channel and self.ask(Open(channel)):
            self.typed.go(channel)
            self._show_about()
        self.write()

    def mean(self) -> None:
        """Want what was typed."""
        self._results.close()
        draft = self.typed.keep()
        if draft.text.strip() and self.ask(Line(self.typed.channel, draft)):
            self.typed.meant()
            self._show_about()

    def on_text_area_changed(self) -> None:
        """Have what is typed stored."""
        self.typed.keep()

    def _choose_message(self) -> None:
        """Go into the timeline, to its last message."""
        if self.timeline.option_count:
            self.screen.set_focus(self.timeline)
            self.timeline.action_last()

    def _scroll(self, pages: int) -> None:
        """Scroll what is above the composer."""
        if self._results.is_open:
            self._results.scroll_pages(pages)
        else:
            rows = max(1, self.timeline.size.height - 1)
            self.timeline.scroll_relative(y=pages * rows, animate=False)

    def _complete(self) -> None:
        """Complete the word at the end of what was typed, as far as that is clear, and show what it can be."""
        text = self.composer.text
        if "\n" in text or not text.strip():
            self.action_focus_next()
            return
        people = sorted(
            {p.name for p in self.scene.people} | {p.label[1:] for p in self.scene.places if p.label[0] == "@"}
        )
        groups = [p.label[1:] for p in self.scene.places if p.label[0] == "#"]
        found = list(choices(text, people, groups))
        common = os.path.commonprefix([c.text for c in found])  # noqa: RUF071 - by characters
        if len(found) == 1 or (found and len(common) >= found[0].back):
            self.composer.put(
                text[: len(text) - found[0].back] + common + " " * (len(found) == 1 and common[-1:] != "/")
            )
        if len(found) != 1:
            shown = [f"({len(found)} fit)"] if len(found) > SHOWN_MAX else []
            shown += [harmless(c.shown or c.text) for c in found[:SHOWN_MAX]]
            self.say("  ".join(shown) or "nothing fits")

    def _escape(self) -> None:
        """Close the result, or give up an answer or an edit."""
        if self._results.is_open:
            self._results.close()
        else:
            self.typed.about_nothing()
            self._show_about()

    def _say_full(self) -> None:
        self.say(f"Nothing was pasted: more than {CHARS_MAX} characters. Send it as a file.", Style.ERROR)

    def _wish(self, what: str, entry: Entry) -> None:
        """Do something with a message."""
        carry_out(self, what, entry)
        self._show_about()

    def write(self) -> None:
        """Go back to the composer, at once: keys that wait are for it."""
        self.screen_stack[0].set_focus(self.composer)

    def write_on(self, event: events.Key | events.Paste) -> None:
        """Leave what stands before the composer, and have it take what was typed there."""
        self.timeline.back()
        again = events.Paste(event.text) if isinstance(event, events.Paste) else event.copy()
        self.composer._forward_event(again)  # noqa: SLF001 - as Textual hands a key to who has the focus

    def on_key(self, event: events.Key) -> None:
        """Write what was typed where nothing is: on the timeline, on a list."""
        if event.is_printable and self.focused is not self.composer and len(self.screen_stack) == 1:
            self.write_on(event)

    def on_paste(self, event: events.Paste) -> None:
        """Take likewise what was pasted there."""
        if self.focused is not self.composer and len(self.screen_stack) == 1:
            self.write_on(event)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the conversation that was chosen in the list."""
        if event.option_list is self._places and event.option.id:
            self.go(bytes.fromhex(event.option.id))

    # --- keys

    async def on_event(self, event: events.Event) -> None:
        """Let each key have been taken before the next one is looked at: it may change who gets it.

        Textual hands keys over as they come; with two that come at once, the second would go to whoever has the focus
        before the first has moved it.
        """
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif len(self.waiting_keys) < KEYS_MAX:
            self.waiting_keys.append(event)
            if not self._taking:
                self._taking = True
                self.run_worker(self._take_keys())
        else:
            self.say(f"More than {KEYS_MAX} keys were waiting: the last were not taken.", Style.ERROR)

    async def _take_keys(self) -> None:
        try:
            while self.waiting_keys:
                for _ in range(ROUNDS_MAX):
                    if self.focused is not None or not isinstance(self.screen, Dialog):
                        break
                    await taken(self.screen.call_later)
                target = self.focused or self.screen
                await super().on_event(self.waiting_keys[0])
                for node in target.ancestors_with_self:  # what nobody takes rises, and may be a binding on its way
                    await taken(node.call_later)
                self.waiting_keys.popleft()
        finally:
            self._taking = False

    def action_switch(self) -> None:
        """Find a conversation."""
        if len(self.screen_stack) > 1:
            return

        def chosen(ident: str) -> None:
            if ident.startswith(Switcher.NEW):
                self.ask(Line(self.typed.channel, Switcher.line(ident)))
            else:
                self.go(bytes.fromhex(ident))

        self.push_screen(Switcher(self.scene.places, chosen))

    def action_step(self, step: int) -> None:
        """Open the next conversation, or the one before."""
        channels = [p.channel for p in self.scene.places]
        if channels and len(self.screen_stack) == 1:
            here = channels.index(self.typed.channel) if self.typed.channel in channels else -(step > 0)
            self.go(channels[(here + step) % len(channels)])

    def action_people(self) -> None:
        """Show or hide the members."""
        if self.size.width >= WIDE_COLUMNS:
            self._people.display = not self._people.display
        else:
            self.screen_stack[0].toggle_class("-people")

    def action_break(self) -> None:
        """Break off what runs; with something selected in the composer, copy it."""
        if self.composer.selected_text:
            self.copy_to_clipboard(self.composer.selected_text)
        else:
            self.ask(Break())

    def action_keys(self) -> None:
        """Show the keys."""
        self._results.show("Keys", KEYS)


def _beside(before: Scene, scene: Scene) -> Scene:
    """Return a scene with the open conversation of the one before."""
    from dataclasses import replace

    return replace(
        scene, open=before.open, title=before.title, badge=before.badge, entries=before.entries, older=before.older,
        people=before.people,
    )  # fmt: skip
