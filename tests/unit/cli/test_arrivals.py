"""What a chat says of groups and messages that change while it runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

from qpq.repl.arrivals import NAME_SECONDS, Arrivals
from qpqclient import GroupChanged, MessageChanged, NotFound

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
async def test_a_group_is_announced_unless_it_was_opened_meanwhile(stage, opened):
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
