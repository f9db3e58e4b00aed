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
    ENQUEUE_PARAMS_LAYOUT,
    FETCH_GROUP_INFO_PARAMS_LAYOUT,
    FETCH_TREE_PARAMS_LAYOUT,
    SUBMIT_COMMIT_PARAMS_LAYOUT,
    SUBMIT_PROPOSAL_PARAMS_LAYOUT,
    BatchEnqueueResult,
    EnqueueParams,
    EnqueueResult,
    FetchGroupInfoParams,
    FetchGroupInfoResult,
    FetchTreeParams,
    FetchTreeResult,
    SubmitCommitParams,
    SubmitCommitResult,
    SubmitProposalParams,
    SubmitProposalResult,
)
from qpqcore.api.keystore import (
    FetchHybridKeysParams,
    FetchHybridKeysResult,
    FetchKeyPackageParams,
    FetchKeyPackageResult,
    ResolveUserParams,
    ResolveUserResult,
)
from qpqcore.model.method import CallerClass, Method
from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

RELAY_ENQUEUE_PARAMS_LAYOUT = Layout(
    1,
    3,
    None,
    [
        ("data", 0, None, None),
        ("struct", 1, None, ENQUEUE_PARAMS_LAYOUT),
        ("uint64", 0, None, None),
        ("list data", 2, None, None),
    ],
)
RELAY_BATCH_ENQUEUE_PARAMS_LAYOUT = Layout(0, 1, None, [("list struct", 0, None, RELAY_ENQUEUE_PARAMS_LAYOUT)])
RELAY_COMMIT_PARAMS_LAYOUT = Layout(
    1, 2, None, [("data", 0, None, None), ("struct", 1, None, SUBMIT_COMMIT_PARAMS_LAYOUT), ("uint64", 0, None, None)]
)
RELAY_PROPOSAL_PARAMS_LAYOUT = Layout(
    1, 2, None, [("data", 0, None, None), ("struct", 1, None, SUBMIT_PROPOSAL_PARAMS_LAYOUT), ("uint64", 0, None, None)]
)
PROXY_GROUP_INFO_PARAMS_LAYOUT = Layout(
    0, 2, None, [("data", 0, None, None), ("struct", 1, None, FETCH_GROUP_INFO_PARAMS_LAYOUT)]
)
PROXY_TREE_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("struct", 1, None, FETCH_TREE_PARAMS_LAYOUT)])
PURGE_NOTICE_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("list data", 1, None, None)])
PURGE_NOTICE_RESULT_LAYOUT = Layout(0, 0, None, [])
FEDERATION_HEALTH_PARAMS_LAYOUT = Layout(0, 0, None, [])
FEDERATION_HEALTH_RESULT_LAYOUT = Layout(0, 2, None, [("text", 0, None, None), ("text", 1, None, None)])


@record
class RelayEnqueueParams:
    """`RelayEnqueueParams` of schemas/federation.capnp."""

    sender: bytes = b""
    item: EnqueueParams | None = None
    log_number: int = 0
    targets: tuple[bytes, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.sender,
            None if self.item is None else self.item.to_values(),
            self.log_number,
            tuple(self.targets),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayEnqueueParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=v[0],
            item=None if v[1] is None else EnqueueParams.from_values(v[1]),
            log_number=v[2],
            targets=v[3],
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

    items: tuple[RelayEnqueueParams, ...] = ()

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (tuple([x.to_values() for x in self.items]),)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayBatchEnqueueParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            items=tuple([RelayEnqueueParams.from_values(x) for x in v[0]]),
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

    sender: bytes = b""
    commit: SubmitCommitParams | None = None
    log_number: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.sender,
            None if self.commit is None else self.commit.to_values(),
            self.log_number,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayCommitParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=v[0],
            commit=None if v[1] is None else SubmitCommitParams.from_values(v[1]),
            log_number=v[2],
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

    sender: bytes = b""
    proposal: SubmitProposalParams | None = None
    log_number: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.sender,
            None if self.proposal is None else self.proposal.to_values(),
            self.log_number,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> RelayProposalParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            sender=v[0],
            proposal=None if v[1] is None else SubmitProposalParams.from_values(v[1]),
            log_number=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return RELAY_PROPOSAL_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayProposalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(RELAY_PROPOSAL_PARAMS_LAYOUT, data, cls.from_values)


@record
class ProxyGroupInfoParams:
    """`ProxyGroupInfoParams` of schemas/federation.capnp."""

    device: bytes = b""
    params: FetchGroupInfoParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.device,
            None if self.params is None else self.params.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ProxyGroupInfoParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=v[0],
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

    device: bytes = b""
    params: FetchTreeParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.device,
            None if self.params is None else self.params.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> ProxyTreeParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            device=v[0],
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
class PurgeNoticeParams:
    """`PurgeNoticeParams` of schemas/federation.capnp."""

    account: bytes = b""
    devices: tuple[bytes, ...] = ()

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
class FederationHealthParams:
    """`FederationHealthParams` of schemas/federation.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FederationHealthParams:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

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
    version: str = ""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            self.version,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> FederationHealthResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            version=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return FEDERATION_HEALTH_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> FederationHealthResult:
        """Decode one message; Refusal(malformed)."""
        return decode(FEDERATION_HEALTH_RESULT_LAYOUT, data, cls.from_values)


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
        """Number 0x0505; docs/spec has its rules."""

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
        """Number 0x050b; docs/spec has its rules."""


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
        keyed=False,
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
        frame_bytes_max=2097152,
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
)
