"""The contract of delivery: its messages, methods and Protocol.

Generated from schemas/delivery.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.wire.message import decode, schema, structs

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

_file = schema("delivery")


class EntryKind(enum.IntEnum):
    """EntryKind of the schema; numbers are wire format."""

    MESSAGE = 0
    COMMIT = 1
    PROPOSAL = 2
    WELCOME = 3
    GAP = 4
    EXPIRED = 5
    RESET = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`Entry` of schemas/delivery.capnp."""

    number: int = 0
    """in the mailbox: gapless, from 1"""
    kind: EntryKind = EntryKind(0)
    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    """message, proposal: its own; commit: the one it ends; welcome, reset: the one it begins"""
    log_number: int = 0
    """in the channel: the order in which everybody sees things"""
    accepted_ms: int = 0
    """when the server took it, milliseconds since 1970"""
    payload: bytes = b""
    """MLSMessage; welcome: see WelcomeItem; empty for gap, expired, reset"""
    tree_hash: bytes = b""
    """welcome: of the tree to fetch"""
    expires_ms: int = 0
    """message: 0, or when the server forgets it"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.number = self.number
        m.kind = int(self.kind)
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        m.epoch = self.epoch
        m.logNumber = self.log_number
        m.acceptedMs = self.accepted_ms
        if self.payload:
            m.payload = self.payload
        if self.tree_hash:
            m.treeHash = self.tree_hash
        m.expiresMs = self.expires_ms

    @classmethod
    def read(cls, m: Any) -> Entry:
        """Read from a message."""
        return cls(
            number=m.number,
            kind=EntryKind(m.kind.raw),
            channel=m.channel,
            generation=m.generation,
            epoch=m.epoch,
            log_number=m.logNumber,
            accepted_ms=m.acceptedMs,
            payload=m.payload,
            tree_hash=m.treeHash,
            expires_ms=m.expiresMs,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Entry.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Entry, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class WelcomeItem:
    """`WelcomeItem` of schemas/delivery.capnp."""

    device: bytes = b""
    """welcome: MLSMessage(Welcome), or when hybrid the HPKE X-Wing encapsulation and ciphertext of it (docs/spec/groups.md)"""
    welcome: bytes = b""
    """welcome: MLSMessage(Welcome), or when hybrid the HPKE X-Wing encapsulation and ciphertext of it (docs/spec/groups.md)"""
    hybrid: bool = False
    """welcome: MLSMessage(Welcome), or when hybrid the HPKE X-Wing encapsulation and ciphertext of it (docs/spec/groups.md)"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device:
            m.device = self.device
        if self.welcome:
            m.welcome = self.welcome
        m.hybrid = self.hybrid

    @classmethod
    def read(cls, m: Any) -> WelcomeItem:
        """Read from a message."""
        return cls(
            device=m.device,
            welcome=m.welcome,
            hybrid=m.hybrid,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.WelcomeItem.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> WelcomeItem:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.WelcomeItem, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """`Handshake` of schemas/delivery.capnp."""

    commit: bytes = b""
    welcomes: tuple[WelcomeItem, ...] = ()
    group_info: bytes = b""
    """of the epoch that the commit begins, with external_pub, without the tree"""
    write_key: bytes = b""
    """Ed25519 public key of the new epoch's sealed senders (docs/spec/delivery.md)"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.commit:
            m.commit = self.commit
        if self.welcomes:
            items = m.init("welcomes", len(self.welcomes))
            for i, item in enumerate(self.welcomes):
                item.write(items[i])
        if self.group_info:
            m.groupInfo = self.group_info
        if self.write_key:
            m.writeKey = self.write_key

    @classmethod
    def read(cls, m: Any) -> Handshake:
        """Read from a message."""
        return cls(
            commit=m.commit,
            welcomes=tuple([WelcomeItem.read(x) for x in structs(m.welcomes)]),
            group_info=m.groupInfo,
            write_key=m.writeKey,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Handshake.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Handshake:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Handshake, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateChannelParams:
    """`CreateChannelParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    group_info: bytes = b""
    """of epoch 0, whose tree has one leaf: the caller's device"""
    tree: bytes = b""
    write_key: bytes = b""
    """Ed25519 public key of the new epoch's sealed senders (docs/spec/delivery.md)"""
    first: Handshake | None = None
    """the first commit, or empty: a group is born with its members or not at all"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        if self.group_info:
            m.groupInfo = self.group_info
        if self.tree:
            m.tree = self.tree
        if self.write_key:
            m.writeKey = self.write_key
        if self.first is not None:
            self.first.write(m.init("first"))

    @classmethod
    def read(cls, m: Any) -> CreateChannelParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
            group_info=m.groupInfo,
            tree=m.tree,
            write_key=m.writeKey,
            first=Handshake.read(m.first) if m._has("first") else None,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.CreateChannelParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> CreateChannelParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.CreateChannelParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateChannelResult:
    """`CreateChannelResult` of schemas/delivery.capnp."""

    generation: int = 0
    epoch: int = 0
    log_number: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.generation = self.generation
        m.epoch = self.epoch
        m.logNumber = self.log_number

    @classmethod
    def read(cls, m: Any) -> CreateChannelResult:
        """Read from a message."""
        return cls(
            generation=m.generation,
            epoch=m.epoch,
            log_number=m.logNumber,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.CreateChannelResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> CreateChannelResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.CreateChannelResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueParams:
    """`EnqueueParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    payload: bytes = b""
    """MLSMessage(PrivateMessage, application)"""
    ttl_seconds: int = 0
    """0: the server's default"""
    write_signature: bytes = b""
    """sealed sender; empty with a session"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        m.epoch = self.epoch
        if self.payload:
            m.payload = self.payload
        m.ttlSeconds = self.ttl_seconds
        if self.write_signature:
            m.writeSignature = self.write_signature

    @classmethod
    def read(cls, m: Any) -> EnqueueParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
            generation=m.generation,
            epoch=m.epoch,
            payload=m.payload,
            ttl_seconds=m.ttlSeconds,
            write_signature=m.writeSignature,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.EnqueueParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> EnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.EnqueueParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueResult:
    """`EnqueueResult` of schemas/delivery.capnp."""

    log_number: int = 0
    accepted_ms: int = 0
    duplicate: bool = False

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.logNumber = self.log_number
        m.acceptedMs = self.accepted_ms
        m.duplicate = self.duplicate

    @classmethod
    def read(cls, m: Any) -> EnqueueResult:
        """Read from a message."""
        return cls(
            log_number=m.logNumber,
            accepted_ms=m.acceptedMs,
            duplicate=m.duplicate,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.EnqueueResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> EnqueueResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.EnqueueResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnqueueParams:
    """`BatchEnqueueParams` of schemas/delivery.capnp."""

    items: tuple[EnqueueParams, ...] = ()
    """at most 100"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.items:
            items = m.init("items", len(self.items))
            for i, item in enumerate(self.items):
                item.write(items[i])

    @classmethod
    def read(cls, m: Any) -> BatchEnqueueParams:
        """Read from a message."""
        return cls(
            items=tuple([EnqueueParams.read(x) for x in structs(m.items)]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.BatchEnqueueParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchEnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.BatchEnqueueParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnqueueResult:
    """`BatchEnqueueResult` of schemas/delivery.capnp."""

    items: tuple[BatchItem, ...] = ()
    """at most 100"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.items:
            items = m.init("items", len(self.items))
            for i, item in enumerate(self.items):
                item.write(items[i])

    @classmethod
    def read(cls, m: Any) -> BatchEnqueueResult:
        """Read from a message."""
        return cls(
            items=tuple([BatchItem.read(x) for x in structs(m.items)]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.BatchEnqueueResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchEnqueueResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.BatchEnqueueResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """`BatchItem` of schemas/delivery.capnp."""

    code: int = 0
    detail: str = ""
    result: EnqueueResult | None = None

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.code = self.code
        if self.detail:
            m.detail = self.detail
        if self.result is not None:
            self.result.write(m.init("result"))

    @classmethod
    def read(cls, m: Any) -> BatchItem:
        """Read from a message."""
        return cls(
            code=m.code,
            detail=m.detail,
            result=EnqueueResult.read(m.result) if m._has("result") else None,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.BatchItem.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchItem:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.BatchItem, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchParams:
    """`FetchParams` of schemas/delivery.capnp."""

    after: int = 0
    """after 0: from the acknowledged position"""
    max_entries: int = 0
    """after 0: from the acknowledged position"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.after = self.after
        m.maxEntries = self.max_entries

    @classmethod
    def read(cls, m: Any) -> FetchParams:
        """Read from a message."""
        return cls(
            after=m.after,
            max_entries=m.maxEntries,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """`FetchResult` of schemas/delivery.capnp."""

    entries: tuple[Entry, ...] = ()
    last: int = 0
    acked: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.entries:
            items = m.init("entries", len(self.entries))
            for i, item in enumerate(self.entries):
                item.write(items[i])
        m.last = self.last
        m.acked = self.acked

    @classmethod
    def read(cls, m: Any) -> FetchResult:
        """Read from a message."""
        return cls(
            entries=tuple([Entry.read(x) for x in structs(m.entries)]),
            last=m.last,
            acked=m.acked,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchWaitParams:
    """`FetchWaitParams` of schemas/delivery.capnp."""

    after: int = 0
    """after 0: from the acknowledged position"""
    max_entries: int = 0
    """after 0: from the acknowledged position"""
    wait_ms: int = 0
    """at most 60 s"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.after = self.after
        m.maxEntries = self.max_entries
        m.waitMs = self.wait_ms

    @classmethod
    def read(cls, m: Any) -> FetchWaitParams:
        """Read from a message."""
        return cls(
            after=m.after,
            max_entries=m.maxEntries,
            wait_ms=m.waitMs,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchWaitParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchWaitParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchWaitParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekParams:
    """`PeekParams` of schemas/delivery.capnp."""

    max_entries: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.maxEntries = self.max_entries

    @classmethod
    def read(cls, m: Any) -> PeekParams:
        """Read from a message."""
        return cls(
            max_entries=m.maxEntries,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PeekParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PeekParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PeekParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekResult:
    """`PeekResult` of schemas/delivery.capnp."""

    entries: tuple[Entry, ...] = ()
    last: int = 0
    acked: int = 0
    pending_bytes: int = 0
    """entries without payload; sent: messages taken from the calling device in its own name (docs/spec/delivery.md#mailboxes)"""
    oldest_ms: int = 0
    """entries without payload; sent: messages taken from the calling device in its own name (docs/spec/delivery.md#mailboxes)"""
    sent: int = 0
    """entries without payload; sent: messages taken from the calling device in its own name (docs/spec/delivery.md#mailboxes)"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.entries:
            items = m.init("entries", len(self.entries))
            for i, item in enumerate(self.entries):
                item.write(items[i])
        m.last = self.last
        m.acked = self.acked
        m.pendingBytes = self.pending_bytes
        m.oldestMs = self.oldest_ms
        m.sent = self.sent

    @classmethod
    def read(cls, m: Any) -> PeekResult:
        """Read from a message."""
        return cls(
            entries=tuple([Entry.read(x) for x in structs(m.entries)]),
            last=m.last,
            acked=m.acked,
            pending_bytes=m.pendingBytes,
            oldest_ms=m.oldestMs,
            sent=m.sent,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PeekResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PeekResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PeekResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class AckParams:
    """`AckParams` of schemas/delivery.capnp."""

    up_to: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.upTo = self.up_to

    @classmethod
    def read(cls, m: Any) -> AckParams:
        """Read from a message."""
        return cls(
            up_to=m.upTo,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.AckParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> AckParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.AckParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class AckResult:
    """`AckResult` of schemas/delivery.capnp."""

    acked: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.acked = self.acked

    @classmethod
    def read(cls, m: Any) -> AckResult:
        """Read from a message."""
        return cls(
            acked=m.acked,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.AckResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> AckResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.AckResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitCommitParams:
    """`SubmitCommitParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    handshake: Handshake | None = None

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        m.epoch = self.epoch
        if self.handshake is not None:
            self.handshake.write(m.init("handshake"))

    @classmethod
    def read(cls, m: Any) -> SubmitCommitParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
            generation=m.generation,
            epoch=m.epoch,
            handshake=Handshake.read(m.handshake) if m._has("handshake") else None,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubmitCommitParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitCommitParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubmitCommitParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitCommitResult:
    """`SubmitCommitResult` of schemas/delivery.capnp."""

    epoch: int = 0
    """epoch: the new one"""
    log_number: int = 0
    """epoch: the new one"""
    duplicate: bool = False

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.epoch = self.epoch
        m.logNumber = self.log_number
        m.duplicate = self.duplicate

    @classmethod
    def read(cls, m: Any) -> SubmitCommitResult:
        """Read from a message."""
        return cls(
            epoch=m.epoch,
            log_number=m.logNumber,
            duplicate=m.duplicate,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubmitCommitResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitCommitResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubmitCommitResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitProposalParams:
    """`SubmitProposalParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    proposal: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        m.epoch = self.epoch
        if self.proposal:
            m.proposal = self.proposal

    @classmethod
    def read(cls, m: Any) -> SubmitProposalParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
            generation=m.generation,
            epoch=m.epoch,
            proposal=m.proposal,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubmitProposalParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitProposalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubmitProposalParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitProposalResult:
    """`SubmitProposalResult` of schemas/delivery.capnp."""

    log_number: int = 0
    duplicate: bool = False

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.logNumber = self.log_number
        m.duplicate = self.duplicate

    @classmethod
    def read(cls, m: Any) -> SubmitProposalResult:
        """Read from a message."""
        return cls(
            log_number=m.logNumber,
            duplicate=m.duplicate,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubmitProposalResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitProposalResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubmitProposalResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchGroupInfoParams:
    """`FetchGroupInfoParams` of schemas/delivery.capnp."""

    channel: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel

    @classmethod
    def read(cls, m: Any) -> FetchGroupInfoParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchGroupInfoParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchGroupInfoParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchGroupInfoParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchGroupInfoResult:
    """`FetchGroupInfoResult` of schemas/delivery.capnp."""

    generation: int = 0
    epoch: int = 0
    group_info: bytes = b""
    """of the epoch that the commit begins, with external_pub, without the tree"""
    tree_hash: bytes = b""
    proposals: tuple[bytes, ...] = ()
    """stored and not yet committed"""
    log_number: int = 0
    """in the channel: the order in which everybody sees things"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.generation = self.generation
        m.epoch = self.epoch
        if self.group_info:
            m.groupInfo = self.group_info
        if self.tree_hash:
            m.treeHash = self.tree_hash
        if self.proposals:
            m.proposals = list(self.proposals)
        m.logNumber = self.log_number

    @classmethod
    def read(cls, m: Any) -> FetchGroupInfoResult:
        """Read from a message."""
        return cls(
            generation=m.generation,
            epoch=m.epoch,
            group_info=m.groupInfo,
            tree_hash=m.treeHash,
            proposals=tuple(m.proposals),
            log_number=m.logNumber,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchGroupInfoResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchGroupInfoResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchGroupInfoResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchTreeParams:
    """`FetchTreeParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    tree_hash: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        if self.tree_hash:
            m.treeHash = self.tree_hash

    @classmethod
    def read(cls, m: Any) -> FetchTreeParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
            tree_hash=m.treeHash,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchTreeParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchTreeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchTreeParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchTreeResult:
    """`FetchTreeResult` of schemas/delivery.capnp."""

    tree: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.tree:
            m.tree = self.tree

    @classmethod
    def read(cls, m: Any) -> FetchTreeResult:
        """Read from a message."""
        return cls(
            tree=m.tree,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FetchTreeResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchTreeResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FetchTreeResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetChannelParams:
    """`ResetChannelParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    group_info: bytes = b""
    """of the epoch that the commit begins, with external_pub, without the tree"""
    tree: bytes = b""
    """as in createChannel"""
    write_key: bytes = b""
    """as in createChannel"""
    first: Handshake | None = None
    """as in createChannel"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        if self.group_info:
            m.groupInfo = self.group_info
        if self.tree:
            m.tree = self.tree
        if self.write_key:
            m.writeKey = self.write_key
        if self.first is not None:
            self.first.write(m.init("first"))

    @classmethod
    def read(cls, m: Any) -> ResetChannelParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
            generation=m.generation,
            group_info=m.groupInfo,
            tree=m.tree,
            write_key=m.writeKey,
            first=Handshake.read(m.first) if m._has("first") else None,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResetChannelParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResetChannelParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResetChannelParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetChannelResult:
    """`ResetChannelResult` of schemas/delivery.capnp."""

    generation: int = 0
    epoch: int = 0
    log_number: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.generation = self.generation
        m.epoch = self.epoch
        m.logNumber = self.log_number

    @classmethod
    def read(cls, m: Any) -> ResetChannelResult:
        """Read from a message."""
        return cls(
            generation=m.generation,
            epoch=m.epoch,
            log_number=m.logNumber,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ResetChannelResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ResetChannelResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ResetChannelResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChannelsParams:
    """`ListChannelsParams` of schemas/delivery.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> ListChannelsParams:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ListChannelsParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ListChannelsParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ListChannelsParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChannelsResult:
    """`ListChannelsResult` of schemas/delivery.capnp."""

    channels: tuple[ChannelInfo, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channels:
            items = m.init("channels", len(self.channels))
            for i, item in enumerate(self.channels):
                item.write(items[i])

    @classmethod
    def read(cls, m: Any) -> ListChannelsResult:
        """Read from a message."""
        return cls(
            channels=tuple([ChannelInfo.read(x) for x in structs(m.channels)]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ListChannelsResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ListChannelsResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ListChannelsResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelInfo:
    """`ChannelInfo` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    member: bool = False
    """every channel in which some device of the account is a leaf; member: the calling device is one"""
    leaves: int = 0
    """every channel in which some device of the account is a leaf; member: the calling device is one"""
    policy: bytes = b""
    """every channel in which some device of the account is a leaf; member: the calling device is one"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        m.epoch = self.epoch
        m.member = self.member
        m.leaves = self.leaves
        if self.policy:
            m.policy = self.policy

    @classmethod
    def read(cls, m: Any) -> ChannelInfo:
        """Read from a message."""
        return cls(
            channel=m.channel,
            generation=m.generation,
            epoch=m.epoch,
            member=m.member,
            leaves=m.leaves,
            policy=m.policy,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ChannelInfo.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ChannelInfo:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ChannelInfo, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalParams:
    """`SignalParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    payload: bytes = b""
    """MLSMessage(PrivateMessage, application)"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        m.epoch = self.epoch
        if self.payload:
            m.payload = self.payload

    @classmethod
    def read(cls, m: Any) -> SignalParams:
        """Read from a message."""
        return cls(
            channel=m.channel,
            generation=m.generation,
            epoch=m.epoch,
            payload=m.payload,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SignalParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SignalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SignalParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalResult:
    """`SignalResult` of schemas/delivery.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> SignalResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SignalResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SignalResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SignalResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDevicesParams:
    """`RemoveDevicesParams` of schemas/delivery.capnp."""

    account: bytes = b""
    devices: tuple[bytes, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.devices:
            m.devices = list(self.devices)

    @classmethod
    def read(cls, m: Any) -> RemoveDevicesParams:
        """Read from a message."""
        return cls(
            account=m.account,
            devices=tuple(m.devices),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RemoveDevicesParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RemoveDevicesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RemoveDevicesParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDevicesResult:
    """`RemoveDevicesResult` of schemas/delivery.capnp."""

    proposals: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.proposals = self.proposals

    @classmethod
    def read(cls, m: Any) -> RemoveDevicesResult:
        """Read from a message."""
        return cls(
            proposals=m.proposals,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RemoveDevicesResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RemoveDevicesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RemoveDevicesResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeDeliveryParams:
    """`PurgeDeliveryParams` of schemas/delivery.capnp."""

    account: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account

    @classmethod
    def read(cls, m: Any) -> PurgeDeliveryParams:
        """Read from a message."""
        return cls(
            account=m.account,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeDeliveryParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeDeliveryParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeDeliveryParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeDeliveryResult:
    """`PurgeDeliveryResult` of schemas/delivery.capnp."""

    proposals: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.proposals = self.proposals

    @classmethod
    def read(cls, m: Any) -> PurgeDeliveryResult:
        """Read from a message."""
        return cls(
            proposals=m.proposals,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeDeliveryResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeDeliveryResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeDeliveryResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMailboxParams:
    """`OpenMailboxParams` of schemas/delivery.capnp."""

    account: bytes = b""
    device: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.device:
            m.device = self.device

    @classmethod
    def read(cls, m: Any) -> OpenMailboxParams:
        """Read from a message."""
        return cls(
            account=m.account,
            device=m.device,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.OpenMailboxParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> OpenMailboxParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.OpenMailboxParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMailboxResult:
    """`OpenMailboxResult` of schemas/delivery.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> OpenMailboxResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.OpenMailboxResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> OpenMailboxResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.OpenMailboxResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSenderParams:
    """`ExternalSenderParams` of schemas/delivery.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> ExternalSenderParams:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ExternalSenderParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ExternalSenderParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ExternalSenderParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSenderResult:
    """`ExternalSenderResult` of schemas/delivery.capnp."""

    credential: bytes = b""
    key: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.credential:
            m.credential = self.credential
        if self.key:
            m.key = self.key

    @classmethod
    def read(cls, m: Any) -> ExternalSenderResult:
        """Read from a message."""
        return cls(
            credential=m.credential,
            key=m.key,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ExternalSenderResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ExternalSenderResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ExternalSenderResult, data, cls.read)


class DeliveryApi(Protocol):
    """What Delivery offers; each method may refuse."""

    async def create_channel(self, call: CallContext, params: CreateChannelParams) -> CreateChannelResult:
        """Number 0x0300; docs/spec has its rules."""

    async def enqueue(self, call: CallContext, params: EnqueueParams) -> EnqueueResult:
        """Number 0x0301; docs/spec has its rules."""

    async def batch_enqueue(self, call: CallContext, params: BatchEnqueueParams) -> BatchEnqueueResult:
        """Number 0x0302; docs/spec has its rules."""

    async def fetch(self, call: CallContext, params: FetchParams) -> FetchResult:
        """Number 0x0303; docs/spec has its rules."""

    async def fetch_wait(self, call: CallContext, params: FetchWaitParams) -> FetchResult:
        """Number 0x0304; docs/spec has its rules."""

    async def peek(self, call: CallContext, params: PeekParams) -> PeekResult:
        """Number 0x0305; docs/spec has its rules."""

    async def ack(self, call: CallContext, params: AckParams) -> AckResult:
        """Number 0x0306; docs/spec has its rules."""

    async def submit_commit(self, call: CallContext, params: SubmitCommitParams) -> SubmitCommitResult:
        """For an external commit the caller need not be a leaf."""

    async def submit_proposal(self, call: CallContext, params: SubmitProposalParams) -> SubmitProposalResult:
        """Number 0x0308; docs/spec has its rules."""

    async def fetch_group_info(self, call: CallContext, params: FetchGroupInfoParams) -> FetchGroupInfoResult:
        """Number 0x0309; docs/spec has its rules."""

    async def fetch_tree(self, call: CallContext, params: FetchTreeParams) -> FetchTreeResult:
        """The reply may be as large as the tree (8 MiB)."""

    async def reset_channel(self, call: CallContext, params: ResetChannelParams) -> ResetChannelResult:
        """Number 0x030b; docs/spec has its rules."""

    async def list_channels(self, call: CallContext, params: ListChannelsParams) -> ListChannelsResult:
        """Number 0x030c; docs/spec has its rules."""

    async def signal(self, call: CallContext, params: SignalParams) -> SignalResult:
        """Number 0x030d; docs/spec has its rules."""


class DeliveryInternalApi(Protocol):
    """What DeliveryInternal offers; each method may refuse."""

    async def remove_devices(self, call: CallContext, params: RemoveDevicesParams) -> RemoveDevicesResult:
        """Their mailboxes go; a Remove of each is proposed in every channel it is a leaf of."""

    async def purge_account(self, call: CallContext, params: PurgeDeliveryParams) -> PurgeDeliveryResult:
        """Number 0x0381; docs/spec has its rules."""

    async def open_mailbox(self, call: CallContext, params: OpenMailboxParams) -> OpenMailboxResult:
        """Number 0x0382; docs/spec has its rules."""

    async def external_sender(self, call: CallContext, params: ExternalSenderParams) -> ExternalSenderResult:
        """Number 0x0383; docs/spec has its rules."""


METHODS: tuple[Method, ...] = (
    Method(
        number=0x0300,
        service="delivery",
        name="createChannel",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=CreateChannelParams,
        result=CreateChannelResult,
    ),
    Method(
        number=0x0301,
        service="delivery",
        name="enqueue",
        caller=CallerClass("sender"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=EnqueueParams,
        result=EnqueueResult,
    ),
    Method(
        number=0x0302,
        service="delivery",
        name="batchEnqueue",
        caller=CallerClass("sender"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=BatchEnqueueParams,
        result=BatchEnqueueResult,
    ),
    Method(
        number=0x0303,
        service="delivery",
        name="fetch",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchParams,
        result=FetchResult,
    ),
    Method(
        number=0x0304,
        service="delivery",
        name="fetchWait",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchWaitParams,
        result=FetchResult,
    ),
    Method(
        number=0x0305,
        service="delivery",
        name="peek",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PeekParams,
        result=PeekResult,
    ),
    Method(
        number=0x0306,
        service="delivery",
        name="ack",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=AckParams,
        result=AckResult,
    ),
    Method(
        number=0x0307,
        service="delivery",
        name="submitCommit",
        caller=CallerClass("memberAccount"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=SubmitCommitParams,
        result=SubmitCommitResult,
    ),
    Method(
        number=0x0308,
        service="delivery",
        name="submitProposal",
        caller=CallerClass("member"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=SubmitProposalParams,
        result=SubmitProposalResult,
    ),
    Method(
        number=0x0309,
        service="delivery",
        name="fetchGroupInfo",
        caller=CallerClass("memberAccount"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchGroupInfoParams,
        result=FetchGroupInfoResult,
    ),
    Method(
        number=0x030A,
        service="delivery",
        name="fetchTree",
        caller=CallerClass("memberAccount"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchTreeParams,
        result=FetchTreeResult,
    ),
    Method(
        number=0x030B,
        service="delivery",
        name="resetChannel",
        caller=CallerClass("member"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=ResetChannelParams,
        result=ResetChannelResult,
    ),
    Method(
        number=0x030C,
        service="delivery",
        name="listChannels",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ListChannelsParams,
        result=ListChannelsResult,
    ),
    Method(
        number=0x030D,
        service="delivery",
        name="signal",
        caller=CallerClass("member"),
        by=(),
        streams=False,
        idempotent=False,
        keyed=False,
        frame_bytes_max=2097152,
        params=SignalParams,
        result=SignalResult,
    ),
    Method(
        number=0x0380,
        service="delivery",
        name="removeDevices",
        caller=CallerClass("service"),
        by=("auth",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RemoveDevicesParams,
        result=RemoveDevicesResult,
    ),
    Method(
        number=0x0381,
        service="delivery",
        name="purgeAccount",
        caller=CallerClass("service"),
        by=("auth",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PurgeDeliveryParams,
        result=PurgeDeliveryResult,
    ),
    Method(
        number=0x0382,
        service="delivery",
        name="openMailbox",
        caller=CallerClass("service"),
        by=("auth",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=OpenMailboxParams,
        result=OpenMailboxResult,
    ),
    Method(
        number=0x0383,
        service="delivery",
        name="externalSender",
        caller=CallerClass("service"),
        by=("gateway",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ExternalSenderParams,
        result=ExternalSenderResult,
    ),
)
