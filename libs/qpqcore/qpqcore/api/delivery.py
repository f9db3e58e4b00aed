"""The contract of delivery: its messages, methods and Protocol.

Generated from schemas/delivery.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

ENTRY_LAYOUT = Layout(
    6,
    3,
    None,
    [
        ("uint64", 0, None, None),
        ("enum", 4, None, None),
        ("data", 0, None, None),
        ("uint32", 3, None, None),
        ("uint64", 2, None, None),
        ("uint64", 3, None, None),
        ("uint64", 4, None, None),
        ("data", 1, None, None),
        ("data", 2, None, None),
        ("uint64", 5, None, None),
    ],
)
WELCOME_ITEM_LAYOUT = Layout(1, 2, None, [("data", 0, None, None), ("data", 1, None, None), ("bool", 0, None, None)])
HANDSHAKE_LAYOUT = Layout(
    0,
    4,
    None,
    [
        ("data", 0, None, None),
        ("list struct", 1, None, WELCOME_ITEM_LAYOUT),
        ("data", 2, None, None),
        ("data", 3, None, None),
    ],
)
CREATE_CHANNEL_PARAMS_LAYOUT = Layout(
    0,
    5,
    None,
    [
        ("data", 0, None, None),
        ("data", 1, None, None),
        ("data", 2, None, None),
        ("data", 3, None, None),
        ("struct", 4, None, HANDSHAKE_LAYOUT),
    ],
)
CREATE_CHANNEL_RESULT_LAYOUT = Layout(
    3, 0, None, [("uint32", 0, None, None), ("uint64", 1, None, None), ("uint64", 2, None, None)]
)
ENQUEUE_PARAMS_LAYOUT = Layout(
    3,
    3,
    None,
    [
        ("data", 0, None, None),
        ("uint32", 0, None, None),
        ("uint64", 1, None, None),
        ("data", 1, None, None),
        ("uint32", 1, None, None),
        ("data", 2, None, None),
        ("uint32", 4, None, None),
    ],
)
ENQUEUE_RESULT_LAYOUT = Layout(
    3, 0, None, [("uint64", 0, None, None), ("uint64", 1, None, None), ("bool", 128, None, None)]
)
BATCH_ENQUEUE_PARAMS_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, ENQUEUE_PARAMS_LAYOUT)])
BATCH_ITEM_LAYOUT = Layout(
    1, 2, None, [("uint16", 0, None, None), ("text", 0, None, None), ("struct", 1, None, ENQUEUE_RESULT_LAYOUT)]
)
BATCH_ENQUEUE_RESULT_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, BATCH_ITEM_LAYOUT)])
FETCH_PARAMS_LAYOUT = Layout(2, 0, None, [("uint64", 0, None, None), ("uint16", 4, None, None)])
FETCH_RESULT_LAYOUT = Layout(
    2, 1, None, [("list struct", 0, None, ENTRY_LAYOUT), ("uint64", 0, None, None), ("uint64", 1, None, None)]
)
FETCH_WAIT_PARAMS_LAYOUT = Layout(
    2, 0, None, [("uint64", 0, None, None), ("uint16", 4, None, None), ("uint32", 3, None, None)]
)
PEEK_PARAMS_LAYOUT = Layout(1, 0, None, [("uint16", 0, None, None)])
PEEK_RESULT_LAYOUT = Layout(
    4,
    1,
    None,
    [
        ("list struct", 0, None, ENTRY_LAYOUT),
        ("uint64", 0, None, None),
        ("uint64", 1, None, None),
        ("uint64", 2, None, None),
        ("uint64", 3, None, None),
    ],
)
ACK_PARAMS_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
ACK_RESULT_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
SUBMIT_COMMIT_PARAMS_LAYOUT = Layout(
    2,
    2,
    None,
    [
        ("data", 0, None, None),
        ("uint32", 0, None, None),
        ("uint64", 1, None, None),
        ("struct", 1, None, HANDSHAKE_LAYOUT),
    ],
)
SUBMIT_COMMIT_RESULT_LAYOUT = Layout(
    3, 0, None, [("uint64", 0, None, None), ("uint64", 1, None, None), ("bool", 128, None, None)]
)
SUBMIT_PROPOSAL_PARAMS_LAYOUT = Layout(
    2, 2, None, [("data", 0, None, None), ("uint32", 0, None, None), ("uint64", 1, None, None), ("data", 1, None, None)]
)
SUBMIT_PROPOSAL_RESULT_LAYOUT = Layout(2, 0, None, [("uint64", 0, None, None), ("bool", 64, None, None)])
FETCH_GROUP_INFO_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
FETCH_GROUP_INFO_RESULT_LAYOUT = Layout(
    3,
    3,
    None,
    [
        ("uint32", 0, None, None),
        ("uint64", 1, None, None),
        ("data", 0, None, None),
        ("data", 1, None, None),
        ("list data", 2, None, None),
        ("uint64", 2, None, None),
    ],
)
FETCH_TREE_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
FETCH_TREE_RESULT_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
RESET_CHANNEL_PARAMS_LAYOUT = Layout(
    1,
    5,
    None,
    [
        ("data", 0, None, None),
        ("uint32", 0, None, None),
        ("data", 1, None, None),
        ("data", 2, None, None),
        ("data", 3, None, None),
        ("struct", 4, None, HANDSHAKE_LAYOUT),
    ],
)
RESET_CHANNEL_RESULT_LAYOUT = Layout(
    3, 0, None, [("uint32", 0, None, None), ("uint64", 1, None, None), ("uint64", 2, None, None)]
)
LIST_CHANNELS_PARAMS_LAYOUT = Layout(0, 0, None, [])
CHANNEL_INFO_LAYOUT = Layout(
    3,
    2,
    None,
    [
        ("data", 0, None, None),
        ("uint32", 0, None, None),
        ("uint64", 1, None, None),
        ("bool", 32, None, None),
        ("uint32", 4, None, None),
        ("data", 1, None, None),
    ],
)
LIST_CHANNELS_RESULT_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, CHANNEL_INFO_LAYOUT)])
SIGNAL_PARAMS_LAYOUT = Layout(
    2, 2, None, [("data", 0, None, None), ("uint32", 0, None, None), ("uint64", 1, None, None), ("data", 1, None, None)]
)
SIGNAL_RESULT_LAYOUT = Layout(0, 0, None, [])
REMOVE_DEVICES_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("list data", 1, None, None)])
REMOVE_DEVICES_RESULT_LAYOUT = Layout(1, 0, None, [("uint32", 0, None, None)])
PURGE_DELIVERY_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
PURGE_DELIVERY_RESULT_LAYOUT = Layout(1, 0, None, [("uint32", 0, None, None)])
OPEN_MAILBOX_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
OPEN_MAILBOX_RESULT_LAYOUT = Layout(0, 0, None, [])
EXTERNAL_SENDER_PARAMS_LAYOUT = Layout(0, 0, None, [])
EXTERNAL_SENDER_RESULT_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
DESCRIBE_HOME_PARAMS_LAYOUT = Layout(0, 1, None, [("text", 0, None, None)])
GUEST_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
RELAYED_ENTRY_LAYOUT = Layout(0, 2, None, [("struct", 0, None, ENTRY_LAYOUT), ("list data", 1, None, None)])
STANDING_LAYOUT = Layout(
    2,
    3,
    None,
    [
        ("data", 0, None, None),
        ("uint32", 0, None, None),
        ("uint64", 1, None, None),
        ("uint32", 1, None, None),
        ("data", 1, None, None),
        ("list struct", 2, None, GUEST_LAYOUT),
    ],
)
AS_GUEST_PARAMS_LAYOUT = Layout(
    1,
    3,
    None,
    [("text", 0, None, None), ("struct", 1, None, GUEST_LAYOUT), ("uint16", 0, None, None), ("data", 2, None, None)],
)
AS_GUEST_RESULT_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
TAKE_ENTRIES_PARAMS_LAYOUT = Layout(
    0,
    3,
    None,
    [
        ("text", 0, None, None),
        ("list struct", 1, None, RELAYED_ENTRY_LAYOUT),
        ("list struct", 2, None, STANDING_LAYOUT),
    ],
)
TAKE_ENTRIES_RESULT_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
FETCH_BOX_PARAMS_LAYOUT = Layout(1, 1, None, [("text", 0, None, None), ("uint16", 0, None, None)])
FETCH_BOX_RESULT_LAYOUT = Layout(
    1,
    2,
    None,
    [
        ("list struct", 0, None, RELAYED_ENTRY_LAYOUT),
        ("list struct", 1, None, STANDING_LAYOUT),
        ("uint64", 0, None, None),
    ],
)
ACK_BOX_PARAMS_LAYOUT = Layout(1, 1, None, [("text", 0, None, None), ("uint64", 0, None, None)])
ACK_BOX_RESULT_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
LEASE_BOX_PARAMS_LAYOUT = Layout(
    1, 2, None, [("text", 0, None, None), ("data", 1, None, None), ("uint32", 0, None, None)]
)
LEASE_BOX_RESULT_LAYOUT = Layout(1, 0, None, [("uint32", 0, None, None)])
TAKE_SIGNAL_PARAMS_LAYOUT = Layout(
    0, 3, None, [("text", 0, None, None), ("list data", 1, None, None), ("struct", 2, None, SIGNAL_PARAMS_LAYOUT)]
)
LIST_BOXES_PARAMS_LAYOUT = Layout(0, 0, None, [])
BOX_LAYOUT = Layout(
    5,
    1,
    None,
    [
        ("text", 0, None, None),
        ("uint64", 0, None, None),
        ("uint64", 1, None, None),
        ("uint64", 2, None, None),
        ("uint64", 3, None, None),
        ("uint64", 4, None, None),
    ],
)
LIST_BOXES_RESULT_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, BOX_LAYOUT)])
PURGE_GUESTS_PARAMS_LAYOUT = Layout(
    0, 3, None, [("text", 0, None, None), ("data", 1, None, None), ("list data", 2, None, None)]
)
PURGE_GUESTS_RESULT_LAYOUT = Layout(1, 0, None, [("uint32", 0, None, None)])


class EntryKind(enum.IntEnum):
    """EntryKind of the schema; numbers are wire format."""

    MESSAGE = 0
    COMMIT = 1
    PROPOSAL = 2
    WELCOME = 3
    GAP = 4
    EXPIRED = 5
    RESET = 6
    PURGE = 7


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.number,
            self.kind,
            self.channel,
            self.generation,
            self.epoch,
            self.log_number,
            self.accepted_ms,
            self.payload,
            self.tree_hash,
            self.expires_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Entry:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            number=v[0],
            kind=EntryKind(v[1]),
            channel=v[2],
            generation=v[3],
            epoch=v[4],
            log_number=v[5],
            accepted_ms=v[6],
            payload=v[7],
            tree_hash=v[8],
            expires_ms=v[9],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ENTRY_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Decode one message; Refusal(malformed)."""
        return decode(ENTRY_LAYOUT, data, cls.from_values)


