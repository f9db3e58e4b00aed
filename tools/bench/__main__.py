"""`make bench`, first form: calls and durable messages through the whole server, beside the engine's bare echo.

Client and server share one process and its clock, so the figure to read is the ratio: CPU per call of the server's way
over CPU per call of an echo of frames of the same size, both with the client's share in them. Never a timed test.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import trio
import trio.testing

import qpqclient
from qpqclient.transport import Trust, open_link
from qpqcore.api.gateway import HealthParams, HealthResult
from qpqcore.api.rpc import Call
from qpqcore.config.settings import Settings
from qpqserver.embedded import certificate, open_embedded
from trio_quic import ClientTls, IncomingCall, QuicConfiguration, open_quic_connection, serve_quic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

WIDTHS = (1, 32, 100)
"""Calls in flight; one connection takes 100."""
ECHO_FRAME = Call(method=0, params=HealthParams().to_bytes()).to_bytes()


async def measure(call: Callable[[], Awaitable[Any]], width: int, count: int) -> dict[str, float]:
    """Run `count` calls with `width` in flight; return calls a second and CPU microseconds a call."""
    left = count

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    await call()
    cpu, wall = time.process_time(), trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(width):
            nursery.start_soon(worker)
    seconds = trio.current_time() - wall
    return {"per_second": count / seconds, "cpu_us": (time.process_time() - cpu) / count * 1e6}


@asynccontextmanager
async def echo(settings: Settings) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """An endpoint that sends back what comes, on the same engine."""
    tls, _, _ = certificate(settings, Path(settings.data_dir))

    def answer(call: IncomingCall) -> None:
        call.reply(call.frame)

    configuration = QuicConfiguration(alpn=(b"echo",), server=tls, client=ClientTls(first_use=True))
    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
            await serve_quic(answer, configuration, host="127.0.0.1", port=0, task_status=task_status)

        endpoint = await nursery.start(run)
        async with open_quic_connection("127.0.0.1", endpoint.address[1], configuration) as connection:
            yield lambda: connection.call(ECHO_FRAME)
        nursery.cancel_scope.cancel()


async def calls(settings: Settings, count: int) -> list[dict[str, Any]]:
    """Measure the echo and `health`."""
    rows: list[dict[str, Any]] = []
    async with echo(settings) as bare, open_embedded(settings) as server:
        where = f"127.0.0.1:{server.endpoint.address[1]}"
        async with open_link(where, Trust(), accept=lambda _: True) as link:
            for width in WIDTHS:
                base = await measure(bare, width, count)
                rows.append({"what": "echo", "in_flight": width, "ratio": 1.0, **base})
                found = await measure(lambda: link.call(HealthParams(), HealthResult), width, count)
                rows.append({"what": "health", "in_flight": width, "ratio": found["cpu_us"] / base["cpu_us"], **found})
    return rows


async def messages(settings: Settings, folder: Path, count: int) -> list[dict[str, Any]]:
    """Measure messages from one device to another: MLS, QUIC, store, push, MLS, acknowledged."""
    async with open_embedded(settings) as server:
        where = f"127.0.0.1:{server.endpoint.address[1]}"
        async with (
            qpqclient.open_client(folder / "a", server=where, password="x") as alice,  # noqa: S106 - a bench's
            qpqclient.open_client(folder / "b", server=where, password="y") as bob,  # noqa: S106 - a bench's
        ):
            await alice.register("alice", "secret alice")
            await bob.register("bob", "secret bob")
            direct = await alice.dm("bob")
            cpu, latencies = time.process_time(), []
            async with trio.open_nursery() as nursery:
                arrived: trio.MemorySendChannel[float]
                arrived, arrivals = trio.open_memory_channel[float](count)

                async def watch() -> None:
                    async for event in bob.events():
                        if isinstance(event, qpqclient.MessageReceived):
                            arrived.send_nowait(trio.current_time())

                nursery.start_soon(watch)
                await trio.testing.wait_all_tasks_blocked(0.05)
                for number in range(count):
                    begun = trio.current_time()
                    await direct.send(f"message {number}")
                    latencies.append(await arrivals.receive() - begun)
                nursery.cancel_scope.cancel()
            latencies.sort()
            return [
                {
                    "what": "send to receive, one at a time",
                    "p50_ms": latencies[count // 2] * 1000,
                    "p99_ms": latencies[count * 99 // 100] * 1000,
                    "cpu_us": (time.process_time() - cpu) / count * 1e6,
                }
            ]


def main() -> int:
    """Run everything; print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="qpq-bench-") as temporary:
        root = Path(temporary)
        settings = Settings(listen="127.0.0.1:0", data_dir=str(root / "server"))
        (root / "server").mkdir()
        rows = trio.run(calls, settings, arguments.count) + trio.run(messages, settings, root, 200)
    for row in rows:
        if arguments.json:
            sys.stdout.write(json.dumps(row) + "\n")
        else:
            sys.stdout.write(
                "  ".join(f"{k}={v:.1f}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()) + "\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
