"""The contract of federation: its messages, methods and Protocol.

Generated from schemas/federation.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.api.blob import (
    DownloadBlobParams,
    DownloadBlobResult,
)
from qpqcore.api.delivery import (
    CREATE_CHANNEL_PARAMS_LAYOUT,
    ENQUEUE_PARAMS_LAYOUT,
    FETCH_GROUP_INFO_PARAMS_LAYOUT,
    FETCH_TREE_PARAMS_LAYOUT,
    GUEST_LAYOUT,
    RELAYED_ENTRY_LAYOUT,
    RESET_CHANNEL_PARAMS_LAYOUT,
    SIGNAL_PARAMS_LAYOUT,
    STANDING_LAYOUT,
    SUBMIT_COMMIT_PARAMS_LAYOUT,
    SUBMIT_PROPOSAL_PARAMS_LAYOUT,
    BatchEnqueueResult,
    CreateChannelParams,
    CreateChannelResult,
    EnqueueParams,
    EnqueueResult,
    FetchGroupInfoParams,
    FetchGroupInfoResult,
    FetchTreeParams,
    FetchTreeResult,
    Guest,
    RelayedEntry,
    ResetChannelParams,
    ResetChannelResult,
    SignalParams,
    SignalResult,
    Standing,
    SubmitCommitParams,
    SubmitCommitResult,
    SubmitProposalParams,
    SubmitProposalResult,
)
from qpqcore.api.keystore import (
    DeviceListsParams,
    DeviceListsResult,
    FetchHybridKeysParams,
    FetchHybridKeysResult,
    FetchKeyPackageParams,
    FetchKeyPackageResult,
    ResolveEndpointParams,
    ResolveEndpointResult,
    ResolveIdentityParams,
    ResolveIdentityResult,
    ResolveUserParams,
    ResolveUserResult,
)
from qpqcore.model.method import CallerClass, Method
from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

RELAY_ENQUEUE_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, ENQUEUE_PARAMS_LAYOUT)]
)
RELAY_BATCH_ENQUEUE_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("list struct", 1, None, ENQUEUE_PARAMS_LAYOUT)]
)
RELAY_COMMIT_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, SUBMIT_COMMIT_PARAMS_LAYOUT)]
)
RELAY_PROPOSAL_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, SUBMIT_PROPOSAL_PARAMS_LAYOUT)]
)
RELAY_CREATE_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, CREATE_CHANNEL_PARAMS_LAYOUT)]
)
RELAY_RESET_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, RESET_CHANNEL_PARAMS_LAYOUT)]
)
PROXY_GROUP_INFO_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, FETCH_GROUP_INFO_PARAMS_LAYOUT)]
)
PROXY_TREE_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, FETCH_TREE_PARAMS_LAYOUT)]
)
DELIVER_ENTRIES_PARAMS_LAYOUT = Layout(
    0, 2, None, [("list struct", 0, None, RELAYED_ENTRY_LAYOUT), ("list struct", 1, None, STANDING_LAYOUT)]
)
DELIVER_ENTRIES_RESULT_LAYOUT = Layout(1, 0, None, [("uint64", 0, None, None)])
PURGE_NOTICE_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("list data", 1, None, None)])
PURGE_NOTICE_RESULT_LAYOUT = Layout(0, 0, None, [])
RELAY_SIGNAL_PARAMS_LAYOUT = Layout(
    0, 2, None, [("struct", 0, None, GUEST_LAYOUT), ("struct", 1, None, SIGNAL_PARAMS_LAYOUT)]
)
DELIVER_SIGNAL_PARAMS_LAYOUT = Layout(
    0, 2, None, [("list data", 0, None, None), ("struct", 1, None, SIGNAL_PARAMS_LAYOUT)]
)
FEDERATION_HEALTH_PARAMS_LAYOUT = Layout(
    1, 2, None, [("text", 0, None, None), ("text", 1, None, None), ("uint16", 0, None, None)]
)
FEDERATION_HEALTH_RESULT_LAYOUT = Layout(
    1,
    4,
    None,
    [
        ("text", 0, None, None),
        ("text", 1, None, None),
        ("uint16", 0, None, None),
        ("data", 2, None, None),
        ("data", 3, None, None),
    ],
)
CALL_PEER_PARAMS_LAYOUT = Layout(
    1, 2, None, [("text", 0, None, None), ("uint16", 0, None, None), ("data", 1, None, None)]
)
CALL_PEER_RESULT_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
DESCRIBE_PEER_PARAMS_LAYOUT = Layout(0, 1, None, [("text", 0, None, None)])


@record
class RelayEnqueueParams:
    """`RelayEnqueueParams` of schemas/federation.capnp."""

    sender: Guest | None = None
    """sender: empty for a sealed sender"""
    item: EnqueueParams | None = None
    """sender: empty for a sealed sender"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.sender is None else self.sender.to_values(),
            None if self.item is None else self.item.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayEnqueueParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=None if v[0] is None else Guest.from_values(v[0]),
            item=None if v[1] is None else EnqueueParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_ENQUEUE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayEnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_ENQUEUE_PARAMS_LAYOUT, data, cls.from_values)


