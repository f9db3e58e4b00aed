"""The audit log of a server on PostgreSQL: the table `qpqctl.audit`, whose owner is who migrates.

Services' roles cannot see it. A trigger would refuse changes only to who could drop it: the chain shows them to everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.runtime import clock
from qpqcore.store.postgres.direct import run
from qpqserver.operating.audit import Entry, following, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "qpqctl"
LOCK = 0x51505141
"""Of those who make the table, or add to it: one at a time."""
TABLE = """
CREATE SCHEMA IF NOT EXISTS qpqctl;
CREATE TABLE IF NOT EXISTS qpqctl.audit (number bigint NOT NULL PRIMARY KEY, line text NOT NULL)
"""
IS_THERE = "SELECT to_regclass('qpqctl.audit') IS NOT NULL"
LAST = "SELECT line FROM qpqctl.audit ORDER BY number DESC LIMIT 1"
PAGE = "SELECT number, line FROM qpqctl.audit WHERE number > $1 ORDER BY number LIMIT 1000"


class PostgresLog:
    """Implements `qpqserver.operating.audit.Log`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def append(self, operator: str, act: str, typed: Sequence[str], outcome: str, *, of: int = 0) -> Entry:
        async def body(connection: Any) -> Entry:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                if not await connection.fetchval(IS_THERE):
                    await connection.execute(TABLE)
                line = await connection.fetchval(LAST)
                entry = following(read(line) if line else None, clock.now_ms(), operator, act, typed, outcome, of)
                await connection.execute(
                    "INSERT INTO qpqctl.audit (number, line) VALUES ($1, $2)", entry.number, entry.line()
                )
            return entry

        return run(self._url, body, name=NAME)

    def entries(self) -> Iterator[Entry]:
        async def body(connection: Any) -> list[tuple[int, str]]:
            if not await connection.fetchval(IS_THERE):
                return []
            return [tuple(row) for row in await connection.fetch(PAGE, after)]

        after = 0
        while page := run(self._url, body, name=NAME):
            for number, line in page:
                yield read(line)
                after = number