@record
class WelcomeItem:
    """`WelcomeItem` of schemas/delivery.capnp."""

    device: bytes = b""
    """welcome: MLSMessage(Welcome), or when hybrid the HPKE X-Wing encapsulation and ciphertext of it (docs/spec/groups.md)"""
    welcome: bytes = b""
    """welcome: MLSMessage(Welcome), or when hybrid the HPKE X-Wing encapsulation and ciphertext of it (docs/spec/groups.md)"""
    hybrid: bool = False
    """welcome: MLSMessage(Welcome), or when hybrid the HPKE X-Wing encapsulation and ciphertext of it (docs/spec/groups.md)"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.device,
            self.welcome,
            self.hybrid,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> WelcomeItem:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=v[0],
            welcome=v[1],
            hybrid=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return WELCOME_ITEM_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> WelcomeItem:
        """Decode one message; Refusal(malformed)."""
        return decode(WELCOME_ITEM_LAYOUT, data, cls.from_values)


@record
class Handshake:
    """`Handshake` of schemas/delivery.capnp."""

    commit: bytes = b""
    welcomes: tuple[WelcomeItem, ...] = ()
    group_info: bytes = b""
    """of the epoch that the commit begins, with external_pub, without the tree"""
    write_key: bytes = b""
    """Ed25519 public key of the new epoch's sealed senders (docs/spec/delivery.md)"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.commit,
            tuple([x.to_values() for x in self.welcomes]),
            self.group_info,
            self.write_key,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Handshake:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            commit=v[0],
            welcomes=tuple([WelcomeItem.from_values(x) for x in v[1]]),
            group_info=v[2],
            write_key=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return HANDSHAKE_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Handshake:
        """Decode one message; Refusal(malformed)."""
        return decode(HANDSHAKE_LAYOUT, data, cls.from_values)


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.group_info,
            self.tree,
            self.write_key,
            None if self.first is None else self.first.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> CreateChannelParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            group_info=v[1],
            tree=v[2],
            write_key=v[3],
            first=None if v[4] is None else Handshake.from_values(v[4]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CREATE_CHANNEL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> CreateChannelParams:
        """Decode one message; Refusal(malformed)."""
        return decode(CREATE_CHANNEL_PARAMS_LAYOUT, data, cls.from_values)


@record
class CreateChannelResult:
    """`CreateChannelResult` of schemas/delivery.capnp."""

    generation: int = 0
    epoch: int = 0
    log_number: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.generation,
            self.epoch,
            self.log_number,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> CreateChannelResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            generation=v[0],
            epoch=v[1],
            log_number=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CREATE_CHANNEL_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> CreateChannelResult:
        """Decode one message; Refusal(malformed)."""
        return decode(CREATE_CHANNEL_RESULT_LAYOUT, data, cls.from_values)


@record
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
    ratchet: int = 0
    """1 + the sender's generation in the epoch's application ratchet; 0: not told"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.epoch,
            self.payload,
            self.ttl_seconds,
            self.write_signature,
            self.ratchet,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> EnqueueParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            epoch=v[2],
            payload=v[3],
            ttl_seconds=v[4],
            write_signature=v[5],
            ratchet=v[6],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ENQUEUE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> EnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(ENQUEUE_PARAMS_LAYOUT, data, cls.from_values)


@record
class EnqueueResult:
    """`EnqueueResult` of schemas/delivery.capnp."""

    log_number: int = 0
    accepted_ms: int = 0
    duplicate: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.log_number,
            self.accepted_ms,
            self.duplicate,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> EnqueueResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            log_number=v[0],
            accepted_ms=v[1],
            duplicate=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ENQUEUE_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> EnqueueResult:
        """Decode one message; Refusal(malformed)."""
        return decode(ENQUEUE_RESULT_LAYOUT, data, cls.from_values)


@record
class BatchEnqueueParams:
    """`BatchEnqueueParams` of schemas/delivery.capnp."""

    items: tuple[EnqueueParams, ...] = ()
    """at most 100"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.items]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> BatchEnqueueParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            items=tuple([EnqueueParams.from_values(x) for x in v[0]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return BATCH_ENQUEUE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchEnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(BATCH_ENQUEUE_PARAMS_LAYOUT, data, cls.from_values)


@record
class BatchEnqueueResult:
    """`BatchEnqueueResult` of schemas/delivery.capnp."""

    items: tuple[BatchItem, ...] = ()
    """at most 100"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.items]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> BatchEnqueueResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            items=tuple([BatchItem.from_values(x) for x in v[0]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return BATCH_ENQUEUE_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchEnqueueResult:
        """Decode one message; Refusal(malformed)."""
        return decode(BATCH_ENQUEUE_RESULT_LAYOUT, data, cls.from_values)


@record
class BatchItem:
    """`BatchItem` of schemas/delivery.capnp."""

    code: int = 0
    detail: str = ""
    result: EnqueueResult | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.code,
            self.detail,
            None if self.result is None else self.result.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> BatchItem:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            code=v[0],
            detail=v[1],
            result=None if v[2] is None else EnqueueResult.from_values(v[2]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return BATCH_ITEM_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> BatchItem:
        """Decode one message; Refusal(malformed)."""
        return decode(BATCH_ITEM_LAYOUT, data, cls.from_values)


@record
class FetchParams:
    """`FetchParams` of schemas/delivery.capnp."""

    after: int = 0
    """after 0: from the acknowledged position"""
    max_entries: int = 0
    """after 0: from the acknowledged position"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.after,
            self.max_entries,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            after=v[0],
            max_entries=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_PARAMS_LAYOUT, data, cls.from_values)


