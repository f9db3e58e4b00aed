"""Rows of a service's store, read beside a server that may be running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.config.settings import Settings, database_url_of
from qpqcore.store.connection import STORE_ERRORS
from qpqcore.store.errors import DatabaseUnreadable
from qpqserver.stores import beside, database_path

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS_MAX = 100_000
"""Of one listing: what a person looks through, or a program in one go."""


def rows_of(settings: Settings, service: str, sqlite: str, postgres: str, *values: object) -> Sequence[Any]:
    """Return what a query finds; `sqlite` has `?`, `postgres` `$1` and so on. DatabaseError, ConfigError."""
    if settings.store_backend == "postgres":
        from qpqcore.store.postgres.migrate import ask
        from qpqcore.store.postgres.schemas import schema_of

        return [tuple(row) for row in ask(database_url_of(settings), schema_of(service), postgres, *values)]
    if not database_path(settings, service).exists():
        raise DatabaseUnreadable(f"{database_path(settings, service)}: no server has been here yet")
    with beside(settings, service) as connection:
        try:
            found: Sequence[Any] = connection.execute(sqlite, values).fetchall()
        except STORE_ERRORS as exc:
            raise DatabaseUnreadable(
                f"{database_path(settings, service)}: {exc}; start the server once, it migrates"
            ) from exc
        return found
