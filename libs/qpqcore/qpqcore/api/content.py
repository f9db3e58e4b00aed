"""The contract of content: its messages.

Generated from schemas/content.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from qpqcore.wire.message import decode, schema

_file = schema("content")


class ContentReceiptKind(enum.IntEnum):
    """ContentReceiptKind of the schema; numbers are wire format."""

    DELIVERED = 0
    READ = 1


class ChannelKind(enum.IntEnum):
    """ChannelKind of the schema; numbers are wire format."""

    DIRECT = 0
    GROUP = 1
    SELF = 2


@dataclass(frozen=True, slots=True, kw_only=True)
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
    which: str = ""
    """The set member of the union, by its name in the schema."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.version = self.version
        if self.id:
            m.id = self.id
        m.sentMs = self.sent_ms
        if self.fallback:
            m.fallback = self.fallback
        m.expiresAfterSeconds = self.expires_after_seconds
        if self.which == "text":
            m.text = self.text
        elif self.which == "reply":
            assert self.reply is not None
            self.reply.write(m.init("reply"))
        elif self.which == "reaction":
            assert self.reaction is not None
            self.reaction.write(m.init("reaction"))
        elif self.which == "edit":
            assert self.edit is not None
            self.edit.write(m.init("edit"))
        elif self.which == "delete":
            m.delete = self.delete
        elif self.which == "receipt":
            assert self.receipt is not None
            self.receipt.write(m.init("receipt"))
        elif self.which == "file":
            assert self.file is not None
            self.file.write(m.init("file"))
        elif self.which == "timer":
            m.timer = self.timer
        elif self.which == "rename":
            m.rename = self.rename
        elif self.which == "profile":
            assert self.profile is not None
            self.profile.write(m.init("profile"))
        elif self.which == "cutShort":
            m.cutShort = self.cut_short
        elif self.which == "selfState":
            m.selfState = self.self_state

    @classmethod
    def read(cls, m: Any) -> Content:
        """Read from a message."""
        which = str(m.which())
        return cls(
            version=m.version,
            id=m.id,
            sent_ms=m.sentMs,
            fallback=m.fallback,
            expires_after_seconds=m.expiresAfterSeconds,
            text=m.text if which == "text" else None,
            reply=ContentReply.read(m.reply) if which == "reply" else None,
            reaction=ContentReaction.read(m.reaction) if which == "reaction" else None,
            edit=ContentEdit.read(m.edit) if which == "edit" else None,
            delete=m.delete if which == "delete" else None,
            receipt=ContentReceipt.read(m.receipt) if which == "receipt" else None,
            file=ContentFile.read(m.file) if which == "file" else None,
            timer=m.timer if which == "timer" else None,
            rename=m.rename if which == "rename" else None,
            profile=ContentProfile.read(m.profile) if which == "profile" else None,
            cut_short=m.cutShort if which == "cutShort" else None,
            self_state=m.selfState if which == "selfState" else None,
            which=which,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Content.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Content:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Content, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReply:
    """`Content.Reply` of schemas/content.capnp."""

    to: bytes = b""
    text: str = ""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.to:
            m.to = self.to
        if self.text:
            m.text = self.text

    @classmethod
    def read(cls, m: Any) -> ContentReply:
        """Read from a message."""
        return cls(
            to=m.to,
            text=m.text,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Content.Reply.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentReply:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Content.Reply, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReaction:
    """`Content.Reaction` of schemas/content.capnp."""

    to: bytes = b""
    emoji: str = ""
    remove: bool = False

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.to:
            m.to = self.to
        if self.emoji:
            m.emoji = self.emoji
        m.remove = self.remove

    @classmethod
    def read(cls, m: Any) -> ContentReaction:
        """Read from a message."""
        return cls(
            to=m.to,
            emoji=m.emoji,
            remove=m.remove,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Content.Reaction.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentReaction:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Content.Reaction, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentEdit:
    """`Content.Edit` of schemas/content.capnp."""

    to: bytes = b""
    text: str = ""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.to:
            m.to = self.to
        if self.text:
            m.text = self.text

    @classmethod
    def read(cls, m: Any) -> ContentEdit:
        """Read from a message."""
        return cls(
            to=m.to,
            text=m.text,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Content.Edit.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentEdit:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Content.Edit, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentReceipt:
    """`Content.Receipt` of schemas/content.capnp."""

    ids: tuple[bytes, ...] = ()
    kind: ContentReceiptKind = ContentReceiptKind(0)

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.ids:
            m.ids = list(self.ids)
        m.kind = int(self.kind)

    @classmethod
    def read(cls, m: Any) -> ContentReceipt:
        """Read from a message."""
        return cls(
            ids=tuple(m.ids),
            kind=ContentReceiptKind(m.kind.raw),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Content.Receipt.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentReceipt:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Content.Receipt, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.blob:
            m.blob = self.blob
        if self.secret:
            m.secret = self.secret
        if self.key:
            m.key = self.key
        m.totalBytes = self.total_bytes
        if self.name:
            m.name = self.name
        if self.mime:
            m.mime = self.mime
        if self.sha256:
            m.sha256 = self.sha256

    @classmethod
    def read(cls, m: Any) -> ContentFile:
        """Read from a message."""
        return cls(
            blob=m.blob,
            secret=m.secret,
            key=m.key,
            total_bytes=m.totalBytes,
            name=m.name,
            mime=m.mime,
            sha256=m.sha256,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Content.File.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentFile:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Content.File, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentProfile:
    """`Content.Profile` of schemas/content.capnp."""

    display_name: str = ""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.display_name:
            m.displayName = self.display_name

    @classmethod
    def read(cls, m: Any) -> ContentProfile:
        """Read from a message."""
        return cls(
            display_name=m.displayName,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Content.Profile.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ContentProfile:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Content.Profile, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """`Signal` of schemas/content.capnp."""

    typing: bool | None = None
    unknown: None = None
    which: str = ""
    """The set member of the union, by its name in the schema."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.which == "typing":
            m.typing = self.typing
        elif self.which == "unknown":
            m.unknown = self.unknown

    @classmethod
    def read(cls, m: Any) -> Signal:
        """Read from a message."""
        which = str(m.which())
        return cls(
            typing=m.typing if which == "typing" else None,
            unknown=m.unknown if which == "unknown" else None,
            which=which,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Signal.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Signal:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Signal, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """account ids; empty: everybody is one"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.version = self.version
        m.kind = int(self.kind)
        if self.home:
            m.home = self.home
        m.generation = self.generation
        m.leastClient = self.least_client
        if self.admins:
            m.admins = list(self.admins)

    @classmethod
    def read(cls, m: Any) -> GroupPolicy:
        """Read from a message."""
        return cls(
            version=m.version,
            kind=ChannelKind(m.kind.raw),
            home=m.home,
            generation=m.generation,
            least_client=m.leastClient,
            admins=tuple(m.admins),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.GroupPolicy.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> GroupPolicy:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.GroupPolicy, data, cls.read)