@record
class FetchResult:
    """`FetchResult` of schemas/delivery.capnp."""

    entries: tuple[Entry, ...] = ()
    last: int = 0
    acked: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple([x.to_values() for x in self.entries]),
            self.last,
            self.acked,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            entries=tuple([Entry.from_values(x) for x in v[0]]),
            last=v[1],
            acked=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_RESULT_LAYOUT, data, cls.from_values)


@record
class FetchWaitParams:
    """`FetchWaitParams` of schemas/delivery.capnp."""

    after: int = 0
    """after 0: from the acknowledged position"""
    max_entries: int = 0
    """after 0: from the acknowledged position"""
    wait_ms: int = 0
    """at most 60 s"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.after,
            self.max_entries,
            self.wait_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchWaitParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            after=v[0],
            max_entries=v[1],
            wait_ms=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_WAIT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchWaitParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_WAIT_PARAMS_LAYOUT, data, cls.from_values)


@record
class PeekParams:
    """`PeekParams` of schemas/delivery.capnp."""

    max_entries: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.max_entries,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PeekParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            max_entries=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PEEK_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PeekParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PEEK_PARAMS_LAYOUT, data, cls.from_values)


@record
class PeekResult:
    """`PeekResult` of schemas/delivery.capnp."""

    entries: tuple[Entry, ...] = ()
    last: int = 0
    acked: int = 0
    pending_bytes: int = 0
    """entries without payload"""
    oldest_ms: int = 0
    """entries without payload"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple([x.to_values() for x in self.entries]),
            self.last,
            self.acked,
            self.pending_bytes,
            self.oldest_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PeekResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            entries=tuple([Entry.from_values(x) for x in v[0]]),
            last=v[1],
            acked=v[2],
            pending_bytes=v[3],
            oldest_ms=v[4],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PEEK_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PeekResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PEEK_RESULT_LAYOUT, data, cls.from_values)


