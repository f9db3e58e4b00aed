"""Keys in the timeline: which message is chosen, and the ways back to the composer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual import events

from qpq.tui.scene import Act, Line, Older
from qpq.tui.timeline import Timeline
from qpqclient import Draft
from tests.support.screens import HERS, MINE, SCENE, A, play


@pytest.mark.parametrize("down", ["down", "j"])
def test_below_the_last_message_is_the_composer(down):
    async def body(p):
        await p.shown(SCENE)
        timeline = p.app.query_one(Timeline)
        await p.press("up", "k")
        assert timeline.chosen == HERS
        await p.press(down)
        assert timeline.chosen == MINE
        await p.press(down)
        assert (timeline.chosen, p.app.focused) == (None, p.app.composer)

    play(body)


@pytest.mark.parametrize("back", ["escape", "q"])
def test_the_way_back_chooses_nothing(back):
    async def body(p):
        await p.shown(SCENE)
        await p.press("up", "up", back)
        assert (p.app.query_one(Timeline).chosen, p.app.focused) == (None, p.app.composer)

    play(body)


def test_above_the_first_message_older_ones_are_asked_for_where_there_are_any():
    async def body(p):
        await p.shown(SCENE)
        await p.press("up", "up", "up")
        assert (p.app.query_one(Timeline).chosen, p.wanted()) == (HERS, [])
        await p.shown(replace(SCENE, older=True))
        await p.press("up")
        assert p.wanted() == [Older(A)]

    play(body)


@pytest.mark.parametrize(
    ("begun", "typed"),
    [("so: ", "hello the cat"), ("", "/send-file nosuch"), ("", "xylophones"), ("a", " blank"), ("", "ünder"), ("", "1 of 2")],
)  # fmt: skip
def test_what_is_typed_while_choosing_and_means_nothing_there_is_written_whole(begun, typed):
    async def body(p):
        await p.shown(SCENE)
        await p.press(*begun, "up", *typed, "enter")
        assert p.wanted() == [Line(A, Draft(begun + typed))]
        assert (p.app.query_one(Timeline).chosen, p.app.focused) == (None, p.app.composer)

    play(body)


@pytest.mark.parametrize("refused", ["e", "d", "v", "s"])
def test_a_refused_wish_gives_the_composer_its_turn(refused):
    async def body(p):
        await p.shown(SCENE)
        await p.press("up", "up", refused, *"reached the cat", "enter")
        assert p.wanted() == [Line(A, Draft("reached the cat"))]

    play(body)


@pytest.mark.parametrize(("typed", "written"), [("delay", "elay"), ("dairy", "airy"), ("dn ok", " ok")])
def test_who_goes_on_writing_before_the_question_deletes_nothing(typed, written):
    async def body(p):
        await p.shown(SCENE)
        await p.press("up", *typed, "enter")
        assert p.wanted() == [Line(A, Draft(written))]

    play(body)


def test_what_is_typed_or_pasted_on_a_list_is_written():
    async def body(p):
        await p.shown(SCENE)
        await p.press("tab", *"hel")  # in an empty composer Tab goes from field to field
        assert p.app.composer.text == "hel"
        p.app.query_one("#places").focus()
        await p.settle()
        p.app.post_message(events.Paste("lo"))
        await p.press(*"!")
        assert p.app.composer.text == "hello!"
        await p.press("up")
        p.app.post_message(events.Paste("?"))
        await p.press(*"!")
        assert p.app.composer.text == "hello!?!"

    play(body)


def test_the_status_says_that_a_message_is_chosen_while_it_is():
    async def body(p):
        await p.shown(SCENE)
        for leave in ("escape", "q", "e", "x", "c", "down"):
            assert "choosing a message" not in p.screen()
            await p.press("up")
            assert "choosing a message: r reply" in p.screen()
            await p.shown(replace(SCENE, unsent=1))  # whatever else comes
            assert "choosing a message" in p.screen()
            await p.shown(SCENE)
            await p.press(leave)
        assert "choosing a message" not in p.screen()

    play(body)


def test_a_question_that_is_answered_is_done():
    async def body(p):
        await p.shown(SCENE)
        await p.press("up", "d", "y", *"gone")
        assert p.wanted() == [Act(A, "delete", {"index": MINE.id.hex()})]
        assert p.app.composer.text == "gone"

    play(body)


def test_with_nothing_chosen_a_letter_is_written_and_up_chooses_the_last():
    async def body(p):
        await p.shown(SCENE)
        timeline = p.app.query_one(Timeline)
        timeline.focus()
        await p.pilot.pause()
        timeline.highlighted = None
        await p.press("d")
        assert (p.wanted(), timeline.chosen, p.app.composer.text) == ([], None, "d")
        timeline.focus()
        await p.pilot.pause()
        await p.press("home")  # is none of its own keys: the list's own meaning
        assert timeline.chosen == HERS
        timeline.highlighted = None
        await p.press("k")
        assert timeline.chosen == MINE

    play(body)


def test_what_is_read_stays_where_it_is_unless_it_went():
    async def body(p):
        many = tuple(replace(MINE, id=bytes([n]) * 16, lines=(f"line {n}",), text=f"line {n}") for n in range(60))
        await p.shown(replace(SCENE, entries=many))
        timeline = p.app.query_one(Timeline)
        timeline.scroll_to(y=40, animate=False)
        await p.settle()
        top = next(row for row in p.rows(timeline) if "line" in row).strip()
        await p.shown(replace(SCENE, entries=many[5:]))
        await p.settle()
        assert next(row for row in p.rows(timeline) if "line" in row).strip() == top
        assert timeline._top((), {}, set()) is None
        await p.shown(replace(SCENE, entries=(HERS,)))  # all that was on the screen is gone
        await p.settle()
        assert any("hello" in row for row in p.rows(timeline))

    play(body)
