"""What is measured, in a process of its own: the server, or an engine's bare echo; its CPU is then nobody else's.

The measuring process asks by a line on the other's standard input and gets a line of JSON back (`Usage`, or a census).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import trio

from qpqcore.bus.limits import LocalLimiter, Rate
from qpqcore.config.settings import Settings
from qpqcore.runtime import memory
from qpqcore.store.connection import memory_bytes
from qpqserver.embedded import Surroundings, edge_certificate, open_embedded
from trio_quic import ClientTls, IncomingCall, QuicConfiguration, serve_quic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from qpqcore.bus.limits import Taking
    from trio_quic import EngineName, QuicEndpoint

ALPN_ECHO = b"echo"
START_SECONDS_MAX = 60
LINE_BYTES_MAX = 4096
LOOK_SECONDS = 0.005
WARNING = 30
"""structlog's level: what the server says of connections that come and go stays out."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since its start."""

    cpu_s: float
    resident_kib: int
    """Now."""
    peak_kib: int
    sqlite_kib: int
    """Of `resident_kib`, what SQLite holds: page caches that fill, each up to its bound."""
    threads: dict[str, float]
    """CPU seconds of each living Python thread, by name: the scheduler's is MainThread."""


def usage() -> Usage:
    """Return what this process has used."""
    threads: dict[str, float] = {}
    for thread in threading.enumerate():
        on_processor_ns = int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0])
        threads[thread.name] = threads.get(thread.name, 0.0) + on_processor_ns / 1e9
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    # Not getrusage's figure: that one begins with what the parent had.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return Usage(
        time.process_time(),
        pages * os.sysconf("SC_PAGESIZE") // 1024,
        int(peak.split()[1]),
        memory_bytes() // 1024,
        threads,
    )


class Served:
    """A process that serves, as the measuring one sees it."""

    def __init__(self, process: trio.Process, address: tuple[str, int]) -> None:
        self._process = process
        self.address = address

    @property
    def where(self) -> str:
        """Return host and port, as a client writes them."""
        return f"{self.address[0]}:{self.address[1]}"

    async def usage(self) -> Usage:
        """Ask what it has used."""
        return Usage(**await self._ask("usage"))

    async def filled(self) -> None:
        """Wait until mailboxes have what large groups were sent: it is put there after the answer."""
        while not await self._ask("filled"):
            await trio.sleep(LOOK_SECONDS)

    async def census(self) -> dict[str, int]:
        """Ask what it has open: files, threads, tasks; a server also connections, half-open ones, calls."""
        found: dict[str, int] = await self._ask("census")
        return found

    async def _ask(self, what: str) -> Any:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(f"{what}\n".encode())
        return await _line(self._process)


async def _line(process: trio.Process) -> Any:
    """Return the value of the next line that a process says."""
    assert process.stdout is not None
    found = b""
    while not found.endswith(b"\n"):
        part = await process.stdout.receive_some(LINE_BYTES_MAX)
        if not part:
            raise RuntimeError("the served process ended")
        found += part
    return json.loads(found)


@asynccontextmanager
async def served(
    data_dir: Path, what: str = "server", engine: EngineName = "native", **settings: int
) -> AsyncIterator[Served]:
    """Run the server, or an "echo" on an engine, in a process of its own; ended with the block."""
    command = [sys.executable, "-m", "tools.bench.served", what, "--data-dir", str(data_dir), "--engine", engine]
    command += ["--settings", json.dumps(settings)]
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


# --- the process itself


def census(endpoint: QuicEndpoint) -> dict[str, int]:
    """Return what this process has open; the folder that is listed is a file of its own."""
    return {
        "files": len(os.listdir("/proc/self/fd")) - 1, "threads": threading.active_count(),
        "tasks": trio.lowlevel.current_statistics().tasks_living, "connections": len(endpoint.connections),
        "half_open": endpoint.counters()["half_open"],
        "calls": sum(connection.calls_in_flight for connection in endpoint.connections),
    }  # fmt: skip


async def _obey(endpoint: QuicEndpoint, filled: Callable[[], bool] = lambda: True) -> None:
    """Say where; answer each line until the input ends."""
    memory.settle()  # as qpq-server does
    sys.stdout.write(json.dumps(endpoint.address) + "\n")
    sys.stdout.flush()
    answers = {b"usage": lambda: asdict(usage()), b"census": lambda: census(endpoint), b"filled": filled}
    await answer_orders(answers)


async def obey_usage() -> None:
    """Tell what this process has used, each time it is asked, until the input ends."""
    await answer_orders({b"usage": lambda: asdict(usage())})


async def answer_orders(answers: dict[bytes, Callable[[], Any]]) -> None:
    """Answer each line until the input ends."""
    async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as orders:
        async for chunk in orders:
            for order in bytes(chunk).splitlines():  # who asks waits for the answer: no order comes in two chunks
                sys.stdout.write(json.dumps(answers[order]()) + "\n")
            sys.stdout.flush()


class NoLimits(LocalLimiter):
    """Does what a limiter does, and refuses nobody: one machine plays all."""

    def take(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Take some; nothing has to wait."""
        super().take(key, rate, now_ms, count)
        return 0

    def wait_ms(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Ask for some; nothing has to wait."""
        super().wait_ms(key, rate, now_ms, count)
        return 0

    async def take_all(self, takings: Sequence[Taking], now_ms: int) -> int:
        """Take one of each; nothing has to wait."""
        for key, rate in takings:
            self.take(key, rate, now_ms)
        return 0


async def _server(settings: Settings) -> None:
    async with open_embedded(settings, Surroundings(limiter=NoLimits())) as server:
        await _obey(server.endpoint, lambda: server.services["delivery"].is_filled)


async def _echo(settings: Settings, engine: EngineName) -> None:
    """Send back what comes."""
    tls = edge_certificate(settings)[0].tls
    configuration = QuicConfiguration(alpn=(ALPN_ECHO,), server=tls, client=ClientTls(first_use=True))

    def answer(call: IncomingCall) -> None:
        call.reply(call.frame)

    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
            await serve_quic(answer, configuration, host="127.0.0.1", port=0, engine=engine, task_status=task_status)

        endpoint = await nursery.start(run)
        await _obey(endpoint)
        nursery.cancel_scope.cancel()


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("server", "echo"))
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, default={}, help="more of qpq-server's settings, as JSON")
    parser.add_argument("--engine", choices=("native", "aioquic"), default="native")
    arguments = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # the other stream is for answers
    )
    arguments.data_dir.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        listen="127.0.0.1:0", data_dir=str(arguments.data_dir), quic_engine=arguments.engine,
        **{"shed_delay_us": 0} | arguments.settings,  # a bench keeps more in flight than a window allows
    )  # fmt: skip
    if arguments.what == "server":
        trio.run(_server, settings)
    else:
        trio.run(_echo, settings, arguments.engine)


if __name__ == "__main__":
    main()
