"""A service's schema: who made it and up to which step, and whether this program may use it.

Steps are the plain SQL files `migrations_postgres/NNNN_name.sql` of the service's package. They expand and contract: a step
that only adds leaves older programs at work; one that takes something away says so in a line of its own,

    -- programs from: 7

that is: programs that know step 7 and later may use the schema from then on. A service never changes its schema itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg

from qpqcore.store.errors import DatabaseTooNew, DatabaseTooOld
from qpqcore.store.migrations import Migration, migrations_of
from qpqcore.store.postgres import limits
from qpqcore.store.postgres.layout import Layout, layout_of

if TYPE_CHECKING:
    from qpqcore.store.postgres.pool import Connection

FOLDER = "migrations_postgres"
MISSING = frozenset({"42P01", "3F000", "42501"})
"""No such table or schema, or none that this role may see."""
VERSION = (
    "SELECT coalesce(max(number), 0), coalesce(max(programs_from), 0), "
    "EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') FROM migrations"
)
_PROGRAMS = re.compile(r"^-- programs from: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Schema:
    """What a service keeps in PostgreSQL."""

    service: str
    migrations: tuple[Migration, ...]
    layout: Layout = field(default_factory=Layout)

    @property
    def name(self) -> str:
        """Of the schema, and of the role that uses it."""
        return f"qpq_{self.service}"


def schema_of(service: str) -> Schema:
    """Return the schema that the package of a service carries."""
    return Schema(service, migrations_of(f"qpq{service}", FOLDER), layout_of(service))


def programs_from(migration: Migration) -> int:
    """Return which step a program has to know to use the schema after this one; 0: any."""
    found = _PROGRAMS.search(migration.sql)
    return int(found[1]) if found else 0


def session_settings(schema: Schema) -> dict[str, str]:
    """Return what every connection of a service is told at its start."""
    return {
        "search_path": schema.name,
        "application_name": schema.name,
        "synchronous_commit": "on",
        "statement_timeout": str(limits.STATEMENT_MS_MAX),
        "lock_timeout": str(limits.LOCK_MS_MAX),
        "idle_in_transaction_session_timeout": str(limits.IDLE_IN_TRANSACTION_MS_MAX),
        # Ours are small statements over keys: one plan, the same on an empty table and on a full one. Rows are locked in
        # the order in which they are listed only if they are looked up one after another.
        "plan_cache_mode": "force_generic_plan",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "enable_seqscan": "off",
        "jit": "off",
    }


ON_CITUS = {"plan_cache_mode": "force_custom_plan"}
"""Of Citus' planner a statement over several shards has a plan only with its values (`could not create distributed plan`)."""
ROUTED = "/citus"
"""What the name of a connection ends with that knows of Citus: `qpqctl migrate --distribute` looks for those that do not."""


def node_settings(schema: Schema) -> dict[str, str]:
    """Return what a connection to a node of Citus is told at its start."""
    return session_settings(schema) | ON_CITUS | {"application_name": schema.name + ROUTED}


async def become_routed(connection: Connection, schema: Schema) -> None:
    """Tell a connection that is open already what `node_settings` says."""
    for name in (*ON_CITUS, "application_name"):
        await connection.execute("SELECT set_config($1, $2, false)", name, node_settings(schema)[name])


async def check_version(connection: Connection, schema: Schema) -> bool:
    """Refuse a schema that this program cannot work with; tell whether Citus is there. DatabaseTooOld, DatabaseTooNew."""
    known = len(schema.migrations)
    try:
        number, needs, is_citus = await connection.fetchrow(VERSION)
    except asyncpg.PostgresError as exc:
        if exc.sqlstate not in MISSING:
            raise
        number, needs, is_citus = 0, 0, False
    if number < known:
        raise DatabaseTooOld(
            f"schema {schema.name} is at step {number}, this program needs {known}: run `qpqctl migrate`"
        )
    if needs > known:
        raise DatabaseTooNew(
            f"schema {schema.name} is at step {number}, which programs that know step {needs} can use; this one knows "
            f"{known}: use the newer one"
        )
    return bool(is_citus)
