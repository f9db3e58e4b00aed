"""Makes the scene: all that the screen shows, from the client's database, each string harmless."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from qpq.commands.naming import label
from qpq.commands.showing import NOTICE
from qpq.harmless import harmless, harmless_lines, harmless_name
from qpq.repl.arrivals import mentions, quoted
from qpq.tui.scene import Badge, Entry, Person, Place, Scene

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqclient import Client, Conversation, Message

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""What `qpq.tui.pictures` opens."""
PEOPLE_MAX = 1_000
"""Of a group, in the members' list; it says how many more there are."""


def stage(client: Client, opened: Conversation | None, shown: int) -> Scene:
    """Return the scene, with the last `shown` messages of the open conversation."""
    conversations = sorted(client.conversations(), key=_order)
    scene = Scene(
        name=harmless_name(client.name), places=tuple(_place(client, c) for c in conversations),
        connected=client.connected, logged_out=client.logged_out, unsent=client.unsent, requests=len(client.requests()),
    )  # fmt: skip
    if opened is None:
        return _with(scene, draft=client.draft(b""))
    messages = opened.history(shown + 1)
    older, messages = len(messages) > shown, messages[-shown:]
    return _with(
        scene, open=opened.id, title=_title(opened), badge=_badge(opened), older=older,
        entries=tuple(_entries(client, opened, messages)), people=tuple(_people(client, opened)),
        draft=client.draft(opened.id),
    )  # fmt: skip


def _with(scene: Scene, **parts: object) -> Scene:
    from dataclasses import replace

    return replace(scene, **parts)  # type: ignore[arg-type]  # named by who calls this, all in this module


def _order(conversation: Conversation) -> tuple[bool, str, bytes]:
    return (not conversation.active, label(conversation).casefold(), conversation.id)


def _place(client: Client, c: Conversation) -> Place:
    return Place(
        c.id, label(c), c.unread, c.mentions, _badge(c), c.muted, c.active, bool(client.draft(c.id).text)
    )  # fmt: skip


def _badge(c: Conversation) -> Badge:
    """Return what is known of the keys: in a group only that one is doubtful."""
    if c.doubtful():
        return Badge.CHANGED
    if c.kind != "direct":
        return Badge.NONE
    return Badge.VERIFIED if c.verified else Badge.UNVERIFIED


def _title(c: Conversation) -> str:
    parts = [label(c)]
    if c.kind == "group":
        parts.append(f"{len(c.members())} members")
    if c.timer_seconds:
        from qpq.commands.conversations import lasting

        parts.append(f"messages {lasting(c.timer_seconds)}")
    parts += ["muted"] if c.muted else []
    parts += [] if c.active else ["you are not in it any more"]
    return "  ·  ".join(parts)


def _people(client: Client, c: Conversation) -> Iterable[Person]:
    doubtful, unverified, admins = set(c.doubtful()), set(c.unverified()), set(c.admins() if c.active else ())
    members = c.members()
    for m in members[:PEOPLE_MAX]:
        badge = Badge.NONE if m.name == client.name else Badge.UNVERIFIED if m.name in unverified else Badge.VERIFIED
        badge = Badge.CHANGED if m.name in doubtful else badge
        yield Person(harmless_name(m.name), badge, m.name in admins, len(m.devices))
    if len(members) > PEOPLE_MAX:
        yield Person(f"({len(members) - PEOPLE_MAX} more: /members)")


def _entries(client: Client, c: Conversation, messages: list[Message]) -> Iterable[Entry]:
    last_day = ""
    for message in messages:
        at = datetime.fromtimestamp(message.sent_ms / 1000).astimezone()
        day = f"{at:%A, %d %B %Y}"
        yield entry(client, c, message, f"{at:%H:%M}", "" if day == last_day else day)
        last_day = day


def entry(client: Client, c: Conversation, message: Message, moment: str, day: str) -> Entry:
    """Return one message as it is shown."""
    notice = message.kind == NOTICE
    answered = c.message(message.reply_to) if message.reply_to else None
    file = message.file
    return Entry(
        message.id, "" if notice else harmless_name(message.sender), moment, day, tuple(harmless_lines(message.text)),
        own=message.own, state=message.state if message.own else "", edited=message.edited,
        quote=f"{harmless_name(answered.sender)}: {quoted(answered)}" if answered else "",
        reactions=tuple((harmless(e), n) for e, n in Counter(e for _, e in message.reactions).items()),
        notice=notice, named=not message.own and mentions(message.text, client.name),
        picture=file is not None and file.mime in PICTURES, file=file is not None,
        text=message.text if message.own else "",
    )  # fmt: skip
