"""Bad days of Redis that are planted."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tools.observability.load import Load
    from tools.observability.stage import Stage


@asynccontextmanager
async def redis_stopped(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Redis is killed; it comes back empty."""
    del load
    stage.redis.kill()
    yield
    stage.redis.start()  # here: it ends with the thread that started it


@asynccontextmanager
async def redis_full(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Redis has no memory left, and throws nothing out."""
    del load
    stage.redis.command("CONFIG", "SET", "maxmemory", "1")
    yield
    stage.redis.command("CONFIG", "SET", "maxmemory", "0")