@record
class AckParams:
    """`AckParams` of schemas/delivery.capnp."""

    up_to: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.up_to,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> AckParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            up_to=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ACK_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> AckParams:
        """Decode one message; Refusal(malformed)."""
        return decode(ACK_PARAMS_LAYOUT, data, cls.from_values)


@record
class AckResult:
    """`AckResult` of schemas/delivery.capnp."""

    acked: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.acked,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> AckResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            acked=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ACK_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> AckResult:
        """Decode one message; Refusal(malformed)."""
        return decode(ACK_RESULT_LAYOUT, data, cls.from_values)


@record
class SubmitCommitParams:
    """`SubmitCommitParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    handshake: Handshake | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.epoch,
            None if self.handshake is None else self.handshake.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubmitCommitParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            epoch=v[2],
            handshake=None if v[3] is None else Handshake.from_values(v[3]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBMIT_COMMIT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitCommitParams:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBMIT_COMMIT_PARAMS_LAYOUT, data, cls.from_values)


@record
class SubmitCommitResult:
    """`SubmitCommitResult` of schemas/delivery.capnp."""

    epoch: int = 0
    """epoch: the new one"""
    log_number: int = 0
    """epoch: the new one"""
    duplicate: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.epoch,
            self.log_number,
            self.duplicate,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubmitCommitResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            epoch=v[0],
            log_number=v[1],
            duplicate=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBMIT_COMMIT_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitCommitResult:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBMIT_COMMIT_RESULT_LAYOUT, data, cls.from_values)


@record
class SubmitProposalParams:
    """`SubmitProposalParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    proposal: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.epoch,
            self.proposal,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubmitProposalParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            epoch=v[2],
            proposal=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBMIT_PROPOSAL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitProposalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBMIT_PROPOSAL_PARAMS_LAYOUT, data, cls.from_values)


@record
class SubmitProposalResult:
    """`SubmitProposalResult` of schemas/delivery.capnp."""

    log_number: int = 0
    duplicate: bool = False

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.log_number,
            self.duplicate,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubmitProposalResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            log_number=v[0],
            duplicate=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBMIT_PROPOSAL_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubmitProposalResult:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBMIT_PROPOSAL_RESULT_LAYOUT, data, cls.from_values)


@record
class FetchGroupInfoParams:
    """`FetchGroupInfoParams` of schemas/delivery.capnp."""

    channel: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.channel,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchGroupInfoParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_GROUP_INFO_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchGroupInfoParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_GROUP_INFO_PARAMS_LAYOUT, data, cls.from_values)


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.generation,
            self.epoch,
            self.group_info,
            self.tree_hash,
            tuple(self.proposals),
            self.log_number,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchGroupInfoResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            generation=v[0],
            epoch=v[1],
            group_info=v[2],
            tree_hash=v[3],
            proposals=v[4],
            log_number=v[5],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_GROUP_INFO_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchGroupInfoResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_GROUP_INFO_RESULT_LAYOUT, data, cls.from_values)


@record
class FetchTreeParams:
    """`FetchTreeParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    tree_hash: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.tree_hash,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchTreeParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            tree_hash=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_TREE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchTreeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_TREE_PARAMS_LAYOUT, data, cls.from_values)


