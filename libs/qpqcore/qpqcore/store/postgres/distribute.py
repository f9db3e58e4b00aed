"""`qpqctl migrate --distribute`: a database that runs becomes one that Citus distributes, a table at a time, without a stop.

Each table is a step of its own, which Citus copies while it is read and written; what a run that died has done the next one
finds in Citus' own tables. A group's routes are used once its last table is there (`nodes`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.store.errors import NotDistributable
from qpqcore.store.postgres import limits

if TYPE_CHECKING:
    from qpqcore.store.postgres.schemas import Schema

EXTENSION = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
SHARD_NODES = "SELECT count(*) FROM pg_dist_node WHERE noderole = 'primary' AND isactive AND shouldhaveshards"
COORDINATOR = "SELECT 1 FROM pg_dist_node WHERE groupid = 0"
UNAWARE = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
PLACES = (
    "SELECT c.relname::text, column_to_column_name(t.logicalrelid, t.partkey)::text, t.colocationid "
    "FROM pg_dist_partition t JOIN pg_class c ON c.oid = t.logicalrelid "
    "WHERE c.relnamespace = to_regnamespace($1) AND t.partmethod = 'h'"
)
FIRST = (
    "SELECT create_distributed_table_concurrently($1::text::regclass, $2, colocate_with => 'none', shard_count => $3)"
)
NEXT = "SELECT create_distributed_table_concurrently($1::text::regclass, $2, colocate_with => $3)"
"""Citus' documentation, "Citus Utility Functions": neither inside a transaction, nor two of them at once. A table in whose
middle one died is a local one of Citus' by then, and is taken up from there."""


async def is_distributed(connection: Any, schema: Schema) -> bool:
    """Tell whether some of a schema's tables are distributed."""
    return await _has_citus(connection) and bool(await connection.fetch(PLACES, schema.name))


async def _has_citus(connection: Any) -> bool:
    return await connection.fetchval(EXTENSION) is not None


async def ready(connection: Any, schema: Schema) -> None:
    """Refuse, in a sentence that says what to do, a database whose tables cannot be distributed now. NotDistributable."""
    if not await _has_citus(connection):
        raise NotDistributable(
            "there is no extension citus in this database: see docs/operate/postgresql.md#citus for what has to be there"
        )
    if await connection.fetchval(COORDINATOR) is None:
        raise NotDistributable(
            "Citus does not know the coordinator's own address: SELECT citus_set_coordinator_host(...)"
        )
    if not await connection.fetchval(SHARD_NODES):
        raise NotDistributable("Citus has no node that takes shards: SELECT citus_add_node(...) for each")
    if unaware := await connection.fetchval(UNAWARE, schema.name):
        raise NotDistributable(
            f"{unaware} connections of {schema.name} are older than the extension and know nothing of it: "
            "restart its processes, one after another, then run this again"
        )


async def distribute(connection: Any, schema: Schema) -> int:
    """Distribute the tables that are not yet; return how many they were. NotDistributable; outside a transaction."""
    await ready(connection, schema)
    shards = limits.SHARDS_A_NODE * await connection.fetchval(SHARD_NODES)
    done = 0
    for group in schema.layout.groups:
        first = f"{schema.name}.{group[0]}"
        for table in group:
            column = schema.layout.columns[table]
            places = {row[0]: (row[1], row[2]) for row in await connection.fetch(PLACES, schema.name)}
            if table in places:
                if places[table] != (column, places[group[0]][1]):
                    raise NotDistributable(
                        f"{schema.name}.{table} is distributed otherwise: by {column}, beside {first}, it has to be"
                    )
                continue
            if table == group[0]:
                await connection.execute(FIRST, first, column, shards)
            else:
                await connection.execute(NEXT, f"{schema.name}.{table}", column, first)
            done += 1
    return done
