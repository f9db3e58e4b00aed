"""`qpqctl migrate`: schemas, roles and steps, under a lock; as often as one likes, and by several at once.

A schema belongs to who migrates. Its service's role of the same name reads and writes its tables and does nothing else.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - a program of its own, without Trio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from qpqcore.store.errors import DatabaseError, DatabaseTooNew
from qpqcore.store.postgres import direct
from qpqcore.store.postgres import distribute as distributing
from qpqcore.store.postgres.face import OnCitus
from qpqcore.store.postgres.schemas import Schema, become_routed, check_version, programs_from, session_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qpqcore.store.migrations import Migration

LOCK = 0x51505120
"""Of those who migrate one database, one at a time does."""
LOCK_WAIT_MS_MAX = 120_000
"""How long one waits for another, and a step for its table."""
MAINTAIN_FROM = 17
"""PostgreSQL's first version in which a role may VACUUM what is not its own."""
EXISTS = frozenset({"42710", "23505"})
NOT_ALLOWED = "42501"

RECORD = """
CREATE TABLE IF NOT EXISTS migrations (
    number integer NOT NULL PRIMARY KEY,
    programs_from integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to one schema."""

    schema: str
    before: int
    after: int
    distributed: int | None = None
    """Tables that were distributed now; None: it is one server."""


def migrate(
    url: str, schemas: Sequence[Schema], *, roles: bool = True, passwords: Mapping[str, str] | None = None,
    distribute: bool = False,
) -> list[Outcome]:  # fmt: skip
    """Bring the schemas to their last steps; make roles and give them their rights unless `roles` is False.

    `passwords`: of roles, by service. `distribute`: the tables over Citus' nodes; of a schema that is distributed already new
    ones are in any case. Raises DatabaseAway, DatabaseTooNew, NotDistributable, DatabaseError.
    """
    return asyncio.run(_migrate(url, schemas, roles=roles, passwords=passwords or {}, distribute=distribute))


def look(url: str, schema: Schema) -> int:
    """Return the step that a schema is at. DatabaseAway; DatabaseTooOld, DatabaseTooNew if this program cannot use it."""
    rows = ask(url, schema, "SELECT max(number) FROM migrations")
    return int(rows[0][0])


def ask(url: str, schema: Schema, query: str, *values: object) -> list[Any]:
    """Return what a query finds in a schema. DatabaseAway; DatabaseTooOld, DatabaseTooNew if this program cannot use it."""

    async def body(connection: Any) -> list[Any]:
        if await check_version(connection, schema):
            await become_routed(connection, schema)
            return list(await OnCitus(connection, schema.layout.on_citus).fetch(query, *values))
        return list(await connection.fetch(query, *values))

    return direct.run(url, body, name=schema.name, settings=session_settings(schema))


async def _migrate(
    url: str, schemas: Sequence[Schema], *, roles: bool, passwords: Mapping[str, str], distribute: bool
) -> list[Outcome]:
    settings = {"lock_timeout": str(LOCK_WAIT_MS_MAX), "application_name": "qpqctl migrate"}
    connection = await direct.connected(url, settings)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        if distribute:  # refused before anything is changed
            for schema in schemas:
                await distributing.ready(connection, schema)
        return [
            await _bring(connection, s, roles=roles, password=passwords.get(s.service, ""), distribute=distribute)
            for s in schemas
        ]
    except asyncpg.PostgresError as exc:
        raise DatabaseError(f"the database cannot be migrated: {exc}") from exc
    finally:
        await connection.close()


async def _bring(connection: Any, schema: Schema, *, roles: bool, password: str, distribute: bool) -> Outcome:
    if roles:
        await _make_role(connection, schema.name, password)
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema.name}")
    await connection.execute(f"SET search_path = {schema.name}")
    await connection.execute(RECORD)
    before = await connection.fetchval("SELECT coalesce(max(number), 0) FROM migrations")
    if before > len(schema.migrations):
        raise DatabaseTooNew(
            f"schema {schema.name} is at step {before}, this program knows {len(schema.migrations)}: use the newer one"
        )
    for migration in schema.migrations[before:]:
        async with connection.transaction():
            await take_step(connection, migration)
    if roles:
        await grant(connection, schema.name)
    distributed = None
    if distribute or await distributing.is_distributed(connection, schema):
        distributed = await distributing.distribute(connection, schema)
    return Outcome(schema.name, before, len(schema.migrations), distributed)


async def take_step(connection: Any, migration: Migration) -> None:
    """Bring the schema on the search path one step further, inside the caller's transaction."""
    await connection.execute(migration.sql)
    await connection.execute(
        "INSERT INTO migrations (number, programs_from) VALUES ($1, $2)", migration.number, programs_from(migration)
    )


async def _make_role(connection: Any, role: str, password: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        try:
            await connection.execute(f"CREATE ROLE {role} LOGIN")
        except asyncpg.PostgresError as exc:
            if exc.sqlstate == NOT_ALLOWED:
                raise DatabaseError(
                    f"role {role} is missing, and this user may not create it: create it, or leave roles out"
                ) from exc
            if exc.sqlstate not in EXISTS:  # made at this moment, beside another database
                raise
    if password:
        quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
        await connection.execute(f"ALTER ROLE {role} PASSWORD {quoted}")


async def grant(connection: Any, name: str) -> None:
    """Give the role of a schema its rights there."""
    await connection.execute(f"GRANT USAGE ON SCHEMA {name} TO {name}")
    rights = "SELECT, INSERT, UPDATE, DELETE"
    if connection.get_server_version().major >= MAINTAIN_FROM:
        rights += ", MAINTAIN"
    await connection.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA {name} TO {name}")
    await connection.execute(f"REVOKE INSERT, UPDATE, DELETE ON migrations FROM {name}")