@record
class RelayBatchEnqueueParams:
    """`RelayBatchEnqueueParams` of schemas/federation.capnp."""

    sender: Guest | None = None
    """sender: empty for a sealed sender"""
    items: tuple[EnqueueParams, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.sender is None else self.sender.to_values(),
            tuple([x.to_values() for x in self.items]),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayBatchEnqueueParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=None if v[0] is None else Guest.from_values(v[0]),
            items=tuple([EnqueueParams.from_values(x) for x in v[1]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_BATCH_ENQUEUE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayBatchEnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_BATCH_ENQUEUE_PARAMS_LAYOUT, data, cls.from_values)


@record
class RelayCommitParams:
    """`RelayCommitParams` of schemas/federation.capnp."""

    sender: Guest | None = None
    """sender: empty for a sealed sender"""
    commit: SubmitCommitParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.sender is None else self.sender.to_values(),
            None if self.commit is None else self.commit.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayCommitParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=None if v[0] is None else Guest.from_values(v[0]),
            commit=None if v[1] is None else SubmitCommitParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_COMMIT_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayCommitParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_COMMIT_PARAMS_LAYOUT, data, cls.from_values)


@record
class RelayProposalParams:
    """`RelayProposalParams` of schemas/federation.capnp."""

    sender: Guest | None = None
    """sender: empty for a sealed sender"""
    proposal: SubmitProposalParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.sender is None else self.sender.to_values(),
            None if self.proposal is None else self.proposal.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayProposalParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=None if v[0] is None else Guest.from_values(v[0]),
            proposal=None if v[1] is None else SubmitProposalParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_PROPOSAL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayProposalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_PROPOSAL_PARAMS_LAYOUT, data, cls.from_values)


@record
class RelayCreateParams:
    """`RelayCreateParams` of schemas/federation.capnp."""

    sender: Guest | None = None
    """sender: empty for a sealed sender"""
    create: CreateChannelParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.sender is None else self.sender.to_values(),
            None if self.create is None else self.create.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayCreateParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=None if v[0] is None else Guest.from_values(v[0]),
            create=None if v[1] is None else CreateChannelParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_CREATE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayCreateParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_CREATE_PARAMS_LAYOUT, data, cls.from_values)


@record
class RelayResetParams:
    """`RelayResetParams` of schemas/federation.capnp."""

    sender: Guest | None = None
    """sender: empty for a sealed sender"""
    reset: ResetChannelParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.sender is None else self.sender.to_values(),
            None if self.reset is None else self.reset.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayResetParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=None if v[0] is None else Guest.from_values(v[0]),
            reset=None if v[1] is None else ResetChannelParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_RESET_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayResetParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_RESET_PARAMS_LAYOUT, data, cls.from_values)


@record
class ProxyGroupInfoParams:
    """`ProxyGroupInfoParams` of schemas/federation.capnp."""

    device: Guest | None = None
    params: FetchGroupInfoParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.device is None else self.device.to_values(),
            None if self.params is None else self.params.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ProxyGroupInfoParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=None if v[0] is None else Guest.from_values(v[0]),
            params=None if v[1] is None else FetchGroupInfoParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PROXY_GROUP_INFO_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ProxyGroupInfoParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PROXY_GROUP_INFO_PARAMS_LAYOUT, data, cls.from_values)


@record
class ProxyTreeParams:
    """`ProxyTreeParams` of schemas/federation.capnp."""

    device: Guest | None = None
    params: FetchTreeParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.device is None else self.device.to_values(),
            None if self.params is None else self.params.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ProxyTreeParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=None if v[0] is None else Guest.from_values(v[0]),
            params=None if v[1] is None else FetchTreeParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PROXY_TREE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> ProxyTreeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PROXY_TREE_PARAMS_LAYOUT, data, cls.from_values)