@record
class FetchTreeResult:
    """`FetchTreeResult` of schemas/delivery.capnp."""

    tree: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.tree,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchTreeResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            tree=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_TREE_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchTreeResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_TREE_RESULT_LAYOUT, data, cls.from_values)


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.group_info,
            self.tree,
            self.write_key,
            None if self.first is None else self.first.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResetChannelParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            group_info=v[2],
            tree=v[3],
            write_key=v[4],
            first=None if v[5] is None else Handshake.from_values(v[5]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESET_CHANNEL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResetChannelParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RESET_CHANNEL_PARAMS_LAYOUT, data, cls.from_values)


@record
class ResetChannelResult:
    """`ResetChannelResult` of schemas/delivery.capnp."""

    generation: int = 0
    epoch: int = 0
    log_number: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.generation,
            self.epoch,
            self.log_number,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ResetChannelResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            generation=v[0],
            epoch=v[1],
            log_number=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RESET_CHANNEL_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ResetChannelResult:
        """Decode one message; Refusal(malformed)."""
        return decode(RESET_CHANNEL_RESULT_LAYOUT, data, cls.from_values)


@record
class ListChannelsParams:
    """`ListChannelsParams` of schemas/delivery.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ListChannelsParams:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LIST_CHANNELS_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ListChannelsParams:
        """Decode one message; Refusal(malformed)."""
        return decode(LIST_CHANNELS_PARAMS_LAYOUT, data, cls.from_values)


@record
class ListChannelsResult:
    """`ListChannelsResult` of schemas/delivery.capnp."""

    channels: tuple[ChannelInfo, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.channels]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ListChannelsResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channels=tuple([ChannelInfo.from_values(x) for x in v[0]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LIST_CHANNELS_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ListChannelsResult:
        """Decode one message; Refusal(malformed)."""
        return decode(LIST_CHANNELS_RESULT_LAYOUT, data, cls.from_values)


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.epoch,
            self.member,
            self.leaves,
            self.policy,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ChannelInfo:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            epoch=v[2],
            member=v[3],
            leaves=v[4],
            policy=v[5],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CHANNEL_INFO_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ChannelInfo:
        """Decode one message; Refusal(malformed)."""
        return decode(CHANNEL_INFO_LAYOUT, data, cls.from_values)


@record
class SignalParams:
    """`SignalParams` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    payload: bytes = b""
    """MLSMessage(PrivateMessage, application)"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.epoch,
            self.payload,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SignalParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            epoch=v[2],
            payload=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SIGNAL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SignalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(SIGNAL_PARAMS_LAYOUT, data, cls.from_values)


@record
class SignalResult:
    """`SignalResult` of schemas/delivery.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SignalResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SIGNAL_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SignalResult:
        """Decode one message; Refusal(malformed)."""
        return decode(SIGNAL_RESULT_LAYOUT, data, cls.from_values)


