"""The store the blob service needs, said without naming a database. Each method is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob, complete or on its way."""

    blob: bytes
    account: bytes
    total_bytes: int
    received: int
    complete: bool
    secret_hash: bytes
    expires_ms: int


class Store(Protocol):
    """Blobs and their chunks."""

    async def blob(self, blob: bytes) -> Blob | None:
        """Return a blob."""

    async def begin(self, fresh: Blob, account_bytes_max: int) -> Blob:
        """Begin an upload, or return the one that is there. Refusal(blobQuota)."""

    async def append(self, blob: bytes, offset: int, chunks: Sequence[bytes], expires_ms: int) -> Blob:
        """Append chunks at `offset`, all or none. Refusal(blobOffset) where that is not the end, Refusal(notFound)."""

    async def chunk(self, blob: bytes, offset: int, bytes_max: int) -> bytes:
        """Return up to `bytes_max` bytes from `offset`."""

    async def complete(self, blob: bytes, expires_ms: int) -> Blob:
        """Mark a blob whose hash has been verified."""

    async def extend(self, blob: bytes, expires_ms: int) -> Blob:
        """Let a blob live longer, never shorter."""

    async def delete(self, blob: bytes) -> None:
        """Drop a blob with its chunks."""

    async def purge(self, account: bytes) -> int:
        """Drop an account's blobs; return how many."""

    async def stored_bytes(self) -> int:
        """Return how many bytes of blobs are there."""

    async def sweep(self, now_ms: int) -> int:
        """Drop blobs whose time is over; a bounded number; return how many."""
