"""Composition root of the delivery service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from qpqcore.store.database import OpenStore, open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery.service import Delivery
from qpqdelivery.store import Bounds
from qpqdelivery.store_sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from qpqdelivery.config import Config
    from qpqdelivery.store import Store


def bounds_of(config: Config) -> Bounds:
    """Return the bounds that the store itself keeps."""
    return Bounds(
        mailbox_entries_max=config.mailbox_entries_max, mailbox_bytes_max=config.mailbox_bytes_max,
        fetch_entries_max=config.fetch_entries_max, fetch_bytes_max=config.fetch_bytes_max,
        past_epochs=config.past_epochs, seen_step_ms=config.seen_step_ms,
        domain=config.domain, box_entries_max=config.box_entries_max,
        box_bytes_max=config.box_bytes_max,
    )  # fmt: skip


@asynccontextmanager
async def open_sqlite_store(
    config: Config, path: Path | None, key: bytes, *, open_store: OpenStore = open_database
) -> AsyncIterator[Store]:
    """Open the store in a SQLCipher file. DatabaseError."""
    async with open_store(path, key, migrations_of("qpqdelivery")) as database:
        yield SqliteStore(database, bounds_of(config))


@asynccontextmanager
async def open_postgres_store(config: Config, url: str) -> AsyncIterator[Store]:
    """Open the store in PostgreSQL, whether it is there yet or not. DatabaseTooOld, DatabaseTooNew."""
    from qpqcore.store.postgres.bridge import open_postgres
    from qpqcore.store.postgres.schemas import schema_of
    from qpqdelivery.store_postgres import PostgresStore

    async with open_postgres(url, schema_of("delivery")) as database:
        yield PostgresStore(database, bounds_of(config))


@asynccontextmanager
async def open_delivery(
    config: Config, opened: AbstractAsyncContextManager[Store], **parts: Any
) -> AsyncIterator[Delivery]:
    """Make the service over a store of either kind; `parts` are the keyword arguments of `Delivery`."""
    async with opened as store:
        yield Delivery(config, store, **parts)
