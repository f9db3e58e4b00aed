"""Looks for traces of what was to be gone: in every table, in every decrypted page, in every byte of every file.

A page that a table does not use any more, or an older copy of one in a write-ahead log, is no row of any table: whoever
has the disk and the key reads it all the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from qpqcore.runtime import secrets
from qpqserver.embedded import beside, database_path
from tests.support.postgres import TABLES_OF, rows_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qpqcore.config.settings import Settings

SERVICES = ("auth", "keystore", "delivery", "blob")
OF_THE_GROUPS = frozenset(
    f"delivery.{table}" for table in ("leaves", "proposals", "channels", "log", "trees", "entries")
)
"""A group's tree and log name its members by their ids until the members have removed the leaf; no more of them."""
PAGE_BYTES = 4096
RESERVED_BYTES = 80
"""At the end of a SQLCipher 4 page: 16 bytes of IV, 64 of HMAC-SHA512."""
SALT_BYTES = 16
"""At the beginning of the first page, in the clear."""
WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24


def in_tables(settings: Settings, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
    """Return (service.table, canary) for each canary that a row of a table holds."""
    found = set()
    for service in SERVICES:
        for table, rows in _tables(settings, service):
            content = b"\0".join(_bytes(value) for row in rows for value in row)
            found |= {(f"{service}.{table}", c) for c in canaries if c in content}
    return found


def _tables(settings: Settings, service: str) -> Iterator[tuple[str, Iterable[tuple[object, ...]]]]:
    if settings.store_backend == "postgres":
        url = settings.database_url
        for (table,) in rows_in(url, service, TABLES_OF):
            yield table, rows_in(url, service, f"SELECT * FROM {table}")  # noqa: S608 - the schema's own names
        return
    with beside(settings, service) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            yield table, connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - the schema's own names


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def in_pages(settings: Settings, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
    """Return (file, canary) for each canary in a decrypted page of a database or its write-ahead log, used or not."""
    key = secrets.database_key(Path(settings.data_dir), settings.db_key)
    found = set()
    for service in SERVICES:
        path = database_path(settings, service)
        for file in (path, path.with_name(path.name + "-wal")):
            if file.exists():
                content = b"".join(pages(file, key))
                found |= {(file.name, c) for c in canaries if c in content}
    return found


def in_files(folder: Path, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
    """Return (file, canary) for each canary among the raw bytes, or in the name, of a file anywhere below a folder."""
    found = set()
    for path in (p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes() + b"\0" + path.name.encode()
        found |= {(str(path.relative_to(folder)), c) for c in canaries if c in content}
    return found


def pages(path: Path, key: bytes) -> Iterator[bytes]:
    """Yield the content of each page of a SQLCipher 4 database, or of each frame of its write-ahead log."""
    with path.open("rb") as file:
        wal = path.name.endswith("-wal")
        if wal:
            file.read(WAL_HEADER_BYTES)
        while True:
            number = int.from_bytes(file.read(FRAME_HEADER_BYTES)[:4]) if wal else file.tell() // PAGE_BYTES + 1
            page = file.read(PAGE_BYTES)
            if len(page) < PAGE_BYTES:
                return
            sealed = page[SALT_BYTES if number == 1 else 0 : -RESERVED_BYTES]
            iv = page[-RESERVED_BYTES:][:16]
            decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
            yield decryptor.update(sealed) + decryptor.finalize()
