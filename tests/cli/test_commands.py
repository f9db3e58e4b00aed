"""Every subcommand of `qpq`, as two people use them from a shell: plain lines, JSON, pipes, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from qpqclient.outbox import Outbox
from qpqcore.model.errors import EXIT_CODES, ErrorCode
from tests.support.servers import serving_in_a_thread
from tests.support.shells import NAMES, PATIENCE_SECONDS, QPQ, Shell, derive_quickly


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """Return the address of a server, in whose process commands run too."""
    with pytest.MonkeyPatch.context() as quick, serving_in_a_thread(tmp_path_factory.mktemp("server")) as server:
        derive_quickly(quick)
        yield server.where


def registered(tmp_path, where, *names):
    """Return people's shells."""
    shells = [Shell(tmp_path / name, where, name) for name in names]
    for shell in shells:
        shell.says("register")
    return shells


def test_two_people_use_every_command(where, tmp_path):
    alice, bob = registered(tmp_path, where, "alice", "bob")
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
    bob.says("recv")  # until he has heard of it, he talks into the conversation that he has
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
    laptop = Shell(tmp_path / "alice2", where, "alice")
    laptop.environment["QPQ_PASSWORD"] = "better"
    assert laptop.json("login")[0]["conversations"] >= 1
    old = alice.json("whoami")[0]["device"]
    assert laptop.json("devices", "--revoke", old)[0]["revoked"] == old
    assert laptop.says("delete-account", "--yes") == "deleted alice\n"
    bob.says("recv")  # until he has heard of it, he talks into the conversation that he has
    assert bob.fails(ErrorCode.NOT_FOUND, "dm", "alice", "anybody?") == "notFound"
    assert {n for n in NAMES if not any(n in u.split() for u in Shell.used)} == set()


def rich(alice, bob):
    """What one does with messages and people beside sending."""
    assert alice.run("discover", "--seconds", "soon").returncode == 2  # what it finds: tests/federation/test_nearby.py
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
    assert alice.fails(ErrorCode.FORBIDDEN, "rehome", "#committee") == "forbidden"  # its home is here: tests/federation
    assert alice.json("roles", "#committee", "--everybody")[0]["admins"] == []
    assert alice.says("mute", "#committee", "1h") == "muted\n"
    assert alice.says("block", "bob", "--undo") == ""
    assert alice.says("settings", "typing", "off").startswith("typing = off")
    assert alice.run("settings", "typing", "maybe").returncode == 2
    assert alice.says("requests") == alice.says("strangers", "#committee") == ""
    assert alice.json("trust", "bob") == [{"trusted": "bob"}]
    assert alice.says("typing", "@bob") == "@bob is told that you are typing\n"
    assert alice.json("group-info", "#committee")[0]["members"] == ["alice", "bob"]
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
    phone = Shell(tmp_path / "phone", alice.environment["QPQ_SERVER"], "alice")
    phone.used.add("link")
    with subprocess.Popen(
        [QPQ, "--json", "link"], cwd=phone.cwd, env={**os.environ, **phone.environment}, stdout=subprocess.PIPE,
        text=True,
    ) as waiting:  # fmt: skip
        code = json.loads(waiting.stdout.readline())["code"]
        done = alice.json("link-device", code, "--yes", "--label", "phone")[0]
        linked = json.loads(waiting.stdout.readline())
        assert waiting.wait(PATIENCE_SECONDS) == 0
    assert (linked["device"], linked["history"], done["history"]) == (done["device"], True, True)
    assert "[alice] hello Bob" in phone.process("history", "@bob", "-n", "50").stdout


def test_what_goes_wrong_is_one_sentence_and_a_code(where, tmp_path):
    ann, ben = registered(tmp_path, where, "ann", "ben")
    assert ann.fails(ErrorCode.NOT_FOUND, "dm", "nobody", "hi") == "notFound"
    assert ann.fails(ErrorCode.NAME_TAKEN, "register") == "nameTaken"
    assert ben.run("dm").returncode == 2
    assert ben.run("send", "#nowhere", "hi").returncode == 2
    ann.environment["QPQ_PASSWORD"] = "wrong"
    assert ann.fails(ErrorCode.LOGIN_FAILED, "whoami") == "loginFailed"
    eve = Shell(tmp_path / "fresh", where, "ben")
    eve.environment["QPQ_PASSWORD"] = "guess"
    assert eve.fails(ErrorCode.LOGIN_FAILED, "login") == "loginFailed"
    done = eve.run("whoami")
    assert (done.returncode, "Traceback" in done.stderr) == (EXIT_CODES[ErrorCode.UNAUTHENTICATED], False)
    for words in (("list",), ("recv",), ("search", "hi"), ("history", "@ann")):
        assert eve.fails(ErrorCode.UNAUTHENTICATED, *words) == "unauthenticated"
    assert "first contact: no key was pinned" in Shell(tmp_path / "fresh", where, "new").run("doctor").stdout
    taken = Shell(tmp_path / "fresh", where, "ben2")
    assert taken.fails(ErrorCode.NAME_INVALID, "register", "a b") == "nameInvalid"


