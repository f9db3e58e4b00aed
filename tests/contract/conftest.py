"""Stores under contract: every test here runs on each kind of store that a service has."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from qpqauth.store_sqlite import SqliteStore as AuthSqlite
from qpqblob.store_sqlite import SqliteStore as BlobSqlite
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery.store_sqlite import SqliteStore as DeliverySqlite
from qpqkeystore.store_sqlite import SqliteStore as KeystoreSqlite

SQLITE = {"qpqauth": AuthSqlite, "qpqkeystore": KeystoreSqlite, "qpqdelivery": DeliverySqlite, "qpqblob": BlobSqlite}
KEY = b"k" * 32


@pytest.fixture(params=["sqlite in memory", "sqlite file"])
def open_store(request, tmp_path):
    """Return a context manager that opens a service's store: `async with open_store("qpqauth") as store`."""

    @asynccontextmanager
    async def opened(package, *parts):
        path = None if request.param == "sqlite in memory" else tmp_path / f"{package}.db"
        async with open_database(path, KEY, migrations_of(package)) as database:
            yield SQLITE[package](database, *parts)

    return opened
