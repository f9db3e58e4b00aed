"""The SDK's events as notifications: a method's name and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpq.commands.conversations import conversation_value
from qpq.commands.showing import message_value
from qpqclient import (
    Connected,
    Disconnected,
    GroupChanged,
    MessageChanged,
    MessageReceived,
    Missed,
    NotFound,
    SessionEnded,
    Typing,
)

if TYPE_CHECKING:
    from qpqclient import Client, Event

NAMES = (
    "message",
    "messageChanged",
    "groupChanged",
    "typing",
    "missed",
    "connected",
    "disconnected",
    "sessionEnded",
    "progress",
)
"""All notifications; docs/how-to/daemon.md has a row for each."""


def told(client: Client, event: Event) -> tuple[str, dict[str, Any]] | None:
    """Return an event's name and parameters; None for a new message, which `unshown` brings, and for what is gone."""
    try:
        return _told(client, event)
    except NotFound:
        return None


def _told(client: Client, event: Event) -> tuple[str, dict[str, Any]] | None:
    match event:
        case MessageChanged():
            conversation = client.conversation(event.channel)
            message = conversation.message(event.id)
            value = message_value(conversation, message) if message else {"id": event.id.hex(), "deleted": True}
            return "messageChanged", {**value, "conversation": event.channel.hex()}
        case GroupChanged():
            return "groupChanged", conversation_value(client.conversation(event.channel))
        case Typing():
            return "typing", {"conversation": event.channel.hex(), "name": event.name, "on": event.on}
        case Missed():
            return "missed", {"conversation": event.channel.hex()}
        case Connected() | Disconnected():
            return "connected" if isinstance(event, Connected) else "disconnected", {}
        case SessionEnded():
            return "sessionEnded", {}
        case _:
            return None


def unshown(client: Client, event: Event | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the messages that nobody was told of yet: those of the event's conversation, or of all."""
    if event is None:
        conversations = client.conversations()
    elif isinstance(event, MessageReceived):
        conversations = [client.conversation(event.channel)]
    else:
        return []
    return [("message", message_value(c, m)) for c in conversations for m in c.take_unshown()]
