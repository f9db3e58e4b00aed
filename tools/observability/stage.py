"""The server as operators run it: a process a service, over PostgreSQL and Redis; each can be killed, stopped, started."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from qpqcore.net import authority
from qpqcore.runtime.clock import now_ms
from tests.support import postgres
from tools.demo.processes import free_port
from tools.redis_server import RedisServer, redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator

BEHIND: Final = ("keystore", "delivery", "blob", "auth", "federation")
PROCESSES: Final = (*BEHIND, "gateway")
START_SECONDS_MAX: Final = 60
LOOK_SECONDS: Final = 0.2
BIN: Final = Path(sys.executable).parent
OWN, PEER = "localhost", "peer.example"
"""This server's domain, and the other one that it knows."""
DATABASE: Final = "observed"
OF_ONE: Final = {
    "blob": {"QPQ_BUS_CALLS_MAX": "2"},
    "gateway": {"QPQ_CONNECTIONS_MAX": "60", "QPQ_RETRY_FROM_HALF_OPEN": "20"},
}
"""Bounds that can be met on one machine in a moment."""


def _now() -> datetime:
    return datetime.fromtimestamp(now_ms() / 1000).astimezone()


class Stage:
    """Everything that runs."""

    def __init__(self, folder: Path, database: postgres.Server, redis: RedisServer) -> None:
        self.folder = folder
        self.database = database
        self.redis = redis
        self.where = f"127.0.0.1:{free_port()}"
        self.federation = free_port(), free_port()
        """UDP ports: where the other domain's server is to be, and ours for it."""
        authority.make_ca(folder / "domains", _now())
        for domain in (OWN, PEER):
            authority.issue_domain(folder / "domains", domain, _now())
        self.pages = {name: free_port(socket.SOCK_STREAM) for name in PROCESSES}
        self._ports = {name: free_port(socket.SOCK_STREAM) for name in BEHIND}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a process."""
        peers = ",".join(f"{service}=127.0.0.1:{port}" for service, port in self._ports.items())
        environment = {
            "QPQ_BUS_PEERS": peers, "QPQ_BUS_LISTEN": f"127.0.0.1:{self._ports.get(name, 0)}", "QPQ_LISTEN": self.where,
            "QPQ_SECRETS_DIR": str(self.folder / "secrets" / name), "QPQ_DATA_DIR": str(self.folder / "data" / name),
            "QPQ_METRICS_LISTEN": f"127.0.0.1:{self.pages[name]}", "QPQ_STORE_BACKEND": "postgres",
            "QPQ_DATABASE_URL": self.database.url(DATABASE), "QPQ_REDIS_URL": self.redis.url, **OF_ONE.get(name, {}),
        }  # fmt: skip
        own = self.folder / "domains" / OWN
        environment |= {
            "QPQ_FEDERATION_ENABLED": "true", "QPQ_FEDERATION_PEERS": f"{PEER}=127.0.0.1:{self.federation[0]}",
            "QPQ_FEDERATION_LISTEN": f"127.0.0.1:{self.federation[1]}",
            "QPQ_FEDERATION_CA": str(own / authority.PEER_CA), "QPQ_FEDERATION_CERT": str(own / authority.PEER_CERT),
            "QPQ_FEDERATION_KEY": str(own / authority.PEER_KEY),
        }  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own program
                [BIN / "qpq-server", name], env={**os.environ, **environment}, stdout=log, stderr=log
            )

    def end(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a process and wait."""
        self._running[name].send_signal(how)
        self._running[name].wait()

    def signal(self, name: str, what: signal.Signals) -> None:
        """Send a process a signal."""
        self._running[name].send_signal(what)

    async def wait_page(self, name: str) -> None:
        """Wait until a process answers on its metrics port."""
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", self.pages[name])
            except OSError:
                await trio.sleep(LOOK_SECONDS)
            else:
                await stream.aclose()
                return

    def bound_files(self, name: str, more: int | None) -> None:
        """Let a process open so many files more than it has; None: as many as before."""
        pid = self._running[name].pid
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        is_open = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (is_open + more if more is not None else hard, hard))

    def issue(self, name: str, days: float) -> None:
        """Renew a process's bus certificate; it reads it at once."""
        authority.issue(self.folder / "secrets", name, _now(), days)
        self.signal(name, signal.SIGHUP)

    async def sql(self, *statements: str) -> list[str]:
        """Run statements by psql."""
        return await trio.to_thread.run_sync(partial(self.database.sql, DATABASE, *statements))

    def end_all(self) -> None:
        """End what runs."""
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Run everything while the block runs."""
    folder.mkdir(parents=True)
    done = subprocess.run(  # noqa: S603 - our own program
        [BIN / "qpqctl", "secrets", "init", folder / "secrets"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    database = postgres.started(max_connections="200")
    try:
        database.make_template()
        database.fresh(DATABASE)
        (folder / "redis").mkdir()
        with redis_server(folder / "redis") as redis:
            made = Stage(folder, database, redis)
            try:
                for name in PROCESSES:
                    made.start(name)
                yield made
            finally:
                made.end_all()
    finally:
        postgres.ended(database)
