"""The entrance for a process: notices and limits over one Redis, kept up while the block runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from qpqcore.bus.redis.limits import RedisLimiter
from qpqcore.bus.redis.notices import RedisNotices
from qpqcore.bus.redis.sealing import Seal
from qpqcore.bus.redis.soundness import Soundness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qpqcore.bus.redis.address import Address
    from qpqcore.obs.metrics import Reading


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process takes from Redis."""

    notices: RedisNotices
    limiter: RedisLimiter
    soundness: Soundness

    def away(self) -> tuple[str, ...]:
        """Return `redis` while something of it is away: the server serves all the same."""
        return ("redis",) if self.notices.shards.reason else ()

    def wrong(self) -> tuple[str, ...]:
        """Return what is wrong with what is there of it, a line each: the server serves all the same."""
        return self.soundness.lines()

    def readings(self) -> list[Reading]:
        """Return what is counted, for `Metrics.watch`."""
        n, limits = self.notices, self.limiter
        return [
            ("qpq_redis_up", "Whether all of Redis is there.", "", {"": 0 if n.shards.reason else 1}),
            ("qpq_redis_sound", "Whether Redis passes a check.", "check", self.soundness.values()),
            ("qpq_redis_channels", "Channels that this process listens to.", "", {"": n.channels}),
            ("qpq_notices_dropped_total", "Notices that nobody elsewhere heard of.", "", {"": n.dropped}),
            ("qpq_notices_foreign_total", "Messages heard that our key had not sealed.", "", {"": n.foreign}),
            (
                "qpq_limits_decided_total", "Takings of limits that all processes share, by who decided them.", "by",
                {"redis": limits.shared, "alone": limits.alone},
            ),
        ]  # fmt: skip


@asynccontextmanager
async def open_redis(address: Address, *, key: bytes, domain: str) -> AsyncIterator[Parts]:
    """Keep notices and limits over Redis; does not wait for it: `parts.notices.wait_up()` does.

    `key`: 32 secret bytes, the same in all processes of `domain`; others' messages are not heard.
    """
    seal = Seal(key, domain)
    soundness = Soundness()
    notices = RedisNotices(address, seal, soundness)
    parts = Parts(notices, RedisLimiter(notices.shards, seal, soundness), soundness)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(parts.notices.run)
        nursery.start_soon(parts.limiter.run)
        nursery.start_soon(soundness.run)
        yield parts
        nursery.cancel_scope.cancel()
