"""The client's side of the full-screen view: intents in, updates out, with a real client and a real server."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from PIL import Image

from qpq.profile import Profile
from qpq.repl.view import Style
from qpq.table.commands import CHAT
from qpq.tui import session
from qpq.tui.bridge import Bridge
from qpq.tui.scene import (
    Act,
    Answer,
    Badge,
    Break,
    Kept,
    Leave,
    Line,
    Look,
    Notice,
    Older,
    Open,
    Picture,
    Question,
    Result,
    Returned,
    Scene,
)
from qpqclient import DiskFull, Draft
from qpqclient.drafts import Drafts
from tests.support.people import settle, texts

PATIENCE_SECONDS = 60


class Screen:
    """What a screen would be told."""

    def __init__(self, bridge):
        self.ask, self._bridge = bridge.ask, bridge
        self.seen, self._news = [], trio.Event()
        bridge.listen(lambda: self._news.set())

    async def sees(self, kind, fits=lambda _: True):
        """Wait for an update that was not waited for before; return it."""
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                self.seen += self._bridge.news()
                for place, update in enumerate(self.seen):
                    if isinstance(update, kind) and fits(update):
                        del self.seen[: place + 1]
                        return update
                self._news = trio.Event()
                await self._news.wait()

    async def says(self, *parts):
        return await self.sees(Notice, lambda n: all(part in n.line for part in parts))


@asynccontextmanager
async def at_the_screen(w, name):
    """Yield a person's client and screen."""
    client, bridge = await w.client(name), Bridge()
    bridge._token = trio.lowlevel.current_trio_token()
    profile = Profile(w.where, w.folder, name, "secret", None, "native", json=False)
    async with trio.open_nursery() as nursery:
        screen = Screen(bridge)
        nursery.start_soon(session.Session(profile, client, bridge).run)
        yield client, screen
        bridge.ask(Leave())


async def test_what_is_typed_goes_where_it_was_meant(open_world):
    async with open_world() as w:
        bob = await w.client("bob")
        async with at_the_screen(w, "alice") as (alice, screen):
            await settle(alice, bob)
            screen.ask(Kept(w.direct, Draft("hello")))
            screen.ask(Line(w.direct, Draft("hello")))
            screen.ask(Open(w.club))
            scene = await screen.sees(Scene, lambda s: s.open == w.club)
            assert (scene.title, scene.badge, len(scene.people)) == ("#club  ·  3 members", Badge.NONE, 3)
            await settle(alice, bob)
            assert texts(bob.conversation(w.direct))[-1] == "hello"
            assert alice.draft(w.direct) == Draft()
            last = alice.conversation(w.direct).history(1)[0]
            screen.ask(Line(w.direct, Draft("//etc", reply_to=last.id)))
            screen.ask(Line(w.direct, Draft("changed", edit_of=last.id)))
            screen.ask(Open(w.direct))
            await screen.sees(Scene, lambda s: [e.text for e in s.entries[-2:]] == ["changed", "/etc"])
            assert [(m.text, m.edited) for m in alice.conversation(w.direct).history(2)] == [("changed", True), ("/etc", False)]  # fmt: skip
            screen.ask(Act(w.direct, "react", {"emoji": "🎉", "index": last.id.hex(), "remove": False}))
            await screen.says("🎉 to: changed")
            screen.ask(Line(b"", Draft("to nobody")))
            assert await screen.sees(Returned) == Returned(b"", Draft("to nobody"))
            await screen.says("Nothing was sent: no conversation is open.")


async def test_what_is_typed_after_a_command_waits_and_goes_where_it_leads(open_world):
    async with open_world() as w, at_the_screen(w, "alice") as (alice, screen):
        await alice.sync()
        screen.ask(Open(w.direct))
        for text in ("/create-group pair", "first", "second"):
            screen.ask(Line(w.direct, Draft(text)))
        screen.ask(Kept(w.direct, Draft("third, half ty")))
        scene = await screen.sees(Scene, lambda s: s.title.startswith("#pair") and len(s.entries) == 2)
        assert [e.text for e in scene.entries] == ["first", "second"]
        assert alice.draft(w.direct) == Draft("third, half ty")

        for text in ("/dm nobody", "not to bob", "/invite carol"):
            screen.ask(Line(w.direct, Draft(text)))
        back = [await screen.sees(Returned) for _ in range(3)]
        assert back == [Returned(w.direct, Draft(t)) for t in ("/dm nobody", "not to bob", "/invite carol")]
        assert "not to bob" not in texts(alice.conversation(w.direct))


async def test_what_is_held_is_stored_while_it_waits(open_world, monkeypatch):
    begun = trio.Event()

    async def slow(here, name, text):
        begun.set()
        await trio.sleep_forever()

    monkeypatch.setattr(type(CHAT["dm"]), "call", lambda self, here, values: slow(here, **values))
    async with open_world() as w, at_the_screen(w, "alice") as (alice, screen):
        for text in ("/dm bob", "one", "two"):
            screen.ask(Line(w.direct, Draft(text)))
        screen.ask(Kept(w.direct, Draft("three")))
        screen.ask(Older(w.direct))
        await begun.wait()
        await screen.sees(Scene)
        with trio.fail_after(PATIENCE_SECONDS):
            while alice.draft(w.direct) != Draft("/dm bob\none\ntwo\nthree"):
                await trio.lowlevel.checkpoint()
        screen.ask(Break())
        assert [(await screen.sees(Returned)).draft.text for _ in range(3)] == ["/dm bob", "one", "two"]
        await screen.says("nothing was done of what was typed after it")
        assert sorted(alice.draft(w.direct).text.split("\n")) == ["/dm bob", "one", "three", "two"]


