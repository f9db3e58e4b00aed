"""An archive: messages and what belongs to them in one sealed file, for another device of the account or for later.

Written and read in the memory of a few segments (docs/spec/recovery.md). Whoever has the key made it: it is believed, but
never past its form and its limits.
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

from qpqclient.errors import ArchiveDamaged
from qpqclient.vault import derive
from qpqcore.crypto.parts import vec
from qpqcore.crypto.segments import SEGMENT_BYTES, Sealer, SegmentBroken, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAGIC = b"qpq archive\0\1"
SALT_BYTES = 16
WRAP_BYTES_MAX = 256
ACCOUNT_BYTES_MAX = 16 + 255
LINE_BYTES_MAX = 1024 * 1024
"""Of one row: a message of 64 KiB, each character of which JSON writes with six, and its file's secrets."""
Row = list[Any]


def _key(key: bytes, salt: bytes) -> bytes:
    return derive(key, "qpq archive file v1", salt)


def write(path: Path, key: bytes, account: bytes, wrap: bytes, rows: Iterable[Row]) -> int:
    """Write an archive, readable by its owner alone; return how many rows it has. `wrap` stands in its head, in the clear."""
    salt, count = secrets.token_bytes(SALT_BYTES), 0
    head = MAGIC + vec(account) + vec(wrap) + salt
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(head)
        sealer = Sealer(_key(key, salt), head)
        squeeze = zlib.compressobj()
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_hex).encode() + b"\n"
            out.writelines(sealer.add(squeeze.compress(line)))
            count += 1
        out.writelines(sealer.add(squeeze.flush()))
        out.write(sealer.end())
        out.flush()
        os.fsync(out.fileno())
    return count


def _hex(value: object) -> dict[str, str]:
    assert isinstance(value, bytes)
    return {"x": value.hex()}


def _bytes(value: dict[str, Any]) -> bytes:
    return bytes.fromhex(value["x"])


def read_head(path: Path) -> tuple[bytes, bytes]:
    """Return (account, wrap) of an archive; ArchiveDamaged."""
    with path.open("rb") as file:
        account, wrap, _, _ = _head(file)
    return account, wrap


def _head(file: BinaryIO) -> tuple[bytes, bytes, bytes, bytes]:
    """Read account, wrap and salt, and return the whole head beside them."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ArchiveDamaged("this is no archive, or of a later version")
    parts = [_vec(file, ACCOUNT_BYTES_MAX), _vec(file, WRAP_BYTES_MAX)]
    salt = file.read(SALT_BYTES)
    head = MAGIC + b"".join(vec(part) for part in parts) + salt
    return parts[0], parts[1], salt, head


def _vec(file: BinaryIO, bytes_max: int) -> bytes:
    size = int.from_bytes(file.read(4), "big")
    if size > bytes_max:
        raise ArchiveDamaged("the archive's head makes no sense")
    return file.read(size)


def read(path: Path, key: bytes) -> Iterator[Row]:
    """Yield the rows of an archive; ArchiveDamaged, at the latest at its end, for one that was changed or cut off."""
    expand, line = zlib.decompressobj(), b""
    try:
        for segment in _opened(path, key):
            fresh = expand.decompress(segment, SEGMENT_BYTES)
            while fresh:
                *whole, line = (line + fresh).split(b"\n")
                yield from (_row(w) for w in whole)
                if len(line) > LINE_BYTES_MAX:
                    raise ArchiveDamaged("the archive has a row that is too long")
                fresh = expand.decompress(expand.unconsumed_tail, SEGMENT_BYTES)
    except zlib.error as exc:
        raise ArchiveDamaged("the archive cannot be unpacked") from exc
    if line or not expand.eof:
        raise ArchiveDamaged("the archive ends within a row")


def _opened(path: Path, key: bytes) -> Iterator[bytes]:
    with path.open("rb") as file:
        _, _, salt, head = _head(file)
        try:
            yield from opened(file.read, _key(key, salt), head)
        except SegmentBroken as exc:
            raise ArchiveDamaged("the archive was changed, cut off, or is another key's") from exc


def _row(line: bytes) -> Row:
    try:
        row = json.loads(line, object_hook=_bytes)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ArchiveDamaged("the archive has a row that cannot be read") from exc
    if not isinstance(row, list) or not row or not isinstance(row[0], str):
        raise ArchiveDamaged("the archive has a row that is none")
    return row
