"""Composition root of the keystore service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from qpqcore.store.database import OpenStore, open_database
from qpqcore.store.migrations import migrations_of
from qpqkeystore.service import Keystore
from qpqkeystore.store_sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from qpqkeystore.config import Config
    from qpqkeystore.store import Store


@asynccontextmanager
async def open_sqlite_store(
    config: Config, path: Path | None, key: bytes, *, open_store: OpenStore = open_database
) -> AsyncIterator[Store]:
    """Open the store in a SQLCipher file. DatabaseError."""
    del config
    async with open_store(path, key, migrations_of("qpqkeystore")) as database:
        yield SqliteStore(database)


@asynccontextmanager
async def open_postgres_store(config: Config, url: str) -> AsyncIterator[Store]:
    """Open the store in PostgreSQL, whether it is there yet or not. DatabaseTooOld, DatabaseTooNew."""
    from qpqcore.store.postgres.bridge import open_postgres
    from qpqcore.store.postgres.schemas import schema_of
    from qpqkeystore.store_postgres import PostgresStore

    del config
    async with open_postgres(url, schema_of("keystore")) as database:
        yield PostgresStore(database)


@asynccontextmanager
async def open_keystore(
    config: Config, opened: AbstractAsyncContextManager[Store], **parts: Any
) -> AsyncIterator[Keystore]:
    """Make the service over a store of either kind; `parts` are the keyword arguments of `Keystore`."""
    async with opened as store:
        yield Keystore(config, store, **parts)
