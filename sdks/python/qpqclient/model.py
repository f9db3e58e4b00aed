"""What the SDK shows its users: messages, members, devices, events. All frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Told how many bytes of a file's ciphertext, of how many, have come so far."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file that a message carries; the secrets in it are the message's own."""

    name: str
    mime: str
    total_bytes: int
    blob: bytes
    secret: bytes
    key: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One message as this device shows it. `state`: pending, sent, delivered, read, failed; received ones are `received`."""

    id: bytes
    channel: bytes
    sender: str
    text: str
    state: str
    sent_ms: int
    own: bool
    edited: bool = False
    reply_to: bytes | None = None
    file: FileInfo | None = None
    reactions: tuple[tuple[str, str], ...] = ()
    kind: str = "text"
    """`text`, `reply`, `file`; `unknown`: only a later version shows more than `text`."""
    read: bool = True
    """Whether it was marked as read, here or on another device of one's own."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed and not sent; `reply_to` or `edit_of`: the message that it answers, or is to replace."""

    text: str = ""
    reply_to: bytes | None = None
    edit_of: bytes | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One account in a conversation, with its devices there."""

    name: str
    account: bytes
    devices: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one's own account."""

    id: bytes
    label: str
    current: bool


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened in a conversation (or, with an empty channel, to the client)."""

    channel: bytes


@dataclass(frozen=True, slots=True)
class MessageStored(Event):
    """A message has just been stored: within the SDK; it is told as `MessageReceived`."""

    id: bytes


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """A message from somebody else, stored before it is told."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageChanged(Event):
    """A message was edited, deleted, reacted to, or changed its state."""

    id: bytes


@dataclass(frozen=True, slots=True)
class GroupChanged(Event):
    """Members, epoch, name or timer of a conversation changed; `active` is False when this device is out."""

    active: bool


@dataclass(frozen=True, slots=True)
class Missed(Event):
    """Messages are missing: the mailbox was full and cut off, or the server lost or withheld something.

    Groups that cannot be followed are rejoined by themselves; what was missed does not come any more.
    """


@dataclass(frozen=True, slots=True)
class Typing(Event):
    """Somebody in the conversation began or ceased to type; told at that moment or never."""

    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class HistoryTaken(Event):
    """Messages of before have come from another device of one's own, or out of a backup."""

    count: int


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """The server is there."""


@dataclass(frozen=True, slots=True)
class SessionEnded(Event):
    """The server knows this device's session no more: the device was revoked, or the password changed. What is sent waits."""


@dataclass(frozen=True, slots=True)
class Disconnected(Event):
    """The server is away; what is sent waits."""
