"""Composition root of the blob service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from qpqblob.service import Blob
from qpqblob.store_sqlite import SqliteStore
from qpqcore.store.database import OpenStore, open_database
from qpqcore.store.migrations import migrations_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qpqblob.config import Config


@asynccontextmanager
async def open_blob(
    config: Config, path: Path | None, key: bytes, *, open_store: OpenStore = open_database, **parts: Any
) -> AsyncIterator[Blob]:
    """Open the store and make the service; `parts` are the keyword arguments of `Blob`."""
    async with open_store(path, key, migrations_of("qpqblob")) as database:
        yield Blob(config, SqliteStore(database), **parts)
