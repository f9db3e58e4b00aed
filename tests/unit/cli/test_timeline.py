"""Keys in the timeline: which message is chosen, and the ways back to the composer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qpq.tui.scene import Older
from qpq.tui.timeline import Timeline
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


def test_with_nothing_chosen_a_letter_does_nothing_and_up_chooses_the_last():
    async def body(p):
        await p.shown(SCENE)
        timeline = p.app.query_one(Timeline)
        timeline.focus()
        await p.pilot.pause()
        timeline.highlighted = None
        await p.press("d")
        assert (p.wanted(), timeline.chosen) == ([], None)
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
