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
    from pathlib import Path

    from qpqdelivery.config import Config


def bounds_of(config: Config) -> Bounds:
    """Return the bounds that the store itself keeps."""
    return Bounds(
        mailbox_entries_max=config.mailbox_entries_max, mailbox_bytes_max=config.mailbox_bytes_max,
        fetch_entries_max=config.fetch_entries_max, fetch_bytes_max=config.fetch_bytes_max,
        past_epochs=config.past_epochs, seen_step_ms=config.seen_step_ms,
    )  # fmt: skip


@asynccontextmanager
async def open_delivery(
    config: Config, path: Path | None, key: bytes, *, open_store: OpenStore = open_database, **parts: Any
) -> AsyncIterator[Delivery]:
    """Open the store and make the service; `parts` are the keyword arguments of `Delivery`."""
    async with open_store(path, key, migrations_of("qpqdelivery")) as database:
        yield Delivery(config, SqliteStore(database, bounds_of(config)), **parts)
