"""The screen without a client: scenes in, keys pressed, intents out; and the bridge's bounds."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import pytest
from textual import events
from textual.keys import _character_to_key

from qpq.harmless import MARK
from qpq.profile import Profile
from qpq.repl.view import Style
from qpq.tui import command
from qpq.tui.app import ChatApp
from qpq.tui.bridge import INTENTS_MAX, UPDATES_MAX, Bridge
from qpq.tui.composer import CHARS_MAX
from qpq.tui.scene import (
    Act,
    Answer,
    Badge,
    Break,
    Entry,
    Kept,
    Leave,
    Line,
    Look,
    Notice,
    Older,
    Open,
    Passing,
    Person,
    Picture,
    Place,
    Question,
    Result,
    Returned,
    Scene,
)
from qpqclient import Draft
from tests.support.hostile_text import BENIGN, CLASSES, texts
from tests.unit.cli.test_harmless import check

A, B = b"\x0a" * 16, b"\x0b" * 16
HERS = Entry(b"\x01" * 16, "bob", "09:00", "Monday", ("hello",))
MINE = Entry(b"\x02" * 16, "alice", "09:01", "", ("hi bob",), own=True, state="sent", text="hi bob")
PLACES = (Place(A, "@bob", badge=Badge.VERIFIED), Place(B, "#reading", unread=3, mentions=1))
SCENE = Scene("alice", PLACES, A, "@bob", Badge.VERIFIED, (HERS, MINE), people=(Person("bob"),), connected=True)


class Played:
    """The app, its keys, and what it wanted."""

    def __init__(self, app, pilot, bridge):
        self.app, self.pilot, self._bridge = app, pilot, bridge
        self.copied = []
        app.copy_to_clipboard = self.copied.append

    async def shown(self, *updates):
        for update in updates:
            self._bridge.give(update)
        await self.pilot.pause()

    async def press(self, *keys):
        """Press keys in one burst; a single character is itself."""
        for key in keys:
            name, char = (_character_to_key(key), key) if len(key) == 1 else (key, None)
            self.app.post_message(events.Key(name, char))
        await self.settle()

    async def settle(self):
        await self.pilot.pause()
        while self.app.waiting_keys:
            await self.pilot.pause()
        await self.pilot.pause()

    async def type(self, text):
        await self.press(*text)

    def wanted(self):
        """Return what was wanted since the last time, drafts left out."""
        found = [i for i in self._bridge._intents if not isinstance(i, Kept)]
        self._bridge._intents.clear()
        return found

    def kept(self):
        """Return the drafts that were handed over since the last time, the last of each conversation."""
        found = {i.channel: i.draft for i in self._bridge._intents if isinstance(i, Kept)}
        self._bridge._intents.clear()
        return found

    def rows(self, widget=None):
        widget = widget or self.app.screen
        return [widget.render_line(y).text for y in range(widget.size.height)]

    def screen(self):
        return "\n".join(
            "".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips()
        )


@pytest.fixture
def play():
    """Return a function that plays a play on a screen."""

    def run(body, *, size=(120, 30), coloured=True):
        async def main():
            bridge = Bridge()
            app = ChatApp(bridge, theme="dark", coloured=coloured)
            async with app.run_test(size=size) as pilot:
                await pilot.pause()
                await body(Played(app, pilot, bridge))

        asyncio.run(main())

    return run


def test_what_is_typed_is_kept_at_once_and_meant_by_enter(play):
    async def body(p):
        await p.shown(SCENE)
        await p.type("good")
        assert p.kept() == {A: Draft("good")}
        await p.press("ctrl+j", *"day", "enter", *"more")
        assert p.app.composer.text == "more"
        line, kept = [i for i in p._bridge._intents if isinstance(i, Line)], p.kept()
        assert (line, kept) == ([Line(A, Draft("good\nday"))], {A: Draft("more")})

    play(body)


def test_keys_that_come_in_one_burst_stay_in_their_order(play):
    async def body(p):
        await p.shown(SCENE)
        await p.press(*"not this", "ctrl+u", *"one", "enter", *"two", "enter", *"three", "ctrl+n", *"four")
        lines = [i for i in p._bridge._intents if isinstance(i, Line | Open)]
        assert lines == [Line(A, Draft("one")), Line(A, Draft("two")), Open(B)]
        assert p.kept() == {A: Draft("three"), B: Draft("four")}
        p.app.post_message(events.Paste(" pasted"))
        await p.press("!")
        assert p.app.composer.text == "four pasted!"
        p.app.post_message(events.Paste("x" * CHARS_MAX))
        await p.press("?")
        assert p.app.composer.text == "four pasted!?"
        assert "Nothing was pasted" in p.screen()

    play(body)


def test_a_client_that_is_stuck_costs_no_keystroke(play):
    async def body(p):
        await p.shown(SCENE)
        p._bridge._intents.extend([Break()] * INTENTS_MAX)
        await p.press(*"kept here", "enter")
        assert p.app.composer.text == "kept here"
        assert "too busy" in p.screen()
        assert len(p._bridge._intents) == INTENTS_MAX
        p._bridge._intents.clear()
        await p.press("enter")
        assert p.wanted() == [Line(A, Draft("kept here"))]

    play(body)


def test_each_conversation_has_its_draft(play):
    async def body(p):
        await p.shown(SCENE)
        await p.type("for bob")
        await p.press("ctrl+k", *"rdg", "enter")
        assert p.wanted() == [Open(B)]
        await p.type("x")
        assert p.kept() == {B: Draft("x")}
        await p.shown(replace(SCENE, entries=(HERS,)))  # was under way already
        assert p.app.scene.open == A
        assert p.app.composer.text == "x"
        await p.shown(replace(SCENE, open=B, title="#reading", entries=(), draft=Draft("from last time")))
        assert p.app.composer.text == "from last time\nx"
        await p.press("enter")
        assert p.wanted() == [Line(B, Draft("from last time\nx"))]
        await p.press("ctrl+p")
        assert p.app.composer.text == "for bob"

    play(body)


def test_what_is_typed_after_a_command_goes_where_it_leads(play):
    async def body(p):
        await p.shown(SCENE)
        await p.press(*"/switch #reading", "enter", *"hel")
        assert p.wanted() == [Line(A, Draft("/switch #reading"))]
        await p.shown(replace(SCENE, open=B, title="#reading", entries=()))
        await p.type("lo")
        assert p.app.composer.text == "hello"
        assert p.kept() == {A: Draft(), B: Draft("hello")}

    play(body)


def test_what_cannot_be_done_comes_back(play):
    async def body(p):
        await p.shown(SCENE)
        await p.press(*"/hlep", "enter", *"next")
        await p.shown(Returned(A, Draft("/hlep")), Notice("There is no command /hlep", Style.ERROR))
        assert p.app.composer.text == "/hlep\nnext"
        assert "There is no command /hlep" in p.screen()
        await p.shown(Returned(B, Draft("elsewhere", reply_to=HERS.id)))
        assert p.kept() == {A: Draft("/hlep\nnext"), B: Draft("elsewhere", reply_to=HERS.id)}

    play(body)


def test_a_message_is_chosen_and_something_done_with_it(play):
    async def body(p):
        await p.shown(SCENE)
        await p.type("begun")
        await p.press("up", "up", "r")
        assert "Answering bob: hello" in p.screen()
        await p.press(*" at once", "enter")
        assert p.wanted() == [Line(A, Draft("begun at once", reply_to=HERS.id))]
        await p.type("aside")
        await p.press("up", "e")
        assert p.app.composer.text == "hi bob"
        await p.press(*"!", "enter")
        assert p.wanted() == [Line(A, Draft("hi bob!", edit_of=MINE.id))]
        assert p.app.composer.text == "aside"
        await p.press("up", "e", "escape")
        assert p.app.composer.text == "aside"
        await p.press("up", "up", "e")
        assert "This is bob's: only one's own can be changed." in p.screen()
        await p.press("plus", *"rocket", "enter")
        assert p.app.composer.text == "aside"
        assert p.wanted() == [Act(A, "react", {"emoji": "🚀", "index": HERS.id.hex(), "remove": False})]
        await p.press("up", "up", "c", "up", "d", "n")
        assert (p.copied, p.wanted()) == (["hello"], [])
        await p.press("up", "d", "y")
        assert p.wanted() == [Act(A, "delete", {"index": MINE.id.hex()})]
        await p.press("up", "up")
        await p.shown(replace(SCENE, older=True))
        await p.press("up")
        assert p.wanted() == [Older(A)]

    play(body)


def test_an_edit_of_a_text_with_a_slash_is_no_command(play):
    async def body(p):
        slash = replace(MINE, lines=("/etc is a folder",), text="/etc is a folder")
        await p.shown(replace(SCENE, entries=(slash,)))
        await p.press("up", "e", "enter")
        assert p.wanted() == [Line(A, Draft("//etc is a folder", edit_of=MINE.id))]

    play(body)


def test_pictures_where_there_are_colours(play):
    picture = replace(HERS, id=b"\x04" * 16, file=True, picture=True)

    async def with_colours(p):
        await p.shown(replace(SCENE, entries=(HERS, picture)))
        await p.press("up", "v")
        assert p.wanted() == [Look(A, picture.id, 114, 22)]
        await p.shown(Picture("a.png", 4, 3, bytes(range(36))))
        assert "▀▀▀▀" in p.screen()
        await p.press("escape", "up", "up", "v")
        assert "This message carries no picture." in p.screen()

    async def without(p):
        await p.shown(replace(SCENE, entries=(picture,)))
        await p.press("up", "v")
        assert p.wanted() == []
        assert "No picture without colours" in p.screen()

    play(with_colours)
    play(without, coloured=False)


def test_what_the_screen_says(play):
    async def body(p):
        places = (*PLACES, Place(b"\x0c" * 16, "#quiet", unread=2, muted=True), Place(b"\x0d" * 16, "@eve", badge=Badge.CHANGED, active=False, draft=True))  # fmt: skip
        people = (Person("bob", Badge.VERIFIED), Person("eve", Badge.CHANGED, admin=True, devices=3))
        notice = Entry(b"\x03" * 16, "", "09:02", "", ("the key of eve changed",), notice=True)
        marked = replace(HERS, named=True, edited=True, quote='alice: "hi"', reactions=(("👍", 2), ("🎉", 1)))
        await p.shown(replace(SCENE, places=places, people=people, badge=Badge.CHANGED, entries=(marked, MINE, notice), connected=False, unsent=2, requests=1))  # fmt: skip
        await p.shown(Passing("a.bin [##--] 1 MB of 2 MB"))
        screen = p.screen()
        for part in (
            "#reading 3!", "@bob ✓", "#quiet 2 (muted)", "@eve KEY CHANGED (draft)", "@bob  (KEY CHANGED: /verify)",
            "bob ✓", "eve KEY CHANGED admin", "── Monday ──", "09:00 bob  (names you)  (edited)", '│ alice: "hi"',
            "👍 2   🎉 1", "09:01 alice  (sent)", "* the key of eve changed", "server away", "2 waiting", "1 requests",
            "a.bin [##--]",
        ):  # fmt: skip
            assert part in screen, part
        await p.shown(Passing(""))
        assert "a.bin" not in p.screen()

    play(body)


def test_results_and_questions(play):
    async def body(p):
        await p.shown(SCENE, Result("help", tuple(f"line {n}" for n in range(200))))
        assert "line 0" in p.screen()
        await p.press(*"ty", "pagedown", "pe")
        assert "line 0" not in p.screen()
        assert p.app.composer.text == "ty"
        await p.press("escape")
        assert "line 1" not in p.screen()
        await p.shown(Question(7, "Type alice to delete the account for ever"))
        await p.press(*"alice", "enter")
        await p.shown(Question(8, "New password", secret=True))
        await p.press(*"geheim")
        assert "geheim" not in p.screen()
        await p.press("escape", "ctrl+c")
        assert p.wanted() == [Answer(7, "alice"), Answer(8, None), Break()]

    play(body)


def test_the_switcher_finds_by_letters_and_begins_conversations(play):
    async def body(p):
        await p.shown(SCENE)
        await p.press("ctrl+k", *"o'hara", "enter")
        assert p.wanted() == [Line(A, Draft("/dm 'o'\"'\"'hara'"))]
        await p.press("ctrl+k", "down", "enter")  # what is unread comes first
        assert p.wanted() == []
        await p.press("ctrl+k", "enter")
        assert p.wanted() == [Open(B)]

    play(body)


def test_what_is_read_stays_where_it_is_while_messages_come_and_go(play):
    said = [Entry(bytes([n]) * 16, "bob", "09:00", "", (f"line {n}",) * (1 + n % 3)) for n in range(60)]

    def window(first, last):
        return replace(SCENE, entries=(replace(said[first], day="Monday"), *said[first + 1 : last]), older=True)

    async def body(p):
        await p.shown(window(2, 52))
        p.app.timeline.scroll_to(y=60, animate=False)
        await p.settle()
        seen, made = p.rows(p.app.timeline), dict(p.app.timeline._spoken)
        assert any("line 2" in row for row in seen)
        for first, last in ((5, 55), (9, 59), (0, 60)):  # the oldest go when new ones come; then older ones are wanted
            await p.shown(window(first, last))
            await p.settle()
            assert p.rows(p.app.timeline) == seen, (first, last)
        now = p.app.timeline._spoken
        assert all(made[e.id] is now[e.id] for e in said[10:52]), "nothing is made anew that was there"

    play(body)


def test_tab_completes_as_far_as_it_is_clear(play):
    async def body(p):
        await p.shown(SCENE)
        for typed, shown in (
            ("/cre", "/create-group "),
            ("/switch #r", "/switch #reading "),
            ("/dm b", "/dm bob "),
            (":party_pop", "🎉 "),
        ):
            p.app.composer.put("")
            await p.press(*typed, "tab")
            assert p.app.composer.text == shown
        p.app.composer.put("/d")
        await p.press("tab", *"own", "tab")
        assert p.app.composer.text == "/download "
        p.app.composer.put("/zz")
        await p.press("tab")
        assert "nothing fits" in p.screen()
        many = [Person(f"ann{n:02}") for n in range(60)]  # more than are listed: the last one counts as well
        await p.shown(replace(SCENE, people=(*many, Person("anton"))))
        p.app.composer.put("/dm ann")
        await p.press("tab")
        assert (p.app.composer.text, "(60 fit)" in p.screen()) == ("/dm ann", True)
        p.app.composer.put("/dm a")
        await p.press("tab")
        assert p.app.composer.text == "/dm an"

    play(body)


def test_a_narrow_terminal_keeps_what_matters(play):
    async def body(p):
        await p.shown(SCENE)
        assert "@bob ✓" not in p.screen()
        assert "hello" in p.screen()
        await p.press("ctrl+o")
        assert "bob" in p.screen()

    play(body, size=(50, 16))


@pytest.mark.parametrize("size", [(12, 6), (3, 2), (1, 1)])
def test_a_tiny_terminal_breaks_nothing(play, size):
    async def body(p):
        await p.shown(SCENE)
        await p.press(*"still typed", "ctrl+k", *"rd", "escape", "enter")
        assert p.wanted() == [Line(A, Draft("still typed"))]

    play(body, size=size)


def test_without_textual_a_sentence_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True, raising=False)
    profile = Profile("127.0.0.1:1", tmp_path, "alice", "secret", None, "native", json=False)
    assert command.run(profile, "dark") == 2
    assert "install `qpq[tui]`" in capsys.readouterr().err


def test_no_text_looks_like_the_beginning_of_another_message(play):
    async def body(p):
        long = "x" * 84 + " 09:05 bob  send me money " * 40
        await p.shown(replace(SCENE, entries=(replace(HERS, lines=(long, "09:06 bob")),)))
        rows = [row[1:] for row in p.rows(p.app.timeline)]
        assert [row for row in rows if row[:6].strip() and not row.startswith("──")] == [
            row for row in rows if row.startswith("09:00 bob")
        ]

    play(body)


def test_hostile_text_in_the_composer_is_harmless_and_benign_text_is_what_it_was(play):
    async def body(p):
        for _, text in texts():
            p.app.composer.put(text[:200])
            for number in range(p.app.composer.document.line_count):
                check(str(p.app.composer.get_line(number)).replace("\t", "").replace(MARK, ""))
        p.app.composer.put("".join(found[0][:40] for found in CLASSES.values()))
        await p.pilot.pause()
        for row in p.rows(p.app.composer):
            check(row.replace(MARK, ""))
        for text in BENIGN:
            p.app.composer.put(text)
            assert str(p.app.composer.get_line(0)) == text

    play(body, size=(100, 20))


def test_the_bridge_is_bounded_both_ways():
    bridge = Bridge()
    for n in range(INTENTS_MAX + 10):
        bridge.ask(Kept(A, Draft(str(n))))
    assert list(bridge._intents) == [Kept(A, Draft(str(INTENTS_MAX + 9)))]
    assert [bridge.ask(Break()) for _ in range(INTENTS_MAX)] == [True] * (INTENTS_MAX - 1) + [False]
    assert bridge.ask(Leave())
    for n in range(UPDATES_MAX + 10):
        bridge.give(Scene(str(n)))
        bridge.give(Notice(str(n)))
    found = bridge.news()
    assert len(found) <= UPDATES_MAX + 1
    assert [u for u in found if isinstance(u, Scene)] == [Scene(str(UPDATES_MAX + 9))]
    assert found[-1] == Notice("(11 lines were left out)")
    assert bridge.news() == []
