"""Durable messages given to delivery's store on PostgreSQL, mailboxes filled: rate, wait, and CPU of both processes.

A real PostgreSQL of the bench's own, with fsync on; every message's mailboxes are filled when it is acknowledged. FACTS'
figure beside which they stand, 19,300 a second at 256 callers, is of rows in one table: without a log beside mailboxes,
without a look for repeated messages, and without their senders' rights.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.store.postgres.bridge import Postgres, open_postgres
from qpqcore.store.postgres.schemas import schema_of
from qpqdelivery.config import Config
from qpqdelivery.main import bounds_of
from qpqdelivery.store import Birth, Commit, Member, Message, NextState
from qpqdelivery.store_postgres import PostgresStore
from tests.support.postgres import Server
from tools.bench.measure import Effort, Row, medians

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

PAYLOAD_BYTES = 1_024
CHANNELS = 64
DAY_MS = 24 * 3_600_000
COPIES = (1, 20)
"""Mailboxes that a message goes into: a conversation, a small group."""
CALLERS = (1, 32, 256)
TICKS = os.sysconf("SC_CLK_TCK")
STATE_FIELDS_BEFORE_TIMES = 11
"""Of /proc/PID/stat, after the name: what stands before utime, stime, cutime, cstime."""


async def postgres(root: Path, effort: Effort) -> list[Row]:
    """Measure the store at each width and fan-out."""
    rows: list[Row] = []
    async with _opened(root) as (server, database):
        store = PostgresStore(database, bounds_of(Config(mailbox_entries_max=10**9, mailbox_bytes_max=10**15)))
        for copies in COPIES:
            channels = [await _channel(store, copies + 1) for _ in range(CHANNELS)]
            for callers in CALLERS:
                count = effort.health[callers] // (1 if copies == 1 else 4)
                runs = [await _flat_out(store, server, channels, count, callers) for _ in range(effort.repetitions)]
                rows.append({"copies": copies, "in_flight": callers, "messages": count, **medians(runs)})
    return rows


@asynccontextmanager
async def _opened(root: Path) -> AsyncIterator[tuple[Server, Postgres]]:
    server = Server(root / "postgres", shared_buffers="256MB", max_wal_size="2GB")
    server.start()
    try:
        server.make_template()
        async with open_postgres(server.url(server.fresh("bench")), schema_of("delivery")) as database:
            yield server, database
    finally:
        server.stop()


async def _channel(store: PostgresStore, members: int) -> tuple[bytes, list[Member]]:
    """Make a channel whose members have mailboxes; the commit that adds them is not a real one."""
    now_ms = time.time_ns() // 1_000_000
    channel = secrets.token_bytes(16) + b"localhost"
    leaves = [
        Member(secrets.token_bytes(16) + b"localhost", secrets.token_bytes(16) + b"localhost") for _ in range(members)
    ]
    for leaf in leaves:
        await store.open_mailbox(leaf.account, leaf.device, now_ms)
    state = NextState(epoch=1, policy=b"p", snapshot=b"s", tree_hash=b"t" * 32, tree=b"t", group_info=b"g")
    payload = secrets.token_bytes(100)
    commit = Commit(
        channel=channel, generation=1, epoch=0, proposals_version=0, payload=payload,
        hash=hashlib.sha256(payload).digest(), now_ms=now_ms, after=state, write_key=b"w" * 32, added=leaves[1:],
        removed=[], welcomes=[],
    )  # fmt: skip
    first = NextState(epoch=0, policy=b"p", snapshot=b"s", tree_hash=b"0" * 32, tree=b"t", group_info=b"g")
    await store.create(
        Birth(
            channel=channel, generation=1, birth_hash=payload[:32], creator=leaves[0], state=first, write_key=b"w" * 32,
            first=commit, now_ms=now_ms,
        )
    )  # fmt: skip
    return channel, leaves


def _message(channel: bytes, sender: bytes) -> Message:
    payload, now_ms = secrets.token_bytes(PAYLOAD_BYTES), time.time_ns() // 1_000_000
    return Message(
        channel=channel, generation=1, epoch=1, payload=payload, hash=hashlib.sha256(payload).digest(), device=sender,
        now_ms=now_ms, expires_ms=now_ms + DAY_MS,
    )  # fmt: skip


async def _flat_out(
    store: PostgresStore, server: Server, channels: Sequence[tuple[bytes, list[Member]]], count: int, callers: int
) -> dict[str, float]:
    messages = [
        _message(c, leaves[n % len(leaves)].device) for n in range(count) for c, leaves in [channels[n % CHANNELS]]
    ]
    left, waits = iter(messages), []

    async def worker() -> None:
        for message in left:
            begun = time.perf_counter()
            ((_, arrivals),) = await store.enqueue([message])  # type: ignore[misc]  # none of these is refused
            waits.append(time.perf_counter() - begun)
            assert arrivals

    cpu, theirs, wall = time.process_time(), cpu_of(server.pid), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(worker)
    seconds = time.perf_counter() - wall
    cuts = quantiles(waits, n=100)
    found: dict[str, Any] = {
        "per_second": count / seconds,
        "p50_ms": cuts[49] * 1000,
        "p99_ms": cuts[98] * 1000,
        "python_cpu_us": (time.process_time() - cpu) / count * 1e6,
        "postgres_cpu_us": (cpu_of(server.pid) - theirs) / count * 1e6,
    }
    return found


def cpu_of(postmaster: int) -> float:
    """Return the CPU seconds of a PostgreSQL and all its processes, also of those that have ended."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            if int(fields[1]) == postmaster or int(entry.name) == postmaster:
                times = fields[STATE_FIELDS_BEFORE_TIMES : STATE_FIELDS_BEFORE_TIMES + 4]
                total += sum(map(int, times if int(entry.name) == postmaster else times[:2]))
    return total / TICKS
