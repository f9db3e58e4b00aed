"""Many clients who are connected and silent, beside few who talk: memory, wake-ups, and what others' traffic costs a process.

The silent ones and those who listen are at one gateway and one process of delivery; the traffic goes through the others.
"""

from __future__ import annotations

import resource
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final

import trio

import qpqclient
from qpqclient.transport import Link, Trust, open_link
from qpqcore.api.delivery import BatchEnqueueParams, BatchEnqueueResult, EnqueueParams, EnqueueResult
from qpqcore.model.errors import ErrorCode
from tools.bench.calls import DEVICES, prepared
from tools.bench.idle import OPENED_PER_SECOND_MAX, OPENING_AT_ONCE, SPARE_FILES, one
from tools.bench.messages import Mailboxes
from tools.bench.people import clients
from tools.overload.offering import TAIL_BYTES, senders
from tools.rolling.stage import Replica, Stage, stage
from tools.scale.usage import cpu_seconds, resident_kib, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tools.overload.offering import Sender

COUNTS: Final = {"keystore": 1, "delivery": 2, "blob": 1, "auth": 1, "federation": 1, "gateway": 2}
SILENT_GATEWAY, BUSY_GATEWAY = Replica("gateway", 0), Replica("gateway", 1)
SILENT, BUSY = Replica("delivery", 1), Replica("delivery", 0)
SILENT_DEVICES: Final = 6
"""Whose sessions the silent connections share; one address may register 30 people."""
WAKE_UPS_PER_SECOND: Final = 50.0
PAIRS: Final = 12
"""Of those who make the traffic: each of one side may send 200 messages a second, and 2,000 at once before that."""
BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    clients: int
    idle_seconds: float
    wake_ups: int
    traffic_per_second: float
    traffic_seconds: float


async def crowd(folder: Path, effort: Effort, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measure all of it; a row each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, effort.clients + SPARE_FILES), most))
    with stage(folder / "stage", COUNTS) as place:
        bounds = str(2 * effort.clients)
        place.more |= {"QPQ_CONNECTIONS_MAX": bounds, "QPQ_CONNECTIONS_PER_ADDRESS_MAX": bounds}
        others = [o for o in place.everyone if o.service != "delivery"]
        place.knows[SILENT_GATEWAY], place.knows[BUSY_GATEWAY] = [*others, SILENT], [*others, BUSY]
        for process in place.everyone:
            place.start(process)
        for process in place.everyone:
            await place.wait_ready(process)
        silent, busy = (f"{host}:{place.port}" for host in place.hosts)
        async with AsyncExitStack() as stack:
            rows = [await _idle(stack, folder, place, silent, effort)]
            say(f"{effort.clients} silent clients: {rows[0]['gateway_kib_each']:.1f} KiB each at their gateway")
            rows.append(await _woken(folder / "talk", silent, busy, effort))
            say(f"woken: p50 {rows[1]['p50_ms']:.1f} ms, p99 {rows[1]['p99_ms']:.1f} ms")
            rows.append(await _taxed(folder / "traffic", place, busy, effort))
            say(f"beside {rows[2]['per_second']:.0f} messages/s: {rows[2]['bystander_percent']:.2f} % of a core")
        return rows


async def _idle(stack: AsyncExitStack, folder: Path, place: Stage, where: str, effort: Effort) -> dict[str, Any]:
    """Connect and subscribe so many clients, who stay; see what they hold and take."""
    devices = await stack.enter_async_context(
        clients(folder / "silent", where, *(f"silent{number}" for number in range(SILENT_DEVICES)))
    )
    nursery = await stack.enter_async_context(trio.open_nursery())
    stack.callback(nursery.cancel_scope.cancel)
    limit, ready = trio.CapacityLimiter(OPENING_AT_ONCE), trio.Semaphore(0)
    before = [resident_kib(place.pid(process)) for process in (SILENT_GATEWAY, SILENT)]
    for number in range(effort.clients):
        nursery.start_soon(one, where, devices[number % len(devices)], limit, ready)
        await trio.sleep(1 / OPENED_PER_SECOND_MAX)
    for _ in range(effort.clients):
        await ready.acquire()
    gateway, delivery = (
        (resident_kib(place.pid(process)) - kib) / effort.clients
        for process, kib in zip((SILENT_GATEWAY, SILENT), before, strict=True)
    )
    begun = taken(place)
    await trio.sleep(effort.idle_seconds)
    ended = taken(place)
    shares = {f"{name}_percent": (ended[name] - begun[name]) / effort.idle_seconds * 100 for name in begun}
    del shares["idle_percent"]
    return {
        "what": "idle", "clients": effort.clients, "gateway_kib_each": gateway, "delivery_kib_each": delivery, **shares,
    }  # fmt: skip


