"""What can go wrong for somebody at a terminal: a sentence that says what happened and what to do, the exit code of the error
table, and nothing lost; and hostile text in a real terminal."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess

import pytest
import trio

import qpqclient
from qpqclient.store import Store, open_key
from qpqcore.model.errors import EXIT_CODES, ErrorCode
from qpqserver.reloading import EdgeCertificate
from tests.support.hostile_text import CLASSES, check
from tests.support.servers import ThreadServer
from tests.support.shells import QPQ, qpq
from tests.support.terminals import SEQUENCES_OF_OUR_OWN, terminals
from tools.demo.processes import free_port

PATIENCE_SECONDS = 120


class World:
    """A server that comes and goes, and people's folders."""

    def __init__(self, folder):
        self.home, self.folder, self.where = folder / "home", folder, f"127.0.0.1:{free_port()}"
        self.server = None
        self.back()
        trio.run(self._register)

    async def _register(self):
        for name in ("alice", "bob"):
            async with self.client(name) as client:
                await client.register(name, f"secret {name}")

    def client(self, name):
        return qpqclient.open_client(self.home / name, server=self.where, password=f"secret {name}")

    def environment(self, name, **more):
        return {"QPQ_HOME": str(self.home), "QPQ_SERVER": self.where, "QPQ_PASSWORD": f"secret {name}", **more}

    def repl(self, name, typed="", *, ca_cert=None, **more):
        """Run a REPL with what is typed coming as through a pipe."""
        trusting = ["--ca-cert", str(ca_cert)] if ca_cert else []
        return qpq([*trusting, "repl", "--username", name], self.environment(name, **more), self.folder, typed)

    def full_repl(self, name, typed, file_bytes_max):
        """Run one as a process on a full disk, which may write so much of each file still; where coverage is counted, not of it."""
        plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
        return subprocess.run(
            [QPQ, "repl", "--username", name], env={**plain, **self.environment(name)}, input=typed, capture_output=True,
            text=True, timeout=PATIENCE_SECONDS, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max,) * 2),
        )  # fmt: skip

    def qpq(self, name, *words):
        return qpq(words, self.environment(name, QPQ_USERNAME=name), self.folder)

    def away(self):
        if self.server is not None:
            self.server.stop()
        self.server = None

    def back(self, folder=None):
        if self.server is None:
            self.server = ThreadServer(folder or self.folder, self.where)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    found = World(tmp_path_factory.mktemp("wrong"))
    yield found
    found.away()


@pytest.fixture
def world(stage):
    """Return it with its server there, whatever went wrong in another test."""
    stage.back()
    return stage


def test_a_wrong_password_and_afterwards_the_right_one(world):
    done = world.repl("alice", QPQ_PASSWORD="guess")
    assert (done.returncode, done.stderr) == (22, "qpq: this folder does not open with this password\n")
    elsewhere = str(world.folder / "elsewhere")
    done = world.repl("alice", QPQ_PASSWORD="guess", QPQ_HOME=elsewhere)
    assert done.returncode == EXIT_CODES[ErrorCode.LOGIN_FAILED]
    (said,) = done.stderr.splitlines()  # and nothing of a key that would be kept
    assert "password" in said
    done = world.repl("alice", "/whoami\n", QPQ_HOME=elsewhere)  # the folder was not left behind under the wrong one
    assert (done.returncode, done.stdout.split()[0]) == (0, "alice")
    assert re.fullmatch(
        rf"first contact with {world.where}: its key \(SHA-256 .*\) is kept, .*", done.stderr.splitlines()[0]
    )


def test_offline_messages_wait_are_shown_as_pending_and_arrive(world):
    world.away()
    done = world.repl("carol")
    assert done.returncode == EXIT_CODES[ErrorCode.UNAVAILABLE]
    assert "is the server running" in done.stderr
    world.back()

    async def meet():
        async with world.client("alice") as alice:
            await alice.dm("bob")

    trio.run(meet)
    world.away()
    with terminals() as terminal:
        alice = terminal([QPQ, "repl", "--username", "alice"], world.environment("alice"))
        alice.sees("you are alice…")
        alice.type("/dm bob", "typed without a server")
        alice.sees("(pending: the server is away; …")
        alice.type("/history 1")
        alice.sees("…[alice] typed without a server  (pending)")
        alice.type("/dm nobody")
        alice.sees("…is the server running…")
        alice.type("/quit")
        assert alice.ends() == 0
        world.back()
        assert world.repl("alice").returncode == 0
    done = world.qpq("bob", "recv", "--wait", "60")
    assert done.stdout == "[alice] typed without a server\n"


