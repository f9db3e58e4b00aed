"""Files: encrypted here and uploaded in chunks, resumed where that stopped (docs/spec/content.md#files)."""

from __future__ import annotations

import hashlib
import mimetypes
import secrets
from typing import TYPE_CHECKING

import trio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qpqclient.errors import FileDamaged, QpqError, Refused
from qpqcore.api.blob import UploadBlobParams, UploadBlobResult
from qpqcore.api.content import ContentFile
from qpqcore.crypto.parts import u32, u64
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import make_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from hashlib import _Hash as Hash
    from pathlib import Path

    from qpqclient.core import Core
    from qpqclient.model import Progress
    from qpqclient.store import Store

SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
CHUNK_BYTES = 256 * 1024
UNDER_WAY = 8
"""Chunks of an upload under way at a time, at most: the server stores some while others travel, several in one commit."""
SOON_SECONDS = 2.0
"""A chunk that took less lets one more go, else they go one by one: a frame has 30 s, however many share the line."""
TRIES = 3
"""How often chunks that lost their order on the way, or their upload on the server, are begun with without coming further."""
AAD = b"qpq file v1"
NAME_BYTES_MAX = 200
"""File systems take 255, with what stands before or behind it while a file is on its way."""


def no_progress(_done_bytes: int, _total_bytes: int) -> None:
    """Tell nobody."""


def safe_name(name: str) -> str:
    """Return a file name without separators and control characters, short enough for any file system."""
    plain = "".join(c for c in name.replace("/", "_").replace("\\", "_") if c.isprintable())
    return plain.lstrip(".").encode()[:NAME_BYTES_MAX].decode(errors="ignore") or "file"


def segments_of(plain_bytes: int) -> int:
    """Return how many segments a file has: at least one."""
    return max(1, -(-plain_bytes // SEGMENT_BYTES))


def nonce(number: int, segments: int) -> bytes:
    """Return the nonce of a segment, which says whether it is the last."""
    return u64(number) + u32(1 if number == segments - 1 else 0)


def encrypted(path: Path, key: bytes, plain: Hash | None = None) -> Iterator[bytes]:
    """Yield the ciphertext of a file, segment by segment; `plain` is fed with what is read."""
    aead = AESGCM(key)
    with path.open("rb") as file:
        number, segment = 0, file.read(SEGMENT_BYTES)
        while True:
            if plain is not None:
                plain.update(segment)
            following = file.read(SEGMENT_BYTES)
            yield aead.encrypt(u64(number) + u32(0 if following else 1), segment, AAD)
            if not following:
                return
            number, segment = number + 1, following


def chunks(path: Path, key: bytes) -> Iterator[bytes]:
    """Yield the ciphertext in chunks."""
    buffer = b""
    for piece in encrypted(path, key):
        buffer += piece
        while len(buffer) >= CHUNK_BYTES:
            yield buffer[:CHUNK_BYTES]
            buffer = buffer[CHUNK_BYTES:]
    if buffer:
        yield buffer


def _hash_of(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
    return digest.digest()


def _measured(path: Path, key: bytes) -> tuple[bytes, bytes, int, int]:
    """Return the hash of the ciphertext, that of the plaintext, and the length of both. Some seconds for a large file: for a thread."""
    cipher, plain, total, segments = hashlib.sha256(), hashlib.sha256(), 0, 0
    for piece in encrypted(path, key, plain):
        cipher.update(piece)
        total, segments = total + len(piece), segments + 1
    return cipher.digest(), plain.digest(), total, total - TAG_BYTES * segments


async def _secrets_for(store: Store, path: Path) -> tuple[bytes, bytes, bytes]:
    """Return key and read secret of an upload, and the hash of the content that they are bound to.

    They are fresh and bound to nothing, unless some upload was broken off: then the file is hashed, which may be that one's.
    """
    if store.rows("SELECT 1 FROM uploads LIMIT 1"):
        sha256 = await trio.to_thread.run_sync(_hash_of, path)
        for key, secret in store.rows("SELECT key, secret FROM uploads WHERE sha256 = ?", sha256):
            return key, secret, sha256
    return secrets.token_bytes(32), secrets.token_bytes(16), b""


async def upload(
    core: Core, path: Path, progress: Progress = no_progress, *, ttl_seconds: int = 0
) -> ContentFile:  # fmt: skip
    """Encrypt and upload a file; return what the message carries. Goes on where an earlier try, or process, stopped.

    `progress` is told how many bytes of how many the server has.
    `ttl_seconds`: how long the server keeps it; 0: as long as it does by itself.
    """
    key, secret, bound = await _secrets_for(core.store, path)
    cipher, sha256, total, size = await trio.to_thread.run_sync(_measured, path, key)
    if bound and bound != sha256:
        raise FileDamaged(f"{path.name} changed while it was read: try again")
    core.store.db.execute("INSERT OR IGNORE INTO uploads VALUES (?, ?, ?)", (sha256, key, secret))
    blob = make_id(cipher, (await core.link()).hello.domain)

    secret_hash = hashlib.sha256(secret).digest()

    async def put(offset: int, chunk: bytes) -> UploadBlobResult:
        params = UploadBlobParams(
            blob=blob, total_bytes=total, secret_hash=secret_hash, offset=offset, chunk=chunk, ttl_seconds=ttl_seconds
        )  # fmt: skip
        answer = await core.call(params, UploadBlobResult)
        progress(min(answer.received, total), total)
        return answer

    there, left = -1, TRIES
    while True:
        received = (await put(0, b"")).received
        there, left = (received, TRIES) if received > there else (there, left)
        try:
            await _send(chunks(path, key), received, put)
            break
        except Refused as exc:
            left -= 1
            if exc.code is not ErrorCode.BLOB_OFFSET or not left:
                raise
        present = await trio.to_thread.run_sync(_hash_of, path)
        if present != sha256:  # other content under the same key would give both away
            raise FileDamaged(f"{path.name} changed while it was sent: try again")
    core.store.db.execute("DELETE FROM uploads WHERE sha256 = ?", (sha256,))
    return ContentFile(
        blob=blob, secret=secret, key=key, total_bytes=size, name=safe_name(path.name),
        mime=mimetypes.guess_type(path.name)[0] or "application/octet-stream", sha256=sha256,
    )  # fmt: skip


async def _send(pieces: Iterator[bytes], there: int, put: Callable[[int, bytes], Awaitable[UploadBlobResult]]) -> None:
    """Upload what is not there yet, several chunks at a time; raise the error of the first that failed."""
    under_way, failed, offset = trio.CapacityLimiter(1), dict[int, QpqError](), 0

    async def one(offset: int, chunk: bytes) -> None:
        begun_s = trio.current_time()
        try:
            await put(offset, chunk)
            soon = trio.current_time() - begun_s < SOON_SECONDS
            under_way.total_tokens = min(UNDER_WAY, under_way.total_tokens + 1) if soon else 1
        except QpqError as exc:
            failed[offset] = exc
        finally:
            under_way.release_on_behalf_of(offset)

    async with trio.open_nursery() as nursery:
        for chunk in pieces:
            if offset + len(chunk) > there:
                await under_way.acquire_on_behalf_of(offset)
                if failed:
                    break
                nursery.start_soon(one, offset, chunk)
            offset += len(chunk)
    if failed:
        raise failed[min(failed)]
