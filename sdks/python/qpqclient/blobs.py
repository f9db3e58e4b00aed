"""Files: encrypted here, uploaded and downloaded in chunks, resumed where they stopped (docs/spec/content.md#files)."""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qpqclient.errors import DiskFull, FileDamaged
from qpqcore.api.blob import DownloadBlobParams, DownloadBlobResult, UploadBlobParams, UploadBlobResult
from qpqcore.api.content import ContentFile
from qpqcore.crypto.parts import u32, u64
from qpqcore.model.ids import make_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from hashlib import _Hash as Hash
    from pathlib import Path

    from qpqclient.core import Core
    from qpqclient.store import Store

SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
CHUNK_BYTES = 256 * 1024
AAD = b"qpq file v1"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
NAME_CHARS_MAX = 255


def safe_name(name: str) -> str:
    """Return a file name without separators and control characters."""
    plain = "".join(c for c in name.replace("/", "_").replace("\\", "_") if c.isprintable())
    return plain[:NAME_CHARS_MAX].lstrip(".") or "file"


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


def _hash_of(path: Path) -> tuple[bytes, int]:
    digest, total = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
            total += len(block)
    return digest.digest(), total


def _secrets_for(store: Store, sha256: bytes) -> tuple[bytes, bytes]:
    """Return key and read secret of an upload: those of one that was broken off, bound to the very same content."""
    rows = store.rows("SELECT key, secret FROM uploads WHERE sha256 = ?", sha256)
    if rows:
        return rows[0][0], rows[0][1]
    key, secret = secrets.token_bytes(32), secrets.token_bytes(16)
    store.db.execute("INSERT INTO uploads VALUES (?, ?, ?)", (sha256, key, secret))
    return key, secret


async def upload(core: Core, path: Path) -> ContentFile:
    """Encrypt and upload a file; return what the message carries. Goes on where an earlier try, or process, stopped."""
    sha256, size = _hash_of(path)
    key, secret = _secrets_for(core.store, sha256)
    cipher, plain, total = hashlib.sha256(), hashlib.sha256(), 0
    for piece in encrypted(path, key, plain):
        cipher.update(piece)
        total += len(piece)
    if plain.digest() != sha256:
        raise FileDamaged(f"{path.name} changed while it was read: try again")
    blob = make_id(cipher.digest(), (await core.link()).hello.domain)

    secret_hash = hashlib.sha256(secret).digest()

    async def put(offset: int, chunk: bytes) -> UploadBlobResult:
        params = UploadBlobParams(blob=blob, total_bytes=total, secret_hash=secret_hash, offset=offset, chunk=chunk)
        return await core.call(params, UploadBlobResult)

    there = (await put(0, b"")).received
    offset = 0
    for chunk in chunks(path, key):
        if offset + len(chunk) > there:
            await put(offset, chunk)
        offset += len(chunk)
    core.store.db.execute("DELETE FROM uploads WHERE sha256 = ?", (sha256,))
    return ContentFile(
        blob=blob, secret=secret, key=key, total_bytes=size, name=safe_name(path.name),
        mime=mimetypes.guess_type(path.name)[0] or "application/octet-stream", sha256=sha256,
    )  # fmt: skip


async def download(core: Core, file: ContentFile, to: Path) -> Path:
    """Download and decrypt a file into a folder or to a path; checked against its hash before it has its name."""
    target = to / safe_name(file.name) if to.is_dir() else to
    part = target.with_name(target.name + ".part")
    try:
        await _fetch(core, file, part)
    except OSError as exc:
        part.unlink(missing_ok=True)
        if exc.errno not in NO_ROOM:
            raise
        raise DiskFull("this machine's disk is full: make room, then download it again") from exc
    except FileDamaged:
        part.unlink(missing_ok=True)
        raise
    part.replace(target)
    return target


def sealed_bytes(plain_bytes: int) -> int:
    """Return the length of a file's ciphertext: a tag for each segment, and at least one segment."""
    return plain_bytes + TAG_BYTES * max(1, -(-plain_bytes // SEGMENT_BYTES))


async def _fetch(core: Core, file: ContentFile, part: Path) -> None:
    """Write a file's plaintext; FileDamaged when it is not what its sender named, its length included."""
    total, plain = sealed_bytes(file.total_bytes), hashlib.sha256()
    sealed, number, offset = b"", 0, 0
    try:
        aead = AESGCM(file.key)
        with part.open("wb") as out:
            while offset < total:
                params = DownloadBlobParams(blob=file.blob, secret=file.secret, offset=offset)
                got = await core.call(params, DownloadBlobResult)
                offset, sealed = offset + len(got.chunk), sealed + got.chunk
                if not got.chunk or offset > total:
                    raise FileDamaged("the file is not as long as its sender said")
                while len(sealed) > SEGMENT_BYTES + TAG_BYTES or (offset >= total and sealed):
                    segment, sealed = sealed[: SEGMENT_BYTES + TAG_BYTES], sealed[SEGMENT_BYTES + TAG_BYTES :]
                    last = offset >= total and not sealed
                    block = aead.decrypt(u64(number) + u32(1 if last else 0), segment, AAD)
                    plain.update(block)
                    out.write(block)
                    number += 1
    except (InvalidTag, ValueError) as exc:
        raise FileDamaged("the file does not decrypt: it is not what was sent") from exc
    if plain.digest() != file.sha256:
        raise FileDamaged("the file's hash is not the one that was sent")
