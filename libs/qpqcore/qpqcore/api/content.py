"""The contract of content: its messages.

Generated from schemas/content.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

import enum
from typing import Any

from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

CONTENT_REPLY_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("text", 1, None, None)])
CONTENT_REACTION_LAYOUT = Layout(
    1, 2, None, [("data", 0, None, None), ("text", 1, None, None), ("bool", 0, None, None)]
)
CONTENT_EDIT_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("text", 1, None, None)])
CONTENT_RECEIPT_LAYOUT = Layout(1, 1, None, [("list data", 0, None, None), ("enum", 0, None, None)])
CONTENT_FILE_LAYOUT = Layout(
    1,
    6,
    None,
    [
        ("data", 0, None, None),
        ("data", 1, None, None),
        ("data", 2, None, None),
        ("uint64", 0, None, None),
        ("text", 3, None, None),
        ("text", 4, None, None),
        ("data", 5, None, None),
    ],
)
CONTENT_PROFILE_LAYOUT = Layout(0, 1, None, [("text", 0, None, None)])
CONTENT_PIN_LAYOUT = Layout(1, 1, None, [("data", 0, None, None), ("bool", 0, None, None)])
CONTENT_SETTINGS_LAYOUT = Layout(
    1, 1, None, [("text", 0, None, None), ("uint32", 0, None, None), ("bool", 32, None, None)]
)
CONTENT_LAYOUT = Layout(
    3,
    3,
    1,
    [
        ("uint16", 0, None, None),
        ("data", 0, None, None),
        ("uint64", 1, None, None),
        ("text", 1, None, None),
        ("uint32", 1, None, None),
        ("text", 2, 0, None),
        ("struct", 2, 1, CONTENT_REPLY_LAYOUT),
        ("struct", 2, 2, CONTENT_REACTION_LAYOUT),
        ("struct", 2, 3, CONTENT_EDIT_LAYOUT),
        ("data", 2, 4, None),
        ("struct", 2, 5, CONTENT_RECEIPT_LAYOUT),
        ("struct", 2, 6, CONTENT_FILE_LAYOUT),
        ("uint32", 4, 7, None),
        ("text", 2, 8, None),
        ("struct", 2, 9, CONTENT_PROFILE_LAYOUT),
        ("data", 2, 10, None),
        ("data", 2, 11, None),
        ("struct", 2, 12, CONTENT_PIN_LAYOUT),
        ("data", 2, 13, None),
        ("struct", 2, 14, CONTENT_SETTINGS_LAYOUT),
    ],
)
CONTENT_LAYOUT_MEMBERS = (
    "text",
    "reply",
    "reaction",
    "edit",
    "delete",
    "receipt",
    "file",
    "timer",
    "rename",
    "profile",
    "cutShort",
    "selfState",
    "pin",
    "moved",
    "settings",
)
SIGNAL_LAYOUT = Layout(1, 0, 1, [("bool", 0, 0, None), ("void", 0, 1, None)])
SIGNAL_LAYOUT_MEMBERS = ("typing", "unknown")
GROUP_POLICY_LAYOUT = Layout(
    3,
    4,
    None,
    [
        ("uint16", 0, None, None),
        ("enum", 1, None, None),
        ("text", 0, None, None),
        ("uint32", 1, None, None),
        ("uint32", 2, None, None),
        ("list data", 1, None, None),
        ("uint32", 3, None, None),
        ("data", 2, None, None),
        ("data", 3, None, None),
        ("uint16", 8, None, None),
    ],
)


class ContentReceiptKind(enum.IntEnum):
    """ContentReceiptKind of the schema; numbers are wire format."""

    DELIVERED = 0
    READ = 1


class ChannelKind(enum.IntEnum):
    """ChannelKind of the schema; numbers are wire format."""

    DIRECT = 0
    GROUP = 1
    SELF = 2


@record
class Content:
    """`Content` of schemas/content.capnp."""

    version: int = 0
    """1"""
    id: bytes = b""
    """16 random bytes; receivers drop a repeat for ever"""
    sent_ms: int = 0
    """the sender's clock, milliseconds since 1970"""
    fallback: str = ""
    """what a client shows that does not know the kind; may be empty"""
    expires_after_seconds: int = 0
    """disappearing: 0, or seconds after acceptance"""
    text: str | None = None
    reply: ContentReply | None = None
    reaction: ContentReaction | None = None
    edit: ContentEdit | None = None
    delete: bytes | None = None
    """id of one's own message"""
    receipt: ContentReceipt | None = None
    file: ContentFile | None = None
    timer: int | None = None
    """the conversation's expiresAfterSeconds from now on"""
    rename: str | None = None
    """the conversation's name from now on"""
    profile: ContentProfile | None = None
    cut_short: bytes | None = None
    """a device whose skipped keys pile up, named by a commit's author"""
    self_state: bytes | None = None
    """channel of kind `self`: read state, settings, history offers (versioned, sealed by the channel)"""
    pin: ContentPin | None = None
    moved: bytes | None = None
    """the channel in which a group goes on whose home had gone (docs/spec/federation.md#a-home-that-has-gone)"""
    settings: ContentSettings | None = None
    """what a conversation is called and how long messages stay, for who has just come; others ignore it"""
    which: str = ""
    """The set member of the union, by its name in the schema; its number if only a later schema has it."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.version,
            self.id,
            self.sent_ms,
            self.fallback,
            self.expires_after_seconds,
            self.text,
            None if self.reply is None else self.reply.to_values(),
            None if self.reaction is None else self.reaction.to_values(),
            None if self.edit is None else self.edit.to_values(),
            self.delete,
            None if self.receipt is None else self.receipt.to_values(),
            None if self.file is None else self.file.to_values(),
            self.timer,
            self.rename,
            None if self.profile is None else self.profile.to_values(),
            self.cut_short,
            self.self_state,
            None if self.pin is None else self.pin.to_values(),
            self.moved,
            None if self.settings is None else self.settings.to_values(),
            CONTENT_LAYOUT_MEMBERS.index(self.which) if self.which in CONTENT_LAYOUT_MEMBERS else int(self.which or 0),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Content:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            version=v[0],
            id=v[1],
            sent_ms=v[2],
            fallback=v[3],
            expires_after_seconds=v[4],
            text=v[5],
            reply=None if v[6] is None else ContentReply.from_values(v[6]),
            reaction=None if v[7] is None else ContentReaction.from_values(v[7]),
            edit=None if v[8] is None else ContentEdit.from_values(v[8]),
            delete=v[9],
            receipt=None if v[10] is None else ContentReceipt.from_values(v[10]),
            file=None if v[11] is None else ContentFile.from_values(v[11]),
            timer=v[12],
            rename=v[13],
            profile=None if v[14] is None else ContentProfile.from_values(v[14]),
            cut_short=v[15],
            self_state=v[16],
            pin=None if v[17] is None else ContentPin.from_values(v[17]),
            moved=v[18],
            settings=None if v[19] is None else ContentSettings.from_values(v[19]),
            which=CONTENT_LAYOUT_MEMBERS[v[20]] if v[20] < len(CONTENT_LAYOUT_MEMBERS) else str(v[20]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Content:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_LAYOUT, data, cls.from_values)


@record
class ContentReply:
    """`Content.Reply` of schemas/content.capnp."""

    to: bytes = b""
    text: str = ""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.to,
            self.text,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentReply:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            to=v[0],
            text=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_REPLY_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentReply:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_REPLY_LAYOUT, data, cls.from_values)


@record
class ContentReaction:
    """`Content.Reaction` of schemas/content.capnp."""

    to: bytes = b""
    emoji: str = ""
    remove: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.to,
            self.emoji,
            self.remove,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentReaction:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            to=v[0],
            emoji=v[1],
            remove=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_REACTION_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentReaction:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_REACTION_LAYOUT, data, cls.from_values)


@record
class ContentEdit:
    """`Content.Edit` of schemas/content.capnp."""

    to: bytes = b""
    text: str = ""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.to,
            self.text,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentEdit:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            to=v[0],
            text=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_EDIT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentEdit:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_EDIT_LAYOUT, data, cls.from_values)


@record
class ContentReceipt:
    """`Content.Receipt` of schemas/content.capnp."""

    ids: tuple[bytes, ...] = ()
    kind: ContentReceiptKind = ContentReceiptKind(0)

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple(self.ids),
            self.kind,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentReceipt:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            ids=v[0],
            kind=ContentReceiptKind(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_RECEIPT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentReceipt:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_RECEIPT_LAYOUT, data, cls.from_values)


@record
class ContentFile:
    """`Content.File` of schemas/content.capnp."""

    blob: bytes = b""
    """docs/spec/content.md#files"""
    secret: bytes = b""
    """docs/spec/content.md#files"""
    key: bytes = b""
    """docs/spec/content.md#files"""
    total_bytes: int = 0
    """of the plaintext"""
    name: str = ""
    """of the plaintext"""
    mime: str = ""
    """of the plaintext"""
    sha256: bytes = b""
    """of the plaintext"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.blob,
            self.secret,
            self.key,
            self.total_bytes,
            self.name,
            self.mime,
            self.sha256,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentFile:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            blob=v[0],
            secret=v[1],
            key=v[2],
            total_bytes=v[3],
            name=v[4],
            mime=v[5],
            sha256=v[6],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_FILE_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentFile:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_FILE_LAYOUT, data, cls.from_values)


@record
class ContentProfile:
    """`Content.Profile` of schemas/content.capnp."""

    display_name: str = ""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.display_name,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentProfile:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            display_name=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_PROFILE_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentProfile:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_PROFILE_LAYOUT, data, cls.from_values)


@record
class ContentPin:
    """`Content.Pin` of schemas/content.capnp."""

    to: bytes = b""
    remove: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.to,
            self.remove,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentPin:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            to=v[0],
            remove=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_PIN_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentPin:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_PIN_LAYOUT, data, cls.from_values)


@record
class ContentSettings:
    """`Content.Settings` of schemas/content.capnp."""

    name: str = ""
    """certain: the teller knows both for certain"""
    timer_seconds: int = 0
    """certain: the teller knows both for certain"""
    certain: bool = False
    """certain: the teller knows both for certain"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.name,
            self.timer_seconds,
            self.certain,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ContentSettings:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            name=v[0],
            timer_seconds=v[1],
            certain=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CONTENT_SETTINGS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentSettings:
        """Decode one message; Refusal(malformed)."""
        return decode(CONTENT_SETTINGS_LAYOUT, data, cls.from_values)


