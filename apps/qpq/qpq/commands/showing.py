"""How a message is shown: lines for people, one value for programs."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qpq.harmless import harmless, harmless_lines, harmless_name

if TYPE_CHECKING:
    from qpqclient import Conversation, Message

NOTICE = "notice"
"""The kind of what stands in a timeline and nobody has sent: that somebody's key has changed, say."""
CONTINUED = "    "
"""Before the further lines of a message: none of them looks like another one's first."""


def counted(count: int, noun: str) -> str:
    """Return a number and what is counted: 1 device, 2 devices."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def message_line(message: Message) -> str:
    """Return `[sender] text` on one line, as the receiver sees it."""
    if message.kind == NOTICE:
        return f"* {harmless(message.text)}"
    return f"[{harmless_name(message.sender)}] {harmless(message.text)}{_edited(message)}"


def message_lines(message: Message) -> list[str]:
    """Return `[sender] text` as lines for a screen."""
    if message.kind == NOTICE:
        return [message_line(message)]
    first, *more = harmless_lines(message.text)
    return [f"[{harmless_name(message.sender)}] {first}{_edited(message)}", *(CONTINUED + line for line in more)]


def numbered_lines(message: Message, number: int) -> list[str]:
    """Return a message as a listing has it: number, time, text, reactions, and how far one's own has come."""
    moment = datetime.fromtimestamp(message.sent_ms / 1000).astimezone().strftime("%m-%d %H:%M")
    first, *more = message_lines(message)
    tail = "".join(f"  {harmless(emoji)} {count}" for emoji, count in Counter(e for _, e in message.reactions).items())
    if message.own:
        tail += f"  ({message.state})"
    return [f"{number:>4}  {moment}  {first}{tail}", *more]


def _edited(message: Message) -> str:
    return " (edited)" if message.edited else ""


def message_value(conversation: Conversation, message: Message) -> dict[str, Any]:
    """Return a message's public fields for JSON."""
    file = message.file
    return {
        "id": message.id.hex(),
        "conversation": conversation.id.hex(),
        "conversation_name": conversation.name,
        "conversation_kind": conversation.kind,
        "kind": message.kind,
        "sender": message.sender,
        "text": message.text,
        "state": message.state,
        "sent_ms": message.sent_ms,
        "own": message.own,
        "edited": message.edited,
        "reply_to": message.reply_to.hex() if message.reply_to else None,
        "reactions": [{"sender": sender, "emoji": emoji} for sender, emoji in message.reactions],
        "file": {"name": file.name, "mime": file.mime, "bytes": file.total_bytes} if file else None,
    }
