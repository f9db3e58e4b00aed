"""A sealed file: a key of its own, sealed to an X-Wing key, and a stream in segments under it.

    "qpq backup" || 0x00 || u8 version = 1 || vec(name) || vec(16 bytes backup's id) || vec(sealed file key) || segments

The segments are those of qpqcore.crypto.segments: one that was changed, moved, taken from another backup or cut off does not open.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from qpqcore.crypto import segments
from qpqcore.crypto.hybrid import open_with, seal_to
from qpqcore.crypto.parts import signed_string, vec
from qpqcore.crypto.segments import SegmentBroken
from qpqcore.model.errors import Refusal
from qpqserver.backup.errors import BackupBroken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"qpq backup\0\1"
LABEL = "qpq backup v1"
KEY_BYTES = 32
PART_BYTES_MAX = 4_096
"""Of a part of the head: the sealed key has some 1,200."""


class Sealed:
    """A file that is being written."""

    def __init__(self, out: BinaryIO, key: bytes, head: bytes) -> None:
        self._out, self._sealer = out, segments.Sealer(key, head)
        self.sha256 = hashlib.sha256(head)
        self.bytes = len(head)

    def add(self, data: bytes) -> None:
        """Add bytes of the stream."""
        for sealed in self._sealer.add(data):
            self._write(sealed)

    def close(self) -> None:
        """Seal what is left as the last segment."""
        self._write(self._sealer.end())

    def _write(self, sealed: bytes) -> None:
        self._out.write(sealed)
        self.sha256.update(sealed)
        self.bytes += len(sealed)


@contextmanager
def sealing(path: Path, public: bytes, name: str, ident: bytes) -> Iterator[Sealed]:
    """Write a sealed file; it is whole and on the disk when the block is left without an error."""
    key = secrets.token_bytes(KEY_BYTES)
    place = vec(name.encode()) + vec(ident)
    head = MAGIC + place + vec(seal_to(public, key, signed_string(LABEL) + place))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(head)
        sealed = Sealed(out, key, head)
        yield sealed
        sealed.close()
        out.flush()
        os.fsync(out.fileno())


def opened(path: Path, seed: bytes, name: str, ident: bytes) -> Iterator[bytes]:
    """Yield the stream of a sealed file, segment by segment. BackupBroken."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupBroken(f"{name}: not a file of a backup, or of a later version")
        parts = [_part(file, name) for _ in range(3)]
        if parts[:2] != [name.encode(), ident]:
            raise BackupBroken(f"{name}: another file of a backup, or of another one")
        place = vec(parts[0]) + vec(parts[1])
        try:
            key = open_with(seed, parts[2], signed_string(LABEL) + place)
        except Refusal as exc:
            raise BackupBroken(f"{name}: the key does not open it") from exc
        try:
            yield from segments.opened(file.read, key, MAGIC + place + vec(parts[2]))
        except SegmentBroken as exc:
            raise BackupBroken(f"{name}: segment {exc.number} was changed, or the file was cut off") from exc


def _part(file: BinaryIO, name: str) -> bytes:
    size = int.from_bytes(file.read(4), "big")
    if size > PART_BYTES_MAX:
        raise BackupBroken(f"{name}: its head makes no sense")
    return file.read(size)
