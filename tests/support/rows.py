"""The bad-input table: one row, one test, one code.

A row is an async generator: it prepares, yields, does what is refused, and yields the code of the answer. Around the second
half it is checked that the refusal was logged once, without anything of the caller's, and that no table has gained or lost
a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog.testing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qpqcore.model.errors import ErrorCode
    from tests.support.world import World

LOG_KEYS = {"event", "method", "code", "log_level"}


@dataclass(frozen=True)
class Row:
    """One kind of bad input and its answer."""

    what: str
    code: ErrorCode
    steps: Callable[[World], AsyncIterator[Any]]
    lasting: str = ""
    """The one table that the refusal may change, for a reason that the row's name tells."""
    settings: tuple[tuple[str, Any], ...] = ()


class Table:
    """Rows of one subject."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def row(self, what: str, code: ErrorCode, *, lasting: str = "", **settings: Any) -> Callable[..., Any]:
        """Enter a row."""

        def enter(steps: Any) -> Any:
            self.rows.append(Row(what, code, steps, lasting, tuple(settings.items())))
            return steps

        return enter


async def check(row: Row, open_world: Callable[..., World]) -> None:
    """Run one row."""
    async with open_world(**dict(row.settings)) as w:
        steps = row.steps(w)
        await anext(steps)
        before = w.census()
        with structlog.testing.capture_logs() as logs:
            code = await anext(steps)
        after = w.census()
        assert code is row.code
        refused = [entry for entry in logs if entry["event"] == "call_refused"]
        assert [entry["code"] for entry in refused] == [row.code.name]
        assert set(refused[0]) <= LOG_KEYS
        assert {t for t in after if after[t] != before[t]} <= {row.lasting}
        await steps.aclose()
