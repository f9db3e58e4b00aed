"""What a body sees of a connection to Citus: statements in the words that Citus takes, and tried again where nothing came of them.

At the switch of a shard's live move a statement that waited for a row there changes none, and nobody is told: so one that
should have held or changed something and did not is not done. The second time it is planned anew, for the shard's new place.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qpqcore.store.postgres.pool import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qpqcore.store.postgres.pool import Connection

STATEMENTS_MAX = 1_024
"""Statements looked at once: more than all services have."""
_HOLDS = re.compile(r"\b(?:UPDATE|DELETE FROM)\b")
"""Changes, or holds: `SELECT ... FOR UPDATE`. An INSERT is not among them by its `DO UPDATE`: it always finds its row."""


@lru_cache(STATEMENTS_MAX)
def holds(statement: str) -> bool:
    """Tell whether a statement changes or holds rows that are there."""
    return not statement.startswith("INSERT") and _HOLDS.search(statement) is not None


class OnCitus:
    """Implements `pool.Connection`."""

    def __init__(self, connection: Connection, words: Mapping[str, str]) -> None:
        self._connection = connection
        self._words = words

    async def fetch(self, query: str, *args: Any) -> Sequence[Any]:
        """Return all rows."""
        said = self._words.get(query, query)
        rows = await self._connection.fetch(said, *args)
        return rows if rows or not holds(query) else await self._connection.fetch(said, *args)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """Return the first row, or None."""
        said = self._words.get(query, query)
        row = await self._connection.fetchrow(said, *args)
        return row if row is not None or not holds(query) else await self._connection.fetchrow(said, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = await self.fetchrow(query, *args)
        return None if row is None else row[0]

    async def execute(self, query: str, *args: Any) -> str:
        """Return the command's status: `UPDATE 3`."""
        said = self._words.get(query, query)
        status = await self._connection.execute(said, *args)
        return status if not holds(query) or rows_of(status) else await self._connection.execute(said, *args)
