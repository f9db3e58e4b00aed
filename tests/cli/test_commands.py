"""Every subcommand of `qpq`, as two people use them from a shell: plain lines, JSON, pipes, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qpq.main import main
from qpqcore.model.errors import EXIT_CODES, ErrorCode
from tests.cli.test_server import running

QPQ = Path(sys.executable).with_name("qpq")
PATIENCE_SECONDS = 60


class Shell:
    """One person's shell."""

    used: set[str] = set()

    def __init__(self, home, where, name):
        self.environment = {
            **os.environ, "QPQ_HOME": str(home), "QPQ_SERVER": where, "QPQ_USERNAME": name, "QPQ_PASSWORD": f"secret {name}"
        }  # fmt: skip
        self.cwd = home

    def run(self, *words, typed="", **environment):
        done = subprocess.run(
            [QPQ, *words], cwd=self.cwd, env={**self.environment, **environment}, input=typed, capture_output=True,
            text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        self.used.add(" ".join(w for w in words if w in NAMES))
        return done

    def says(self, *words, typed="", **environment):
        """Run a command that must succeed; return its output."""
        done = self.run(*words, typed=typed, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words, **more):
        """Run a command with JSON output; return the values."""
        return [json.loads(line) for line in self.says("--json", *words, **more).splitlines()]

    def fails(self, code, *words):
        """Run a command that must be refused with a code of the error table; return what it says."""
        done = self.run("--json", *words)
        assert done.returncode == EXIT_CODES[code], done.stderr
        return json.loads(done.stderr)["error"]


NAMES = {"group", *main.commands, *main.commands["group"].commands}


@pytest.fixture
def people(tmp_path):
    """Return the shells of Alice and Bob, registered."""
    with running(tmp_path) as server:
        found = []
        for name in ("alice", "bob"):
            (tmp_path / name).mkdir()
            shell = Shell(tmp_path / name, server.where, name)
            shell.says("register")
            found.append(shell)
        yield found


def test_two_people_use_every_command(people, tmp_path):
    alice, bob = people
    # who and where
    (pong,) = alice.json("ping")
    assert (pong["status"], pong["domain"]) == ("ok", "localhost")
    assert alice.json("whoami")[0]["name"] == "alice"
    assert alice.says("whoami").startswith("alice on 127.0.0.1:")
    (device,) = alice.json("devices")
    assert device["current"]
    assert device["label"]
    # one to one
    assert alice.says("dm", "bob", "hello", "Bob") == "sent to @bob\n"
    assert bob.says("recv", "--wait", "20") == "[alice] hello Bob\n"
    assert bob.says("recv") == ""
    assert bob.says("dm", "alice", typed="line one\nline two\n").startswith("chatting with @alice")
    assert [m["text"] for m in alice.json("recv", "--wait", "20")] == ["line one", "line two"]
    assert alice.says("send", "@bob", "-", typed="from a pipe") == "sent to @bob\n"
    assert bob.says("verify", "alice") == alice.says("verify", "bob")
    assert len(alice.json("verify", "bob")[0]["safety_number"]) == 60
    # groups
    (club,) = alice.json("group", "create", "club", "--post-quantum")
    assert club["members"] == ["alice"]
    assert alice.says("invite", "#club", "bob") == "bob is in #club\n"
    assert bob.says("join") == "joined #club\n"
    assert {m["name"] for m in bob.json("members", "#club")} == {"alice", "bob"}
    epoch = alice.json("update-key", "#club")[0]["epoch"]
    assert bob.json("update-key", "#club")[0]["epoch"] == epoch + 1
    assert alice.says("rename", "#club", "committee") == "renamed to committee\n"
    bob.says("recv")
    assert {c["name"] for c in bob.json("list")} == {"alice", "committee"}
    assert alice.says("disappear", "@bob", "1h") == "messages vanish after 1h\n"
    assert alice.says("disappear", "@bob", "off") == "messages stay\n"
    told = alice.says("send", "--all", "to", "everybody").splitlines()
    assert sorted(told) == ["sent to #committee", "sent to @bob"]
    assert [m["text"] for m in bob.json("recv", "--wait", "20")].count("to everybody") == 2
    rich(alice, bob)
    records(alice, tmp_path)
    # files
    (tmp_path / "photo.jpg").write_bytes(os.urandom(700_000))
    assert alice.says("send-file", "#committee", str(tmp_path / "photo.jpg")) == "sent photo.jpg to #committee\n"
    bob.says("recv", "--wait", "20")
    number = next(str(m["number"]) for m in bob.json("history", "#committee") if m["file"])
    (got,) = bob.json("download", "#committee", number, "--to", str(tmp_path / "bob"))
    assert Path(got["path"]).read_bytes() == (tmp_path / "photo.jpg").read_bytes()
    # leaving
    assert bob.says("leave", "#committee") == "left #committee\n"
    alice.says("recv")
    assert [m["name"] for m in alice.json("members", "#committee")] == ["alice"]
    alice.says("invite", "#committee", "bob")
    assert alice.says("remove", "#committee", "bob") == "bob is out of #committee\n"
    # the account
    assert "hello Bob" in alice.says("history", "@bob", "-n", "50")
    assert alice.says("passwd", QPQ_NEW_PASSWORD="better").startswith("password changed")
    alice.environment["QPQ_PASSWORD"] = "better"
    links(alice, tmp_path)
    second = tmp_path / "alice2"
    second.mkdir()
    laptop = Shell(second, alice.environment["QPQ_SERVER"], "alice")
    laptop.environment["QPQ_PASSWORD"] = "better"
    assert laptop.json("login")[0]["conversations"] >= 1
    old = alice.json("whoami")[0]["device"]
    assert laptop.json("devices", "--revoke", old)[0]["revoked"] == old
    assert laptop.says("delete-account", "--yes") == "deleted alice\n"
    bob.says("recv")  # until he has heard of it, he talks into the conversation that he has
    assert bob.fails(ErrorCode.NOT_FOUND, "dm", "alice", "anybody?") == "notFound"
    missing = {n for n in NAMES - {"group"} if not any(n in u.split() for u in Shell.used)}
    assert missing == set()


def rich(alice, bob):
    """What one does with messages and people beside sending."""
    alice.says("send", "@bob", "tpyo")
    alice.says("send", "@bob", "nothing")
    assert alice.says("edit", "@bob", "-2", "typo") == "edited: typo\n"
    assert alice.says("delete", "@bob", "-1") == "deleted: nothing\n"
    assert bob.says("react", "@alice", "👍") == "👍 to: typo\n"
    assert bob.says("reply", "@alice", "-1", "so it is") == "answered: typo\n"
    assert alice.json("recv", "--wait", "20")[-1]["reply_to"] == alice.json("history", "@bob", "-n", "2")[0]["id"]
    bob.says("delete", "@alice", "-1")
    assert [m["text"] for m in bob.json("pin", "@alice", "-1")] == ["typo"]
    assert bob.json("mark-read", "@alice")[0]["read"] > 0
    assert alice.says("pin", "@bob") == "[alice] typo (edited)\n"
    assert [m["state"] for m in alice.json("history", "@bob", "-n", "1")] == ["read"]
    told = alice.says("roles", "#committee", "--admin", "alice", "--let", "pin")
    assert told == "admins: alice; everybody may: pin\n"
    assert bob.fails(ErrorCode.FORBIDDEN, "rename", "#committee", "mine") == "forbidden"
    assert alice.json("roles", "#committee", "--everybody")[0]["admins"] == []
    assert alice.says("mute", "#committee", "1h") == "muted\n"
    assert alice.says("block", "bob", "--undo") == ""
    assert alice.says("settings", "typing", "off").startswith("typing = off")
    assert alice.run("settings", "typing", "maybe").returncode == 2
    assert alice.says("requests") == ""
    assert alice.json("verify", "bob", "yes")[0]["verified"]
    assert alice.says("doctor").startswith("ok   folder")


def records(alice, tmp_path):
    """What one has, found and taken along."""
    assert alice.says("dm", "alice", "a note") == "sent to @alice\n"
    assert alice.says("search", "NOTE") == "@alice [alice] a note\n"
    path = str(tmp_path / "talk.transcript")
    key = {"QPQ_TRANSCRIPT_PASSWORD": "of the file"}
    count = alice.json("export-transcript", "@bob", path, **key)[0]["messages"]
    assert "[alice] hello Bob\n" in alice.says("verify-transcript", path, "--show", **key)
    content = bytearray(Path(path).read_bytes())
    content[-400] ^= 1
    Path(path).write_bytes(content)
    broken = alice.run("verify-transcript", path, **key)
    assert (broken.returncode, broken.stderr.startswith("qpq: link ")) == (17, True)
    assert alice.json("export-data", str(tmp_path / "mine"), "--no-files")[0]["messages"] > count
    code = alice.json("recovery-code")[0]["recovery_code"]
    assert alice.json("backup", "--to", str(tmp_path / "backup"))[0]["rows"] > count
    assert alice.says("backup").startswith("backed up")
    assert alice.says("restore-backup", QPQ_RECOVERY_CODE=code) == "0 messages came back\n"


def links(alice, tmp_path):
    """A new device by its code, in a process of its own, with the history."""
    (tmp_path / "phone").mkdir()
    phone = Shell(tmp_path / "phone", alice.environment["QPQ_SERVER"], "alice")
    phone.used.add("link")
    with subprocess.Popen(
        [QPQ, "--json", "link"], cwd=phone.cwd, env=phone.environment, stdout=subprocess.PIPE, text=True
    ) as waiting:
        code = json.loads(waiting.stdout.readline())["code"]
        done = alice.json("link-device", code, "--yes", "--label", "phone")[0]
        linked = json.loads(waiting.stdout.readline())
        assert waiting.wait(PATIENCE_SECONDS) == 0
    assert (linked["device"], linked["history"], done["history"]) == (done["device"], True, True)
    assert "[alice] hello Bob" in phone.says("history", "@bob", "-n", "50")


def test_what_goes_wrong_is_one_sentence_and_a_code(people, tmp_path):
    alice, bob = people
    assert alice.fails(ErrorCode.NOT_FOUND, "dm", "nobody", "hi") == "notFound"
    assert alice.fails(ErrorCode.NAME_TAKEN, "register") == "nameTaken"
    assert bob.run("dm").returncode == 2
    assert bob.run("send", "#nowhere", "hi").returncode == 2
    alice.environment["QPQ_PASSWORD"] = "wrong"
    assert alice.fails(ErrorCode.LOGIN_FAILED, "whoami") == "loginFailed"
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    eve = Shell(fresh, bob.environment["QPQ_SERVER"], "bob")
    eve.environment["QPQ_PASSWORD"] = "guess"
    assert eve.fails(ErrorCode.LOGIN_FAILED, "login") == "loginFailed"
    done = eve.run("whoami")
    assert (done.returncode, "Traceback" in done.stderr) == (EXIT_CODES[ErrorCode.UNAUTHENTICATED], False)
    taken = Shell(tmp_path / "fresh", bob.environment["QPQ_SERVER"], "bob2")
    assert taken.fails(ErrorCode.NAME_INVALID, "register", "a b") == "nameInvalid"


def test_without_a_server_it_is_said_in_words(tmp_path):
    shell = Shell(tmp_path, "127.0.0.1:9", "alice")
    done = shell.run("ping")
    assert done.returncode == EXIT_CODES[ErrorCode.UNAVAILABLE]
    assert "is the server running" in done.stderr


def test_a_long_line_from_a_pipe_loses_nothing(people):
    alice, bob = people
    text = "x" * 8_000 + "y" * 500
    alice.says("dm", "bob", typed=text + "\n")
    assert "".join(m["text"] for m in bob.json("recv", "--wait", "20")) == text
