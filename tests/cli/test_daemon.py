"""`qpq daemon` as its page says: the session replayed, the bot played, and what goes wrong; all by the standard library."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from qpq.daemon.events import NAMES
from qpq.table.commands import RPC
from tests.support.servers import serving_in_a_thread

QPQ = Path(sys.executable).with_name("qpq")
PAGE = (Path(__file__).parent.parent.parent / "docs" / "how-to" / "daemon.md").read_text()
PATIENCE_SECONDS = 60


class Program:
    """A program at a daemon's socket."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect(os.fspath(path))
        self._lines = self._socket.makefile("rb")
        self._passed = []

    def close(self):
        self._lines.close()
        self._socket.close()

    def write(self, data):
        self._socket.sendall(data + b"\n")

    def read(self):
        return json.loads(self._lines.readline() or "null")

    def wait(self, fits):
        """Return the first frame that fits, also among those passed over before."""
        for place, frame in enumerate(self._passed):
            if fits(frame):
                return self._passed.pop(place)
        while not fits(frame := self.read()):
            assert frame is not None
            self._passed.append(frame)
        return frame

    def call(self, method, params=None, ident=99):
        self.write(json.dumps({"jsonrpc": "2.0", "id": ident, "method": method, "params": params or {}}).encode())
        return self.wait(lambda frame: frame.get("id") == ident)


@contextmanager
def daemon(home, where, name, *options):
    environment = {**os.environ, "QPQ_HOME": str(home), "QPQ_SERVER": where, "QPQ_PASSWORD": f"secret {name}"}
    process = subprocess.Popen(
        [QPQ, "--json", "-u", name, "daemon", *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Yield the sockets of two people's daemons, and the processes."""
    home = tmp_path_factory.mktemp("daemon")
    with (
        serving_in_a_thread(home) as server,
        daemon(home, server.where, "robo") as robo,
        daemon(home, server.where, "carol") as carol,
    ):
        paths = [Path(json.loads(p.stdout.readline())["socket"]) for p in (robo, carol)]
        yield *paths, robo, server


@pytest.fixture
def connect():
    """Yield a function that connects a program to a socket."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(closing(Program(path)))


def matches(shown, frame):
    """Tell whether a frame is the one that the page shows: `...` stands for anything."""
    if shown == "...":
        return True
    if isinstance(shown, dict):
        more = shown.get("...") == "..."
        keys = shown.keys() - {"..."}
        return isinstance(frame, dict) and (keys <= frame.keys() if more else keys == frame.keys()) and all(
            matches(shown[k], frame[k]) for k in keys
        )  # fmt: skip
    if isinstance(shown, list):
        return isinstance(frame, list) and len(shown) == len(frame) and all(map(matches, shown, frame))
    return shown == frame


def test_the_session_of_the_page(two, connect):
    robo, carol = connect(two[0]), connect(two[1])
    lines = re.search(r"replays this session -->\n```\n(.*?)```", PAGE, re.S)[1].splitlines()
    assert sum(line.startswith("<") for line in lines) == 6
    for line in lines:
        if line.startswith("> "):
            robo.write(line[2:].encode())
            continue
        shown = json.loads(line[2:])
        if shown.get("method") == "message":
            carol.wait(lambda frame: frame.get("method") == "message")
            carol.call("send", {"conversation": "@robo", "text": "hello yourself"})
        assert robo.wait(lambda frame: matches(shown, frame))


def test_the_bot_of_the_page(two, connect):
    source = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]
    assert len(source.splitlines()) <= 10
    bot = subprocess.Popen([sys.executable, "-c", source, two[0]])
    try:
        carol = connect(two[1])
        carol.call("send", {"conversation": "@robo", "text": "are you there?"})
        wanted = "You said: are you there?"
        assert carol.wait(lambda f: f.get("method") == "message" and f["params"]["text"] == wanted)
    finally:
        bot.kill()
        bot.wait()


def test_the_socket_is_its_owners_alone(two):
    assert stat.S_IMODE(two[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(two[0].parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700), (b"[]", -32600), (b"1", -32600), (b'{"jsonrpc": "2.0"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "list"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "list", "params": 3}', -32600),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "hlep"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "history"}', -32602),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "dm"}', -32602),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "dm", "params": {"name": "carol", "nmae": 1}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "whoami", "params": [1]}', -32602),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "send-file", "params": ["@carol", "/nowhere"]}', -32602),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "delete-account"}', -32602),
        (b"[" * 100_000, -32700),
        (b"\xff\xfe", -32700),
    ],
    ids=range(15),
)  # fmt: skip
def test_what_goes_wrong_is_an_answer(two, connect, line, code):
    program = connect(two[0])
    program.write(line)
    assert program.wait(lambda frame: "error" in frame)["error"]["code"] == code
    assert program.call("whoami")["result"][0]["name"] == "robo"


def test_batches_notifications_and_places(two, connect):
    program = connect(two[0])
    call = {"jsonrpc": "2.0", "method": "list"}
    program.write(json.dumps([{**call, "id": "a"}, call, {**call, "id": 7}, 5]).encode())
    answers = program.wait(lambda frame: isinstance(frame, list))
    assert [a.get("id") for a in answers] == ["a", 7, None]
    program.write(json.dumps(call).encode())  # a notification has no answer
    made = program.call("create-group", ["jokes", [], True])["result"][0]
    assert program.call("gi", [made["conversation"]])["result"][0]["members"] == ["robo"]
    assert program.call("rename", {"conversation": "#jokes", "name": "\x1b[31m\ud800"})["result"][0]["name"]


def test_a_file_on_its_way_is_told(two, connect, tmp_path):
    (tmp_path / "picture.jpg").write_bytes(os.urandom(600_000))
    robo = connect(two[0])
    sent = robo.call("send-file", {"conversation": "@carol", "path": str(tmp_path / "picture.jpg")})["result"][0]
    assert sent["bytes"] == 600_000
    told = robo.wait(
        lambda f: f.get("method") == "progress" and f["params"]["done_bytes"] == f["params"]["total_bytes"]
    )
    assert (told["params"]["what"], told["params"]["total_bytes"] > 600_000) == ("picture.jpg", True)


def test_a_line_that_is_too_long_ends_the_connection(two, connect):
    program = connect(two[0])
    program.write(b" " * (1024 * 1024 + 10))
    assert program.wait(lambda frame: frame and "error" in frame)["error"]["code"] == -32600
    assert program.wait(lambda frame: frame is None or "id" in frame) is None, "nothing but notifications on their way"


def test_a_second_process_is_told_that_the_folder_is_busy(two):
    home = two[0].parent.parent
    environment = {**os.environ, "QPQ_HOME": str(home), "QPQ_PASSWORD": "secret robo"}
    done = subprocess.run([QPQ, "-u", "robo", "whoami"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "in use by another process" in done.stderr) == (15, True)


def test_the_page_has_every_notification_and_help_every_method(two, connect):
    rows = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")))
    )
    assert rows == set(NAMES)
    listed = {c["method"] for c in connect(two[0]).call("help")["result"]}
    assert listed == {c.name for c in RPC.values()}


def test_it_ends_in_good_order_and_speaks_over_pipes_too(two):
    path, _, process, server = two
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert not path.exists()
    with daemon(path.parent.parent, server.where, "robo", "--stdio") as piped:
        out, _ = piped.communicate('{"jsonrpc": "2.0", "id": 1, "method": "whoami"}\n', timeout=PATIENCE_SECONDS)
    assert json.loads(out.splitlines()[0])["result"][0]["name"] == "robo"
    assert piped.returncode == 0
