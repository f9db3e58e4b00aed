"""The Python SDK of QPQ: open a folder, register or log in, talk; under Trio.

Its one invariant: whatever happens, kill included, a message that was sent is sent once, and one that was received is
shown once.
"""

from __future__ import annotations

from qpqclient.client import Client, open_client
from qpqclient.conversation import Conversation
from qpqclient.doctor import Finding
from qpqclient.errors import (
    AddressInvalid,
    ArchiveDamaged,
    DiskFull,
    FileBusy,
    FileDamaged,
    FolderBusy,
    FolderUnusable,
    GroupBusy,
    GroupUnusable,
    IdentityChanged,
    KeyChanged,
    LinkRefused,
    NotAllowed,
    NotEditable,
    NotFound,
    NotLoggedIn,
    NotVerified,
    NotVouched,
    PasswordEmpty,
    QpqError,
    Refused,
    ServerBroke,
    SettingUnknown,
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
    Draft,
    Event,
    FileInfo,
    GroupChanged,
    HistoryTaken,
    Member,
    Message,
    MessageChanged,
    MessageReceived,
    Missed,
    SessionEnded,
    Typing,
)
from qpqclient.settings import SETTINGS
from qpqclient.transcript import Author, TranscriptBroken, Verified, verify_transcript
from qpqclient.transport import PingAnswer, ping
from qpqcore.groups.policy import Right

__all__ = [
    "Client", "Connected", "Conversation", "Device", "DiskFull", "Disconnected", "Draft", "Event", "Events", "FileBusy", "FileDamaged", "FileInfo", "FolderBusy", "FolderUnusable", "GroupChanged",
    "GroupBusy", "GroupUnusable", "IdentityChanged", "KeyChanged", "Member", "Message", "MessageChanged", "MessageReceived", "NotFound", "NotLoggedIn",
    "Missed", "AddressInvalid", "ArchiveDamaged", "HistoryTaken", "Finding", "LinkRefused", "NotAllowed", "NotEditable", "NotVerified", "NotVouched", "PasswordEmpty", "Right", "SETTINGS", "SettingUnknown", "Author", "PingAnswer", "QpqError", "TranscriptBroken", "Verified", "verify_transcript", "Refused", "ServerBroke", "SessionEnded", "TooLong", "Typing", "Unreachable", "WrapsDamaged", "WrongPassword", "open_client", "ping",
]  # fmt: skip
