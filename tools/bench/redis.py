"""Redis between two processes: what a wake-up takes, who pays for it, and what idle topics and limits cost.

The measuring process tells; another one hears (`tools.bench.hearing`). CPU is each process's own, and the Redis server's.
"""

from __future__ import annotations

import time
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.bus.limits import Rate
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis
from tools.bench.hearing import DOMAIN, KEY, Hearing, hearing, topic
from tools.bench.served import usage
from tools.redis_server import RedisServer, redis_server

if TYPE_CHECKING:
    from pathlib import Path

    from qpqcore.bus.redis.parts import Parts
    from tools.bench.measure import Effort, Row

PAYLOAD_BYTES = 400
"""A mailbox entry of a short message."""
LISTENED = 100
"""Devices that the hearing process has waiters for while notices are told."""
RATES = (100, 2_000)
"""Notices a second."""
PLAIN = Rate(1_000_000, 1, 1_600)
"""Of a limit that refuses nobody here: takings are told by the hundred."""
SHARED = Rate(1_000_000, 1, 1_000_000)


async def redis(root: Path, effort: Effort) -> list[Row]:
    """Measure everything beside one server."""
    rows: list[Row] = []
    with redis_server(root) as server:
        async with open_redis(parse(server.url), key=KEY, domain=DOMAIN) as parts:
            await parts.notices.wait_up()
            async with hearing(server.url) as hearer, hearing(server.url) as bystander:
                await hearer.ask(f"listen {LISTENED}")
                for rate in RATES:
                    rows.append(await _wake_ups(server, parts, hearer, bystander, rate, effort.wake_ups))
            rows.append(await _idle(server, effort.idle_clients))
            rows += [await _takings(server, parts, effort.takings), await _shared(server, parts, effort.takings)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name, "") for name in names} for row in rows]


async def _tell(parts: Parts, rate: int, count: int) -> None:
    """Tell at an even rate; one that falls behind tells what is due at once."""
    begun = trio.current_time()
    for number in range(count):
        await trio.sleep_until(begun + number / rate)
        stamp = time.monotonic_ns().to_bytes(8, "big")
        parts.notices.publish(topic(number % LISTENED), stamp.ljust(PAYLOAD_BYTES, b"."))


async def _wake_ups(
    server: RedisServer, parts: Parts, hearer: Hearing, bystander: Hearing, rate: int, count: int
) -> Row:
    before = [usage().cpu_s, (await hearer.usage()).cpu_s, server.cpu_seconds, (await bystander.usage()).cpu_s]
    begun, ways = trio.current_time(), []

    async def hear() -> None:
        ways.extend(await hearer.ask(f"heard {count}"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        await _tell(parts, rate, count)
    seconds = trio.current_time() - begun
    after = [usage().cpu_s, (await hearer.usage()).cpu_s, server.cpu_seconds, (await bystander.usage()).cpu_s]
    teller, heard, redis_cpu, idle = (b - a for a, b in zip(before, after, strict=True))
    steps = quantiles(ways, n=100)
    return {
        "what": f"wake-up, {rate}/s", "count": len(ways), "p50_ms": steps[49] / 1000, "p99_ms": steps[98] / 1000,
        "teller_cpu_us": teller / count * 1e6, "hearer_cpu_us": heard / count * 1e6,
        "redis_cpu_us": redis_cpu / count * 1e6, "bystander_percent": idle / seconds * 100,
    }  # fmt: skip


def _memory(server: RedisServer) -> int:
    """Return the bytes that Redis has in use."""
    lines = server.command("INFO", "memory").splitlines()
    return int(next(line for line in lines if line.startswith(b"used_memory:")).partition(b":")[2])


async def _idle(server: RedisServer, topics: int) -> Row:
    async with hearing(server.url) as hearer:
        before, in_redis = (await hearer.usage()).resident_kib, _memory(server)
        begun = trio.current_time()
        await hearer.ask(f"listen {topics}")
        seconds = trio.current_time() - begun
        after = (await hearer.usage()).resident_kib
        return {
            "what": "idle topics", "count": topics, "listening_seconds": seconds, "kib_each": (after - before) / topics,
            "redis_kib_each": (_memory(server) - in_redis) / topics / 1024,
        }  # fmt: skip


async def _takings(server: RedisServer, parts: Parts, count: int) -> Row:
    """A limit that each process decides: twenty devices take in turn."""
    cpu, redis_cpu = usage().cpu_s, server.cpu_seconds
    for number in range(count):
        parts.limiter.take(b"device %d" % (number % 20), PLAIN, number)
        if number % 100 == 0:
            await trio.lowlevel.checkpoint()
    return {
        "what": "take", "count": count, "teller_cpu_us": (usage().cpu_s - cpu) / count * 1e6,
        "redis_cpu_us": (server.cpu_seconds - redis_cpu) / count * 1e6,
    }  # fmt: skip


async def _shared(server: RedisServer, parts: Parts, count: int) -> Row:
    """A log-in's two limits, decided in Redis, one log-in after the other."""
    cpu, redis_cpu, ways = usage().cpu_s, server.cpu_seconds, []
    for number in range(count):
        begun = time.perf_counter()
        await parts.limiter.take_all([(b"address", SHARED), (b"name %d" % number, SHARED)], number)
        ways.append((time.perf_counter() - begun) * 1000)
    steps: Any = quantiles(ways, n=100)
    return {
        "what": "take_all of two", "count": count, "p50_ms": steps[49], "p99_ms": steps[98],
        "teller_cpu_us": (usage().cpu_s - cpu) / count * 1e6,
        "redis_cpu_us": (server.cpu_seconds - redis_cpu) / count * 1e6, "alone": parts.limiter.alone,
    }  # fmt: skip
