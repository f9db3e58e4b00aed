"""A database that is damaged, cut short, of another version or of another kind: opened or refused with a sentence.

Pages are encrypted and carry a MAC, so that bytes changed at random show one thing only. An input therefore says, in its
first bytes, which version the file really has, which one it claims, and which of its tables are gone, and then where
bytes are changed and where the file ends.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from qpqcore.store.connection import connect
from qpqcore.store.database import open_database
from qpqcore.store.errors import DatabaseError
from qpqcore.store.migrations import migrate, migrations_of
from tools.fuzz.target import SLOW_CPU_MS_MAX, Target, demand

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "qpqclient"
"""The package with the most migrations."""
KEY = b"k" * 32
WHOLE_FILE = 0xFF
"""As first byte: the rest is the file."""
PATCH_BYTES = 4
MADE_MAX = 64
"""Databases kept, of some 100 KiB each: the growth that a run watches for has to be the reader's."""


@cache
def _folder() -> Path:
    fast = Path("/dev/shm")  # noqa: S108 - thousands of small files that nobody keeps
    folder = Path(tempfile.mkdtemp(prefix="qpq-fuzz-", dir=fast if fast.is_dir() else None))
    atexit.register(partial(shutil.rmtree, folder, ignore_errors=True))
    return folder


@lru_cache(maxsize=MADE_MAX)
def _genuine(version: int, claimed: int, dropped: int) -> bytes:
    """Return a database with the first migrations applied, one table (counted from 1) dropped, another number written."""
    path = _folder() / "made.db"
    path.unlink(missing_ok=True)
    connection = connect(path, KEY)
    migrate(connection, migrations_of(PACKAGE)[:version], path)
    tables = [
        name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    if tables and dropped:
        connection.execute(f"DROP TABLE {tables[dropped % len(tables)]}")
    connection.execute(f"PRAGMA user_version = {claimed}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return path.read_bytes()


def _file_of(data: bytes) -> bytes:
    """Make the file that an input describes."""
    if data[:1] == bytes([WHOLE_FILE]):
        return data[1:]
    head, rest = data[:4].ljust(4, b"\0"), data[4:]
    version = head[0] % (len(migrations_of(PACKAGE)) + 1)
    claimed = version if head[1] == 0 else head[1] - 1
    file = bytearray(_genuine(version, claimed, head[2]))
    for at in range(0, len(rest) - PATCH_BYTES + 1, PATCH_BYTES):
        place = int.from_bytes(rest[at : at + 3], "big") % len(file)
        file[place] ^= rest[at + 3]
    return bytes(file[: len(file) - 512 * head[3]] if head[3] else file)


async def _open(path: Path) -> int:
    async with open_database(path, KEY, migrations_of(PACKAGE), inline=True) as database:
        return await database.read(lambda connection: int(connection.execute("PRAGMA user_version").fetchone()[0]))


def database(data: bytes) -> None:
    """Open the file as a service does: what opens is of the newest version."""
    place = _folder() / "opened"
    place.mkdir(exist_ok=True)
    try:
        path = place / "qpq.db"
        path.write_bytes(_file_of(data))
        version = trio.run(_open, path)
        demand(version == len(migrations_of(PACKAGE)), "a database opens that is not of the newest version")
    finally:
        shutil.rmtree(place)


def _seeds() -> Iterator[tuple[str, bytes]]:
    for version in range(len(migrations_of(PACKAGE)) + 1):
        yield f"version-{version}", bytes([version, 0, 0, 0])
    yield "newer", bytes([4, 10, 0, 0])
    yield "says-older", bytes([4, 3, 0, 0])
    yield "cut", bytes([4, 0, 0, 9])
    yield "patched", bytes([4, 0, 0, 0]) + b"\x00\x20\x00\x01"
    yield "text", bytes([WHOLE_FILE]) + b"SQLite format 3\0" + bytes(100)


TARGETS = (
    Target(
        name="database", what="a database file at start", run=database, errors=(DatabaseError,), seeds=_seeds, slow=True,
        cpu_ms_max=SLOW_CPU_MS_MAX, input_bytes_max=1_024,
    ),
)  # fmt: skip
