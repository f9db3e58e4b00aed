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
    from pathlib import Path

    from qpqkeystore.config import Config


@asynccontextmanager
async def open_keystore(
    config: Config, path: Path | None, key: bytes, *, open_store: OpenStore = open_database, **parts: Any
) -> AsyncIterator[Keystore]:
    """Open the store and make the service; `parts` are the keyword arguments of `Keystore`."""
    async with open_store(path, key, migrations_of("qpqkeystore")) as database:
        yield Keystore(config, SqliteStore(database), **parts)
