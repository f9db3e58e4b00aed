"""What `qpqctl secrets` makes for PostgreSQL, Redis and a Kubernetes namespace: once, and the same however often it dies."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from qpqcore.api.methods import SERVICES
from qpqserver import cluster, outside
from qpqserver.cluster import Cluster, ClusterError, Outrun, complete
from qpqserver.ctl import main as qpqctl
from qpqserver.ctl.secrets import complete as made_in

OUTER = {"database": "postgres:5432/qpq", "redis": "redis:6379"}


def fill(root):
    return made_in(root, "qpq.example", **OUTER)


def files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def without_ca(found):
    """Certificates are random; the rest says whether anything was made anew."""
    return {name: value for name, value in found.items() if not name.endswith((".pem", "bus.key"))}


def test_each_role_has_a_password_of_its_own_and_the_addresses_carry_it(tmp_path):
    outside.database(tmp_path, "postgres:5432/qpq?sslmode=verify-full")
    words = {name: (tmp_path / "migrate" / name).read_text() for name in ("auth", "keystore", "delivery", "blob")}
    assert len({*words.values(), (tmp_path / "postgres/password").read_text()}) == 5
    for name, word in words.items():
        url = (tmp_path / name / "database-url").read_text()
        assert url == f"postgresql://qpq_{name}:{word}@postgres:5432/qpq?sslmode=verify-full"


def test_redis_is_reached_with_or_without_tls(tmp_path):
    outside.redis(tmp_path, "rediss://redis.example:6379")
    word = (tmp_path / "redis/password").read_text()
    for service in SERVICES.values():
        assert (tmp_path / service / "redis-url").read_text() == f"rediss://:{word}@redis.example:6379"
    assert (tmp_path / "redis/redis.conf").read_text() == f"requirepass {word}\n"


def test_a_second_time_changes_nothing(tmp_path):
    fill(tmp_path)
    before = files(tmp_path)
    fill(tmp_path)
    assert files(tmp_path) == before


def test_addresses_follow_a_password_that_was_deleted(tmp_path):
    fill(tmp_path)
    before = files(tmp_path)
    (tmp_path / "migrate/auth").unlink()
    fill(tmp_path)
    changed = {name for name, value in files(tmp_path).items() if before[name] != value}
    assert changed == {"migrate/auth", "auth/database-url"}


def test_nothing_is_readable_by_others(tmp_path):
    assert CliRunner().invoke(qpqctl, ["secrets", "init", str(tmp_path), "--redis=redis:6379"]).exit_code == 0
    loose = [p.name for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_mode & 0o077]
    assert set(loose) <= {"bus-ca.pem", "bus.pem", "ca.pem", "server-cert.der"}


class Api:
    """Kubernetes' Secrets, as far as they are used: versions, conflicts, merge patches."""

    def __init__(self):
        self.kept = {}
        self.calls = []
        self.before_write = lambda _: None

    def answer(self, method, name, body):
        self.calls.append((method, name or body["metadata"]["name"]))
        if method == "GET":
            return (200, self.kept[name]) if name in self.kept else (404, {})
        self.before_write(name or body["metadata"]["name"])
        if method == "POST":
            name = body["metadata"]["name"]
            if name in self.kept:
                return 409, {}
            self.kept[name] = {"metadata": {"name": name, "resourceVersion": "1"}, "data": dict(body["data"])}
            return 201, self.kept[name]
        kept = self.kept[name]
        if kept["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            return 409, {}
        kept["data"] |= body["data"]
        kept["metadata"]["resourceVersion"] = str(int(kept["metadata"]["resourceVersion"]) + 1)
        return 200, kept

    def data(self):
        return {
            f"{name.removeprefix('qpq-')}/{key}": base64.b64decode(value)
            for name, kept in self.kept.items()
            for key, value in kept["data"].items()
        }


@contextmanager
def serving(api, status=None):
    class Handler(BaseHTTPRequestHandler):
        def do(self):
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"null")
            assert self.headers["authorization"] == "Bearer token"
            name = self.path.removeprefix("/api/v1/namespaces/qpq/secrets").removeprefix("/")
            code, value = (status, {}) if status else api.answer(self.command, name, body)
            text = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Cluster(f"http://127.0.0.1:{server.server_port}", "token", "qpq")
    finally:
        server.shutdown()
        server.server_close()


