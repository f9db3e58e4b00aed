"""The contract of federation: its messages, methods and Protocol.

Generated from schemas/federation.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.api.blob import DownloadBlobParams, DownloadBlobResult
from qpqcore.api.delivery import (
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
from qpqcore.wire.message import decode, schema, structs

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

_file = schema("federation")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayEnqueueParams:
    """`RelayEnqueueParams` of schemas/federation.capnp."""

    sender: bytes = b""
    item: EnqueueParams | None = None
    log_number: int = 0
    targets: tuple[bytes, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.sender:
            m.sender = self.sender
        if self.item is not None:
            self.item.write(m.init("item"))
        m.logNumber = self.log_number
        if self.targets:
            m.targets = list(self.targets)

    @classmethod
    def read(cls, m: Any) -> RelayEnqueueParams:
        """Read from a message."""
        return cls(
            sender=m.sender,
            item=EnqueueParams.read(m.item) if m._has("item") else None,
            log_number=m.logNumber,
            targets=tuple(m.targets),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RelayEnqueueParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayEnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RelayEnqueueParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayBatchEnqueueParams:
    """`RelayBatchEnqueueParams` of schemas/federation.capnp."""

    items: tuple[RelayEnqueueParams, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.items:
            items = m.init("items", len(self.items))
            for i, item in enumerate(self.items):
                item.write(items[i])

    @classmethod
    def read(cls, m: Any) -> RelayBatchEnqueueParams:
        """Read from a message."""
        return cls(
            items=tuple([RelayEnqueueParams.read(x) for x in structs(m.items)]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RelayBatchEnqueueParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayBatchEnqueueParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RelayBatchEnqueueParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayCommitParams:
    """`RelayCommitParams` of schemas/federation.capnp."""

    sender: bytes = b""
    commit: SubmitCommitParams | None = None
    log_number: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.sender:
            m.sender = self.sender
        if self.commit is not None:
            self.commit.write(m.init("commit"))
        m.logNumber = self.log_number

    @classmethod
    def read(cls, m: Any) -> RelayCommitParams:
        """Read from a message."""
        return cls(
            sender=m.sender,
            commit=SubmitCommitParams.read(m.commit) if m._has("commit") else None,
            log_number=m.logNumber,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RelayCommitParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayCommitParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RelayCommitParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayProposalParams:
    """`RelayProposalParams` of schemas/federation.capnp."""

    sender: bytes = b""
    proposal: SubmitProposalParams | None = None
    log_number: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.sender:
            m.sender = self.sender
        if self.proposal is not None:
            self.proposal.write(m.init("proposal"))
        m.logNumber = self.log_number

    @classmethod
    def read(cls, m: Any) -> RelayProposalParams:
        """Read from a message."""
        return cls(
            sender=m.sender,
            proposal=SubmitProposalParams.read(m.proposal) if m._has("proposal") else None,
            log_number=m.logNumber,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.RelayProposalParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RelayProposalParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.RelayProposalParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyGroupInfoParams:
    """`ProxyGroupInfoParams` of schemas/federation.capnp."""

    device: bytes = b""
    params: FetchGroupInfoParams | None = None

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device:
            m.device = self.device
        if self.params is not None:
            self.params.write(m.init("params"))

    @classmethod
    def read(cls, m: Any) -> ProxyGroupInfoParams:
        """Read from a message."""
        return cls(
            device=m.device,
            params=FetchGroupInfoParams.read(m.params) if m._has("params") else None,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ProxyGroupInfoParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ProxyGroupInfoParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ProxyGroupInfoParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTreeParams:
    """`ProxyTreeParams` of schemas/federation.capnp."""

    device: bytes = b""
    params: FetchTreeParams | None = None

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.device:
            m.device = self.device
        if self.params is not None:
            self.params.write(m.init("params"))

    @classmethod
    def read(cls, m: Any) -> ProxyTreeParams:
        """Read from a message."""
        return cls(
            device=m.device,
            params=FetchTreeParams.read(m.params) if m._has("params") else None,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.ProxyTreeParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> ProxyTreeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.ProxyTreeParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeNoticeParams:
    """`PurgeNoticeParams` of schemas/federation.capnp."""

    account: bytes = b""
    devices: tuple[bytes, ...] = ()

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account
        if self.devices:
            m.devices = list(self.devices)

    @classmethod
    def read(cls, m: Any) -> PurgeNoticeParams:
        """Read from a message."""
        return cls(
            account=m.account,
            devices=tuple(m.devices),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeNoticeParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeNoticeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeNoticeParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeNoticeResult:
    """`PurgeNoticeResult` of schemas/federation.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> PurgeNoticeResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeNoticeResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeNoticeResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeNoticeResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationHealthParams:
    """`FederationHealthParams` of schemas/federation.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> FederationHealthParams:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FederationHealthParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FederationHealthParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FederationHealthParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationHealthResult:
    """`FederationHealthResult` of schemas/federation.capnp."""

    domain: str = ""
    version: str = ""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.domain:
            m.domain = self.domain
        if self.version:
            m.version = self.version

    @classmethod
    def read(cls, m: Any) -> FederationHealthResult:
        """Read from a message."""
        return cls(
            domain=m.domain,
            version=m.version,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.FederationHealthResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> FederationHealthResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.FederationHealthResult, data, cls.read)


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