async def test_a_full_disk_takes_no_line_away_and_no_room_for_commands(open_world, monkeypatch):
    def full(*_):
        raise DiskFull("this machine's disk is full")

    monkeypatch.setattr(session, "COMMANDS_MAX", 1)
    async with open_world() as w, at_the_screen(w, "alice") as (alice, screen):
        await screen.sees(Scene)
        monkeypatch.setattr(Drafts, "set", full)
        for _ in range(2):
            screen.ask(Line(w.club, Draft("/members")))
            await screen.says("disk is full")
            assert (await screen.sees(Result)).title == "members"
        screen.ask(Line(w.club, Draft("/members of what")))
        assert (await screen.sees(Returned)).draft == Draft("/members of what")
        monkeypatch.setattr(alice._core.store, "transaction", full)
        screen.ask(Line(w.club, Draft("not to be lost")))
        assert (await screen.sees(Returned)).draft == Draft("not to be lost")


async def test_commands_answer_ask_and_are_bounded(open_world, monkeypatch):
    monkeypatch.setattr(session, "COMMANDS_MAX", 1)
    async with open_world() as w, at_the_screen(w, "alice") as (alice, screen):
        screen.ask(Line(w.club, Draft("/members")))
        result = await screen.sees(Result)
        assert (result.title, len(result.lines)) == ("members", 3)
        screen.ask(Line(w.club, Draft("/delete-account")))
        question = await screen.sees(Question)
        assert "Type alice to delete the account for ever" in question.question
        screen.ask(Line(w.club, Draft("/members")))
        assert (await screen.sees(Returned)).draft == Draft("/members")
        assert (await screen.says("Too many commands")).style is Style.ERROR
        screen.ask(Answer(question.number, None))
        assert (await screen.sees(Returned)).draft == Draft("/delete-account")
        await screen.says("nothing was deleted")
        screen.ask(Line(w.club, Draft("/passwd")))
        for text in ("new one", "another"):
            question = await screen.sees(Question)
            assert question.secret
            screen.ask(Answer(question.number, text))
        await screen.says("the two were not equal")
        screen.ask(Break())
        await screen.says("Ctrl-Q or /quit ends")
        screen.ask(Line(w.club, Draft("/quit")))
        with trio.fail_after(PATIENCE_SECONDS):
            while screen._bridge._intents:
                await trio.lowlevel.checkpoint()


async def test_more_is_shown_and_what_vanishes_is_taken_off(open_world, monkeypatch):
    monkeypatch.setattr(session, "SHOWN_MESSAGES", 3)
    monkeypatch.setattr(session, "VANISHED_LOOK_SECONDS", 0.01)
    async with open_world() as w, at_the_screen(w, "alice") as (alice, screen):
        for n in range(5):
            screen.ask(Line(w.direct, Draft(f"message {n}")))
        screen.ask(Open(w.direct))
        scene = await screen.sees(Scene, lambda s: s.open == w.direct)
        assert ([e.text for e in scene.entries], scene.older) == (["message 2", "message 3", "message 4"], True)
        screen.ask(Older(w.direct))
        scene = await screen.sees(Scene, lambda s: len(s.entries) == 6)
        assert not scene.older
        alice._core.store.db.execute("UPDATE messages SET expires_ms = 1 WHERE text = 'message 3'")
        scene = await screen.sees(Scene, lambda s: len(s.entries) == 5)
        assert "message 3" not in {e.text for e in scene.entries}


async def test_a_picture_is_fetched_and_leaves_nothing_behind(open_world, tmp_path):
    async with open_world() as w:
        bob = await w.client("bob")
        async with at_the_screen(w, "alice") as (alice, screen):
            Image.new("RGB", (30, 20), (0, 0, 255)).save(tmp_path / "blue.png")
            (tmp_path / "none.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
            for name in ("blue.png", "none.png"):
                await bob.conversation(w.direct).send_file(tmp_path / name)
            await settle(bob, alice)
            blue, none = alice.conversation(w.direct).history(2)
            screen.ask(Look(w.direct, blue.id, 10, 10))
            picture = await screen.sees(Picture)
            assert (picture.name, picture.width, picture.height, picture.pixels[:3]) == (
                "blue.png",
                10,
                7,
                b"\x00\x00\xff",
            )
            screen.ask(Look(w.direct, none.id, 10, 10))
            await screen.says("no picture")
            assert [p for p in (w.folder / "alice" / "looking").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("draft", [Draft("text"), Draft("re", reply_to=b"\1" * 16), Draft("\ud83d\n\0", edit_of=b"\2" * 16)])  # fmt: skip
async def test_a_draft_survives_a_restart_and_an_empty_one_leaves_no_row(open_world, draft):
    async with open_world() as w:
        alice = await w.client("alice")
        alice.set_draft(w.direct, draft)
        alice.set_draft(b"", Draft("nowhere"))
        await w.restart()
        alice = await w.client("alice")
        assert (alice.draft(w.direct), alice.draft(b""), alice.draft(w.club)) == (draft, Draft("nowhere"), Draft())
        for channel in (w.direct, b""):
            alice.set_draft(channel, Draft())
        assert alice._core.store.rows("SELECT 1 FROM meta WHERE name LIKE 'draft:%'") == []