@record
class RemoveDevicesParams:
    """`RemoveDevicesParams` of schemas/delivery.capnp."""

    account: bytes = b""
    devices: tuple[bytes, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            tuple(self.devices),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RemoveDevicesParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            devices=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REMOVE_DEVICES_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RemoveDevicesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(REMOVE_DEVICES_PARAMS_LAYOUT, data, cls.from_values)


@record
class RemoveDevicesResult:
    """`RemoveDevicesResult` of schemas/delivery.capnp."""

    proposals: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.proposals,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RemoveDevicesResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            proposals=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REMOVE_DEVICES_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RemoveDevicesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(REMOVE_DEVICES_RESULT_LAYOUT, data, cls.from_values)


@record
class PurgeDeliveryParams:
    """`PurgeDeliveryParams` of schemas/delivery.capnp."""

    account: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.account,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeDeliveryParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_DELIVERY_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeDeliveryParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_DELIVERY_PARAMS_LAYOUT, data, cls.from_values)


@record
class PurgeDeliveryResult:
    """`PurgeDeliveryResult` of schemas/delivery.capnp."""

    proposals: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.proposals,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeDeliveryResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            proposals=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_DELIVERY_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeDeliveryResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_DELIVERY_RESULT_LAYOUT, data, cls.from_values)


@record
class OpenMailboxParams:
    """`OpenMailboxParams` of schemas/delivery.capnp."""

    account: bytes = b""
    device: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.device,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> OpenMailboxParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            device=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return OPEN_MAILBOX_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> OpenMailboxParams:
        """Decode one message; Refusal(malformed)."""
        return decode(OPEN_MAILBOX_PARAMS_LAYOUT, data, cls.from_values)


@record
class OpenMailboxResult:
    """`OpenMailboxResult` of schemas/delivery.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> OpenMailboxResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return OPEN_MAILBOX_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> OpenMailboxResult:
        """Decode one message; Refusal(malformed)."""
        return decode(OPEN_MAILBOX_RESULT_LAYOUT, data, cls.from_values)


@record
class ExternalSenderParams:
    """`ExternalSenderParams` of schemas/delivery.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ExternalSenderParams:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return EXTERNAL_SENDER_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ExternalSenderParams:
        """Decode one message; Refusal(malformed)."""
        return decode(EXTERNAL_SENDER_PARAMS_LAYOUT, data, cls.from_values)


@record
class ExternalSenderResult:
    """`ExternalSenderResult` of schemas/delivery.capnp."""

    credential: bytes = b""
    key: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.credential,
            self.key,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ExternalSenderResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            credential=v[0],
            key=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return EXTERNAL_SENDER_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ExternalSenderResult:
        """Decode one message; Refusal(malformed)."""
        return decode(EXTERNAL_SENDER_RESULT_LAYOUT, data, cls.from_values)


@record
class DescribeHomeParams:
    """`DescribeHomeParams` of schemas/delivery.capnp."""

    domain: str = ""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.domain,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DescribeHomeParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DESCRIBE_HOME_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DescribeHomeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DESCRIBE_HOME_PARAMS_LAYOUT, data, cls.from_values)


@record
class Guest:
    """`Guest` of schemas/delivery.capnp."""

    account: bytes = b""
    device: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            self.device,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Guest:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            device=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return GUEST_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Guest:
        """Decode one message; Refusal(malformed)."""
        return decode(GUEST_LAYOUT, data, cls.from_values)


