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
    from pathlib import Path

    from qpqauth.config import Config


@asynccontextmanager
async def open_auth(
    config: Config, path: Path | None, key: bytes, *, open_store: OpenStore = open_database, **parts: Any
) -> AsyncIterator[Auth]:
    """Open the store and make the service; `parts` are the keyword arguments of `Auth`."""
    async with open_store(path, key, migrations_of("qpqauth")) as database:
        yield Auth(config, SqliteStore(database), **parts)
