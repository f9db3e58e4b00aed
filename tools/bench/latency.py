"""Messages from one device to another, one at a time, and a group made through the server, all by the SDK."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import qpqclient
from qpqserver.embedded import open_embedded
from tools.bench.measure import Effort, Row, medians

if TYPE_CHECKING:
    from pathlib import Path

    from qpqcore.config.settings import Settings


async def latency(settings: Settings, root: Path, effort: Effort) -> list[Row]:
    """Measure send to receive: MLS, the sender's database, QUIC, store, push, MLS, the receiver's database."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_embedded(settings))
        where = f"127.0.0.1:{server.endpoint.address[1]}"
        alice, bob = [
            await stack.enter_async_context(qpqclient.open_client(root / name, server=where, password=name))
            for name in ("alice", "bob")
        ]
        await alice.register("alice", "secret of alice")
        await bob.register("bob", "secret of bob")
        direct = await alice.dm("bob")
        await exchange(direct, bob, 3)
        runs = [await exchange(direct, bob, effort.latencies) for _ in range(effort.repetitions)]
    facts = {"what": "send to receive", "messages": effort.latencies, "repetitions": effort.repetitions}
    return [facts | medians(runs)]


async def exchange(direct: qpqclient.Conversation, receiver: qpqclient.Client, count: int) -> dict[str, float]:
    """Send messages one after another, each when the one before is shown."""
    events = receiver.events()
    cpu, found = time.process_time(), []
    for number in range(count):
        begun = time.perf_counter()
        sent = await direct.send(f"message {number}")
        async for event in events:
            if isinstance(event, qpqclient.MessageReceived) and event.message.id == sent.id:
                break
        found.append((time.perf_counter() - begun) * 1000)
    found.sort()
    cpu_us = (time.process_time() - cpu) / count * 1e6
    return {"p50_ms": found[count // 2], "p99_ms": found[count * 99 // 100], "cpu_us": cpu_us}


async def group_by_sdk(settings: Settings, root: Path, effort: Effort) -> list[Row]:
    """Measure `create_group`: fetched KeyPackages, the commit, sealed Welcomes, the server's checks, the name."""
    names = [f"member{number}" for number in range(1, effort.sdk_members)]
    async with open_embedded(settings) as server:
        where = f"127.0.0.1:{server.endpoint.address[1]}"
        for name in names:
            async with qpqclient.open_client(root / name, server=where, password=name) as member:
                await member.register(name, f"secret of {name}")
        async with qpqclient.open_client(root / "maker", server=where, password="x") as maker:  # noqa: S106 - a bench's
            await maker.register("maker", "secret of maker")
            runs = []
            for number in range(effort.repetitions):
                begun = time.perf_counter()
                made = await maker.create_group(f"group {number}", names)
                runs.append({"create_ms": (time.perf_counter() - begun) * 1000})
                assert len(made.members()) == effort.sdk_members
    facts = {"what": "create a group by the SDK", "members": effort.sdk_members, "repetitions": effort.repetitions}
    return [facts | medians(runs)]
