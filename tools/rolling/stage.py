"""The scaled form with replicas, real PostgreSQL and Redis; each process is of this version or of the next."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

import qpqdelivery
import qpqserver
from qpqserver.composition import VERSION
from tests.support import postgres
from tools.demo.processes import free_port
from tools.redis_server import RedisServer, redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BEHIND: Final = ("keystore", "delivery", "blob", "auth", "federation")
REPLICAS: Final = 2
"""Of each, where a drill asks for no other number."""
NAME: Final = "gateways.qpq.test"
"""What the gateways are known by; the drill's resolver answers with all of their addresses, as a headless service does."""
DATABASE: Final = "rolling"
START_SECONDS_MAX: Final = 120
END_SECONDS_MAX: Final = 30
LOOK_SECONDS: Final = 0.1
SUPERVISED_SECONDS: Final = 0.5
NEXT: Final = "0.2.0"
EXPAND: Final = "ALTER TABLE heads ADD COLUMN drilled bigint NOT NULL DEFAULT 0;\n"
CONTRACT: Final = "-- programs from: {knowing}\nALTER TABLE heads DROP COLUMN drilled;\n"
STEP_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Replica:
    """One process's place."""

    service: str
    number: int

    def __str__(self) -> str:
        return f"{self.service}-{self.number}"


def replicas(services: Sequence[str], counts: Mapping[str, int] | int = REPLICAS) -> list[Replica]:
    """Return the replicas of services, in order: so many of each, or as many as it says there."""
    return [
        Replica(service, number)
        for service in services
        for number in range(counts if isinstance(counts, int) else counts[service])
    ]


@dataclass(slots=True)
class Held:
    """Processes that a drill keeps, and with what."""

    away: set[Replica] = field(default_factory=set)
    """They are not started again."""
    programs: dict[Replica, Path] = field(default_factory=dict)
    """Of another version than this one."""
    peers: dict[tuple[Replica, str], int] = field(default_factory=dict)
    """The port at which a process finds a service, in place of the real ones."""
    settings: dict[Replica, Mapping[str, str]] = field(default_factory=dict)
    """More in a process's environment than in that of the others."""


def plant(folder: Path, *, contract: bool) -> Path:
    """Make the next version of the program: a folder to go before the others on Python's path.

    It has the step that adds; with `contract` also the one that takes away, which only programs that know the first survive.
    """
    for package in (qpqserver, qpqdelivery):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    composition = folder / "qpqserver" / "composition.py"
    text = composition.read_text(encoding="utf-8")
    line = f'VERSION = "{VERSION}"'
    if line not in text:
        raise RuntimeError("the version is not where it was")
    composition.write_text(text.replace(line, f'VERSION = "{NEXT}"'), encoding="utf-8")
    steps = folder / "qpqdelivery" / "migrations_postgres"
    number = len(list(steps.glob("*.sql"))) + 1
    (steps / f"{number:0{STEP_DIGITS}}_expand.sql").write_text(EXPAND, encoding="utf-8")
    if contract:
        text = CONTRACT.format(knowing=number)
        (steps / f"{number + 1:0{STEP_DIGITS}}_contract.sql").write_text(text, encoding="utf-8")
    return folder


