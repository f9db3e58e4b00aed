"""The contract of blob: its messages, methods and Protocol.

Generated from schemas/blob.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

UPLOAD_BLOB_PARAMS_LAYOUT = Layout(
    3,
    3,
    None,
    [
        ("data", 0, None, None),
        ("uint64", 0, None, None),
        ("data", 1, None, None),
        ("uint64", 1, None, None),
        ("data", 2, None, None),
        ("uint32", 4, None, None),
    ],
)
UPLOAD_BLOB_RESULT_LAYOUT = Layout(
    3, 0, None, [("uint64", 0, None, None), ("bool", 64, None, None), ("uint64", 2, None, None)]
)
DOWNLOAD_BLOB_PARAMS_LAYOUT = Layout(
    2, 2, None, [("data", 0, None, None), ("data", 1, None, None), ("uint64", 0, None, None), ("uint32", 2, None, None)]
)
DOWNLOAD_BLOB_RESULT_LAYOUT = Layout(1, 1, None, [("data", 0, None, None), ("uint64", 0, None, None)])
STAT_BLOB_PARAMS_LAYOUT = Layout(0, 2, None, [("data", 0, None, None), ("data", 1, None, None)])
STAT_BLOB_RESULT_LAYOUT = Layout(
    4,
    0,
    None,
    [("uint64", 0, None, None), ("uint64", 1, None, None), ("bool", 128, None, None), ("uint64", 3, None, None)],
)
DELETE_BLOB_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
DELETE_BLOB_RESULT_LAYOUT = Layout(0, 0, None, [])
PURGE_BLOBS_PARAMS_LAYOUT = Layout(0, 1, None, [("data", 0, None, None)])
PURGE_BLOBS_RESULT_LAYOUT = Layout(1, 0, None, [("uint32", 0, None, None)])
BLOB_FOR_PEER_PARAMS_LAYOUT = Layout(
    0, 2, None, [("text", 0, None, None), ("struct", 1, None, DOWNLOAD_BLOB_PARAMS_LAYOUT)]
)


@record
class UploadBlobParams:
    """`UploadBlobParams` of schemas/blob.capnp."""

    blob: bytes = b""
    """SHA-256 of the ciphertext (32 bytes), then the domain"""
    total_bytes: int = 0
    """of the whole ciphertext"""
    secret_hash: bytes = b""
    """SHA-256 of the 16-byte read secret"""
    offset: int = 0
    chunk: bytes = b""
    """at most blobChunkBytes (256 KiB); empty: asks where to go on"""
    ttl_seconds: int = 0
    """0: the server's default (30 days); extends a blob of one's own"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.blob,
            self.total_bytes,
            self.secret_hash,
            self.offset,
            self.chunk,
            self.ttl_seconds,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> UploadBlobParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            blob=v[0],
            total_bytes=v[1],
            secret_hash=v[2],
            offset=v[3],
            chunk=v[4],
            ttl_seconds=v[5],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return UPLOAD_BLOB_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(UPLOAD_BLOB_PARAMS_LAYOUT, data, cls.from_values)


@record
class UploadBlobResult:
    """`UploadBlobResult` of schemas/blob.capnp."""

    received: int = 0
    complete: bool = False
    expires_ms: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.received,
            self.complete,
            self.expires_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> UploadBlobResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            received=v[0],
            complete=v[1],
            expires_ms=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return UPLOAD_BLOB_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(UPLOAD_BLOB_RESULT_LAYOUT, data, cls.from_values)


@record
class DownloadBlobParams:
    """`DownloadBlobParams` of schemas/blob.capnp."""

    blob: bytes = b""
    """SHA-256 of the ciphertext (32 bytes), then the domain"""
    secret: bytes = b""
    offset: int = 0
    max_bytes: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.blob,
            self.secret,
            self.offset,
            self.max_bytes,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DownloadBlobParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            blob=v[0],
            secret=v[1],
            offset=v[2],
            max_bytes=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DOWNLOAD_BLOB_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DownloadBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DOWNLOAD_BLOB_PARAMS_LAYOUT, data, cls.from_values)