def test_who_only_looks_begins_no_conversation(where, tmp_path):
    hal, ivy = registered(tmp_path, where, "hal", "ivy")
    for words in (("history", "@ivy"), ("members", "@ivy"), ("mark-read", "@ivy"), ("search", "x", "--within", "@ivy")):
        done = hal.run(*words)
        assert (done.returncode, "no conversation called @ivy" in done.stderr) == (2, True)
    assert (hal.json("list"), ivy.json("list")) == ([], [])
    assert hal.says("dm", "ivy", "hello") == "sent to @ivy\n"
    assert ivy.says("recv", "--wait", "20") == "[hal] hello\n"
    assert "[hal] hello" in ivy.says("history", "@hal")
    assert ivy.says("history", "@Hal") == ivy.says("history", "@hal@localhost") == ivy.says("history", "@hal")
    assert hal.fails(ErrorCode.NOT_FOUND, "history", "@nobody") == "notFound"
    assert "no address was found" in hal.run("ping", QPQ_SERVER="nobody.invalid").stderr


def test_a_conversation_with_somebody_who_is_gone_keeps_the_name_and_takes_nothing(where, tmp_path):
    jim, kay, lou = registered(tmp_path, where, "jim", "kay", "lou")
    assert jim.says("dm", "kay", "soon gone") == "sent to @kay\n"
    assert kay.says("recv", "--wait", "20") == "[jim] soon gone\n"
    jim.says("delete-account", "--yes")
    kay.says("recv")
    kay.says("dm", "lou", "and you?")
    lou.says("delete-account", "--yes")
    kay.says("recv")
    assert {c["name"] for c in kay.json("list")} == {"jim", "lou"}
    assert "and you?" in kay.says("history", "@lou")
    assert "soon gone" in kay.says("history", "@jim")
    assert kay.fails(ErrorCode.NOT_FOUND, "send", "@jim", "are you there?") == "notFound"


def test_a_message_that_is_refused_is_not_called_sent(where, tmp_path, monkeypatch):
    cat, dan = registered(tmp_path, where, "cat", "dan")
    assert cat.says("dm", "dan", "hello") == "sent to @dan\n"

    async def refuse(self, row):
        self._fail(row)

    monkeypatch.setattr(Outbox, "_deliver", refuse)
    for words in (("dm", "dan", "lost"), ("send", "@dan", "lost too"), ("reply", "@dan", "-1", "and this")):
        assert cat.fails(ErrorCode.NOT_MEMBER, *words) == "notMember"


def test_without_a_server_it_is_said_in_words(tmp_path):
    done = Shell(tmp_path, "127.0.0.1:9", "alice").process("ping")
    assert done.returncode == EXIT_CODES[ErrorCode.UNAVAILABLE]
    assert "is the server running" in done.stderr


def test_a_server_that_is_none_and_a_password_that_nobody_can_be_asked_for(tmp_path):
    for nowhere in ("127.0.0.1:port", "_x_é.org"):
        done = Shell(tmp_path, nowhere, "alice").process("ping")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "is no server's address" in done.stderr
    environment = {k: v for k, v in {**os.environ, "QPQ_HOME": str(tmp_path)}.items() if k != "QPQ_PASSWORD"}
    done = subprocess.run(
        [QPQ, "--json", "--username", "alice", "list"], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE_SECONDS, check=False, start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stderr)["error"], done.stderr.count("\n")) == (2, "usage", 1)
    assert "QPQ_PASSWORD" in done.stderr


def test_as_processes_a_long_line_from_a_pipe_loses_nothing(where, tmp_path):
    fay, gus = (Shell(tmp_path / name, where, name) for name in ("fay", "gus"))
    assert [person.process("register").returncode for person in (fay, gus)] == [0, 0]
    text = "x" * 8_000 + "y" * 500
    assert fay.process("dm", "gus", typed=text + "\n").returncode == 0
    done = gus.process("--json", "recv", "--wait", "20")
    assert "".join(json.loads(line)["text"] for line in done.stdout.splitlines()) == text
