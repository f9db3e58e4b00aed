"""What a chat says of groups and messages that change while it runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

from qpq.harmless import MARK
from qpq.repl.arrivals import NAME_SECONDS, Arrivals, mark_read
from qpqclient import Connected, Disconnected, GroupChanged, MessageChanged, Missed, NotFound, SessionEnded, Typing
from qpqclient.settings import ON, TYPING_SHOWN

GROUP, TALK = b"group", b"talk"


class Conversation(SimpleNamespace):
    """As much of one as is looked at."""

    requested, active, timer_seconds, messages = False, True, 0, ()

    names = ("alice", "bob")

    def members(self):
        return [SimpleNamespace(account=b"%d" % number, name=name) for number, name in enumerate(self.names)]

    def doubtful(self):
        return []

    def take_unshown(self):
        return []

    def history(self, count):
        return list(self.messages[-count:])

    def message(self, ident):
        return next((m for m in self.messages if m.id == ident), None)


class Stage:
    """A chat without a client, and the events that it is told."""

    def __init__(self, *conversations):
        self.conversations, self.shown = {c.id: c for c in conversations}, []
        client = SimpleNamespace(name="alice", conversations=lambda: [], conversation=self.conversation)
        self.here = SimpleNamespace(client=client, conversation=None, unopened=[])
        self.arrivals = Arrivals(self.here, lambda line, _style: self.shown.append(line), lambda: None)
        self.tell, self._events = trio.open_memory_channel(10)

    def conversation(self, channel):
        if channel not in self.conversations:
            raise NotFound("gone")
        return self.conversations[channel]

    async def follow(self):
        await self.arrivals.follow(self._events)


@pytest.fixture
async def stage(nursery, autojump_clock):
    stage = Stage(Conversation(id=GROUP, kind="group", name="club"), Conversation(id=TALK, kind="direct", name="bob"))
    nursery.start_soon(stage.follow)
    yield stage
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("opened", [True, False])
async def test_a_group_is_announced_unless_it_was_opened_meanwhile(stage, autojump_clock, opened):
    """Who makes a group is told of it before it is open, and may talk elsewhere by the time that its name is waited for."""
    stage.tell.send_nowait(GroupChanged(GROUP, active=True))
    await trio.testing.wait_all_tasks_blocked()
    assert stage.here.unopened == [GROUP]
    if opened:
        stage.here.unopened.remove(GROUP)
    await trio.sleep(2 * NAME_SECONDS)
    assert stage.shown == ([] if opened else ["you are in #club now: /join opens it"])


async def test_somebody_whose_name_is_learnt_later_has_not_come_and_gone(stage):
    talk = stage.conversations[TALK]
    for names in (("31f046e9", "bob"), ("alice", "bob"), ("alice", "bob", "carol"), ("alice", "bob")):
        talk.names = names
        stage.tell.send_nowait(GroupChanged(TALK, active=True))
        await trio.testing.wait_all_tasks_blocked()
    assert stage.shown == ["carol is in @bob now", "carol is not in @bob any more"]


@pytest.mark.parametrize("known", ["from before the start", "from its first change"])
async def test_a_reaction_to_what_was_sent_elsewhere_is_told(nursery, autojump_clock, known):
    """Before the start, or by a command like /dm NAME TEXT: nothing that was typed into the open conversation."""

    def said(state, *reactions):
        return SimpleNamespace(
            id=b"m",
            own=True,
            sender="alice",
            kind="text",
            text="hello",
            state=state,
            reactions=list(reactions),
            edited=False,
        )

    talk = Conversation(id=TALK, kind="direct", name="bob")
    stage = Stage(talk)
    if known == "from before the start":
        talk.messages = (said("sent"),)
        stage.here.client.conversations = lambda: [talk]
    nursery.start_soon(stage.follow)
    await trio.testing.wait_all_tasks_blocked()
    talk.messages = (said("sent"),)
    stage.tell.send_nowait(MessageChanged(TALK, b"m"))
    await trio.testing.wait_all_tasks_blocked()
    talk.messages = (said("sent", ("bob", "👍")),)
    stage.tell.send_nowait(MessageChanged(TALK, b"m"))
    await trio.testing.wait_all_tasks_blocked()
    assert stage.shown == ['bob reacted 👍 to "hello"']
    nursery.cancel_scope.cancel()


async def told(stage, *events):
    for event in events:
        stage.tell.send_nowait(event)
        await trio.testing.wait_all_tasks_blocked()


async def test_a_stranger_who_waits_is_told_once_and_a_group_that_went_is_not_looked_for(stage):
    spam = stage.conversations[b"spam"] = Conversation(id=b"spam", kind="direct", name="eve\x1b", requested=True)
    await told(stage, *[GroupChanged(b"spam", active=True)] * 2)
    assert stage.shown == [f"@eve{MARK} wants to talk to you: /requests"]
    assert stage.here.unopened == []
    del stage.conversations[spam.id]
    await told(stage, GroupChanged(b"spam", active=False), MessageChanged(b"spam", b"m"))
    assert len(stage.shown) == 1, "and it goes on"
    await told(stage, Missed(TALK))
    assert "messages are missing here" in stage.shown[-1]


async def test_the_server_is_spoken_of_when_it_goes_and_when_it_comes_again(stage):
    here, away = Connected(b""), Disconnected(b"")
    await told(stage, here)
    assert stage.shown == [], "as it should be, from the beginning"
    await told(stage, away, away, here)
    assert [line.partition(":")[0] for line in stage.shown] == ["the server is away", "the server is there again"]


async def test_the_end_of_the_session_is_told(stage):
    await told(stage, SessionEnded(b""))
    assert [line.partition(":")[0] for line in stage.shown] == ["this device's session is over"]


async def test_what_one_has_changed_oneself_is_no_news_later(stage):
    talk = stage.conversations[TALK]
    await told(stage, GroupChanged(TALK, active=True))
    talk.name, talk.timer_seconds = "later", 60
    stage.arrivals.note(talk)
    stage.arrivals.note(Conversation(id=b"another", kind="direct", name="eve"))
    await told(stage, GroupChanged(TALK, active=True))
    assert stage.shown == []


@pytest.mark.parametrize("on", [True, False])
async def test_who_types_is_told_while_that_is_wanted(stage, on):
    stage.here.client.setting = lambda name: {TYPING_SHOWN: ON if on else "off"}[name]
    await told(stage, Typing(TALK, "bob\x1b", on=True), Typing(TALK, "bob", on=False))
    assert stage.shown == [f"bob{MARK} is typing"] * on


@pytest.mark.parametrize(("active", "unread", "asked"), [(True, 1, 1), (True, 0, 0), (False, 1, 0)])
async def test_what_was_seen_is_noted_and_a_group_left_at_that_moment_is_no_error(active, unread, asked):
    calls = []

    async def mark():
        calls.append("mark")
        raise NotFound("left")

    await mark_read(Conversation(active=active, unread=unread, mark_read=mark))
    assert len(calls) == asked
