"""What concerns a conversation as a whole: dm, switch, list, members, group-info, rename, history, disappear."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from qpq.commands.messages import say
from qpq.commands.naming import ID_CHARS_SHOWN, begun, label, opened
from qpq.commands.showing import counted, message_value, numbered_lines
from qpq.harmless import harmless_name
from qpq.table.model import Face, Mistake

if TYPE_CHECKING:
    from qpq.here import Here
    from qpqclient import Conversation

DIGEST_CHARS = 16
QUOTES = ('"', "'")


async def dm(here: Here, name: str, text: str) -> None:
    """Open the conversation with one person, made if there is none; with a text, send it."""
    chosen = here.conversation = await begun(here.client, name)
    if text:
        await say(here, chosen, text)
    elif here.face is Face.SHELL:
        from qpq.chat import chat

        await chat(here, chosen)
    else:
        here.tell(conversation_value(chosen), f"talking with {label(chosen)}")


async def switch(here: Here, conversation: str) -> None:
    """Open a conversation."""
    chosen = here.conversation = await opened(here.client, conversation)
    here.tell(conversation_value(chosen), f"in {label(chosen)}")


def list_(here: Here) -> None:
    """List all conversations; those of one name with the beginnings of their ids, which name them elsewhere, too."""
    found = here.client.conversations()
    times = Counter(map(label, found))
    for c in found:
        marks = "" if c.active else ", left"
        marks += f", {c.unread} unread" if c.unread else ""
        marks += ", names you" if c.mentions else ""
        ident = f" ({c.id.hex()[:ID_CHARS_SHOWN]})" if times[label(c)] > 1 else ""
        here.tell(
            conversation_value(c), f"{label(c)}{ident}  {counted(len(c.members()), 'member')}, epoch {c.epoch}{marks}"
        )


def conversation_value(c: Conversation) -> dict[str, Any]:
    """Return a conversation's public fields for JSON."""
    return {
        "conversation": c.id.hex(),
        "name": c.name,
        "kind": c.kind,
        "epoch": c.epoch,
        "members": len(c.members()),
        "active": c.active,
        "unread": c.unread,
        "muted": c.muted,
        "expires_after_seconds": c.timer_seconds,
    }


def members(here: Here) -> None:
    """Show who is in the conversation."""
    doubtful, unverified = set(here.open.doubtful()), set(here.open.unverified())
    for m in here.open.members():
        sign = "" if m.name in unverified or m.name == here.client.name else " (verified)"
        sign = " (KEY CHANGED: /verify)" if m.name in doubtful else sign
        here.tell(
            {"name": m.name, "account": m.account.hex(), "devices": len(m.devices), "verified": bool(sign) and m.name not in doubtful},
            f"{harmless_name(m.name)}  {counted(len(m.devices), 'device')}{sign}",
        )  # fmt: skip


def group_info(here: Here) -> None:
    """Show what kind of conversation it is, who is in, its epoch and settings."""
    chosen = here.open
    people = sorted(m.name for m in chosen.members())
    admins = chosen.admins() if chosen.active else []
    value = {
        **conversation_value(chosen),
        "members": people,
        "admins": admins,
        "doubtful": chosen.doubtful(),
        "authenticator": chosen.authenticator.hex(),
    }
    timer = f"messages {lasting(chosen.timer_seconds)}"
    here.tell(
        value,
        f"{label(chosen)}: {chosen.kind}, epoch {chosen.epoch}, {timer}{'' if chosen.active else '; you have left'}",
        f"members ({len(people)}): {', '.join(map(harmless_name, people))}",
        f"who may invite and remove: {', '.join(map(harmless_name, admins)) or 'everybody'}",
        f"epoch authenticator: {chosen.authenticator.hex()[:DIGEST_CHARS]}",
    )


def history(here: Here, count: int) -> None:
    """Show the last messages, oldest first."""
    chosen = here.open
    for message in chosen.history(count):
        number = here.number(message, chosen)
        here.tell({**message_value(chosen, message), "number": number}, *numbered_lines(message, number))


async def rename(here: Here, name: str) -> None:
    """Give the conversation another name, for everybody in it."""
    name = name.strip()
    if here.face is Face.CHAT and name[:1] in QUOTES and name.find(name[0], 1) == len(name) - 1:
        name = name.strip(name[0]).strip()  # a line of its own, quoted as a name with spaces is elsewhere
    if not name:
        raise Mistake("name: a text that is not empty is wanted")
    await here.open.rename(name)
    await here.settled()
    here.tell({"conversation": here.open.id.hex(), "name": name}, f"renamed to {harmless_name(name)}")


async def disappear(here: Here, duration: int) -> None:
    """Let later messages vanish everywhere, so long after they were accepted."""
    await here.open.set_timer(duration)
    await here.settled()
    here.tell(
        {"conversation": here.open.id.hex(), "expires_after_seconds": duration},
        f"messages {lasting(duration)}",
    )


def lasting(seconds: int) -> str:
    """Return what a conversation's timer does to messages."""
    return f"vanish after {spoken(seconds)}" if seconds else "stay"


def spoken(seconds: int) -> str:
    """Return a time as it is typed: 90 s is 90s, 3,600 s is 1h."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