class Stage:
    """Everything that runs."""

    def __init__(
        self, folder: Path, database: postgres.Server, redis: RedisServer, counts: Mapping[str, int] | int,
        more: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.more = dict(more)
        """Settings of every process beside those that it needs."""
        self.knows: dict[Replica, Sequence[Replica]] = {}
        """Which others a process is told of; all, where nothing stands here."""
        self.folder = folder
        self.database = database
        self.redis = redis
        self.port = free_port()
        self.everyone = replicas((*BEHIND, "gateway"), counts)
        """Every process, the gateways last."""
        self.held = Held()
        self.pages = {one: free_port(socket.SOCK_STREAM) for one in self.everyone}
        self._ports = {one: free_port(socket.SOCK_STREAM) for one in self.everyone}
        self._running: dict[Replica, subprocess.Popen[bytes]] = {}

    @property
    def hosts(self) -> list[str]:
        """The gateways' addresses: all on one port."""
        return [f"127.0.0.{10 + one.number}" for one in self.everyone if one.service == "gateway"]

    @property
    def where(self) -> str:
        """What a client is given."""
        return f"{NAME}:{self.port}"

    def _environment(self, one: Replica, program: Path | None) -> dict[str, str]:
        known = [o for o in self.knows.get(one, self.everyone) if o.service != "gateway"]
        found = {o: self.held.peers.get((one, o.service), self._ports[o]) for o in known}
        peers = ",".join(f"{o.service}=127.0.0.1:{p}" for o, p in found.items())
        host = self.hosts[one.number] if one.service == "gateway" else "127.0.0.1"
        path = [str(program)] if program is not None else []
        path += filter(None, [os.environ.get("PYTHONPATH", "")])
        return os.environ | {
            "QPQ_BUS_PEERS": peers, "QPQ_BUS_LISTEN": f"127.0.0.1:{self._ports[one]}", "QPQ_LISTEN": f"{host}:{self.port}",
            "QPQ_SECRETS_DIR": str(self.folder / "secrets" / one.service), "QPQ_DATA_DIR": str(self.folder / "data" / str(one)),
            "QPQ_METRICS_LISTEN": f"127.0.0.1:{self.pages[one]}", "QPQ_STORE_BACKEND": "postgres",
            "QPQ_DATABASE_URL": self.database.url(DATABASE), "QPQ_REDIS_URL": self.redis.url,
            "PYTHONPATH": os.pathsep.join(path), **self.more, **self.held.settings.get(one, {}),
        }  # fmt: skip

    def start(self, one: Replica, program: Path | None = None) -> None:
        """Start a process, of this version or of the one in a folder."""
        with (self.folder / f"{one}.log").open("ab") as log:
            self._running[one] = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "qpqserver.main", one.service], env=self._environment(one, program), stdout=log,
                stderr=log,
            )  # fmt: skip

    def refused(self, one: Replica, program: Path | None = None) -> str:
        """Start a process that must not start; return what it says."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "qpqserver.main", one.service],
            env=self._environment(one, program) | {"QPQ_BUS_LISTEN": "127.0.0.1:0", "QPQ_METRICS_LISTEN": "127.0.0.1:0"},
            capture_output=True, text=True, check=False, timeout=START_SECONDS_MAX,
        )  # fmt: skip
        if not done.returncode:
            raise RuntimeError(f"{one} started, and should not have")
        return done.stderr.strip().splitlines()[-1]

    async def wait_ready(self, one: Replica) -> None:
        """Wait until a process says that it is ready."""
        with trio.fail_after(START_SECONDS_MAX):
            while not await self._is_ready(one):
                if self._running[one].poll() is not None:
                    raise RuntimeError(f"{one} ended: {(self.folder / f'{one}.log').read_text()[-2000:]}")
                await trio.sleep(LOOK_SECONDS)

    async def _is_ready(self, one: Replica) -> bool:
        return (await self.page(one, "/readyz")).startswith("HTTP/1.1 200")

    def bus_port(self, one: Replica) -> int:
        """Return where a process listens on the bus."""
        return self._ports[one]

    async def supervise(self) -> None:
        """Start again what has ended, as who supervises processes does, for ever."""
        while True:
            for one, process in self._running.items():
                if process.poll() is not None and one not in self.held.away:
                    self.start(one, self.held.programs.get(one))
            await trio.sleep(SUPERVISED_SECONDS)

    def signal(self, one: Replica, what: signal.Signals) -> None:
        """Send a process a signal."""
        self._running[one].send_signal(what)

    async def page(self, one: Replica, path: str) -> str:
        """Return what a process answers on its metrics port, head and all; empty: nothing."""
        try:
            async with await trio.open_tcp_stream("127.0.0.1", self.pages[one]) as stream:
                await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                answer = b""
                async for part in stream:
                    answer += part
        except (OSError, trio.BrokenResourceError):
            return ""
        return answer.decode()

    def kill(self, one: Replica) -> None:
        """SIGKILL a process."""
        self._running[one].kill()
        self._running[one].wait()

    async def replace(self, one: Replica, program: Path | None) -> float:
        """End a process in order, start the next version in its place; return the seconds until it was ready."""
        begun = time.perf_counter()
        process = self._running[one]
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(END_SECONDS_MAX):
            while process.poll() is None:
                await trio.sleep(LOOK_SECONDS)
        if process.returncode:
            raise RuntimeError(f"{one} ended with {process.returncode}")
        self.start(one, program)
        await self.wait_ready(one)
        return time.perf_counter() - begun

    def pid(self, one: Replica) -> int:
        """Return a process's id."""
        return self._running[one].pid

    def runs(self, one: Replica) -> bool:
        """Tell whether a process runs."""
        return self._running[one].poll() is None

    async def migrate(self, program: Path) -> str:
        """Bring the schemas to a version's steps, by that version's program."""
        command = [sys.executable, "-c", "from qpqserver.ctl import main; main()", "migrate"]
        environment = self._environment(Replica("delivery", 0), program)
        done = await trio.run_process(
            [*command, "--no-roles"], env=environment, capture_stdout=True, capture_stderr=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode()

    @property
    def pids(self) -> list[int]:
        """Of all that was started."""
        return [process.pid for process in self._running.values()]

    def end_all(self) -> None:
        """End what runs."""
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def stage(
    folder: Path, counts: Mapping[str, int] | int = REPLICAS, more: Mapping[str, str] | None = None
) -> Iterator[Stage]:  # fmt: skip
    """Run PostgreSQL and Redis while the block runs; the processes are started in it, with `more` in their environment."""
    folder.mkdir(parents=True)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", "from qpqserver.ctl import main; main()", "secrets", "init", folder / "secrets"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    database = postgres.started(max_connections="300")
    try:
        database.make_template()
        database.fresh(DATABASE)
        (folder / "redis").mkdir()
        with redis_server(folder / "redis") as redis:
            made = Stage(folder, database, redis, counts, more or {})
            try:
                yield made
            finally:
                made.end_all()
    finally:
        postgres.ended(database)
