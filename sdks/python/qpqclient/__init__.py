"""The Python SDK of QPQ: open a folder, register or log in, talk; under Trio.

Its one invariant: whatever happens, kill included, a message that was sent is sent once, and one that was received is
shown once.
"""

from __future__ import annotations

from qpqclient.client import Client, open_client
from qpqclient.conversation import Conversation
from qpqclient.errors import (
    DiskFull,
    FileDamaged,
    FolderBusy,
    FolderUnusable,
    GroupBusy,
    GroupUnusable,
    IdentityChanged,
    KeyChanged,
    NotFound,
    NotLoggedIn,
    QpqError,
    Refused,
    ServerBroke,
    TooLong,
    Unreachable,
    WrapsDamaged,
    WrongPassword,
)
from qpqclient.events import Events
from qpqclient.model import (
    Connected,
    Device,
    Disconnected,
    Event,
    FileInfo,
    GroupChanged,
    Member,
    Message,
    MessageChanged,
    MessageReceived,
    Missed,
    Typing,
)
from qpqclient.transport import PingAnswer, ping

__all__ = [
    "Client", "Connected", "Conversation", "Device", "DiskFull", "Disconnected", "Event", "Events", "FileDamaged", "FileInfo", "FolderBusy", "FolderUnusable", "GroupChanged",
    "GroupBusy", "GroupUnusable", "IdentityChanged", "KeyChanged", "Member", "Message", "MessageChanged", "MessageReceived", "NotFound", "NotLoggedIn",
    "Missed", "PingAnswer", "QpqError", "Refused", "ServerBroke", "TooLong", "Typing", "Unreachable", "WrapsDamaged", "WrongPassword", "open_client", "ping",
]  # fmt: skip
