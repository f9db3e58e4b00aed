"""One connection, without Trio: for the operator's commands, which do one thing and end."""

from __future__ import annotations

import asyncio  # noqa: TID251 - a program of its own, without Trio
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from qpqcore.store.errors import DatabaseAway, DatabaseError
from qpqcore.store.postgres import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

T = TypeVar("T")


def run(url: str, body: Callable[[Any], Awaitable[T]], *, name: str, settings: Mapping[str, str] | None = None) -> T:
    """Run a coroutine function on a connection of its own; return, or raise, what it does.

    `name` is what the server shows of it. DatabaseAway; DatabaseError for what the server refuses.
    """

    async def work() -> T:
        connection = await connected(url, {**(settings or {}), "application_name": name})
        try:
            return await body(connection)
        except asyncpg.PostgresError as exc:
            raise DatabaseError(f"the database refuses: {exc}") from exc
        finally:
            await connection.close()

    return asyncio.run(work())


async def connected(url: str, settings: Mapping[str, str]) -> Any:
    """Open a connection. DatabaseAway."""
    try:
        return await asyncpg.connect(url, timeout=limits.CONNECT_SECONDS_MAX, server_settings=dict(settings))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as exc:
        raise DatabaseAway(f"the database cannot be reached: {exc or type(exc).__name__}") from exc
