"""Durable messages from device to device through the server in a process of its own: its CPU, and the time each takes.

Devices are bare links with a session: they enqueue PrivateMessages that were encrypted beforehand, read what is pushed
to them, and acknowledge it. So nothing but the server is measured by the server's clock.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import trio

from qpqclient.transport import Link, Trust, open_link
from qpqcore.api.delivery import AckParams, AckResult, EnqueueParams, EnqueueResult
from tools.bench.calls import DEVICES, prepared
from tools.bench.measure import Effort, Row, in_flight, medians
from tools.bench.served import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = "qpq-store"
"""The name of the threads that run a database."""
WIDTH = 32
LOAD = 0.5
"""Of what the server took at most, while latency is measured."""


class Mailboxes:
    """Devices that read and acknowledge what is pushed to them, and note when."""

    def __init__(self) -> None:
        self.arrived: dict[tuple[bytes, int], float] = {}
        """(channel, log number) -> when."""
        self._more = trio.Condition()

    async def read(self, link: Link, *, task_status: trio.TaskStatus[None]) -> None:
        """Read one device's mailbox for ever."""
        async with link.subscribe(0) as events:
            async for event in events:
                if event.which == "ready":
                    task_status.started()
                if event.entries:
                    now = time.perf_counter()
                    for entry in event.entries:
                        self.arrived[entry.channel, entry.log_number] = now
                    await link.call(AckParams(up_to=event.entries[-1].number), AckResult)
                    async with self._more:
                        self._more.notify_all()

    async def wait(self, places: list[tuple[bytes, int]]) -> None:
        """Wait until all of these have arrived and are acknowledged."""
        async with self._more:
            while any(place not in self.arrived for place in places):
                await self._more.wait()


async def through(server: Served, boxes: Mailboxes, work: Any, sent: list[tuple[bytes, int]]) -> dict[str, float]:
    """Do some sending and wait until all has arrived; return messages a second, and server CPU us for one, by layer."""
    before, begun = await server.usage(), time.perf_counter()
    await work()
    await boxes.wait(sent)
    seconds = time.perf_counter() - begun
    after, each = await server.usage(), 1e6 / len(sent)
    store_us = (after.threads[STORE] - before.threads[STORE]) * each
    cpu_us = (after.cpu_s - before.cpu_s) * each
    return {
        "per_second": len(sent) / seconds, "server_cpu_us": cpu_us, "edge_and_dispatch_us": cpu_us - store_us,
        "store_us": store_us,
    }  # fmt: skip


async def messages(root: Path, effort: Effort) -> list[Row]:
    """Measure as many as go through, then latency at half of that."""
    runs = []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(root / "server"))
        links = [
            await stack.enter_async_context(open_link(server.where, Trust(), accept=lambda _: True))
            for _ in range(DEVICES)
        ]
        waiting = await prepared(root, server.where, links)
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        boxes = Mailboxes()
        for link in links:
            await nursery.start(boxes.read, link)
        for _ in range(effort.repetitions):
            found = await busy(server, boxes, links, waiting, effort.durable)
            p50, p99 = await paced(boxes, links, waiting, effort.durable, found["per_second"] * LOAD)
            runs.append(found | {"p50_ms": p50, "p99_ms": p99})
    facts = {"what": "durable message, enqueue + push + ack", "in_flight": WIDTH, "messages": effort.durable}
    return [facts | medians(runs)]


async def busy(
    server: Served, boxes: Mailboxes, links: list[Link], waiting: list[Iterator[EnqueueParams]], count: int
) -> dict[str, float]:
    """Send with `WIDTH` in flight; return what `through` found."""
    sent: list[tuple[bytes, int]] = []

    async def send(link: Link, of: Iterator[EnqueueParams]) -> None:
        params = next(of)
        sent.append((params.channel, (await link.call(params, EnqueueResult)).log_number))

    def to(link: Link, of: Iterator[EnqueueParams]) -> Any:
        return lambda: send(link, of)

    ways = [to(link, of) for link, of in zip(links, waiting, strict=True)]
    return await through(server, boxes, lambda: in_flight(ways, count, WIDTH), sent)


async def paced(
    boxes: Mailboxes, links: list[Link], waiting: list[Iterator[EnqueueParams]], count: int, per_second: float
) -> tuple[float, float]:
    """Send at a steady rate; return the median and 99th percentile of send to receive, milliseconds."""
    took: list[tuple[tuple[bytes, int], float]] = []
    begun = time.perf_counter()

    async def send(link: Link, of: Iterator[EnqueueParams]) -> None:
        params, at = next(of), time.perf_counter()
        took.append(((params.channel, (await link.call(params, EnqueueResult)).log_number), at))

    async with trio.open_nursery() as nursery:
        for number in range(count):
            await trio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
            nursery.start_soon(send, links[number % len(links)], waiting[number % len(links)])
    await boxes.wait([place for place, _ in took])
    found = sorted((boxes.arrived[place] - at) * 1000 for place, at in took)
    return found[count // 2], found[count * 99 // 100]