@record
class DownloadBlobResult:
    """`DownloadBlobResult` of schemas/blob.capnp."""

    chunk: bytes = b""
    total_bytes: int = 0
    """of the whole ciphertext"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.chunk,
            self.total_bytes,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DownloadBlobResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            chunk=v[0],
            total_bytes=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DOWNLOAD_BLOB_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DownloadBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(DOWNLOAD_BLOB_RESULT_LAYOUT, data, cls.from_values)


@record
class StatBlobParams:
    """`StatBlobParams` of schemas/blob.capnp."""

    blob: bytes = b""
    """SHA-256 of the ciphertext (32 bytes), then the domain"""
    secret: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.blob,
            self.secret,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> StatBlobParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            blob=v[0],
            secret=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return STAT_BLOB_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> StatBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(STAT_BLOB_PARAMS_LAYOUT, data, cls.from_values)


@record
class StatBlobResult:
    """`StatBlobResult` of schemas/blob.capnp."""

    total_bytes: int = 0
    received: int = 0
    complete: bool = False
    expires_ms: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.total_bytes,
            self.received,
            self.complete,
            self.expires_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> StatBlobResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            total_bytes=v[0],
            received=v[1],
            complete=v[2],
            expires_ms=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return STAT_BLOB_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> StatBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(STAT_BLOB_RESULT_LAYOUT, data, cls.from_values)


@record
class DeleteBlobParams:
    """`DeleteBlobParams` of schemas/blob.capnp."""

    blob: bytes = b""
    """SHA-256 of the ciphertext (32 bytes), then the domain"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.blob,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeleteBlobParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            blob=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DELETE_BLOB_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(DELETE_BLOB_PARAMS_LAYOUT, data, cls.from_values)


@record
class DeleteBlobResult:
    """`DeleteBlobResult` of schemas/blob.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> DeleteBlobResult:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return DELETE_BLOB_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(DELETE_BLOB_RESULT_LAYOUT, data, cls.from_values)


@record
class PurgeBlobsParams:
    """`PurgeBlobsParams` of schemas/blob.capnp."""

    account: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.account,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeBlobsParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            account=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_BLOBS_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeBlobsParams:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_BLOBS_PARAMS_LAYOUT, data, cls.from_values)


@record
class PurgeBlobsResult:
    """`PurgeBlobsResult` of schemas/blob.capnp."""

    blobs: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (self.blobs,)

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> PurgeBlobsResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            blobs=v[0],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return PURGE_BLOBS_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeBlobsResult:
        """Decode one message; Refusal(malformed)."""
        return decode(PURGE_BLOBS_RESULT_LAYOUT, data, cls.from_values)


@record
class BlobForPeerParams:
    """`BlobForPeerParams` of schemas/blob.capnp."""

    domain: str = ""
    params: DownloadBlobParams | None = None

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.domain,
            None if self.params is None else self.params.to_values(),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> BlobForPeerParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            domain=v[0],
            params=None if v[1] is None else DownloadBlobParams.from_values(v[1]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return BLOB_FOR_PEER_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> BlobForPeerParams:
        """Decode one message; Refusal(malformed)."""
        return decode(BLOB_FOR_PEER_PARAMS_LAYOUT, data, cls.from_values)


class BlobApi(Protocol):
    """What Blob offers; each method may refuse."""

    async def upload_blob(self, call: CallContext, params: UploadBlobParams) -> UploadBlobResult:
        """The chunk at the next missing byte, or one of the next 4 MiB: it waits its turn, and
        with none stored for 2 s it is refused. Resumable; a repeat of a chunk already there is
        taken."""

    async def download_blob(self, call: CallContext, params: DownloadBlobParams) -> DownloadBlobResult:
        """Whoever has the read secret."""

    async def stat_blob(self, call: CallContext, params: StatBlobParams) -> StatBlobResult:
        """The read secret, or a session of the uploader's account."""

    async def delete_blob(self, call: CallContext, params: DeleteBlobParams) -> DeleteBlobResult:
        """Number 0x0403; docs/spec has its rules."""


class BlobInternalApi(Protocol):
    """What BlobInternal offers; each method may refuse."""

    async def purge_account(self, call: CallContext, params: PurgeBlobsParams) -> PurgeBlobsResult:
        """Number 0x0480; docs/spec has its rules."""

    async def for_peer(self, call: CallContext, params: BlobForPeerParams) -> DownloadBlobResult:
        """A download by another domain, of a blob of this one."""


METHODS: tuple[Method, ...] = (
    Method(
        number=0x0400,
        service="blob",
        name="uploadBlob",
        caller=CallerClass("device"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=UploadBlobParams,
        result=UploadBlobResult,
    ),
    Method(
        number=0x0401,
        service="blob",
        name="downloadBlob",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DownloadBlobParams,
        result=DownloadBlobResult,
    ),
    Method(
        number=0x0402,
        service="blob",
        name="statBlob",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=StatBlobParams,
        result=StatBlobResult,
    ),
    Method(
        number=0x0403,
        service="blob",
        name="deleteBlob",
        caller=CallerClass("owner"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=DeleteBlobParams,
        result=DeleteBlobResult,
    ),
    Method(
        number=0x0480,
        service="blob",
        name="purgeAccount",
        caller=CallerClass("service"),
        by=("auth",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=PurgeBlobsParams,
        result=PurgeBlobsResult,
    ),
    Method(
        number=0x0481,
        service="blob",
        name="forPeer",
        caller=CallerClass("service"),
        by=("federation",),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=BlobForPeerParams,
        result=DownloadBlobResult,
    ),
)
