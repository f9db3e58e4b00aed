"""Several gateways behind one address, as an operator starts them: one program; the services are in this process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

import qpqclient
from qpqclient.transport import Network
from qpqcore.api import delivery
from qpqcore.config.settings import ConfigError, Settings, check
from qpqserver.embedded import Surroundings
from qpqserver.process import open_process
from tests.support.constellation import BEHIND, keep_secrets, settings_of
from tests.support.world import STORE_KEY
from tests.unit.trio_quic.test_handover import Mover
from tools.demo.processes import free_port

BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 120
WORKERS = 2


class Gateways:
    """The program, and the pages of its workers."""

    def __init__(self, process, where, page):
        self.process, self.where, self._page = process, where, page

    def page(self, number, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._page + number}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.HTTPError, OSError):
            return ""

    async def value(self, name):
        """Return a metric of each worker, in all."""
        pages = [await trio.to_thread.run_sync(self.page, number, "/metrics") for number in range(WORKERS)]
        return sum(
            float(line.split()[1]) for page in pages for line in page.splitlines() if line.startswith(name + " ")
        )

    async def until_ready(self):
        for number in range(WORKERS):
            while await trio.to_thread.run_sync(self.page, number, "/readyz") != "ready\n":
                assert self.process.poll() is None
                await trio.sleep(0.1)

    def pids(self):
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return {int(child) for task in tasks for child in (task / "children").read_text().split()}


def pages():
    """Return a port after which enough others are free."""
    while True:
        first = free_port(socket.SOCK_STREAM)
        try:
            for port in range(first, first + WORKERS):
                with socket.create_server(("127.0.0.1", port)):
                    pass
        except OSError:
            continue
        return first


@asynccontextmanager
async def gateways(folder):
    """Run everything while the block runs."""
    settings = Settings(listen=f"127.0.0.1:{free_port()}", data_dir=str(folder / "server"))
    keep_secrets(Path(settings.data_dir))
    addresses = {name: [f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"] for name in BEHIND}
    around, page = Surroundings(), pages()
    async with AsyncExitStack() as stack:
        for name in BEHIND:
            await stack.enter_async_context(
                open_process(settings_of(settings, name, addresses[name][0], addresses), name, around)
            )
        own = settings_of(settings, "gateway", "127.0.0.1:0", addresses)
        names = ("listen", "data_dir", "secrets_dir", "bus_peers", "bus_ca", "bus_cert", "bus_key")
        environment = {f"QPQ_{name.upper()}": getattr(own, name) for name in names}
        with (folder / "gateways.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "qpqserver.main", "gateway", "--workers", str(WORKERS)],
                env=os.environ | environment | {"QPQ_METRICS_LISTEN": f"127.0.0.1:{page}"}, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield Gateways(process, settings.listen, page)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(process.wait)


async def test_workers_share_an_address_hand_over_and_are_replaced_under_a_client_who_notices_nothing(tmp_path):
    movers = []

    def bind(address):
        movers.append(Mover(address))
        return movers[-1]

    with trio.fail_after(PATIENCE_SECONDS):
        async with gateways(tmp_path) as g:
            await g.until_ready()
            assert len(g.pids()) == WORKERS
            async with qpqclient.open_client(
                tmp_path / "alice", server=g.where, store_key=STORE_KEY, network=Network(transport_factory=bind)
            ) as alice:
                await alice.register("alice", "secret of alice")

                async def call():
                    await alice._core.call(delivery.PeekParams(), delivery.PeekResult)

                # She moves until her datagrams land at a worker that does not have her.
                while not await g.value("qpq_quic_datagrams_handed_over_total"):
                    movers[-1].move()
                    await call()
                assert len(movers) == 1
                assert await g.value("qpq_quic_datagrams_taken_over_total") > 0
                # One is killed: the other goes on, and another one comes in its place.
                killed = min(g.pids())
                os.kill(killed, signal.SIGKILL)
                while killed in g.pids() or len(g.pids()) < WORKERS:
                    await call()
                await g.until_ready()
                # All are replaced, one after another; she is told, and goes on elsewhere.
                before = g.pids()
                g.process.send_signal(signal.SIGUSR2)
                while g.pids() & before or len(g.pids()) < WORKERS:
                    await call()
                await call()
                while (tmp_path / "gateways.log").read_text().count("worker_replaced") < WORKERS:
                    await call()
            g.process.send_signal(signal.SIGTERM)
            assert await trio.to_thread.run_sync(g.process.wait) == 0


def test_what_cannot_be_shared_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match="listen needs a port"):
        check(Settings(workers=2, listen="127.0.0.1:0"), "gateway")
    with pytest.raises(ConfigError, match="nothing else shares an address"):
        check(Settings(workers=2), None)
