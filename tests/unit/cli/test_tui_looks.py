"""How the screen looks: what it says of a scene, at every size, and what stays where it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qpq.tui.scene import (
    Answer,
    Badge,
    Break,
    Entry,
    Line,
    Look,
    Passing,
    Person,
    Picture,
    Place,
    Question,
    Result,
)
from qpqclient import Draft
from tests.support.screens import HERS, MINE, PLACES, SCENE, A, play


def test_pictures_where_there_are_colours():
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


def test_what_the_screen_says():
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


def test_results_and_questions():
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


def test_what_is_read_stays_where_it_is_while_messages_come_and_go():
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


def test_a_narrow_terminal_keeps_what_matters():
    async def body(p):
        await p.shown(SCENE)
        assert "@bob ✓" not in p.screen()
        assert "hello" in p.screen()
        await p.press("ctrl+o")
        assert "bob" in p.screen()

    play(body, size=(50, 16))


@pytest.mark.parametrize("size", [(12, 6), (3, 2), (1, 1)])
def test_a_tiny_terminal_breaks_nothing(size):
    async def body(p):
        await p.shown(SCENE)
        await p.press(*"still typed", "ctrl+k", *"rd", "escape", "enter")
        assert p.wanted() == [Line(A, Draft("still typed"))]

    play(body, size=size)


def test_no_text_looks_like_the_beginning_of_another_message():
    async def body(p):
        long = "x" * 84 + " 09:05 bob  send me money " * 40
        await p.shown(replace(SCENE, entries=(replace(HERS, lines=(long, "09:06 bob")),)))
        rows = [row[1:] for row in p.rows(p.app.timeline)]
        assert [row for row in rows if row[:6].strip() and not row.startswith("──")] == [
            row for row in rows if row.startswith("09:00 bob")
        ]

    play(body)
