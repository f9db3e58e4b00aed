"""Bad days of PostgreSQL that are planted."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from tests.support.world import FREED, FULL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tools.observability.load import Load
    from tools.observability.stage import Stage


@asynccontextmanager
async def database_stopped(stage: Stage, load: Load) -> AsyncIterator[None]:
    """PostgreSQL is stopped `immediate`."""
    del load
    stage.database.stop()
    yield
    await trio.to_thread.run_sync(stage.database.start)


@asynccontextmanager
async def disk_full(stage: Stage, load: Load) -> AsyncIterator[None]:
    """PostgreSQL's disk has no room for messages."""
    del load
    await stage.sql("SET search_path = qpq_delivery; " + "; ".join(FULL))
    yield
    await stage.sql(*FREED)
