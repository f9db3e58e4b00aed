"""Durable messages through the whole server, beside the same messages given to delivery's store alone.

The share of the two rates is what edge and dispatch leave of the store. Both have 256 in flight; the store alone runs in the
measuring process, on the database that the server has left.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import AsyncExitStack
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import trio

from qpqclient.transport import Trust, open_link
from qpqcore.config.settings import Settings
from qpqcore.runtime import secrets
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery.config import Config
from qpqdelivery.main import bounds_of
from qpqdelivery.store import Message
from qpqdelivery.store_sqlite import SqliteStore
from qpqserver.embedded import database_path
from tools.bench.calls import CONNECTIONS, DEVICES, prepared, send
from tools.bench.measure import Effort, Row, in_flight, medians
from tools.bench.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qpqcore.api.delivery import EnqueueParams

WIDTH = 256
DAY_MS = 24 * 3_600_000


async def store(root: Path, effort: Effort) -> list[Row]:
    """Measure the server, then the store."""
    count = effort.enqueue[WIDTH]
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(root / "server"))
        links = [
            await stack.enter_async_context(open_link(server.where, Trust(), accept=lambda _: True))
            for _ in range(DEVICES)
        ]
        waiting = await prepared(root, server.where, links)
        ways = [partial(send, link, of) for link, of in zip(links, waiting, strict=True)][: CONNECTIONS[WIDTH]]
        through = [{"server_per_second": (await in_flight(ways, count, WIDTH))[0]} for _ in range(effort.repetitions)]
    alone = await by_itself(root / "server", waiting[CONNECTIONS[WIDTH] :], count, effort.repetitions)
    figures = medians([one | other for one, other in zip(through, alone, strict=True)])
    share = figures["server_per_second"] / figures["store_per_second"]
    return [{"what": "enqueue", "in_flight": WIDTH, "messages": count, **figures, "share": share}]


async def by_itself(
    data: Path, waiting: list[Iterator[EnqueueParams]], count: int, repetitions: int
) -> list[dict[str, float]]:
    """Give messages to the store of a server that has ended; return their rate and CPU, once for each repetition."""
    settings = Settings(data_dir=str(data))
    key = secrets.database_key(data, settings.db_key)
    runs = []
    async with open_database(database_path(settings, "delivery"), key, migrations_of("qpqdelivery")) as database:
        delivery = SqliteStore(database, bounds_of(Config()))
        for _ in range(repetitions):
            messages = [await of_member(delivery, p) for of in waiting for p in islice(of, -(-count // len(waiting)))]
            runs.append(await flat_out(delivery, messages))
    return runs


async def of_member(delivery: SqliteStore, params: EnqueueParams) -> Message:
    """Return a call's message as the service gives it to the store, in some member's name."""
    now_ms = time.time_ns() // 1_000_000
    member = (await delivery.members(params.channel, params.generation))[0]
    return Message(
        channel=params.channel, generation=params.generation, epoch=params.epoch, payload=params.payload,
        hash=hashlib.sha256(params.payload).digest(), device=member.device, now_ms=now_ms, expires_ms=now_ms + DAY_MS,
    )  # fmt: skip


async def flat_out(delivery: SqliteStore, messages: list[Message]) -> dict[str, float]:
    """Store all of these, so many at a time."""
    left = iter(messages)

    async def worker() -> None:
        for message in left:
            (answer,) = await delivery.enqueue([message])
            assert isinstance(answer, tuple), answer

    cpu, wall = time.process_time(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(WIDTH):
            nursery.start_soon(worker)
    found: dict[str, Any] = {
        "store_per_second": len(messages) / (time.perf_counter() - wall),
        "store_cpu_us": (time.process_time() - cpu) / len(messages) * 1e6,
    }
    return found