def make(folder):
    fill(folder)


def test_a_namespace_gets_every_secret_and_is_left_alone_then(tmp_path):
    api = Api()
    with serving(api) as api_at:
        assert complete(api_at, tmp_path / "one", make) == list(cluster.FOLDERS)
        before = api.data()
        assert complete(api_at, tmp_path / "two", make) == []
    assert api.data() == before
    fill(tmp_path / "like")
    assert before.keys() == files(tmp_path / "like").keys()


def test_what_is_missing_is_added_and_nothing_else_changes(tmp_path):
    api = Api()
    with serving(api) as api_at:
        complete(api_at, tmp_path / "one", make)
        before = api.data()
        del api.kept["qpq-delivery"]["data"]["external-sender"]
        assert complete(api_at, tmp_path / "two", make) == ["delivery"]
    assert {name for name, value in api.data().items() if before[name] != value} == {"delivery/external-sender"}


@pytest.mark.parametrize("at", ["qpq-ca", "qpq-auth", "qpq-delivery", "qpq-gateway"])
def test_one_that_dies_half_way_leaves_what_the_next_completes(tmp_path, at):
    """Keys that two services share are the same in both, whoever wrote which."""
    api = Api()

    class Dead(Exception):
        pass

    def die(name):
        if name == at:
            raise Dead

    def push(folder, api_at):
        complete(api_at, folder, make)

    class Direct(Cluster):
        def _ask(self, method, path, body):
            code, value = api.answer(method, path.removeprefix("/"), body)
            if code == 409:
                raise Outrun
            return None if code == 404 else value

    api_at = Direct("http://nowhere", "token", "qpq")
    api.before_write = die
    with pytest.raises(Dead):
        push(tmp_path / "one", api_at)
    api.before_write = lambda _: None
    push(tmp_path / "two", api_at)
    found = api.data()
    shared = {}
    for name, value in found.items():
        if "/assert." in name or name.endswith(("/redis-seal", "/bus-ca.pem")):
            assert shared.setdefault(name.split("/")[1], value) == value


@pytest.mark.parametrize("at", ["qpq-ca", "qpq-redis", "qpq-keystore", "qpq-gateway"])
def test_two_at_once_end_with_one_truth(tmp_path, at):
    api = Api()
    with serving(api) as api_at:
        second = []

        def overtake(name):
            if name == at and not second:
                second.append(True)
                complete(api_at, tmp_path / "second", make)

        api.before_write = overtake
        complete(api_at, tmp_path / "first", make)
        keys = api.data()
        assert complete(api_at, tmp_path / "third", make) == []
    assert api.data() == keys
    assert {keys[name] for name in keys if name.endswith("/redis-seal")} == {keys["auth/redis-seal"]}
    word = keys["migrate/auth"].decode()
    assert keys["auth/database-url"].decode() == f"postgresql://qpq_auth:{word}@postgres:5432/qpq"


def test_what_a_dead_container_left_in_the_folder_is_nobodys(tmp_path):
    api = Api()
    left = tmp_path / "0" / "auth" / "redis-seal"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"never pushed")
    with serving(api) as api_at:
        complete(api_at, tmp_path, make)
    seals = {value for name, value in api.data().items() if name.endswith("/redis-seal")}
    assert len(seals) == 1
    assert b"never pushed" not in seals


def test_what_the_api_refuses_is_said(tmp_path):
    with serving(Api(), status=403) as api_at, pytest.raises(ClusterError, match="403"):
        complete(api_at, tmp_path, make)


def test_outside_a_pod_it_says_so(tmp_path):
    ran = CliRunner().invoke(qpqctl, ["secrets", "cluster", str(tmp_path)], env={"KUBERNETES_SERVICE_HOST": None})
    assert ran.exit_code == 1
    assert "this is no pod with a service account" in ran.output
