"""The server as processes of their own, as an operator meets them: secrets, certificates, deaths, signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

import qpqclient
from qpqclient.transport import Trust, open_link
from qpqcore.api import delivery
from qpqcore.model.errors import ErrorCode
from qpqserver.ctl import main
from tests.support.people import settle, texts
from tests.support.world import STORE_KEY, Device, Store
from tools.demo.processes import free_port

BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 180  # a busy machine starts seven processes one after the other
SERVICES = ("auth", "keystore", "delivery", "blob", "gateway")


def ctl(*words):
    """Run `qpqctl` in this process: starting another takes longer than what it does."""
    return CliRunner().invoke(main, [str(word) for word in words])


class Deployment:
    """A process for each service, all with one folder of secrets between them, each with a part of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {name: free_port(socket.SOCK_STREAM) for name in SERVICES}
        self.pages = {name: free_port(socket.SOCK_STREAM) for name in SERVICES}
        self.where = f"127.0.0.1:{free_port()}"
        self.processes = {}

    def start(self, name):
        peers = ",".join(f"{s}=127.0.0.1:{port}" for s, port in self.ports.items() if s != "gateway")
        environment = {
            "QPQ_BUS_PEERS": peers, "QPQ_BUS_LISTEN": f"127.0.0.1:{self.ports[name]}", "QPQ_LISTEN": self.where,
            "QPQ_SECRETS_DIR": str(self.folder / name), "QPQ_DATA_DIR": str(self.folder / "data" / name),
            "QPQ_METRICS_LISTEN": f"127.0.0.1:{self.pages[name]}",
        }  # fmt: skip
        if name in self.processes:
            self.processes[name].wait()
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [BIN / "qpq-server", name], env={**os.environ, **environment}, stdout=log, stderr=log
            )

    def page(self, name, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.pages[name]}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()
        except OSError:
            return 0, ""

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def wait(self, what):
        """Look until something holds."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not what():
            assert time.monotonic() < end, "not in time"
            time.sleep(0.02)

    def wait_ready(self):
        for name in self.processes:
            self.wait(lambda name=name: self.page(name, "/readyz") == (200, "ready\n"))

    def signal(self, name, number):
        self.processes[name].send_signal(number)


@contextmanager
def deployed(folder):
    deployment = Deployment(folder)
    try:
        for name in SERVICES:
            deployment.start(name)
        deployment.wait_ready()
        yield deployment
    finally:
        for process in deployment.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def secrets(tmp_path):
    done = ctl("secrets", "init", tmp_path / "d")
    assert done.exit_code == 0, done.output
    return tmp_path / "d"


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_secrets_are_made_once_and_given_to_those_who_need_them(secrets):
    made = files(secrets)
    (secrets / "auth" / "login-state").unlink()
    assert ctl("secrets", "init", secrets).exit_code == 0
    again = files(secrets)
    changed = {path for path in made if made[path] != again[path]}
    assert changed == {secrets / "auth" / "login-state"}
    for path in made:
        public = path.name in {"bus.pem", "bus-ca.pem", "ca.pem", "server-cert.der"}
        assert path.stat().st_mode & 0o777 == (0o644 if public else 0o600), path
    of = {service: {p.name for p in (secrets / service).iterdir()} for service in SERVICES}
    assert {s for s, names in of.items() if "opaque-setup-1" in names} == {"auth"}
    assert {s for s, names in of.items() if "external-sender" in names} == {"delivery"}
    assert {s for s, names in of.items() if "quic-retry" in names} == {"gateway"}
    assert not any("account" in name or "peer" in name for name in of["gateway"])
    assert {s for s in of if (secrets / s / "ca.key").exists()} == set()


def test_a_service_says_in_a_sentence_what_it_misses(secrets, tmp_path):
    def fails(code, **environment):
        done = subprocess.run(
            [BIN / "qpq-server", "auth", "--data-dir", tmp_path / "data", "--metrics-listen", "127.0.0.1:0"],
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        assert done.returncode == code
        return done.stderr.splitlines()[-1]

    folder = {"QPQ_SECRETS_DIR": str(secrets / "auth")}
    assert "bus_peers has no address" in fails(2, **folder)
    peers = {"QPQ_BUS_PEERS": "keystore=127.0.0.1:1,delivery=127.0.0.1:1,blob=127.0.0.1:1"}
    (secrets / "auth" / "login-state").unlink()
    assert "qpqctl secrets init" in fails(1, **folder, **peers)
    (secrets / "auth" / "bus.pem").write_text("no certificate")
    assert "bus.pem" in fails(1, **folder, **peers)


def test_a_gateway_that_waits_for_delivery_says_so_and_can_be_ended(secrets):
    d = Deployment(secrets)
    d.start("gateway")
    d.wait(lambda: d.page("gateway", "/readyz")[1].startswith("starting\n"))
    d.wait(lambda: "delivery away" in d.page("gateway", "/readyz")[1])
    assert d.page("gateway", "/readyz")[0] == 503
    assert d.page("gateway", "/livez")[0] == 200
    d.signal("gateway", signal.SIGTERM)
    assert d.processes["gateway"].wait(PATIENCE_SECONDS) == 0


async def open_waiting(d, folder, nursery, codes):
    """Let a device wait for its mailbox; return when delivery has the call."""
    link = await nursery.start(keep_link, d.where)
    device = Device(Store(folder, STORE_KEY), link)
    await device.account.resume(link)
    last = (await device.call(delivery.PeekParams(), delivery.PeekResult)).last

    async def wait():
        codes.append(await device.code(delivery.FetchWaitParams(after=last, wait_ms=30_000), method="fetchWait"))

    nursery.start_soon(wait)
    await trio.to_thread.run_sync(
        d.wait, lambda: 'qpq_bus_calls_waiting{service="delivery"} 1.0' in d.page("gateway", "/metrics")[1]
    )
    return device


async def keep_link(where, *, task_status):
    async with open_link(where, Trust(), accept=lambda _: True) as link:
        task_status.started(link)
        await trio.sleep_forever()


async def test_a_killed_service_fails_its_calls_at_once_and_loses_nothing(secrets, tmp_path):
    with deployed(secrets) as d, trio.fail_after(PATIENCE_SECONDS):
        async with AsyncExitStack() as stack:
            alice, bob = [
                await stack.enter_async_context(
                    qpqclient.open_client(tmp_path / name, server=d.where, store_key=STORE_KEY)
                )
                for name in ("alice", "bob")
            ]
            await alice.register("alice", "secret of alice")
            await bob.register("bob", "secret of bob")
            direct = await alice.dm("bob")
            await direct.send("before")
            await settle(alice, bob)
        codes = []
        async with trio.open_nursery() as nursery:
            device = await open_waiting(d, tmp_path / "bob", nursery, codes)
            d.signal("delivery", signal.SIGKILL)
            killed_s = trio.current_time()
            while not codes:
                await trio.sleep(0.01)
            assert codes == [ErrorCode.UNAVAILABLE]
            assert trio.current_time() - killed_s < 2
            assert await device.code(delivery.PeekParams()) is ErrorCode.UNAVAILABLE
            assert d.page("gateway", "/readyz") == (200, "ready\ndelivery away\n")
            d.start("delivery")
            await trio.to_thread.run_sync(d.wait_ready)
            assert await device.code(delivery.PeekParams()) is ErrorCode.OK
            device.store.close()
            nursery.cancel_scope.cancel()
        async with AsyncExitStack() as stack:
            alice, bob = [
                await stack.enter_async_context(
                    qpqclient.open_client(tmp_path / name, server=d.where, store_key=STORE_KEY)
                )
                for name in ("alice", "bob")
            ]
            direct = await alice.dm("bob")
            await direct.send("after")
            await settle(alice, bob)
            assert texts(await bob.dm("alice")) == ["before", "after"]


def test_certificates_are_renewed_under_way_and_a_signal_ends_in_order(secrets):
    with deployed(secrets) as d:
        for name in SERVICES:
            assert ctl("certs", "issue", secrets, name, "--days", "5").exit_code == 0
            d.signal(name, signal.SIGHUP)
            d.wait(lambda name=name: "bus_certificates_reloaded" in d.log(name))
        assert ctl("certs", "renew", secrets).stdout == ""  # none is due
        (end_s,) = re.findall(
            r'^qpq_certificate_ends_timestamp_seconds{of="bus"} (\S+)$', d.page("auth", "/metrics")[1], re.MULTILINE
        )
        assert 4 < (float(end_s) - time.time()) / 86_400 < 6
        d.signal("keystore", signal.SIGTERM)
        assert d.processes["keystore"].wait(PATIENCE_SECONDS) == 0
        d.wait(lambda: d.page("auth", "/readyz") == (200, "ready\nkeystore away\n"))
        d.start("keystore")  # its connections are new ones, by the new certificates
        d.wait_ready()
        for name in reversed(SERVICES):
            d.signal(name, signal.SIGTERM)
        assert {name: process.wait(PATIENCE_SECONDS) for name, process in d.processes.items()} == dict.fromkeys(
            SERVICES, 0
        )
