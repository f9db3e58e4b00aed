"""`qpq-server` and `qpqctl` as an operator meets them: processes, signals, ports, exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio

import qpqclient
from qpqclient.account import Account
from qpqclient.client import system_now_ms
from qpqclient.store import Store
from qpqclient.transport import Trust, open_link
from qpqcore.config.settings import Settings
from qpqserver.embedded import beside
from tests.support.world import STORE_KEY, copy
from tests.unit.core.test_settings import REFERENCE
from tools.demo.processes import free_port

BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 30


class Server:
    """A server process."""

    def __init__(self, folder, *arguments):
        self.where = f"127.0.0.1:{free_port()}"
        self.metrics = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
        self.log = folder / "stdout.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [BIN / "qpq-server", "--listen", self.where, "--metrics-listen", self.metrics, *arguments],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip

    def said(self, *events):
        """Wait until the log has these events; return its lines."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            lines = [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
            if {line["event"] for line in lines} >= set(events):
                return lines
        raise AssertionError(lines)

    def page(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.metrics}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def wait_ready(self):
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                if self.page("/readyz")[0] == 200:
                    return
            except OSError:
                assert self.process.poll() is None, self.process.stderr.read()
        raise AssertionError("not ready")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def running(folder, *arguments):
    server = Server(folder, *arguments)
    try:
        server.wait_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()
        server.process.stderr.close()


