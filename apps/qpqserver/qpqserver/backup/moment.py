"""One moment of all stores, read while the server writes on.

SQLCipher: nobody writes to any of the four files for the milliseconds in which a reader of each is begun; what they read from
then on is that moment. PostgreSQL: one transaction that sees one snapshot, over all four schemas.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from qpqcore.store.connection import STORE_ERRORS, connect
from qpqcore.store.errors import DatabaseBusy, DatabaseUnreadable
from qpqserver.backup.contents import ONLY, TABLES
from qpqserver.backup.rows import Table
from qpqserver.stores import SERVICES, database_path, files_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qpqcore.config.settings import Settings
    from qpqserver.backup.create import Making
    from qpqserver.backup.rows import Row


class FilesMoment:
    """What the files hold at one moment."""

    def __init__(self, readers: dict[str, Any]) -> None:
        self._readers = readers

    def write_to(self, making: Making) -> None:
        """Write all that a backup has. DatabaseUnreadable, OSError."""
        for service in SERVICES:
            step = int(self._readers[service].execute("PRAGMA user_version").fetchone()[0])
            with making.data(service, step) as writer:
                for table in self._tables(service):
                    writer.table(table)
                    for row in self._rows(service, table):
                        writer.row(row)

    def _tables(self, service: str) -> list[Table]:
        found = []
        for name in TABLES[service]:
            columns = tuple(row[1] for row in self._readers[service].execute(f"PRAGMA table_info({name})"))
            if columns:
                found.append(Table(name, columns))
        return found

    def _rows(self, service: str, table: Table) -> Iterator[Row]:
        where = ONLY.get((service, table.name), "1")
        query = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {where}"  # noqa: S608 - names of the schema's own
        try:
            yield from self._readers[service].execute(query)
        except STORE_ERRORS as exc:
            raise DatabaseUnreadable(f"{table.name} of {service} cannot be read: {exc}") from exc


@contextmanager
def of_files(settings: Settings) -> Iterator[FilesMoment]:
    """Hold one moment of the files, whether a server has them open or not. DatabaseUnreadable, DatabaseBusy."""
    key = files_key(settings)
    with ExitStack() as readers, ExitStack() as writers:
        found: dict[str, Any] = {}
        for service in SERVICES:
            path = database_path(settings, service)
            if not path.exists():
                raise DatabaseUnreadable(f"{path}: no server has been here yet")
            writer = connect(path, key)
            writers.callback(writer.close)
            try:
                writer.execute("BEGIN IMMEDIATE")
            except STORE_ERRORS as exc:
                raise DatabaseBusy(f"{path} is being written to for too long: try again") from exc
        for service in SERVICES:
            reader = connect(database_path(settings, service), key, read_only=True)
            readers.callback(reader.close)
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it sees this moment
            found[service] = reader
        writers.close()  # who wrote nothing undoes nothing
        yield FilesMoment(found)
