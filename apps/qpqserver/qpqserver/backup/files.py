"""Puts a backup back into SQLCipher files.

1. New files are built beside the old ones (`.restoring`), whole and on the disk. A crash until then changes nothing; the next
   restore begins anew.
2. `data_dir/restore.json` names them: from then on the backup is what counts. Nobody but us has the folder (the files' locks).
3. Each takes its place. A crash in between is made good by whoever comes first: the next restore, or the server at its start
   (journal.py), which looks for that file before it opens anything.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpqcore.net.certificates import sync_folder, write_secret
from qpqcore.runtime import clock
from qpqcore.store.connection import STORE_ERRORS, connect
from qpqcore.store.database import locked as locked_database
from qpqcore.store.errors import DatabaseUnreadable
from qpqcore.store.migrations import migrate, migrations_of
from qpqserver.backup import check, places
from qpqserver.backup.errors import BackupError
from qpqserver.backup.journal import BESIDE, JOURNAL, finish_locked, locked
from qpqserver.backup.repair import statements
from qpqserver.stores import SERVICES, beside, database_path, files_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qpqcore.config.settings import Settings
    from qpqserver.backup.manifest import Manifest
    from qpqserver.backup.places import Places
    from qpqserver.backup.rows import Row, Table

STAGED = ".restoring"


def put_back(
    settings: Settings, folder: Path, manifest: Manifest, seed: bytes, secrets: dict[str, bytes], *, replace: bool
) -> None:
    """Put a backup's data and secrets into a folder whose server is stopped. BackupError, DatabaseError, OSError."""
    with locked(settings, fcntl.LOCK_EX), ExitStack() as held:
        try:
            finish_locked(settings)
        except BackupError:  # it cannot be read: what it had begun to put into place is replaced now
            (Path(settings.data_dir) / JOURNAL).unlink()
        for service in SERVICES:
            held.enter_context(locked_database(database_path(settings, service)))
        if not replace:
            _check_empty(settings)
        moves = [_build(settings, folder, manifest, service, seed) for service in SERVICES]
        moves += _stage(places.of(settings, None), secrets)
        write_secret(Path(settings.data_dir) / JOURNAL, json.dumps({"id": manifest.id, "moves": moves}).encode())
        finish_locked(settings)


def _check_empty(settings: Settings) -> None:
    if not database_path(settings, "auth").exists():
        return
    with beside(settings, "auth") as connection:
        has_accounts = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'accounts'").fetchone()
        if has_accounts and connection.execute("SELECT count(*) FROM accounts").fetchone()[0]:
            raise BackupError(f"there are accounts in {settings.data_dir}: --replace throws them away")


def _build(settings: Settings, folder: Path, manifest: Manifest, service: str, seed: bytes) -> tuple[str, str]:
    path, steps, known = database_path(settings, service), migrations_of(f"qpq{service}"), manifest.schemas[service]
    if known > len(steps):
        raise BackupError(
            f"the backup's {service} is at step {known}, this program knows {len(steps)}: use the newer one"
        )
    staged = path.with_name(path.name + STAGED)
    for rest in ("", *BESIDE):
        staged.with_name(staged.name + rest).unlink(missing_ok=True)
    with closing(connect(staged, files_key(settings))) as connection:
        migrate(connection, steps[:known], None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            _fill(connection, check.records(folder, manifest, service, seed))
            connection.execute("COMMIT")
            migrate(connection, steps, None)
            if service == "delivery":
                for statement in statements("sql", clock.now_ms()):
                    connection.execute(statement)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except STORE_ERRORS as exc:
            raise DatabaseUnreadable(f"{staged} cannot be filled: {exc}") from exc
    handle = os.open(staged, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(staged.parent)
    return str(staged.absolute()), str(path.absolute())


def _fill(connection: Any, records: Iterator[tuple[Table, Row | None]]) -> None:
    query = ""
    for table, row in records:
        if row is None:
            values = ", ".join("?" * len(table.columns))
            query = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({values})"  # noqa: S608 - names that `check` knows, columns of the schema
        else:
            connection.execute(query, row)


def _stage(where: Places, secrets: dict[str, bytes]) -> list[tuple[str, str]]:
    moves = []
    for name, data in secrets.items():
        path = where.path(name)
        staged = path.with_name(path.name + STAGED)
        write_secret(staged, data)
        moves.append((str(staged.absolute()), str(path.absolute())))
    return moves