@record
class Signal:
    """`Signal` of schemas/content.capnp."""

    typing: bool | None = None
    unknown: None = None
    which: str = ""
    """The set member of the union, by its name in the schema; its number if only a later schema has it."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.typing,
            self.unknown,
            SIGNAL_LAYOUT_MEMBERS.index(self.which) if self.which in SIGNAL_LAYOUT_MEMBERS else int(self.which or 0),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Signal:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            typing=v[0],
            unknown=v[1],
            which=SIGNAL_LAYOUT_MEMBERS[v[2]] if v[2] < len(SIGNAL_LAYOUT_MEMBERS) else str(v[2]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SIGNAL_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Signal:
        """Decode one message; Refusal(malformed)."""
        return decode(SIGNAL_LAYOUT, data, cls.from_values)


@record
class GroupPolicy:
    """`GroupPolicy` of schemas/content.capnp."""

    version: int = 0
    """1"""
    kind: ChannelKind = ChannelKind(0)
    home: str = ""
    """the domain that orders the channel"""
    generation: int = 0
    least_client: int = 0
    """a client below it pauses"""
    admins: tuple[bytes, ...] = ()
    """account ids; none of them a member: everybody is one"""
    everybody_may: int = 0
    """bits, where there are admins: 1 invite, 2 remove, 4 rename, 8 set the timer, 16 pin"""
    note: bytes = b""
    """in a channel of kind `self`: where the account's backup lies, sealed under its root key (docs/spec/recovery.md)"""
    follows: bytes = b""
    """the channel that this one goes on from, whose home had gone; empty: none"""
    moves: int = 0
    """how often the group has moved so; 0: never"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.version,
            self.kind,
            self.home,
            self.generation,
            self.least_client,
            tuple(self.admins),
            self.everybody_may,
            self.note,
            self.follows,
            self.moves,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> GroupPolicy:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            version=v[0],
            kind=ChannelKind(v[1]),
            home=v[2],
            generation=v[3],
            least_client=v[4],
            admins=v[5],
            everybody_may=v[6],
            note=v[7],
            follows=v[8],
            moves=v[9],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return GROUP_POLICY_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> GroupPolicy:
        """Decode one message; Refusal(malformed)."""
        return decode(GROUP_POLICY_LAYOUT, data, cls.from_values)
