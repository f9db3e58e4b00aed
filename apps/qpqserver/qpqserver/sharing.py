"""What the processes of a server share beside their stores: notices and limits, over Redis where one is given."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qpqcore.config.settings import Settings, redis_url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qpqcore.obs.metrics import Metrics
    from qpqserver.composition import Surroundings

SEAL = "redis-seal"
"""The secret under which notices are sealed: the same in all processes."""


@asynccontextmanager
async def shared(
    settings: Settings, secret: Callable[[str], bytes], around: Surroundings, metrics: Metrics
) -> AsyncIterator[Surroundings]:
    """Take notices and limits from Redis where one is given. ConfigError."""
    wake_ups = around.notices.wake_ups
    url = redis_url_of(settings)
    if not url:
        metrics.watch(lambda: [wake_ups.reading()])
        yield around
        return
    # Only who uses Redis pays for the import: half a second.
    from qpqcore.bus.redis.address import parse
    from qpqcore.bus.redis.parts import open_redis

    address = parse(url, Path(settings.redis_ca) if settings.redis_ca else None)
    async with open_redis(address, key=secret(SEAL), domain=settings.federation_domain) as parts:
        metrics.watch(parts.readings)
        metrics.watch(lambda: [parts.notices.wake_ups.reading()])
        yield replace(around, notices=parts.notices, limiter=parts.limiter, away=parts.away, wrong=parts.wrong)
