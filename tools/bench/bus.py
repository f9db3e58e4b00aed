"""Calls over the TCP bus, mutual TLS included: the callee in a process of its own, so that both ends' CPU can be told.

A body is 200 bytes each way and the envelope has its parts, 450 bytes in all: encoded and decoded at both ends. The callee
answers at once; what a service does beside it (decoding Cap'n Proto, its store) is not the bus's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from qpqcore.api.methods import METHODS
from qpqcore.bus.tcp_client import TcpBus
from qpqcore.bus.tcp_server import BusServer
from qpqcore.net import authority
from qpqcore.net.mutual_tls import Credentials
from qpqcore.wire.envelope import BusReply, Envelope
from tools.bench.measure import Effort, Row, medians
from tools.bench.served import START_SECONDS_MAX, Served, _line, obey_usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WIDTHS = (1, 32, 128, 256)
CALLEE, CALLER = "keystore", "gateway"
METHOD = next(m.number for m in METHODS.values() if m.name == "resolveUser")
BODY = bytes(range(200))
CALL = Envelope(
    method=METHOD, deadline_ms=30_000, assertion=bytes(200), challenge=bytes(32), address="192.0.2.1", body=BODY
)


def credentials(folder: Path, service: str) -> Credentials:
    """Read a service's certificate."""
    own = folder / service
    return Credentials(own / authority.BUS_CA, own / authority.BUS_CERT, own / authority.BUS_KEY)


async def bus(folder: Path, effort: Effort) -> list[Row]:
    """Measure calls so many in flight over one connection."""
    now = datetime.fromtimestamp(time.time_ns() / 1e9, UTC)
    authority.make_ca(folder, now)
    for service in (CALLEE, CALLER):
        authority.issue(folder, service, now)
    rows = []
    async with callee(folder) as server, trio.open_nursery() as nursery:
        caller = TcpBus({CALLEE: [server.address]}, credentials(folder, CALLER))
        nursery.start_soon(caller.run)
        for width in WIDTHS:
            runs = [await measured(caller, server, effort.health[width], width) for _ in range(effort.repetitions)]
            rows.append({"what": "call", "in_flight": width, "calls": effort.health[width], **medians(runs)})
        nursery.cancel_scope.cancel()
    return rows


async def measured(caller: TcpBus, server: Served, count: int, width: int) -> dict[str, float]:
    """Make so many calls, and say what they cost at each end, microseconds of CPU a call."""
    left = count

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            reply = await caller.call(CALL)
            assert reply.result == BODY, reply

    before, cpu, wall = await server.usage(), time.process_time(), time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(width):
            nursery.start_soon(worker)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    callee_us = ((await server.usage()).cpu_s - before.cpu_s) / count * 1e6
    caller_us = cpu / count * 1e6
    return {
        "per_second": count / seconds, "caller_us": caller_us, "callee_us": callee_us, "cpu_us": caller_us + callee_us
    }  # fmt: skip


@asynccontextmanager
async def callee(folder: Path) -> AsyncIterator[Served]:
    """Run the callee; ended with the block."""
    command = [sys.executable, "-m", "tools.bench.bus", str(folder)]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        with trio.fail_after(START_SECONDS_MAX):
            host, port = await _line(process)
        yield Served(process, (host, port))
    finally:
        with trio.CancelScope(shield=True):
            assert process.stdin is not None
            await process.stdin.aclose()
            await process.wait()


class Echo:
    """Answers with what was asked, at once."""

    async def __call__(self, envelope: Envelope, peer: str) -> BusReply:
        """Answer."""
        del peer
        return BusReply(result=envelope.body)


async def _serve(folder: Path) -> None:
    server = BusServer(CALLEE, Echo(), credentials(folder, CALLEE))
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(server.serve, "127.0.0.1", 0))
        sys.stdout.write(json.dumps(address) + "\n")
        sys.stdout.flush()
        await obey_usage()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_serve, Path(sys.argv[1]))
