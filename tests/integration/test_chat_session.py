"""A chat from its beginning to its end, with a real client and a real server; what is typed comes from the test."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
import trio

import qpqclient
from qpq.profile import Profile
from qpq.repl import session
from qpq.repl.view import Snapshot, Style
from qpq.table.commands import CHAT
from qpq.table.model import Mistake
from tests.support.answers import with_another_key
from tests.support.people import settle, texts

PATIENCE_SECONDS = 60


class View:
    """What is typed, one after the other: lines, what a key raises, or a function that is called first."""

    def __init__(self, *typed):
        self.snapshot, self.shown, self.passing, self.questions = Snapshot(), [], [], []
        self._typed = list(typed)

    def show(self, line, style):
        self.shown.append((style, line))

    def show_passing(self, line):
        self.passing.append(line)

    def refresh(self):
        pass

    async def read(self, question="", *, secret=False):
        self.questions.append((question, secret))
        while self._typed and callable(found := self._typed[0]):
            self._typed.pop(0)
            await found()
        found = self._typed.pop(0) if self._typed else None
        if isinstance(found, BaseException):
            raise found
        return found

    def lines(self, style):
        return [line for s, line in self.shown if s is style]


def chat_of(w, client, *typed):
    """Return a chat and its view."""
    view = View(*typed)
    profile = Profile(w.where, w.folder, client.name, "secret", None, "native", json=False)
    return session.Session(profile, view, client), view


async def play(chat, *, drain=True):
    with trio.fail_after(PATIENCE_SECONDS):
        await chat.run(drain=drain)


async def test_what_cannot_be_done_is_said_and_the_chat_goes_on(open_world, tmp_path):
    async with open_world() as w:
        alice = await w.client("alice")
        missing = str(tmp_path / "no folder" / "backup")
        chat, view = chat_of(
            w, alice, "", "  ", "hello?", "/hlep", KeyboardInterrupt(), f"/backup --to '{missing}'", "/recovery-code",
            f"/backup --to '{missing}'", "/switch @bob", "hello", "/quit", "never read",
        )  # fmt: skip
        await play(chat)
        hint, unknown, no_code, no_folder = view.lines(Style.ERROR)
        assert hint == session.HINT
        assert unknown.startswith("There is no command /hlep")
        assert "recovery" in no_code
        assert no_folder.startswith(f"No such file or directory: {tmp_path / 'no folder'}")
        assert "Ctrl-D or /quit ends" in view.lines(Style.NOTICE)
        assert texts(alice.conversation(w.direct))[-1] == "hello"
        assert "never read" in view._typed
        assert (view.snapshot.prompt, view.snapshot.groups, view.snapshot.people) == (
            "@bob> ",
            ("club",),
            ("bob", "carol"),
        )


async def test_a_group_that_has_come_is_unopened_until_it_is_opened_by_any_way(open_world):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        fresh = None
        seen = []

        async def invited():
            nonlocal fresh
            fresh = await bob.create_group("fresh", ["alice"])
            await fresh.send("@alice look")
            await settle(bob, alice)
            await trio.testing.wait_all_tasks_blocked()
            with trio.fail_after(PATIENCE_SECONDS):
                while not chat.here.unopened:
                    await trio.lowlevel.checkpoint()
            chat._refresh()
            seen.append((list(chat.here.unopened), view.snapshot.status))

        async def opened():
            seen.append((list(chat.here.unopened), alice.conversation(fresh.id).unread))

        chat, view = chat_of(w, alice, invited, "/switch #fresh", opened)
        await play(chat)
        assert seen == [([fresh.id], "connected  |  unread: #fresh 1!"), ([], 0)]


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "while it waits"])
async def test_ctrl_c_breaks_a_command_off_and_not_the_chat(open_world, monkeypatch, waits):
    async def slow(here, name, text):
        if waits:
            await trio.testing.wait_all_tasks_blocked()
        signal.raise_signal(signal.SIGINT)
        await trio.sleep_forever()

    async with open_world() as w:
        chat, view = chat_of(w, await w.client("alice"), "/dm bob", "/whoami")
        monkeypatch.setattr(type(CHAT["dm"]), "call", lambda self, here, values, call=type(CHAT["dm"]).call: (
            slow(here, **values) if self.name == "dm" else call(self, here, values)
        ))  # fmt: skip
        await play(chat)
        assert "broken off" in view.lines(Style.NOTICE)
        assert view.lines(Style.RESULT)[-1].startswith("alice on ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_a_chat_that_waits_for_a_line(open_world, number):
    async def hangs_up():
        await trio.testing.wait_all_tasks_blocked()
        signal.raise_signal(number)
        await trio.sleep_forever()

    async with open_world() as w:
        chat, view = chat_of(w, await w.client("alice"), hangs_up, "never read")
        await play(chat, drain=False)
        assert view._typed == ["never read"]


async def test_what_waits_at_the_end_of_a_pipe_is_said(open_world, monkeypatch):
    monkeypatch.setattr(session, "FLUSH_SECONDS_MAX", 0.0)
    async with open_world() as w:
        alice = await w.client("alice")
        monkeypatch.setattr(type(alice), "connected", False)  # what is said is told to wait; the end finds it waiting
        monkeypatch.setattr(type(alice), "unsent", 2)
        chat, view = chat_of(w, alice, "/switch @bob", "hello")
        await play(chat)
        told = view.lines(Style.NOTICE)
        assert "(pending: the server is away; 2 waiting)" in told
        assert told[-1] == "2 messages wait; they are sent next time"
        assert view.snapshot.status.startswith("server away  |  2 waiting")


async def test_questions_are_asked_at_the_prompt_and_secrets_twice(open_world):
    async with open_world() as w:
        chat, view = chat_of(w, await w.client("alice"), "yes", None, "new", "new", "new", "other", "", "")
        assert [await chat.ask("sure\x1b"), await chat.ask("sure")] == ["yes", ""]
        assert await chat.ask_secret("New password") == "new"
        for _ in range(2):
            with pytest.raises(Mistake, match="nothing was changed"):
                await chat.ask_secret("New password")
        assert "\x1b" not in view.questions[0][0]
        assert view.questions[2:4] == [("New password: ", True), ("once more: ", True)]


async def test_how_far_a_file_has_come_passes_by(open_world):
    async with open_world() as w:
        chat, view = chat_of(w, await w.client("alice"))
        chat.progress("film", 0, 10)
        chat.progress("film", 1, 10)
        chat.progress("film", 10, 10)
        assert [line.partition("]")[0] for line in view.passing] == [f"film [{c * 20}" for c in "-#"]


async def test_the_prompt_says_whose_key_was_compared_and_whose_is_doubtful(open_world, monkeypatch):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        await settle(alice, bob)
        chat, view = chat_of(w, alice)
        assert chat._badge() == ""
        chat.here.conversation = alice.conversation(w.direct)
        await alice.verify("bob")
        chat._refresh()
        assert view.snapshot.prompt == "(verified) @bob> "
        monkeypatch.setattr(alice._core.wire, "call", with_another_key(alice, "bob"))
        with pytest.raises(qpqclient.IdentityChanged):
            await alice.resolve("bob")
        chat._refresh()
        assert view.snapshot.prompt == "(KEY CHANGED) @bob> "


async def test_nothing_is_drawn_anew_for_an_account_that_is_gone(open_world):
    async with open_world() as w:
        eve = await w.client("eve")
        chat, view = chat_of(w, eve)
        chat._refresh()
        before = replace(view.snapshot)
        await eve.delete_account()
        chat._refresh()
        assert view.snapshot == before != Snapshot()