async def _woken(folder: Path, silent: str, busy: str, effort: Effort) -> dict[str, Any]:
    """Send through the other gateway to devices that listen at the crowd's; see how long each message was on its way."""
    boxes, took = Mailboxes(), []
    async with AsyncExitStack() as stack:
        heard = [await stack.enter_async_context(_link(silent)) for _ in range(DEVICES)]
        waiting = await prepared(folder, silent, heard)
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        for link in heard:
            await nursery.start(boxes.read, link)
        said = [await stack.enter_async_context(_link(busy)) for _ in range(DEVICES)]
        await _same_sessions(folder, silent, said)

        async def send(link: Link, of: Iterator[EnqueueParams]) -> None:
            params, at_s = next(of), time.perf_counter()
            took.append(((params.channel, (await link.call(params, EnqueueResult)).log_number), at_s))

        begun_s = time.perf_counter()
        async with trio.open_nursery() as sending:
            for number in range(effort.wake_ups):
                await trio.sleep(max(0.0, begun_s + number / WAKE_UPS_PER_SECOND - time.perf_counter()))
                sending.start_soon(send, said[number % DEVICES], waiting[number % DEVICES])
        await boxes.wait([place for place, _ in took])
    ways = quantiles([(boxes.arrived[place] - at_s) * 1000 for place, at_s in took], n=100)
    return {"what": "woken", "messages": len(took), "p50_ms": ways[49], "p99_ms": ways[98]}


def _link(where: str) -> Any:
    return open_link(where, Trust(), accept=lambda _: True)


async def _same_sessions(folder: Path, where: str, links: Sequence[Link]) -> None:
    """Let more connections into the sessions of the people that `prepared` made."""
    async with AsyncExitStack() as stack:
        for number, link in enumerate(links):
            client = await stack.enter_async_context(
                qpqclient.open_client(folder / f"{number}", server=where, password="x")  # noqa: S106 - a bench's
            )
            await client._core.account.resume(link)  # noqa: SLF001 - one more connection in the same session


async def _taxed(folder: Path, place: Stage, where: str, effort: Effort) -> dict[str, Any]:
    """Have one process of delivery take messages for people who are away; see what the other one takes."""
    refused = 0
    place.redis.command("FLUSHALL")  # what one address may register in an hour is less than all of this needs
    async with senders(folder, where, PAIRS, PAIRS) as to:
        before, aside, begun_s = cpu_seconds(place.pid(BUSY)), cpu_seconds(place.pid(SILENT)), time.perf_counter()
        sent = 0

        async def batch(sender: Sender) -> None:
            nonlocal refused
            items = tuple(
                replace(sender.params, payload=sender.params.payload[:-TAIL_BYTES] + secrets.token_bytes(TAIL_BYTES))
                for _ in range(BATCH)
            )
            done = await sender.link.call(BatchEnqueueParams(items=items), BatchEnqueueResult)
            refused += sum(item.code != ErrorCode.OK for item in done.items)

        async with trio.open_nursery() as nursery:
            while sent < effort.traffic_per_second * effort.traffic_seconds:
                await trio.sleep(max(0.0, begun_s + sent / effort.traffic_per_second - time.perf_counter()))
                nursery.start_soon(batch, to[sent // BATCH % len(to)])
                sent += BATCH
        seconds = time.perf_counter() - begun_s
        busy, bystander = cpu_seconds(place.pid(BUSY)) - before, cpu_seconds(place.pid(SILENT)) - aside
    return {
        "what": "beside traffic", "per_second": sent / seconds, "refused": refused, "busy_percent": busy / seconds * 100,
        "bystander_percent": bystander / seconds * 100,
    }  # fmt: skip