def test_another_key_than_the_pinned_one_is_refused(world):
    world.away()
    world.back(world.folder / "impostor")
    try:
        done = world.repl("alice", "/list\n")
        (shown,) = (world.folder / "impostor").rglob("server-cert.der")
        trusted = world.repl("alice", "/list\n", ca_cert=shown)
    finally:
        world.away()
        world.back()
    assert done.returncode == qpqclient.KeyChanged.exit_code == 14
    assert "another key than the one known: nothing was sent" in done.stderr
    (known,) = (world.folder / "server").rglob("server-cert.der")
    keys = [EdgeCertificate(c, c.with_name("server-key.der")).pin.hex() for c in (shown, known)]
    assert f"SHA-256 of the key shown: {keys[0]}; known: {keys[1]}. Ask the server's operator" in done.stderr
    assert "--ca-cert FILE" in done.stderr
    assert trusted.returncode == EXIT_CODES[ErrorCode.LOGIN_FAILED]  # its key is taken, and it knows nobody


def test_a_folder_of_somebody_else_or_of_a_newer_program(world):
    shutil.copytree(world.home / "alice", world.home / "dora")
    done = world.repl("dora", QPQ_PASSWORD="secret alice")
    assert done.returncode == 32
    assert "holds the account of alice, not of dora" in done.stderr
    assert not (world.home / "dora" / "gone").exists()
    store = Store(world.home / "dora", open_key(world.home / "dora", "secret alice"))
    store.db.execute("PRAGMA user_version = 999")
    store.close()
    done = world.repl("dora", QPQ_PASSWORD="secret alice")
    assert done.returncode == qpqclient.FolderUnusable.exit_code == 31
    assert "use the newer one" in done.stderr
    (world.home / "dora" / "client.db").write_bytes(b"no database" * 1000)
    done = world.repl("dora", QPQ_PASSWORD="secret alice")
    assert (done.returncode, "Traceback" in done.stderr) == (31, False)


def test_a_second_process_on_one_profile(world):
    with terminals() as terminal:
        first = terminal([QPQ, "repl", "--username", "bob"], world.environment("bob"))
        first.sees("you are bob…")
        done = world.repl("bob", "/list\n")
        assert done.returncode == qpqclient.FolderBusy.exit_code == 15
        assert "in use by another process" in done.stderr
        first.type("/whoami")
        first.sees("bob on…")


def test_a_full_disk_loses_nothing(world):
    for left in (4096, 40_960):  # not even opened; opened, and full at the first writes
        done = world.full_repl("alice", "/dm bob\nno room for this\n" * 10, left)
        assert "disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode in {0, EXIT_CODES[ErrorCode.STORAGE_FULL]}
    done = world.repl("alice", "/dm bob\nroom again\n/history 2\n")
    assert (done.returncode, "room again" in done.stdout) == (0, True)


def test_too_long_missing_and_surplus(world):
    done = world.repl("alice", f"/dm bob\n{'x' * 40_000}\n/dm\n/list x\nstill here\n")
    assert done.returncode == 0
    assert "too long: 40000 bytes of at most 32768; send it as a file" in done.stderr
    assert "name is missing. It is /dm <name> [<text>]" in done.stderr
    assert "Too much: 'x'. It is /list" in done.stderr
    for words in (
        ["dm"],
        ["whoami", "x"],
        ["history"],
        ["history", "@bob", "-n", "0"],
        ["disappear", "@bob", "soon"],
        ["hlep"],
    ):
        done = world.qpq("alice", *words)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), words


def test_a_file_name_that_is_no_utf8(world):
    (world.folder / os.fsdecode(b"caf\xe9 \x1b[31m.bin")).write_bytes(b"content")
    done = world.qpq("alice", "send-file", "@bob", os.fsdecode(b"caf\xe9 \x1b[31m.bin"))
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    done = world.qpq("bob", "--json", "recv", "--wait", "60")
    assert done.stdout.isascii()
    assert json.loads(done.stdout.splitlines()[-1])["file"]["name"] == "caf [31m.bin"


def test_hostile_text_in_a_real_terminal(world):
    """One text of each class as a message, a reaction, a group's name: whatever reaches the terminal is harmless."""

    async def send():
        async with world.client("bob") as bob:
            chosen = await bob.dm("alice")
            group = await bob.create_group("\x1b]0;owned\x07\u202eclub\n[alice] hi", ["alice"])
            first = await chosen.send("begin")
            for found in CLASSES.values():
                text = found[0].encode(errors="replace").decode()
                await chosen.send(f"{text} [{text[:20]}]")
                await chosen.react(first.id, text[:20])
                await group.rename(text[:60])
            await group.send("\x1b[2J the end")
            await bob.flush()

    with terminals() as terminal:
        alice = terminal([QPQ, "repl", "--username", "alice"], world.environment("alice"))
        alice.sees("you are alice…")
        trio.run(send)
        alice.sees("…the end")
        alice.type("/dm bob", "/history 50", "/list")
        alice.sees("@bob  2 members…")
        alice.type("/quit")
        assert alice.ends() == 0
        lines = alice.lines()
    written = SEQUENCES_OF_OUR_OWN.sub("", alice.raw.decode())
    for line in written.replace("\r", "").split("\n"):
        check(line)
    assert "[bob] begin" in "\n".join(lines)
    assert not any(line.startswith("[alice] hi") or line.startswith("[bob] send me money") for line in lines)
    plain = world.repl("alice", "/dm bob\n/history 50\n/list\n")
    for line in plain.stdout.split("\n"):
        check(line)
