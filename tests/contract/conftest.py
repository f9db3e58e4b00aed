"""Stores under contract: every test here runs on each kind of store that a service has."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from importlib import import_module

import pytest

from qpqauth.store_postgres import PostgresStore as AuthPostgres
from qpqauth.store_sqlite import SqliteStore as AuthSqlite
from qpqblob.store_postgres import PostgresStore as BlobPostgres
from qpqblob.store_sqlite import SqliteStore as BlobSqlite
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqcore.store.postgres.bridge import open_postgres
from qpqcore.store.postgres.schemas import schema_of
from qpqdelivery.store_postgres import PostgresStore as DeliveryPostgres
from qpqdelivery.store_sqlite import SqliteStore as DeliverySqlite
from qpqkeystore.store_postgres import PostgresStore as KeystorePostgres
from qpqkeystore.store_sqlite import SqliteStore as KeystoreSqlite
from tests.support import citus

SQLITE = {"qpqauth": AuthSqlite, "qpqkeystore": KeystoreSqlite, "qpqdelivery": DeliverySqlite, "qpqblob": BlobSqlite}
POSTGRES = {
    "qpqauth": AuthPostgres, "qpqkeystore": KeystorePostgres, "qpqdelivery": DeliveryPostgres, "qpqblob": BlobPostgres,
}  # fmt: skip
KEY = b"k" * 32


class Watch:
    """Watches a pool's transactions: which of them go over several groups of tables, by the store's method."""

    def __init__(self, pool, sql):
        self.sql = sql
        self.crossed = set()
        self._transaction = pool.transaction
        pool.transaction = self.transaction

    async def transaction(self, body):
        """Run a transaction, with an ear to its connection."""
        touched = set()

        async def heard(connection):
            return await body(Listening(connection, touched))

        try:
            return await self._transaction(heard)
        finally:
            if sum(bool(touched & set(group)) for group in self.sql.GROUPS) > 1:
                named = getattr(body, "func", body).__qualname__.split(".")
                self.crossed.add(named[1] if len(named) > 1 else named[0])


class Listening:
    """A connection that notes the tables of what is asked."""

    def __init__(self, connection, touched):
        self._connection = connection
        self._touched = touched

    def __getattr__(self, name):
        ask = getattr(self._connection, name)

        def listen(statement, *values):
            self._touched.update(re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE|USING) ([a-z_]+)", statement))
            return ask(statement, *values)

        return listen


KINDS = {"postgres": "fresh_postgres", "citus stand-in": "fresh_citus"} | ({"citus": "real_citus"} if citus.URL else {})
"""Kinds of PostgreSQL, with the fixture that lends one."""


@pytest.fixture(params=["sqlite in memory", "sqlite file", *KINDS])
def open_store(request, tmp_path):
    """Return a context manager that opens a service's store: `async with open_store("qpqauth") as store`."""
    url = request.getfixturevalue(KINDS[request.param]) if request.param in KINDS else ""

    @asynccontextmanager
    async def opened(package, *parts):
        if url:
            async with open_postgres(url, schema_of(package.removeprefix("qpq"))) as database:
                watch = Watch(database.pool, import_module(f"{package}.postgres_statements"))
                yield POSTGRES[package](database, *parts)
            assert watch.crossed <= set(watch.sql.CROSSING)
            return
        path = None if request.param == "sqlite in memory" else tmp_path / f"{package}.db"
        async with open_database(path, KEY, migrations_of(package)) as database:
            yield SQLITE[package](database, *parts)

    return opened


async def count_rows(store, which):
    """Count rows of a table behind the store's back."""
    statement = f"SELECT count(*) FROM {which}"
    if "Postgres" in type(store).__name__:
        return await store._db.read(lambda c: c.fetchval(statement))
    return await store._db.read(lambda c: c.execute(statement).fetchone()[0])
