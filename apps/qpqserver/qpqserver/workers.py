"""Several gateways behind one address, as one program: it starts them, starts anew what dies, and passes signals on.

1. A worker is `qpq-server gateway` with its number in QPQ_WORKER; it takes what the others' datagrams bring it (trio_quic's Handover).
2. A worker that dies is started again at once, then ever more slowly. The others go on, and their clients with them.
3. SIGUSR2 replaces them one after another, each once the one before is ready: an upgrade without an end of the address.
4. SIGHUP goes to all; SIGTERM and SIGINT too, and we end with the last of them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
import trio

from qpqcore.config.settings import Settings, address_of
from trio_quic.handover import is_there

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

log = structlog.get_logger()

NUMBER: Final = "QPQ_WORKER"
BACKOFF_SECONDS_MIN: Final = 0.1
BACKOFF_SECONDS_MAX: Final = 5.0
LASTING_SECONDS: Final = 10.0
"""Who lived so long is started again at once."""
END_SECONDS_MAX: Final = 15.0
"""A worker that takes longer to end is killed."""
READY_SECONDS_MAX: Final = 60.0
"""While they are replaced one waits so long for the one before, then goes on: it may wait for a service that is away."""
LOOK_SECONDS: Final = 0.2
REQUEST: Final = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def handover_folder(settings: Settings) -> Path:
    """Return where the workers' sockets are."""
    return Path(settings.data_dir) / "workers"


def of_worker(settings: Settings) -> Settings:
    """Return a worker's own settings: its page has a port of its own, `metrics_listen`'s plus its number."""
    host, port = address_of(settings.metrics_listen)
    if settings.worker < 0 or not port:
        return settings
    shown = f"[{host}]" if ":" in host else host
    return replace(settings, metrics_listen=f"{shown}:{port + settings.worker}")


class Workers:
    """The running workers. `command` starts one."""

    def __init__(self, settings: Settings, command: Sequence[str]) -> None:
        self._settings = settings
        self._command = command
        self._running: dict[int, trio.Process] = {}
        self._is_ending = False

    async def run(self, signals: AsyncIterator[int]) -> None:
        """Keep all workers running until a signal ends them."""
        async with trio.open_nursery() as nursery:
            for number in range(self._settings.workers):
                nursery.start_soon(self._keep, number)
            async with trio.open_nursery() as replacing:
                await self._obey(signals, replacing)
                self._is_ending = True
                replacing.cancel_scope.cancel()
            nursery.cancel_scope.deadline = trio.current_time() + END_SECONDS_MAX

    async def _obey(self, signals: AsyncIterator[int], replacing: trio.Nursery) -> None:
        one_at_a_time = trio.Lock()
        async for what in signals:
            if what == signal.SIGUSR2:
                replacing.start_soon(self._replace_all, one_at_a_time)
                continue
            self._signal_all(what)
            if what != signal.SIGHUP:
                return

    def _signal_all(self, what: int) -> None:
        for process in self._running.values():
            process.send_signal(signal.Signals(what))

    async def _keep(self, number: int) -> None:
        backoff_s = 0.0
        while not self._is_ending:
            begun_s = trio.current_time()
            code = await self._run_one(number)
            if self._is_ending:
                return
            lasted_s = trio.current_time() - begun_s
            log.warning("worker_ended", worker=number, code=code, lasted_s=round(lasted_s, 1))
            if code and lasted_s < LASTING_SECONDS:
                backoff_s = min(max(2 * backoff_s, BACKOFF_SECONDS_MIN), BACKOFF_SECONDS_MAX)
                await trio.sleep(backoff_s)
            else:
                backoff_s = 0.0

    async def _run_one(self, number: int) -> int:
        """Run one worker until it ends; return its code. Cancelled, it is killed."""
        process = await trio.lowlevel.open_process(
            self._command, env=os.environ | {NUMBER: str(number)}, stdin=subprocess.DEVNULL
        )
        self._running[number] = process
        if self._is_ending:  # the signal came while it was being started
            process.terminate()
        try:
            return await process.wait()
        finally:
            del self._running[number]
            if process.returncode is None:
                process.kill()
                with trio.CancelScope(shield=True):  # killed: it ends at once
                    await process.wait()

    async def _replace_all(self, one_at_a_time: trio.Lock) -> None:
        """End one after another in order; `_keep` starts each anew. Whoever asks again meanwhile waits."""
        async with one_at_a_time:
            await self._replace_each()

    async def _replace_each(self) -> None:
        for number in range(self._settings.workers):
            process = self._running.get(number)
            if process is None:
                continue
            process.send_signal(signal.SIGTERM)
            with trio.move_on_after(END_SECONDS_MAX) as late:
                await process.wait()
            if late.cancelled_caught:
                process.kill()
            with trio.move_on_after(READY_SECONDS_MAX) as unready:
                while not await self._is_ready(number):
                    await trio.sleep(LOOK_SECONDS)
            log.info("worker_replaced", worker=number, ready=not unready.cancelled_caught)

    async def _is_ready(self, number: int) -> bool:
        """Ask its page; where it has none that can be found, whether it takes its datagrams: it serves from then on."""
        host, port = address_of(of_worker(replace(self._settings, worker=number)).metrics_listen)
        if not self._settings.metrics_enabled or not port:
            return is_there(handover_folder(self._settings), number)
        answer = b""
        with suppress(OSError, trio.BrokenResourceError):
            async with await trio.open_tcp_stream(host, port) as stream:
                await stream.send_all(REQUEST)
                async for part in stream:
                    answer += part
        return answer.startswith(b"HTTP/1.1 200")


async def run_workers(settings: Settings, arguments: Sequence[str]) -> None:
    """Run `qpq-server` with these arguments as many times as the settings say, until a signal comes."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)
    with trio.open_signal_receiver(*numbers) as signals:
        await Workers(settings, [sys.executable, "-m", "qpqserver.main", *arguments]).run(signals)
