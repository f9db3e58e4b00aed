"""Subscribed clients that do nothing: what each holds of the server's memory, and what all of them cost it a second."""

from __future__ import annotations

import resource
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import trio

from qpqclient.transport import Link, Trust, open_link
from tools.bench.people import clients
from tools.bench.served import served

if TYPE_CHECKING:
    from pathlib import Path

    import qpqclient
    from tools.bench.measure import Effort, Row

DEVICES = 10
OPENING_AT_ONCE = 16
OPENED_PER_SECOND_MAX = 90
"""One address may make 1,000 handshakes in 10 s; spread so, pings do not come in bunches either, which would flatter."""
SPARE_FILES = 200


async def idle(root: Path, effort: Effort) -> list[Row]:
    """Measure that many connections of ten devices, each with its session and its subscription."""
    count = effort.idle_clients
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, count + SPARE_FILES), most))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            served(
                root / "server",
                connections_max=2 * count,
                connections_per_address_max=2 * count,
            )
        )
        names = [f"member{number}" for number in range(DEVICES)]
        devices = await stack.enter_async_context(clients(root, server.where, *names))
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        limit, ready = trio.CapacityLimiter(OPENING_AT_ONCE), trio.Semaphore(0)
        before = await server.usage()
        for number in range(count):
            nursery.start_soon(one, server.where, devices[number % DEVICES], limit, ready)
            await trio.sleep(1 / OPENED_PER_SECOND_MAX)
        for _ in range(count):
            await ready.acquire()
        begun = await server.usage()
        await trio.sleep(effort.idle_seconds)
        ended = await server.usage()
    return [
        {
            "what": "idle", "clients": count, "kib_each": (begun.resident_kib - before.resident_kib) / count,
            "cpu_percent": (ended.cpu_s - begun.cpu_s) / effort.idle_seconds * 100,
        }
    ]  # fmt: skip


async def one(where: str, device: qpqclient.Client, limit: trio.CapacityLimiter, ready: trio.Semaphore) -> None:
    """Connect, go on with the device's session, subscribe, and listen until the end."""
    async with AsyncExitStack() as stack:
        async with limit:
            link: Link = await stack.enter_async_context(open_link(where, Trust(), accept=lambda _: True))
            await device._core.account.resume(link)  # noqa: SLF001 - one more connection in the same session
            events = await stack.enter_async_context(link.subscribe(0))
            async for event in events:
                if event.which == "ready":
                    break
        ready.release()
        await trio.sleep_forever()