@record
class DeliverEntriesParams:
    """`DeliverEntriesParams` of schemas/federation.capnp."""

    entries: tuple[RelayedEntry, ...] = ()
    """entries: at most 256, numbered without a hole; standings: of the channels whose handshakes are among them"""
    standings: tuple[Standing, ...] = ()
    """entries: at most 256, numbered without a hole; standings: of the channels whose handshakes are among them"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple([x.to_values() for x in self.entries]),
            tuple([x.to_values() for x in self.standings]),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeliverEntriesParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            entries=tuple([RelayedEntry.from_values(x) for x in v[0]]),
            standings=tuple([Standing.from_values(x) for x in v[1]]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DELIVER_ENTRIES_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeliverEntriesParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DELIVER_ENTRIES_PARAMS_LAYOUT, data, cls.from_values)


@record
class DeliverEntriesResult:
    """`DeliverEntriesResult` of schemas/federation.capnp."""

    position: int = 0
    """all up to this number is stored"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.position,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeliverEntriesResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            position=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DELIVER_ENTRIES_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeliverEntriesResult:
        """Decode one message; Refusal(malformed)."""
        return decode(DELIVER_ENTRIES_RESULT_LAYOUT, data, cls.from_values)


@record
class PurgeNoticeParams:
    """`PurgeNoticeParams` of schemas/federation.capnp."""

    account: bytes = b""
    """devices empty: the whole account"""
    devices: tuple[bytes, ...] = ()
    """devices empty: the whole account"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.account,
            tuple(self.devices),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeNoticeParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
            devices=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_NOTICE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeNoticeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_NOTICE_PARAMS_LAYOUT, data, cls.from_values)


@record
class PurgeNoticeResult:
    """`PurgeNoticeResult` of schemas/federation.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeNoticeResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_NOTICE_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeNoticeResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_NOTICE_RESULT_LAYOUT, data, cls.from_values)


@record
class RelaySignalParams:
    """`RelaySignalParams` of schemas/federation.capnp."""

    sender: Guest | None = None
    """sender: empty for a sealed sender"""
    signal: SignalParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.sender is None else self.sender.to_values(),
            None if self.signal is None else self.signal.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelaySignalParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=None if v[0] is None else Guest.from_values(v[0]),
            signal=None if v[1] is None else SignalParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_SIGNAL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelaySignalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_SIGNAL_PARAMS_LAYOUT, data, cls.from_values)


@record
class DeliverSignalParams:
    """`DeliverSignalParams` of schemas/federation.capnp."""

    targets: tuple[bytes, ...] = ()
    signal: SignalParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            tuple(self.targets),
            None if self.signal is None else self.signal.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeliverSignalParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            targets=v[0],
            signal=None if v[1] is None else SignalParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DELIVER_SIGNAL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeliverSignalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DELIVER_SIGNAL_PARAMS_LAYOUT, data, cls.from_values)


@record
class FederationHealthParams:
    """`FederationHealthParams` of schemas/federation.capnp."""

    domain: str = ""
    """domain: the caller's; protocol: 1"""
    version: str = ""
    """domain: the caller's; protocol: 1"""
    protocol: int = 0
    """domain: the caller's; protocol: 1"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.version,
            self.protocol,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FederationHealthParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            version=v[1],
            protocol=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FEDERATION_HEALTH_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FederationHealthParams:
        """Decode one message; Refusal(malformed)."""
        return decode(FEDERATION_HEALTH_PARAMS_LAYOUT, data, cls.from_values)


@record
class FederationHealthResult:
    """`FederationHealthResult` of schemas/federation.capnp."""

    domain: str = ""
    """domain: the caller's; protocol: 1"""
    version: str = ""
    """domain: the caller's; protocol: 1"""
    protocol: int = 0
    """domain: the caller's; protocol: 1"""
    external_sender_credential: bytes = b""
    """delivery's, for the external_senders extension of groups whose home this is"""
    external_sender_key: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.version,
            self.protocol,
            self.external_sender_credential,
            self.external_sender_key,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FederationHealthResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            version=v[1],
            protocol=v[2],
            external_sender_credential=v[3],
            external_sender_key=v[4],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FEDERATION_HEALTH_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FederationHealthResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FEDERATION_HEALTH_RESULT_LAYOUT, data, cls.from_values)


