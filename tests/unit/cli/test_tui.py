"""What is typed at the screen, and what is wanted by it; and the bridge's bounds."""

from __future__ import annotations

import sys
from dataclasses import replace

from textual import events

from qpq.harmless import MARK
from qpq.profile import Profile
from qpq.repl.view import Style
from qpq.tui import command
from qpq.tui.bridge import INTENTS_MAX, UPDATES_MAX, Bridge
from qpq.tui.composer import CHARS_MAX
from qpq.tui.scene import (
    Act,
    Break,
    Kept,
    Leave,
    Line,
    Notice,
    Older,
    Open,
    Person,
    Returned,
    Scene,
)
from qpqclient import Draft
from tests.support.hostile_text import BENIGN, CLASSES, texts
from tests.support.screens import HERS, MINE, SCENE, A, B, play
from tests.unit.cli.test_harmless import check


def test_what_is_typed_is_kept_at_once_and_meant_by_enter():
    async def body(p):
        await p.shown(SCENE)
        await p.type("good")
        assert p.kept() == {A: Draft("good")}
        await p.press("ctrl+j", *"day", "enter", *"more")
        assert p.app.composer.text == "more"
        line, kept = [i for i in p._bridge._intents if isinstance(i, Line)], p.kept()
        assert (line, kept) == ([Line(A, Draft("good\nday"))], {A: Draft("more")})

    play(body)


def test_keys_that_come_in_one_burst_stay_in_their_order():
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


def test_a_client_that_is_stuck_costs_no_keystroke():
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


def test_each_conversation_has_its_draft():
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


def test_what_is_typed_after_a_command_goes_where_it_leads():
    async def body(p):
        await p.shown(SCENE)
        await p.press(*"/switch #reading", "enter", *"hel")
        assert p.wanted() == [Line(A, Draft("/switch #reading"))]
        await p.shown(replace(SCENE, open=B, title="#reading", entries=()))
        await p.type("lo")
        assert p.app.composer.text == "hello"
        assert p.kept() == {A: Draft(), B: Draft("hello")}

    play(body)


def test_what_cannot_be_done_comes_back():
    async def body(p):
        await p.shown(SCENE)
        await p.press(*"/hlep", "enter", *"next")
        await p.shown(Returned(A, Draft("/hlep")), Notice("There is no command /hlep", Style.ERROR))
        assert p.app.composer.text == "/hlep\nnext"
        assert "There is no command /hlep" in p.screen()
        await p.shown(Returned(B, Draft("elsewhere", reply_to=HERS.id)))
        assert p.kept() == {A: Draft("/hlep\nnext"), B: Draft("elsewhere", reply_to=HERS.id)}

    play(body)


def test_a_message_is_chosen_and_something_done_with_it():
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
        await p.press("up", "up", "plus", *"rocket", "enter")
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


def test_an_edit_of_a_text_with_a_slash_is_no_command():
    async def body(p):
        slash = replace(MINE, lines=("/etc is a folder",), text="/etc is a folder")
        await p.shown(replace(SCENE, entries=(slash,)))
        await p.press("up", "e", "enter")
        assert p.wanted() == [Line(A, Draft("//etc is a folder", edit_of=MINE.id))]

    play(body)


def test_the_switcher_finds_by_letters_and_begins_conversations():
    async def body(p):
        await p.shown(SCENE)
        await p.press("ctrl+k", *"o'hara", "enter")
        assert p.wanted() == [Line(A, Draft("/dm 'o'\"'\"'hara'"))]
        await p.press("ctrl+k", "down", "enter")  # what is unread comes first
        assert p.wanted() == []
        await p.press("ctrl+k", "enter")
        assert p.wanted() == [Open(B)]

    play(body)


def test_tab_completes_as_far_as_it_is_clear():
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


def test_without_textual_a_sentence_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True, raising=False)
    profile = Profile("127.0.0.1:1", tmp_path, "alice", "secret", None, "native", json=False)
    assert command.run(profile, "dark") == 2
    assert "install `qpq[tui]`" in capsys.readouterr().err


def test_hostile_text_in_the_composer_is_harmless_and_benign_text_is_what_it_was():
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
