"""Shows what comes while a chat runs: messages, and what changes about them, about groups and about the connection.

The SDK says that something changed; what it was is seen by comparing with what was known before. What is remembered for
that is bounded: a change of a message that was forgotten is not announced, and `/history` has it all the same.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import trio

from qpq.commands.conversations import lasting
from qpq.commands.naming import label
from qpq.commands.showing import message_lines
from qpq.harmless import harmless, harmless_name
from qpq.repl.view import Style
from qpqclient import (
    Connected,
    Disconnected,
    DiskFull,
    GroupChanged,
    MessageChanged,
    MessageReceived,
    Missed,
    NotFound,
    NotLoggedIn,
    QpqError,
    SessionEnded,
    Typing,
)
from qpqclient.settings import ON, TYPING_SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpq.here import Here
    from qpqclient import Conversation, Event, Events, Message

REMEMBERED_MAX = 1_000
"""Messages whose last known form is kept."""
LAST_REMEMBERED = 20
"""Of each conversation, from before the start: what `/history` shows, and what others still answer."""
LOOK_SECONDS = 30.0
"""A listener that fell behind the SDK's bound missed some events: everything is looked at again so often."""
SETTLE_SECONDS, STALE_SECONDS_MAX = 0.05, 0.5
"""Drawing the status takes some queries for each conversation: after a burst of events it is done once."""
NAME_SECONDS = 2.0
"""How long the announcement of a new group waits for the group's name."""
QUOTE_CHARS = 40
SESSION_OVER = "this device's session is over: it was revoked, or the password was changed; /quit, and log in again"


@dataclass(frozen=True, slots=True)
class Group:
    """A conversation as it was last seen."""

    name: str
    members: tuple[tuple[bytes, str], ...]
    """Accounts, and what each is called; of one whose name was not learnt yet, the beginning of its id."""
    timer_seconds: int
    active: bool
    doubtful: frozenset[str]


class Arrivals:
    """Follows a client's events and shows what they mean."""

    def __init__(self, here: Here, show: Callable[[str, Style], None], refresh: Callable[[], None]) -> None:
        self._here, self._show, self._refresh = here, show, refresh
        self._messages: OrderedDict[bytes, Message] = OrderedDict()
        self._groups: dict[bytes, Group] = {}
        self._nameless: set[bytes] = set()
        self._up: bool | None = None
        for conversation in here.client.conversations():
            self._groups[conversation.id] = seen(conversation)

    async def follow(self, events: Events) -> None:
        """Show what comes, for ever; the status is drawn anew when nothing more comes at once, but not much later."""
        self._show_unshown()
        self._remember_last()
        stale_since_s: float | None = None
        while True:
            event, now_s = None, trio.current_time()
            if stale_since_s is not None and now_s - stale_since_s > STALE_SECONDS_MAX:
                stale_since_s = None
                self._refresh()
            with trio.move_on_after(SETTLE_SECONDS if stale_since_s is not None else self._patience_s()):
                event = await anext(events)
            if event is not None:
                with suppress(NotFound, NotLoggedIn, DiskFull):  # went at that moment; is shown when there is room
                    await self._take(event)
                stale_since_s = stale_since_s if stale_since_s is not None else now_s
            elif stale_since_s is not None:
                stale_since_s = None
                self._refresh()
            else:
                self._show_unshown()
                for channel in list(self._nameless):
                    self._announce(self._here.client.conversation(channel))

    def _patience_s(self) -> float:
        return NAME_SECONDS if self._nameless else LOOK_SECONDS

    def remember(self, message: Message) -> None:
        """Keep a message's form, so that a change of it can be told."""
        self._messages[message.id] = message
        self._messages.move_to_end(message.id)
        if len(self._messages) > REMEMBERED_MAX:
            self._messages.popitem(last=False)

    def note(self, conversation: Conversation) -> None:
        """Take a conversation's name and timer as known: who has changed them here was told so."""
        before = self._groups.get(conversation.id)
        if before is None:
            return
        with suppress(NotFound, NotLoggedIn):  # the account was deleted
            self._groups[conversation.id] = replace(
                before, name=conversation.name, timer_seconds=conversation.timer_seconds
            )

    def _remember_last(self) -> None:
        """Keep what was said last before the start, so that a change of that is told, too."""
        for conversation in self._here.client.conversations():
            for message in conversation.history(LAST_REMEMBERED):
                if len(self._messages) == REMEMBERED_MAX:
                    return
                self._messages.setdefault(message.id, message)

    async def _take(self, event: Event) -> None:
        match event:
            case MessageReceived():
                await self._show_new(self._here.client.conversation(event.channel))
            case MessageChanged():
                await self._show_new(self._here.client.conversation(event.channel))
                self._message_changed(event.channel, event.id)
            case GroupChanged():
                self._group_changed(event.channel)
            case Typing() if event.on and self._here.client.setting(TYPING_SHOWN) == ON:
                self._show(f"{harmless_name(event.name)} is typing", Style.NOTICE)
            case Missed():
                self._show("messages are missing here: the mailbox was full, or the server lost them", Style.NOTICE)
            case Connected() | Disconnected():
                self._came_or_went(up=isinstance(event, Connected))
            case SessionEnded():
                self._show(SESSION_OVER, Style.NOTICE)
            case _:
                pass

    # --- messages

    def _show_unshown(self) -> None:
        with suppress(DiskFull):  # that it was shown could not be noted: it is shown when there is room
            for conversation in self._here.client.conversations():
                for message in conversation.take_unshown():
                    self._show_message(conversation, message)

    async def _show_new(self, conversation: Conversation) -> None:
        fresh = conversation.take_unshown()
        for message in fresh:
            self._show_message(conversation, message)
        if fresh and self._is_open(conversation):
            await mark_read(conversation)

    def _is_open(self, conversation: Conversation) -> bool:
        return self._here.conversation is not None and self._here.conversation.id == conversation.id

    def _show_message(self, conversation: Conversation, message: Message) -> None:
        self.remember(message)
        named = mentions(message.text, self._here.client.name)
        prefix = self._prefix(conversation)
        for line in message_lines(message):
            self._show(prefix + line, Style.MENTION if named else Style.MESSAGE)

    def _prefix(self, conversation: Conversation) -> str:
        """Return what stands before a message that is not of the open conversation, where that could be mistaken."""
        if self._is_open(conversation) or (conversation.kind == "direct" and self._here.conversation is None):
            return ""
        return label(conversation) + " "

    def _message_changed(self, channel: bytes, ident: bytes) -> None:
        before = self._messages.get(ident)
        conversation = self._here.client.conversation(channel)
        after = conversation.message(ident)
        if before is None and after is not None:
            self.remember(after)  # of one's own, sent by a command: the first change is that the server has it
        if before is None or before == after:
            return
        if after is None:
            del self._messages[ident]
            if not before.own:
                self._show(
                    f"{self._prefix(conversation)}{harmless_name(before.sender)} deleted {quoted(before)}", Style.NOTICE
                )
            return
        self.remember(after)
        if after.text != before.text and not after.own:
            for line in message_lines(after):
                self._show(self._prefix(conversation) + line, Style.MESSAGE)
        self._show_reactions(conversation, before, after)

    def _show_reactions(self, conversation: Conversation, before: Message, after: Message) -> None:
        own = self._here.client.name
        for name, emoji in after.reactions:
            if (name, emoji) not in before.reactions and name != own:
                line = f"{harmless_name(name)} reacted {harmless(emoji)} to {quoted(after)}"
                self._show(self._prefix(conversation) + line, Style.NOTICE)

    # --- groups and the connection

    def _group_changed(self, channel: bytes) -> None:
        try:
            conversation = self._here.client.conversation(channel)
        except NotFound:
            return
        before, now = self._groups.get(channel), seen(conversation)
        self._groups[channel] = now
        if conversation.requested:
            if before is None:
                self._show(f"{label(conversation)} wants to talk to you: /requests", Style.NOTICE)
            return
        if before is None or (now.active and not before.active):
            if conversation.kind == "group" and not self._is_open(conversation):
                self._here.unopened.append(channel)
                self._nameless.add(channel)
            elif before is not None:
                self._show(f"you are in {label(conversation)} again", Style.NOTICE)
            if before is None or self._is_open(conversation):
                return
        if channel in self._nameless:
            if now.name != ", ".join(sorted({name for _, name in now.members} - {self._here.client.name})):
                self._announce(conversation)
            return
        # Of two people one is gone: it is called as it was.
        shown = label(conversation) if now.name else "@" + harmless_name(before.name)
        for line in differences(before, now, shown):
            self._show(line, Style.NOTICE)

    def _announce(self, conversation: Conversation) -> None:
        """Say that one is in a group now, once its name has come, which is a message of its own.

        Not of one that was opened meanwhile: who makes a group hears of it before it is open.
        """
        self._nameless.discard(conversation.id)
        if conversation.active and conversation.id in self._here.unopened:
            self._show(f"you are in {label(conversation)} now: /join opens it", Style.NOTICE)

    def _came_or_went(self, *, up: bool) -> None:
        was, self._up = self._up, up
        if was is None and up:
            return
        if up:
            self._show("the server is there again", Style.NOTICE)
            self._show_unshown()
        elif was is not False:
            self._show("the server is away: what you send waits here and goes out when it is back", Style.NOTICE)


