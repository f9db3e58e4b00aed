"""One attack at one server, each in a process of its own, and a well-behaved client's calls meanwhile."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from qpqclient.transport import frame_of
from qpqcore.api.gateway import HealthParams
from qpqgateway.main import ALPN
from tools.demo.processes import free_port
from tools.hostile.attacks import ATTACKS
from trio_quic import ClientTls, QuicConfiguration, QuicError, open_quic_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START_SECONDS_MAX: Final = 20.0
CALL_EVERY_SECONDS: Final = 0.02
CALL_SECONDS_MAX: Final = 5.0
"""A call that has no answer by then counts as so long."""
SAMPLE_SECONDS: Final = 0.05
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Figures:
    """What one attack cost."""

    cpu: float = 0.0
    """Server CPU seconds a second."""
    memory_mib: float = 0.0
    """The highest resident memory over that before."""
    log_kib: float = 0.0
    """Written by the server."""
    latencies_ms: list[float] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    """Of /metrics, afterwards; names without `qpq_quic_` and `_total`."""

    @property
    def p99_ms(self) -> float:
        """The well-behaved client's."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server process."""

    process: trio.Process
    port: int
    metrics_port: int
    log: Path

    def cpu_seconds(self) -> float:
        """Used up to now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def memory_bytes(self) -> int:
        """Resident now."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES

    def counters(self) -> dict[str, int]:
        """Read /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics") as page:
            lines = page.read().decode("ascii").splitlines()
        pairs = [line.split() for line in lines if line.startswith("qpq_quic_")]
        return {name.removeprefix("qpq_quic_").removesuffix("_total"): int(float(value)) for name, value in pairs}


@asynccontextmanager
async def running(folder: Path, engine: str, mode: str) -> AsyncIterator[Server]:
    """A server in `mode` (LIFTED or SHIPPED) in a folder of its own."""
    port, metrics_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    folder.mkdir(parents=True)
    command = [
        sys.executable, "-m", "tools.hostile.server", mode, "--listen", f"127.0.0.1:{port}", "--data-dir",
        str(folder / "data"), "--quic-engine", engine, "--metrics-listen", f"127.0.0.1:{metrics_port}",
    ]  # fmt: skip
    log = folder / "server.log"
    with log.open("wb") as out:
        process = await trio.lowlevel.open_process(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        with trio.fail_after(START_SECONDS_MAX):
            while b"listens" not in log.read_bytes():
                await trio.sleep(SAMPLE_SECONDS)
        yield Server(process, port, metrics_port, log)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def calls(server: Server, figures: Figures) -> None:
    """Call again and again on one connection, or on another when that one is lost, and note how long each took."""
    configuration = QuicConfiguration(alpn=(ALPN,), client=ClientTls(first_use=True))
    frame = frame_of(HealthParams())
    while True:
        begun = time.perf_counter()
        try:
            async with open_quic_connection("127.0.0.1", server.port, configuration) as connection:
                while True:
                    begun = time.perf_counter()
                    with trio.fail_after(CALL_SECONDS_MAX):
                        await connection.call(frame)
                    figures.latencies_ms.append((time.perf_counter() - begun) * 1000)
                    await trio.sleep(CALL_EVERY_SECONDS)
        except (QuicError, trio.TooSlowError):
            figures.latencies_ms.append(max(CALL_SECONDS_MAX, time.perf_counter() - begun) * 1000)
            await trio.sleep(CALL_EVERY_SECONDS)


async def watch(server: Server, figures: Figures) -> None:
    """Note the highest memory."""
    before = server.memory_bytes()
    while True:
        figures.memory_mib = max(figures.memory_mib, (server.memory_bytes() - before) / 2**20)
        await trio.sleep(SAMPLE_SECONDS)


async def measure(number: int, mode: str, seconds: float, folder: Path) -> Figures:
    """Play one attack."""
    figures = Figures()
    async with running(folder, ATTACKS[number].engine, mode) as server, trio.open_nursery() as nursery:
        nursery.start_soon(calls, server, figures)
        await trio.sleep(1.0)
        figures.latencies_ms.clear()
        nursery.start_soon(watch, server, figures)
        log_bytes, cpu, begun = server.log.stat().st_size, server.cpu_seconds(), time.perf_counter()
        command = [sys.executable, "-m", "tools.hostile.attacker", str(number), str(server.port)]
        command.append(str(seconds * ATTACKS[number].times))
        await trio.run_process(command, stdout=subprocess.DEVNULL)
        figures.cpu = (server.cpu_seconds() - cpu) / (time.perf_counter() - begun)
        figures.log_kib = (server.log.stat().st_size - log_bytes) / 1024
        with trio.move_on_after(CALL_SECONDS_MAX):
            figures.counters = await trio.to_thread.run_sync(server.counters, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()
    return figures
