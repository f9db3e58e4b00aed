"""The processes of the demo: the server and the people, each started, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

START_SECONDS_MAX = 120
"""A busy machine, and a server of low priority on it, take their time."""
_RUNNING: list[trio.Process] = []
"""Every process started on the stage: none outlives the play, whatever goes wrong in it."""
ANSWER_SECONDS_MAX = 120
END_SECONDS_MAX = 5.0
"""Of processes that were killed: it takes no time."""
EXIT_INTERRUPTED = 130
"""As a shell says of who was ended by SIGINT."""


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server(Protocol):
    """What the people talk to: a process, or a deployment of many."""

    @property
    def address(self) -> str:
        """Where it is reached."""

    @property
    def victims(self) -> Sequence[str]:
        """Who is killed, one after the other."""

    async def start(self) -> None:
        """Return once it serves, at the beginning or after a kill."""

    async def kill(self) -> float:
        """Kill the next victim; return the moment, in seconds of the monotonic clock."""

    async def stop(self) -> int:
        """End it; return its exit code."""


class _Owned:
    """A process that is started, killed and started again."""

    _process: trio.Process | None = None

    async def kill(self) -> float:
        """SIGKILL; return the moment, in seconds of the monotonic clock."""
        assert self._process is not None
        moment = time.monotonic()
        self._process.kill()
        await self._process.wait()
        return moment

    async def wait(self) -> int:
        """Wait until it has ended, for whatever reason; return the exit code, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()


class ServerProcess(_Owned):
    """`qpq-server` in its embedded form on a fixed port and folder; `command`: another program in its place."""

    def __init__(self, folder: Path, port: int, engine: str, command: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{port}"
        self.victims: Sequence[str] = ("the server", "the server")
        self._engine = engine
        self._command = command or (str(Path(sys.executable).with_name("qpq-server")),)

    async def start(self) -> None:
        """Start it and wait until it answers on its readiness address."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = self.folder / "metrics-address"
        ready.unlink(missing_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                [
                    *self._command, "--listen", self.address, "--data-dir", str(self.folder / "data"),
                    "--quic-engine", self._engine, "--metrics-listen", "127.0.0.1:0",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        _RUNNING.append(self._process)
        from qpqclient import QpqError, ping

        with trio.fail_after(START_SECONDS_MAX):
            while True:
                try:
                    await ping(self.address, engine=self._engine)  # type: ignore[arg-type]
                except QpqError:
                    await trio.sleep(0.05)
                else:
                    return

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return int(self._process.pid)

    async def stop(self) -> int:
        """SIGTERM and wait; return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()


class PersonProcess(_Owned):
    """One person's process; orders are answered in turn, and what it sees is passed on."""

    def __init__(
        self, name: str, root: Path, server: str, engine: str, on_seen: Callable[[str, str, str], None],
        module: str = "tools.demo.person",
    ) -> None:  # fmt: skip
        self.name = name
        self._module = module
        plain = name.replace("/", "-")
        self.folder = root / plain
        self.log = root / f"{plain}.log"
        self._server = server
        self._engine = engine
        self._on_seen = on_seen
        self._answered: trio.MemoryReceiveChannel[Any] | None = None
        self._lock = trio.Lock()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the process and read what it says until it ends."""
        errors = self.log.with_suffix(".err").open("ab")
        # Of this run alone: the run before may still be ending when a killed person is started again.
        answers, self._answered = trio.open_memory_channel[Any](16)
        self._process = process = await trio.lowlevel.open_process(
            [
                sys.executable, "-m", self._module, "--name", self.name, "--folder", str(self.folder),
                "--log", str(self.log), "--server", self._server, "--secret", f"secret of {self.name.split('/')[0]}",
                "--engine", self._engine,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=dict(os.environ),
        )  # fmt: skip
        _RUNNING.append(process)
        assert process.stdout is not None
        buffer = b""
        async for chunk in process.stdout:
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                value = json.loads(line)
                if "seen" in value:
                    self._on_seen(self.name, value["seen"]["sender"], value["seen"]["text"])
                elif "ready" in value:
                    task_status.started()
                else:
                    await answers.send(value["answer"])
        await process.wait()
        errors.close()
        answers.close()

    async def order(self, do: str, /, **more: Any) -> Any:
        """Give an order and wait for the answer; RuntimeError if the person reports an error."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._answered is not None
        async with self._lock:
            with trio.fail_after(ANSWER_SECONDS_MAX):
                await self._process.stdin.send_all(json.dumps({"do": do, **more}).encode() + b"\n")
                answer = await self._answered.receive()
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{self.name}: {do}: {answer['error']}: {answer['detail']}")
        return answer

    async def stop(self) -> None:
        """End it by closing its input."""
        assert self._process is not None
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        await self._process.wait()


def played(perform: Callable[..., Awaitable[int]], *given: object) -> int:
    """Play to the end; return the exit code. Ctrl-C ends it in a line: what it breaks on its way is no news."""
    try:
        return trio.run(perform, *given)
    except BaseException as exc:
        if not _interrupted(exc):
            raise
        print("\nbroken off", file=sys.stderr)  # noqa: T201 - a play is seen in a terminal
        return EXIT_INTERRUPTED


def _interrupted(exc: BaseException) -> bool:
    if isinstance(exc, BaseExceptionGroup):
        return any(map(_interrupted, exc.exceptions))
    return isinstance(exc, KeyboardInterrupt)


@asynccontextmanager
async def stage() -> AsyncIterator[trio.Nursery]:
    """Hold the readers of all processes; end them when the play is over."""
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        finally:
            for process in _RUNNING:
                if process.returncode is None:
                    process.kill()
            with trio.move_on_after(END_SECONDS_MAX, shield=True):
                for process in _RUNNING:  # their folders are removed next
                    await process.wait()
            _RUNNING.clear()
        nursery.cancel_scope.cancel()
