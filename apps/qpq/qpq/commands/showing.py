"""How a message is shown: one line for people, one value for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qpqclient import Conversation, Message


def message_line(message: Message) -> str:
    """Return `[sender] text`, as the receiver sees it."""
    if message.kind == "notice":
        return f"* {message.text}"
    edited = " (edited)" if message.edited else ""
    return f"[{message.sender}] {message.text}{edited}"


def message_value(conversation: Conversation, message: Message) -> dict[str, Any]:
    """Return a message's public fields for JSON."""
    return {
        "id": message.id.hex(),
        "conversation": conversation.id.hex(),
        "conversation_name": conversation.name,
        "sender": message.sender,
        "text": message.text,
        "state": message.state,
        "sent_ms": message.sent_ms,
        "own": message.own,
        "kind": message.kind,
    }
