"""Composition root of the auth service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from qpqauth.service import Auth
from qpqauth.store_sqlite import SqliteStore
from qpqcore.store.database import OpenStore, open_database
from qpqcore.store.migrations import migrations_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from qpqauth.config import Config
    from qpqauth.store import Store


@asynccontextmanager
async def open_sqlite_store(
    config: Config, path: Path | None, key: bytes, *, open_store: OpenStore = open_database
) -> AsyncIterator[Store]:
    """Open the store in a SQLCipher file. DatabaseError."""
    del config
    async with open_store(path, key, migrations_of("qpqauth")) as database:
        yield SqliteStore(database)


@asynccontextmanager
async def open_postgres_store(config: Config, url: str) -> AsyncIterator[Store]:
    """Open the store in PostgreSQL, whether it is there yet or not. DatabaseTooOld, DatabaseTooNew."""
    from qpqauth.store_postgres import PostgresStore
    from qpqcore.store.postgres.bridge import open_postgres
    from qpqcore.store.postgres.schemas import schema_of

    del config
    async with open_postgres(url, schema_of("auth")) as database:
        yield PostgresStore(database)


@asynccontextmanager
async def open_auth(config: Config, opened: AbstractAsyncContextManager[Store], **parts: Any) -> AsyncIterator[Auth]:
    """Make the service over a store of either kind; `parts` are the keyword arguments of `Auth`."""
    async with opened as store:
        yield Auth(config, store, **parts)