@record
class CallPeerParams:
    """`CallPeerParams` of schemas/federation.capnp."""

    domain: str = ""
    """domain: the caller's; protocol: 1"""
    method: int = 0
    params: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.method,
            self.params,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> CallPeerParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            method=v[1],
            params=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CALL_PEER_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> CallPeerParams:
        """Decode one message; Refusal(malformed)."""
        return decode(CALL_PEER_PARAMS_LAYOUT, data, cls.from_values)


@record
class CallPeerResult:
    """`CallPeerResult` of schemas/federation.capnp."""

    result: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.result,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> CallPeerResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            result=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CALL_PEER_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> CallPeerResult:
        """Decode one message; Refusal(malformed)."""
        return decode(CALL_PEER_RESULT_LAYOUT, data, cls.from_values)


@record
class DescribePeerParams:
    """`DescribePeerParams` of schemas/federation.capnp."""

    domain: str = ""
    """domain: the caller's; protocol: 1"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.domain,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DescribePeerParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DESCRIBE_PEER_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DescribePeerParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DESCRIBE_PEER_PARAMS_LAYOUT, data, cls.from_values)


class FederationApi(Protocol):
    """What Federation offers; each method may refuse."""

    async def relay_enqueue(self, call: CallContext, params: RelayEnqueueParams) -> EnqueueResult:
        """Number 0x0500; docs/spec has its rules."""

    async def relay_batch_enqueue(self, call: CallContext, params: RelayBatchEnqueueParams) -> BatchEnqueueResult:
        """Number 0x0501; docs/spec has its rules."""

    async def proxy_fetch_key_package(self, call: CallContext, params: FetchKeyPackageParams) -> FetchKeyPackageResult:
        """Number 0x0502; docs/spec has its rules."""

    async def proxy_fetch_hybrid_key(self, call: CallContext, params: FetchHybridKeysParams) -> FetchHybridKeysResult:
        """Number 0x0503; docs/spec has its rules."""

    async def proxy_resolve_user(self, call: CallContext, params: ResolveUserParams) -> ResolveUserResult:
        """Number 0x0504; docs/spec has its rules."""

    async def federation_health(self, call: CallContext, params: FederationHealthParams) -> FederationHealthResult:
        """The first call of every connection: it says which domain calls; the certificate has
        to name it."""

    async def relay_commit(self, call: CallContext, params: RelayCommitParams) -> SubmitCommitResult:
        """Number 0x0506; docs/spec has its rules."""

    async def relay_proposal(self, call: CallContext, params: RelayProposalParams) -> SubmitProposalResult:
        """Number 0x0507; docs/spec has its rules."""

    async def proxy_fetch_group_info(self, call: CallContext, params: ProxyGroupInfoParams) -> FetchGroupInfoResult:
        """Number 0x0508; docs/spec has its rules."""

    async def proxy_fetch_tree(self, call: CallContext, params: ProxyTreeParams) -> FetchTreeResult:
        """Number 0x0509; docs/spec has its rules."""

    async def proxy_fetch_blob(self, call: CallContext, params: DownloadBlobParams) -> DownloadBlobResult:
        """Number 0x050a; docs/spec has its rules."""

    async def purge_notice(self, call: CallContext, params: PurgeNoticeParams) -> PurgeNoticeResult:
        """Devices, or a whole account, of the calling domain are no more: their leaves are
        proposed for removal."""

    async def relay_create(self, call: CallContext, params: RelayCreateParams) -> CreateChannelResult:
        """Number 0x050c; docs/spec has its rules."""

    async def relay_reset(self, call: CallContext, params: RelayResetParams) -> ResetChannelResult:
        """Number 0x050d; docs/spec has its rules."""

    async def deliver_entries(self, call: CallContext, params: DeliverEntriesParams) -> DeliverEntriesResult:
        """Down: what the caller's channels have for devices of the called domain, in the order
        of the caller's box for it."""

    async def proxy_resolve_identity(self, call: CallContext, params: ResolveIdentityParams) -> ResolveIdentityResult:
        """Number 0x050f; docs/spec has its rules."""

    async def proxy_device_lists(self, call: CallContext, params: DeviceListsParams) -> DeviceListsResult:
        """Number 0x0510; docs/spec has its rules."""

    async def proxy_resolve_endpoint(self, call: CallContext, params: ResolveEndpointParams) -> ResolveEndpointResult:
        """Number 0x0511; docs/spec has its rules."""

    async def relay_signal(self, call: CallContext, params: RelaySignalParams) -> SignalResult:
        """Up, as relayEnqueue; stored nowhere, and tried once."""

    async def deliver_signal(self, call: CallContext, params: DeliverSignalParams) -> SignalResult:
        """Down, as deliverEntries, beside the box."""