@record
class RelayedEntry:
    """`RelayedEntry` of schemas/delivery.capnp."""

    entry: Entry | None = None
    """entry.number: in the box of the sending domain for the receiving one, gapless; targets: devices of the receiving domain"""
    targets: tuple[bytes, ...] = ()
    """entry.number: in the box of the sending domain for the receiving one, gapless; targets: devices of the receiving domain"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.entry is None else self.entry.to_values(),
            tuple(self.targets),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayedEntry:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            entry=None if v[0] is None else Entry.from_values(v[0]),
            targets=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAYED_ENTRY_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayedEntry:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAYED_ENTRY_LAYOUT, data, cls.from_values)


@record
class Standing:
    """`Standing` of schemas/delivery.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    leaves: int = 0
    policy: bytes = b""
    members: tuple[Guest, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.epoch,
            self.leaves,
            self.policy,
            tuple([x.to_values() for x in self.members]),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Standing:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            epoch=v[2],
            leaves=v[3],
            policy=v[4],
            members=tuple([Guest.from_values(x) for x in v[5]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return STANDING_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Standing:
        """Decode one message; Refusal(malformed)."""
        return decode(STANDING_LAYOUT, data, cls.from_values)


@record
class AsGuestParams:
    """`AsGuestParams` of schemas/delivery.capnp."""

    domain: str = ""
    guest: Guest | None = None
    method: int = 0
    params: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            None if self.guest is None else self.guest.to_values(),
            self.method,
            self.params,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> AsGuestParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            guest=None if v[1] is None else Guest.from_values(v[1]),
            method=v[2],
            params=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return AS_GUEST_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> AsGuestParams:
        """Decode one message; Refusal(malformed)."""
        return decode(AS_GUEST_PARAMS_LAYOUT, data, cls.from_values)


@record
class AsGuestResult:
    """`AsGuestResult` of schemas/delivery.capnp."""

    result: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.result,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> AsGuestResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            result=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return AS_GUEST_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> AsGuestResult:
        """Decode one message; Refusal(malformed)."""
        return decode(AS_GUEST_RESULT_LAYOUT, data, cls.from_values)


@record
class TakeEntriesParams:
    """`TakeEntriesParams` of schemas/delivery.capnp."""

    home: str = ""
    entries: tuple[RelayedEntry, ...] = ()
    standings: tuple[Standing, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.home,
            tuple([x.to_values() for x in self.entries]),
            tuple([x.to_values() for x in self.standings]),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> TakeEntriesParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            home=v[0],
            entries=tuple([RelayedEntry.from_values(x) for x in v[1]]),
            standings=tuple([Standing.from_values(x) for x in v[2]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return TAKE_ENTRIES_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> TakeEntriesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(TAKE_ENTRIES_PARAMS_LAYOUT, data, cls.from_values)


@record
class TakeEntriesResult:
    """`TakeEntriesResult` of schemas/delivery.capnp."""

    position: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.position,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> TakeEntriesResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            position=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return TAKE_ENTRIES_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> TakeEntriesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(TAKE_ENTRIES_RESULT_LAYOUT, data, cls.from_values)


@record
class FetchBoxParams:
    """`FetchBoxParams` of schemas/delivery.capnp."""

    domain: str = ""
    max_entries: int = 0
    """after 0: from the acknowledged position"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.max_entries,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchBoxParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            max_entries=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_BOX_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchBoxParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_BOX_PARAMS_LAYOUT, data, cls.from_values)


@record
class FetchBoxResult:
    """`FetchBoxResult` of schemas/delivery.capnp."""

    entries: tuple[RelayedEntry, ...] = ()
    standings: tuple[Standing, ...] = ()
    last: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple([x.to_values() for x in self.entries]),
            tuple([x.to_values() for x in self.standings]),
            self.last,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FetchBoxResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            entries=tuple([RelayedEntry.from_values(x) for x in v[0]]),
            standings=tuple([Standing.from_values(x) for x in v[1]]),
            last=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FETCH_BOX_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FetchBoxResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FETCH_BOX_RESULT_LAYOUT, data, cls.from_values)


@record
class AckBoxParams:
    """`AckBoxParams` of schemas/delivery.capnp."""

    domain: str = ""
    up_to: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.up_to,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> AckBoxParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            up_to=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ACK_BOX_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> AckBoxParams:
        """Decode one message; Refusal(malformed)."""
        return decode(ACK_BOX_PARAMS_LAYOUT, data, cls.from_values)


@record
class AckBoxResult:
    """`AckBoxResult` of schemas/delivery.capnp."""

    acked: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.acked,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> AckBoxResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            acked=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return ACK_BOX_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> AckBoxResult:
        """Decode one message; Refusal(malformed)."""
        return decode(ACK_BOX_RESULT_LAYOUT, data, cls.from_values)


@record
class LeaseBoxParams:
    """`LeaseBoxParams` of schemas/delivery.capnp."""

    domain: str = ""
    holder: bytes = b""
    """holder: a process, 16 bytes; leaseMs 0: given back"""
    lease_ms: int = 0
    """holder: a process, 16 bytes; leaseMs 0: given back"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.holder,
            self.lease_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LeaseBoxParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            holder=v[1],
            lease_ms=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LEASE_BOX_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LeaseBoxParams:
        """Decode one message; Refusal(malformed)."""
        return decode(LEASE_BOX_PARAMS_LAYOUT, data, cls.from_values)


@record
class LeaseBoxResult:
    """`LeaseBoxResult` of schemas/delivery.capnp."""

    others_ms: int = 0
    """0: it is the caller's; else so long it is another's"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.others_ms,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> LeaseBoxResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            others_ms=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LEASE_BOX_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> LeaseBoxResult:
        """Decode one message; Refusal(malformed)."""
        return decode(LEASE_BOX_RESULT_LAYOUT, data, cls.from_values)


@record
class TakeSignalParams:
    """`TakeSignalParams` of schemas/delivery.capnp."""

    home: str = ""
    targets: tuple[bytes, ...] = ()
    """entry.number: in the box of the sending domain for the receiving one, gapless; targets: devices of the receiving domain"""
    signal: SignalParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.home,
            tuple(self.targets),
            None if self.signal is None else self.signal.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> TakeSignalParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            home=v[0],
            targets=v[1],
            signal=None if v[2] is None else SignalParams.from_values(v[2]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return TAKE_SIGNAL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> TakeSignalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(TAKE_SIGNAL_PARAMS_LAYOUT, data, cls.from_values)


@record
class ListBoxesParams:
    """`ListBoxesParams` of schemas/delivery.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ListBoxesParams:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LIST_BOXES_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ListBoxesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(LIST_BOXES_PARAMS_LAYOUT, data, cls.from_values)


@record
class ListBoxesResult:
    """`ListBoxesResult` of schemas/delivery.capnp."""

    boxes: tuple[Box, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.boxes]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ListBoxesResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            boxes=tuple([Box.from_values(x) for x in v[0]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return LIST_BOXES_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ListBoxesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(LIST_BOXES_RESULT_LAYOUT, data, cls.from_values)


@record
class Box:
    """`Box` of schemas/delivery.capnp."""

    domain: str = ""
    last: int = 0
    acked: int = 0
    entries: int = 0
    held_bytes: int = 0
    oldest_ms: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.last,
            self.acked,
            self.entries,
            self.held_bytes,
            self.oldest_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Box:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            last=v[1],
            acked=v[2],
            entries=v[3],
            held_bytes=v[4],
            oldest_ms=v[5],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return BOX_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Box:
        """Decode one message; Refusal(malformed)."""
        return decode(BOX_LAYOUT, data, cls.from_values)


@record
class PurgeGuestsParams:
    """`PurgeGuestsParams` of schemas/delivery.capnp."""

    domain: str = ""
    account: bytes = b""
    devices: tuple[bytes, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.account,
            tuple(self.devices),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeGuestsParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            account=v[1],
            devices=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_GUESTS_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeGuestsParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_GUESTS_PARAMS_LAYOUT, data, cls.from_values)


@record
class PurgeGuestsResult:
    """`PurgeGuestsResult` of schemas/delivery.capnp."""

    proposals: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.proposals,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeGuestsResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            proposals=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_GUESTS_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeGuestsResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_GUESTS_RESULT_LAYOUT, data, cls.from_values)


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

    async def describe_home(self, call: CallContext, params: DescribeHomeParams) -> ExternalSenderResult:
        """The external sender of groups whose home a domain is: what hello says of one's
        own."""


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

    async def as_guest(self, call: CallContext, params: AsGuestParams) -> AsGuestResult:
        """A method of Delivery for a device of another domain, in a channel of this one."""

    async def take_entries(self, call: CallContext, params: TakeEntriesParams) -> TakeEntriesResult:
        """What another domain's channels have for devices of this one."""

    async def fetch_box(self, call: CallContext, params: FetchBoxParams) -> FetchBoxResult:
        """What waits to be brought to another domain, in order."""

    async def ack_box(self, call: CallContext, params: AckBoxParams) -> AckBoxResult:
        """Number 0x0387; docs/spec has its rules."""

    async def list_boxes(self, call: CallContext, params: ListBoxesParams) -> ListBoxesResult:
        """Number 0x0388; docs/spec has its rules."""

    async def purge_guests(self, call: CallContext, params: PurgeGuestsParams) -> PurgeGuestsResult:
        """Devices of another domain are no more."""

    async def lease_box(self, call: CallContext, params: LeaseBoxParams) -> LeaseBoxResult:
        """Of several federation processes one brings what waits for a domain."""

    async def take_signal(self, call: CallContext, params: TakeSignalParams) -> SignalResult:
        """A signal of another domain's channel, for devices of this one."""


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
        number=0x030E,
        service="delivery",
        name="describeHome",
        caller=CallerClass("account"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DescribeHomeParams,
        result=ExternalSenderResult,
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
        by=("gateway", "federation"),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ExternalSenderParams,
        result=ExternalSenderResult,
    ),
    Method(
        number=0x0384,
        service="delivery",
        name="asGuest",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=AsGuestParams,
        result=AsGuestResult,
    ),
    Method(
        number=0x0385,
        service="delivery",
        name="takeEntries",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=TakeEntriesParams,
        result=TakeEntriesResult,
    ),
    Method(
        number=0x0386,
        service="delivery",
        name="fetchBox",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchBoxParams,
        result=FetchBoxResult,
    ),
    Method(
        number=0x0387,
        service="delivery",
        name="ackBox",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=AckBoxParams,
        result=AckBoxResult,
    ),
    Method(
        number=0x0388,
        service="delivery",
        name="listBoxes",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ListBoxesParams,
        result=ListBoxesResult,
    ),
    Method(
        number=0x0389,
        service="delivery",
        name="purgeGuests",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PurgeGuestsParams,
        result=PurgeGuestsResult,
    ),
    Method(
        number=0x038A,
        service="delivery",
        name="leaseBox",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=LeaseBoxParams,
        result=LeaseBoxResult,
    ),
    Method(
        number=0x038B,
        service="delivery",
        name="takeSignal",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=False,
        keyed=False,
        frame_bytes_max=2097152,
        params=TakeSignalParams,
        result=SignalResult,
    ),
)
