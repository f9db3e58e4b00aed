"""The contract of blob: its messages, methods and Protocol.

Generated from schemas/blob.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.model.method import CallerClass, Method
from qpqcore.wire.message import decode, schema

if TYPE_CHECKING:
    from qpqcore.model.call import CallContext

_file = schema("blob")


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.blob:
            m.blob = self.blob
        m.totalBytes = self.total_bytes
        if self.secret_hash:
            m.secretHash = self.secret_hash
        m.offset = self.offset
        if self.chunk:
            m.chunk = self.chunk
        m.ttlSeconds = self.ttl_seconds

    @classmethod
    def read(cls, m: Any) -> UploadBlobParams:
        """Read from a message."""
        return cls(
            blob=m.blob,
            total_bytes=m.totalBytes,
            secret_hash=m.secretHash,
            offset=m.offset,
            chunk=m.chunk,
            ttl_seconds=m.ttlSeconds,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.UploadBlobParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.UploadBlobParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadBlobResult:
    """`UploadBlobResult` of schemas/blob.capnp."""

    received: int = 0
    complete: bool = False
    expires_ms: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.received = self.received
        m.complete = self.complete
        m.expiresMs = self.expires_ms

    @classmethod
    def read(cls, m: Any) -> UploadBlobResult:
        """Read from a message."""
        return cls(
            received=m.received,
            complete=m.complete,
            expires_ms=m.expiresMs,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.UploadBlobResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> UploadBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.UploadBlobResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadBlobParams:
    """`DownloadBlobParams` of schemas/blob.capnp."""

    blob: bytes = b""
    """SHA-256 of the ciphertext (32 bytes), then the domain"""
    secret: bytes = b""
    offset: int = 0
    max_bytes: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.blob:
            m.blob = self.blob
        if self.secret:
            m.secret = self.secret
        m.offset = self.offset
        m.maxBytes = self.max_bytes

    @classmethod
    def read(cls, m: Any) -> DownloadBlobParams:
        """Read from a message."""
        return cls(
            blob=m.blob,
            secret=m.secret,
            offset=m.offset,
            max_bytes=m.maxBytes,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DownloadBlobParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DownloadBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DownloadBlobParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadBlobResult:
    """`DownloadBlobResult` of schemas/blob.capnp."""

    chunk: bytes = b""
    total_bytes: int = 0
    """of the whole ciphertext"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.chunk:
            m.chunk = self.chunk
        m.totalBytes = self.total_bytes

    @classmethod
    def read(cls, m: Any) -> DownloadBlobResult:
        """Read from a message."""
        return cls(
            chunk=m.chunk,
            total_bytes=m.totalBytes,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DownloadBlobResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DownloadBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DownloadBlobResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatBlobParams:
    """`StatBlobParams` of schemas/blob.capnp."""

    blob: bytes = b""
    """SHA-256 of the ciphertext (32 bytes), then the domain"""
    secret: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.blob:
            m.blob = self.blob
        if self.secret:
            m.secret = self.secret

    @classmethod
    def read(cls, m: Any) -> StatBlobParams:
        """Read from a message."""
        return cls(
            blob=m.blob,
            secret=m.secret,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.StatBlobParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> StatBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.StatBlobParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatBlobResult:
    """`StatBlobResult` of schemas/blob.capnp."""

    total_bytes: int = 0
    received: int = 0
    complete: bool = False
    expires_ms: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.totalBytes = self.total_bytes
        m.received = self.received
        m.complete = self.complete
        m.expiresMs = self.expires_ms

    @classmethod
    def read(cls, m: Any) -> StatBlobResult:
        """Read from a message."""
        return cls(
            total_bytes=m.totalBytes,
            received=m.received,
            complete=m.complete,
            expires_ms=m.expiresMs,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.StatBlobResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> StatBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.StatBlobResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBlobParams:
    """`DeleteBlobParams` of schemas/blob.capnp."""

    blob: bytes = b""
    """SHA-256 of the ciphertext (32 bytes), then the domain"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.blob:
            m.blob = self.blob

    @classmethod
    def read(cls, m: Any) -> DeleteBlobParams:
        """Read from a message."""
        return cls(
            blob=m.blob,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeleteBlobParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteBlobParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeleteBlobParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBlobResult:
    """`DeleteBlobResult` of schemas/blob.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> DeleteBlobResult:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.DeleteBlobResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> DeleteBlobResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.DeleteBlobResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeBlobsParams:
    """`PurgeBlobsParams` of schemas/blob.capnp."""

    account: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.account:
            m.account = self.account

    @classmethod
    def read(cls, m: Any) -> PurgeBlobsParams:
        """Read from a message."""
        return cls(
            account=m.account,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeBlobsParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeBlobsParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeBlobsParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeBlobsResult:
    """`PurgeBlobsResult` of schemas/blob.capnp."""

    blobs: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.blobs = self.blobs

    @classmethod
    def read(cls, m: Any) -> PurgeBlobsResult:
        """Read from a message."""
        return cls(
            blobs=m.blobs,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.PurgeBlobsResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> PurgeBlobsResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.PurgeBlobsResult, data, cls.read)


class BlobApi(Protocol):
    """What Blob offers; each method may refuse."""

    async def upload_blob(self, call: CallContext, params: UploadBlobParams) -> UploadBlobResult:
        """One chunk at the next missing byte; resumable; a repeat of a chunk already there is
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
)