class FederationInternalApi(Protocol):
    """What FederationInternal offers; each method may refuse."""

    async def call_peer(self, call: CallContext, params: CallPeerParams) -> CallPeerResult:
        """One of the methods above at another domain; its refusal is this call's."""

    async def describe_peer(self, call: CallContext, params: DescribePeerParams) -> FederationHealthResult:
        """Number 0x0581; docs/spec has its rules."""


METHODS: tuple[Method, ...] = (
    Method(
        number=0x0500,
        service="federation",
        name="relayEnqueue",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RelayEnqueueParams,
        result=EnqueueResult,
    ),
    Method(
        number=0x0501,
        service="federation",
        name="relayBatchEnqueue",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RelayBatchEnqueueParams,
        result=BatchEnqueueResult,
    ),
    Method(
        number=0x0502,
        service="federation",
        name="proxyFetchKeyPackage",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=False,
        keyed=True,
        frame_bytes_max=2097152,
        params=FetchKeyPackageParams,
        result=FetchKeyPackageResult,
    ),
    Method(
        number=0x0503,
        service="federation",
        name="proxyFetchHybridKey",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FetchHybridKeysParams,
        result=FetchHybridKeysResult,
    ),
    Method(
        number=0x0504,
        service="federation",
        name="proxyResolveUser",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResolveUserParams,
        result=ResolveUserResult,
    ),
    Method(
        number=0x0505,
        service="federation",
        name="federationHealth",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=FederationHealthParams,
        result=FederationHealthResult,
    ),
    Method(
        number=0x0506,
        service="federation",
        name="relayCommit",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=RelayCommitParams,
        result=SubmitCommitResult,
    ),
    Method(
        number=0x0507,
        service="federation",
        name="relayProposal",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=RelayProposalParams,
        result=SubmitProposalResult,
    ),
    Method(
        number=0x0508,
        service="federation",
        name="proxyFetchGroupInfo",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ProxyGroupInfoParams,
        result=FetchGroupInfoResult,
    ),
    Method(
        number=0x0509,
        service="federation",
        name="proxyFetchTree",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ProxyTreeParams,
        result=FetchTreeResult,
    ),
    Method(
        number=0x050A,
        service="federation",
        name="proxyFetchBlob",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DownloadBlobParams,
        result=DownloadBlobResult,
    ),
    Method(
        number=0x050B,
        service="federation",
        name="purgeNotice",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PurgeNoticeParams,
        result=PurgeNoticeResult,
    ),
    Method(
        number=0x050C,
        service="federation",
        name="relayCreate",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=RelayCreateParams,
        result=CreateChannelResult,
    ),
    Method(
        number=0x050D,
        service="federation",
        name="relayReset",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=RelayResetParams,
        result=ResetChannelResult,
    ),
    Method(
        number=0x050E,
        service="federation",
        name="deliverEntries",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=DeliverEntriesParams,
        result=DeliverEntriesResult,
    ),
    Method(
        number=0x050F,
        service="federation",
        name="proxyResolveIdentity",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResolveIdentityParams,
        result=ResolveIdentityResult,
    ),
    Method(
        number=0x0510,
        service="federation",
        name="proxyDeviceLists",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DeviceListsParams,
        result=DeviceListsResult,
    ),
    Method(
        number=0x0511,
        service="federation",
        name="proxyResolveEndpoint",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=ResolveEndpointParams,
        result=ResolveEndpointResult,
    ),
    Method(
        number=0x0512,
        service="federation",
        name="relaySignal",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=False,
        keyed=False,
        frame_bytes_max=2097152,
        params=RelaySignalParams,
        result=SignalResult,
    ),
    Method(
        number=0x0513,
        service="federation",
        name="deliverSignal",
        caller=CallerClass("peer"),
        by=(),
        streams=False,
        idempotent=False,
        keyed=False,
        frame_bytes_max=2097152,
        params=DeliverSignalParams,
        result=SignalResult,
    ),
    Method(
        number=0x0580,
        service="federation",
        name="callPeer",
        caller=CallerClass("service"),
        by=("delivery", "keystore", "blob"),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=8388608,
        params=CallPeerParams,
        result=CallPeerResult,
    ),
    Method(
        number=0x0581,
        service="federation",
        name="describePeer",
        caller=CallerClass("service"),
        by=("delivery",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DescribePeerParams,
        result=FederationHealthResult,
    ),
)