def ended(folder, *arguments):
    """Run a server that cannot start; return its exit code and what it said."""
    done = subprocess.run(
        [BIN / "qpq-server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def ctl(folder, *arguments):
    done = subprocess.run(
        [BIN / "qpqctl", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout


# --- starting


def test_the_references_configuration_starts_the_server_as_it_stands(tmp_path):
    (tmp_path / "qpq-server.toml").write_text(REFERENCE)
    with running(tmp_path, "--config", "qpq-server.toml") as server:
        assert ctl(tmp_path, "--config", "qpq-server.toml", "status", "--server", server.where)[0] == 0
        code, said = ctl(tmp_path, "--config", "qpq-server.toml", "test", "--server", server.where)
        assert (code, "send_to_receive" in said) == (0, True)
    assert (tmp_path / "data" / "qpq-auth.db").exists()


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('lissten = "127.0.0.1:0"\n', 2, "did you mean 'listen'?"),
        ("listen = 7000\n", 2, "listen is a str"),
        ("listen = \n", 2, "Invalid value"),
        ('store_backend = "file"\n', 2, '"sql"'),
        ('mode = "production"\n', 2, "production"),
        ('redis_url = "host:6379"\n', 2, "redis_url begins with"),
    ],
)
def test_a_configuration_that_cannot_be_is_said_to_be(tmp_path, text, code, said):
    (tmp_path / "qpq.toml").write_text(text)
    answer, words = ended(tmp_path, "--config", "qpq.toml")
    assert answer == code
    assert said in words
    assert "Traceback" not in words


def damaged(world):
    for file in (world / "server").glob("qpq-delivery.db*"):
        file.write_bytes(b"not a database" * 1000)


def newer(world):
    with beside(Settings(data_dir=str(world / "server")), "delivery", read_only=False) as connection:
        connection.execute("PRAGMA user_version = 999")


@pytest.mark.parametrize(("spoil", "said"), [(damaged, "qpq-delivery.db"), (newer, "schema 999")])
def test_a_database_that_cannot_be_opened_is_said_to_be(built_world, tmp_path, spoil, said):
    world = copy(built_world, tmp_path / "world")
    spoil(world)
    code, words = ended(world, "--data-dir", "server")
    assert code == 1
    assert said in words
    assert "Traceback" not in words
    assert ctl(world, "--data-dir", "server", "check")[0] == (1 if spoil is damaged else 0)


@pytest.mark.parametrize(
    ("flag", "setting", "kind"),
    [("--listen", "listen", socket.SOCK_DGRAM), ("--metrics-listen", "metrics_listen", socket.SOCK_STREAM)],
)
@pytest.mark.parametrize("engine", ["native", "aioquic"])
def test_a_taken_port_is_said_with_its_address_and_what_to_do(tmp_path, flag, setting, kind, engine):
    with closing(socket.socket(socket.AF_INET, kind)) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        place = f"127.0.0.1:{other.getsockname()[1]}"
        code, words = ended(tmp_path, flag, place, "--quic-engine", engine)
    assert code == 1
    assert words == (
        f"qpq-server: {place}: another program listens there, a server that runs already perhaps: end it, or choose "
        f"another address ({setting})\n"
    )


def test_an_address_of_another_machine_is_said_to_be_one(tmp_path):
    code, words = ended(tmp_path, "--listen", "192.0.2.1:7000")
    assert (code, words) == (
        1, "qpq-server: 192.0.2.1:7000: this machine has no such address: choose another address (listen)\n"
    )  # fmt: skip


def test_a_folder_where_no_server_has_been_is_not_well(tmp_path):
    code, said = ctl(tmp_path, "--data-dir", "nowhere", "check")
    assert code == ctl(tmp_path, "--data-dir", "nowhere", "user", "list")[0] == 1
    assert said.splitlines() == [
        f"{service}: nowhere/qpq-{service}.db: no server has been here yet"
        for service in ("auth", "keystore", "delivery", "blob")
    ]
    assert not (tmp_path / "nowhere").exists()


def test_two_servers_do_not_share_a_folder(tmp_path):
    with running(tmp_path):
        code, words = ended(tmp_path)
    assert code == 1
    assert "another process" in words


# --- running


def test_probes_metrics_and_a_drain_on_sigterm(tmp_path):
    with running(tmp_path) as server:
        assert server.page("/livez") == (200, "alive\n")
        assert server.page("/readyz") == (200, "ready\n")
        assert server.page("/nothing")[0] == 404
        assert "qpq" in server.page("/metrics")[1]
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5


def test_it_serves_over_ipv6_and_says_where_as_a_client_takes_it(tmp_path):
    where = f"[::1]:{free_port()}"
    with running(tmp_path, "--listen", where) as server:

        async def register():
            async with qpqclient.open_client(tmp_path / "ann", server=where, store_key=STORE_KEY) as client:
                await client.register("ann", "a password")

        trio.run(register)
        assert server.stop() == 0
        said = server.process.stderr.read()
        assert f"listens on {where} (QUIC)" in said
        assert f"repl --server {where} --username alice" in said


def test_a_hangup_has_certificate_and_settings_read_again(tmp_path):
    config = tmp_path / "qpq-server.toml"
    config.write_text('registration = "open"\n')
    with running(tmp_path, "--config", str(config)) as server:
        os.utime(tmp_path / "data" / "server-cert.der", ns=(1, 1))
        config.write_text('registration = "closed"\nblob_bytes_max = 1\n')
        server.process.send_signal(signal.SIGHUP)
        lines = server.said("edge_certificate_reloaded", "setting_taken", "setting_waits_for_restart")
        told = {line["setting"]: (line["event"], line["value"]) for line in lines if "setting" in line}
        assert told == {"registration": ("setting_taken", "closed"), "blob_bytes_max": ("setting_waits_for_restart", 1)}
        config.write_text("registration = ")
        server.process.send_signal(signal.SIGHUP)
        server.said("settings_unusable")
        assert server.page("/readyz") == (200, "ready\n")
        assert server.stop() == 0


def test_subscribers_are_told_before_a_drain(built_world, tmp_path):
    world = copy(built_world, tmp_path / "world")
    told = []

    async def follow(server):
        with closing(Store(world / "bob", STORE_KEY)) as store:
            async with open_link(server.where, Trust(), accept=lambda _: True) as link:
                await Account(store, system_now_ms).resume(link)
                async with link.subscribe(0) as events:
                    assert (await anext(events)).which == "ready"
                    server.process.send_signal(signal.SIGTERM)
                    told.append((await anext(events)).which)

    with running(world, "--data-dir", "server") as server:
        trio.run(follow, server)
        assert server.process.wait(PATIENCE_SECONDS) == 0
    assert told == ["goingAway"]


def test_the_log_is_json_and_names_nobody(tmp_path):
    async def live(where):
        async with qpqclient.open_client(tmp_path / "a", server=where, store_key=STORE_KEY) as alice:
            await alice.register("alice", "a password")
            with pytest.raises(qpqclient.NotFound):
                await alice.dm("robert")
            return alice.account.hex(), alice.device.hex()

    with running(tmp_path) as server:
        ids = trio.run(live, server.where)
        assert server.stop() == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {"serving", "account_registered", "call_refused", "draining"} <= {line["event"] for line in lines}
    for word in ("alice", "robert", "a password", "127.0.0.1", *ids):
        assert word not in server.log.read_text()


def test_qpqctl_looks_after_a_server(tmp_path):
    async def register(where):
        async with qpqclient.open_client(tmp_path / "a", server=where, store_key=STORE_KEY) as alice:
            await alice.register("alice", "a password")

    async def pinned(where):
        async with open_link(where, Trust(), accept=lambda _: True) as link:
            return link.spki_sha256.hex()

    with running(tmp_path) as server:
        trio.run(register, server.where)
        code, said = ctl(tmp_path, "--json", "check")
        parts = [json.loads(line) for line in said.splitlines()]
        assert (code, {p["part"] for p in parts}) == (0, {"auth", "keystore", "delivery", "blob", "certificate"})
        assert parts[-1]["spki_sha256"] == trio.run(pinned, server.where)
        code, said = ctl(tmp_path, "--json", "status", "--server", server.where)
        assert (code, json.loads(said)["status"]) == (0, "ok")
        code, said = ctl(tmp_path, "--json", "user", "list")
        assert [(u["name"], u["state"], u["devices"]) for u in map(json.loads, said.splitlines())] == [
            ("alice", "active", 1)
        ]
        code, said = ctl(tmp_path, "--json", "test", "--server", server.where)
        assert (code, json.loads(said)["ok"]) == (0, True)
        assert len(ctl(tmp_path, "user", "list")[1].splitlines()) == 1
    code, said = ctl(tmp_path, "status", "--server", server.where)
    assert (code, said.count(server.where)) == (1, 1)
