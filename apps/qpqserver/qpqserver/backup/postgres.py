"""Backups of PostgreSQL: read in one snapshot of all four schemas, put back in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.runtime import clock
from qpqcore.store.postgres.direct import run
from qpqcore.store.postgres.distribute import is_distributed
from qpqcore.store.postgres.migrate import LOCK, RECORD, grant, take_step
from qpqcore.store.postgres.schemas import ROUTED, Schema, schema_of
from qpqserver.backup import check
from qpqserver.backup.contents import ONLY_POSTGRES, TABLES
from qpqserver.backup.errors import BackupError
from qpqserver.backup.repair import statements
from qpqserver.backup.rows import Table
from qpqserver.stores import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qpqserver.backup.create import Making
    from qpqserver.backup.manifest import Manifest
    from qpqserver.backup.rows import Row

NAME = "qpqctl backup"
COLUMNS = (
    "SELECT column_name::text FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2 "
    "ORDER BY ordinal_position"
)
AT_WORK = (
    "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND (usename::text = ANY($1::text[]) OR application_name = ANY($1::text[]))"
)
HAS_ROLE = "SELECT 1 FROM pg_roles WHERE rolname = $1"
PAGE_ROWS = 200
"""Rows read, and put back, at a time: of chunks, 50 MB."""


def write_to(url: str, making: Making) -> None:
    """Write all that a backup has, out of one snapshot. BackupError, DatabaseError, OSError."""

    async def body(connection: Any) -> None:
        await _check_one_server(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for service in SERVICES:
                with making.data(service, await _step(connection, service)) as writer:
                    for table in await _tables(connection, service):
                        writer.table(table)
                        async for row in _rows(connection, service, table):
                            writer.row(row)

    run(url, body, name=NAME)


async def _check_one_server(connection: Any) -> None:
    """No snapshot goes over the nodes of Citus, and no transaction of ours puts back what lies on several."""
    for service in SERVICES:
        if await is_distributed(connection, schema_of(service)):
            raise BackupError(
                "the tables are distributed by Citus, over whose nodes no snapshot goes: back up every node by itself "
                "(docs/operate/postgresql.md#citus)"
            )


async def _step(connection: Any, service: str) -> int:
    if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"qpq_{service}.migrations"):
        raise BackupError(f"there is no schema qpq_{service}: run `qpqctl migrate`")
    return int(await connection.fetchval(f"SELECT coalesce(max(number), 0) FROM qpq_{service}.migrations"))  # noqa: S608 - ours


async def _tables(connection: Any, service: str) -> list[Table]:
    found = []
    for name in TABLES[service]:
        columns = [row[0] for row in await connection.fetch(COLUMNS, f"qpq_{service}", name)]
        if columns:
            found.append(Table(name, tuple(columns)))
    return found


def _rows(connection: Any, service: str, table: Table) -> Any:
    where = ONLY_POSTGRES.get((service, table.name), "true")
    columns = ", ".join(f'"{column}"' for column in table.columns)
    query = f"SELECT {columns} FROM qpq_{service}.{table.name} WHERE {where}"  # noqa: S608 - names of the schema's own
    return connection.cursor(query, prefetch=PAGE_ROWS)


def put_back(url: str, folder: Path, manifest: Manifest, seed: bytes, *, replace: bool) -> None:
    """Put a backup's data into PostgreSQL, in one transaction: all of it, or nothing. BackupError, DatabaseError."""

    async def body(connection: Any) -> None:
        await _check_one_server(connection)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await _check_free(connection, replace=replace)
            for service in SERVICES:
                await _put_service(connection, folder, manifest, service, seed)
        await connection.execute("ANALYZE")

    run(url, body, name=NAME)


async def _check_free(connection: Any, *, replace: bool) -> None:
    names = [schema_of(service).name + suffix for service in SERVICES for suffix in ("", ROUTED)]
    if at_work := [row[0] for row in await connection.fetch(AT_WORK, names)]:
        raise BackupError(f"services are at work as {', '.join(at_work)}: stop them first")
    there = await connection.fetchval("SELECT to_regclass('qpq_auth.accounts') IS NOT NULL")
    if there and not replace and await connection.fetchval("SELECT count(*) FROM qpq_auth.accounts"):
        raise BackupError("there are accounts in this database: --replace throws them away")


async def _put_service(connection: Any, folder: Path, manifest: Manifest, service: str, seed: bytes) -> None:
    schema, known = schema_of(service), manifest.schemas[service]
    if known > len(schema.migrations):
        raise BackupError(
            f"the backup's {service} is at step {known}, this program knows {len(schema.migrations)}: use the newer one"
        )
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema.name} CASCADE")
    await connection.execute(f"CREATE SCHEMA {schema.name}")
    await connection.execute(f"SET LOCAL search_path = {schema.name}")
    await connection.execute(RECORD)
    for migration in schema.migrations[:known]:
        await take_step(connection, migration)
    await _copy(connection, schema, check.records(folder, manifest, service, seed))
    for migration in schema.migrations[known:]:
        await take_step(connection, migration)
    if service == "delivery":
        for statement in statements("postgres", clock.now_ms()):
            await connection.execute(statement)
    if await connection.fetchval(HAS_ROLE, schema.name):
        await grant(connection, schema.name)


async def _copy(connection: Any, schema: Schema, records: Iterator[tuple[Table, Row | None]]) -> None:
    waiting: list[Row] = []
    of: Table | None = None

    async def put() -> None:
        if waiting and of is not None:
            await connection.copy_records_to_table(
                of.name, schema_name=schema.name, columns=list(of.columns), records=waiting
            )
            waiting.clear()

    for table, row in records:
        if of is not None and (table != of or len(waiting) >= PAGE_ROWS):
            await put()
        of = table
        if row is not None:
            waiting.append(row)
    await put()