def seen(conversation: Conversation) -> Group:
    """Return a conversation as it is now."""
    return Group(
        conversation.name, tuple(sorted((m.account, m.name) for m in conversation.members())), conversation.timer_seconds,
        conversation.active, frozenset(conversation.doubtful()),
    )  # fmt: skip


def differences(before: Group, now: Group, shown: str) -> list[str]:
    """Return a line for each thing that changed."""
    if before.active and not now.active:
        return [f"you are not in {shown} any more; what was received stays here"]
    was, is_ = dict(before.members), dict(now.members)
    lines = [f"{harmless_name(name)} is in {shown} now" for name in sorted(is_[a] for a in is_.keys() - was.keys())]
    lines += [
        f"{harmless_name(name)} is not in {shown} any more" for name in sorted(was[a] for a in was.keys() - is_.keys())
    ]
    lines += [
        f"WARNING: the key of {harmless_name(name)} is another one than was known: /verify {harmless_name(name)}"
        for name in sorted(now.doubtful - before.doubtful)
    ]
    if now.name != before.name and is_ == was:
        lines.append(f"{harmless_name(before.name)} is called {harmless_name(now.name)} now")
    if now.timer_seconds != before.timer_seconds:
        lines.append(f"new messages in {shown} {lasting(now.timer_seconds)}")
    return lines


def mentions(text: str, name: str) -> bool:
    """Tell whether a text names a person: `@name`, as a word."""
    return re.search(rf"(?<!\w)@{re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def quoted(message: Message) -> str:
    """Return the beginning of a message in quotation marks."""
    text = harmless(message.text)
    return f'"{text[: QUOTE_CHARS - 1]}…"' if len(text) > QUOTE_CHARS else f'"{text}"'


async def mark_read(conversation: Conversation) -> None:
    """Note that all that has come was seen; the senders are told, where that can be and is wanted."""
    if conversation.active and conversation.unread:
        try:
            await conversation.mark_read()
        except QpqError:
            return  # the group was left at that moment
