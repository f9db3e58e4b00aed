"""Numbered migrations: plain SQL in the files `migrations/NNNN_name.sql` of the package that owns the tables.

The number of the last one applied is the database's `user_version`. Each is one transaction. Before an
existing file is changed, a copy is laid beside it.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from qpqcore.store.connection import STORE_ERRORS, is_disk_full
from qpqcore.store.errors import DatabaseBusy, DatabaseTooNew, DatabaseUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qpqcore.store.connection import Connection

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; numbers begin at 1 and leave no gap."""

    number: int
    sql: str


def migrations_of(package: str, folder: str = "migrations") -> tuple[Migration, ...]:
    """Return the migrations that `package` carries, in order."""
    found = []
    for file in (resources.files(package) / folder).iterdir():
        match = _NAME.match(file.name)
        if match:
            found.append(Migration(int(match[1]), file.read_text(encoding="utf-8")))
    found.sort(key=lambda m: m.number)
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations of {package} are not numbered 1 to {len(found)}")
    return tuple(found)


def migrate(connection: Connection, migrations: Sequence[Migration], path: Path | None) -> None:
    """Bring the schema to the last migration.

    Raises DatabaseTooNew if it is past it, DatabaseUnreadable if its tables are not those that its version says, DatabaseBusy
    if a reader is in the way of a whole copy for BUSY_MS.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise DatabaseTooNew(
            f"{path or 'the database'} has schema {version}; this program knows {len(migrations)}: use the newer one"
        )
    if version and version < len(migrations) and path is not None:
        is_held, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_held:  # what a reader's snapshot keeps in the log would be missing in the copy
            raise DatabaseBusy(f"{path} is read by another process (a backup?): start again when that has ended")
        _copy(path, path.with_name(f"{path.name}.before-{version + 1}"))
    for migration in migrations[version:]:
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{migration.sql}\n;PRAGMA user_version = {migration.number};\nCOMMIT;"
            )
        except BaseException as exc:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(exc, STORE_ERRORS) and not is_disk_full(exc):
                raise DatabaseUnreadable(
                    f"{path or 'the database'} cannot be brought to schema {migration.number}: {exc}"
                ) from exc
            raise


def _copy(path: Path, to: Path) -> None:
    """Copy a file beside it, and have the copy and its name on the disk before anything is changed."""
    shutil.copy2(path, to)
    for written in (to, to.parent):
        handle = os.open(written, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
