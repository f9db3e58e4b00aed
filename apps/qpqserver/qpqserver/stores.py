"""Where each service keeps what it keeps: a SQLCipher file each, or a schema each in PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qpqauth.main
import qpqblob.main
import qpqdelivery.main
import qpqkeystore.main
from qpqcore.config.settings import Settings, database_url_of
from qpqcore.runtime import secrets
from qpqcore.store.connection import connect
from qpqcore.store.database import OpenStore, open_database
from qpqcore.store.waits import SLOW_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

SERVICES = ("auth", "keystore", "delivery", "blob")
"""Those that keep something."""
MAINS: dict[str, Any] = {
    "auth": qpqauth.main,
    "keystore": qpqkeystore.main,
    "delivery": qpqdelivery.main,
    "blob": qpqblob.main,
}


class Stores:
    """Opens the services' stores as the settings say."""

    def __init__(
        self, settings: Settings, open_store: OpenStore = open_database, key: Callable[[], bytes] | None = None
    ) -> None:
        """Take what the stores are opened by; `key` gives that of the files, by default the server's."""
        self._settings = settings
        self._open_store = open_store
        self._key = key or (lambda: files_key(settings))
        self._opened: list[tuple[str, Any]] = []

    def away(self) -> str:
        """Return which service's database is away, and why; empty: none is."""
        found = (f"{name}: {store.away}" for name, store in self._opened if getattr(store, "away", ""))
        return next(found, "")

    def troubles(self) -> list[str]:
        """Return which stores have let a call wait for long, and whose disk is full, a line each."""
        found = []
        for name, store in self._opened:
            load = store.database.load
            if load.oldest_seconds >= SLOW_SECONDS:
                found.append(f"{name}: the store is slow, a call waits for {load.oldest_seconds:.0f} s")
            if load.full:
                found.append(f"{name}: the disk is full, writes are refused")
        return found

    @asynccontextmanager
    async def of(self, service: str, config: Any) -> AsyncIterator[Any]:
        """Open a service's store. DatabaseError, ConfigError."""
        async with self._opening(service, config) as store:
            self._opened.append((service, store))
            yield store

    def _opening(self, service: str, config: Any) -> AbstractAsyncContextManager[Any]:
        settings, module = self._settings, MAINS[service]
        opened: AbstractAsyncContextManager[Any]
        if settings.store_backend == "postgres":
            opened = module.open_postgres_store(config, database_url_of(settings))
        else:
            path = database_path(settings, service)
            opened = module.open_sqlite_store(config, path, self._key(), open_store=self._open_store)
        return opened


def files_key(settings: Settings) -> bytes:
    """Return the key of the files: of `db_key`, of the process's secrets, or the server's own, made at need."""
    own = Path(settings.secrets_dir) / "db.key"
    if settings.secrets_dir and not settings.db_key and own.exists():
        return own.read_bytes()
    return secrets.database_key(Path(settings.data_dir), settings.db_key)


def database_path(settings: Settings, service: str) -> Path:
    """Return a service's database file: data/qpq.db -> data/qpq-auth.db."""
    base = Path(settings.db_path) if settings.db_path else Path(settings.data_dir) / "qpq.db"
    return base.with_name(f"{base.stem}-{service}{base.suffix or '.db'}")


@contextmanager
def beside(settings: Settings, service: str, *, read_only: bool = True) -> Iterator[Any]:
    """Open a service's SQLCipher file beside a server, running or not; DatabaseError."""
    connection = connect(database_path(settings, service), files_key(settings), read_only=read_only)
    try:
        yield connection
    finally:
        connection.close()
