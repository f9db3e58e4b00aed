"""Every command and alias of the REPL, typed in a real terminal: what the other side sees, what is there after a restart,
and one wrong use of each."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from qpq.table.commands import CHAT
from tests.support.servers import serving_in_a_thread
from tests.support.terminals import terminals

QPQ = Path(sys.executable).with_name("qpq")
NOT_OF_THE_REFERENCE = {
    "reply", "trust", "devices", "passwd", "ping", "pin", "mark-read", "search", "roles", "requests", "block", "mute", "settings",
    "export-transcript", "verify-transcript", "export-data", "link-device", "recovery-code", "backup", "restore-backup", "doctor",
}  # fmt: skip
"""Played in a shell: tests/cli/test_commands.py."""


class Person:
    """Somebody at a terminal."""

    typed: set[str] = set()

    def __init__(self, open_, folder, where, name):
        self.name, self._open, self._where, self.folder = name, open_, where, folder
        self.start()

    def start(self):
        environment = {"QPQ_HOME": str(self.folder), "QPQ_SERVER": self._where, "QPQ_PASSWORD": f"secret {self.name}"}
        self.terminal = self._open([QPQ, "repl", "--username", self.name], environment, self.folder)
        self.sees("…/help lists the commands")

    def says(self, line, *wanted):
        """Type a line, and see what comes of it."""
        word = line.split()[0].removeprefix("/") if line.startswith("/") else ""
        self.typed.add(word)
        self.terminal.type(line)
        self.sees(*wanted)

    def sees(self, *wanted):
        self.terminal.sees(*wanted)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Yield Alice and Bob, who have a conversation and a group that Alice has made."""
    folder = tmp_path_factory.mktemp("repl")
    with serving_in_a_thread(folder) as server, terminals() as open_:
        alice, bob = (Person(open_, folder, server.where, name) for name in ("alice", "bob"))
        alice.says("/dm bob", "talking with @bob")
        bob.says("/dm alice", "talking with @alice")
        alice.says("/create-group club", "made #club with 1 members")
        alice.says("/invite bob", "bob is in #club")
        bob.sees("you are in #club now: /join opens it")
        bob.says("/join", "joined #club")
        yield alice, bob


def both(stage, target_of_alice="@bob", target_of_bob="@alice"):
    alice, bob = stage
    alice.says(f"/switch {target_of_alice}", f"in {target_of_alice}")
    bob.says(f"/switch {target_of_bob}", f"in {target_of_bob}")
    return alice, bob


def test_dm_and_switch(stage):
    alice, bob = both(stage)
    alice.says("/dm bob good morning")
    bob.sees("[alice] good morning")
    alice.says("/dm", "name is missing. It is /dm <name> [<text>]")
    alice.says("/dm nobody", "there is no user 'nobody', as far as this server knows")
    alice.says("/switch #nowhere", "no conversation called #nowhere: `list` shows all")
    alice.says("/switch", "conversation is missing. It is /switch <conversation>")


def test_groups(stage):
    alice, bob = both(stage, "#club", "#club")
    alice.says("hello club")
    bob.sees("[alice] hello club")
    alice.says("/cg other", "made #other with 1 members")
    alice.says("/create-group", "name is missing. It is /create-group…")
    alice.says("/invite bob", "bob is in #other")
    bob.sees("you are in #other now: /join opens it")
    alice.says("/invite bob", "bob is in #other already.")
    alice.says("/invite nobody", "there is no user 'nobody', as far as this server knows")
    bob.says("/join #other", "in #other")
    bob.says("/join", "No invitation is waiting.…")
    alice.says("/remove bob", "bob is out of #other")
    bob.sees("you are not in #other any more; what was received stays here")
    bob.says("too late", "…not in the conversation any more")
    alice.says("/remove bob", "bob: not in this conversation")
    alice.says("/invite bob", "bob is in #other")
    bob.sees("you are in #other again")
    bob.says("/leave", "left #other")
    alice.sees("bob is not in #other any more")
    bob.says("/leave", "No conversation is open: …")


def test_what_a_conversation_is(stage):
    alice, _ = both(stage, "#club", "#club")
    for name in ("list", "ls"):
        alice.says(f"/{name}", "@bob …", "#club …")
    alice.says("/ls now", "Too much: 'now'. It is /list")
    alice.says("/members", "alice  1 devices", "bob  1 devices")
    alice.says("/members x", "Too much: 'x'. It is /members")
    for name in ("group-info", "gi"):
        alice.says(
            f"/{name}", "#club: group, epoch …", "members (2): alice, bob", "who may invite and remove: everybody"
        )
    alice.says("/gi x", "Too much: 'x'. It is /group-info")
    alice.says("/whoami", "alice on 127.0.0.1:…")
    alice.says("/whoami x", "Too much: 'x'. It is /whoami")
    alice.says("/help", "/dm <name> [<text>]…", "/quit…")
    alice.says("/help edit", "/edit <index> <text>…")
    alice.says("/help nothing", "There is no command /nothing: …")
    alice.says("/quit now", "Too much: 'now'. It is /quit")


def test_settings_and_keys(stage):
    alice, bob = both(stage, "#club", "#club")
    alice.says("/rename book club", 'renamed to "book club"')
    bob.sees('club is called "book club" now')
    alice.says("/rename club", "renamed to club")
    bob.sees('"book club" is called club now')
    alice.says("/rename", "name is missing. It is /rename <name>")
    alice.says("/disappear 1d", "messages vanish after 1d")
    bob.sees("new messages in #club vanish after 86400 s")
    alice.says("/disappear off", "messages stay")
    bob.sees("new messages in #club stay")
    alice.says("/disappear soon", "How long? 30m, 1h, 1d, 7d or off, not 'soon'")
    for name in ("update-key", "rotate-key"):
        alice.says(f"/{name}", "#club is in epoch …")
    alice.says("/rehome", "this group's home is your own server")
    alice.says("/update-key x", "Too much: 'x'. It is /update-key")
    alice.says("/verify bob", "…not verified: compare it with theirs, then /verify bob yes")
    digits = [line for line in alice.terminal.lines() if len(line.split()) == 6 and line.replace(" ", "").isdigit()][
        -2:
    ]
    bob.says("/verify alice", *digits)
    alice.says("/verify bob yes", "bob is verified")
    alice.says("/members", "bob  1 devices (verified)")
    alice.says("/verify", "name is missing. It is /verify <name> [<answer>]")


def test_messages_that_change(stage):
    alice, bob = both(stage)
    alice.says("fisrt")
    bob.sees("[alice] fisrt")
    alice.says("/edit -1 first", "edited: first")
    bob.sees("[alice] first (edited)")
    bob.says("/react 👍", "👍 to: first")
    alice.sees('bob reacted 👍 to "first"')
    bob.says("/edit -1 mine", "Message -1 is alice's: only one's own can be changed.")
    bob.says("/react", "emoji is missing. It is /react <emoji> [<index>] [--remove]")
    bob.says("/react 👍 999", "There is no message 999 here: …")
    alice.says("/edit 1", "text is missing. It is /edit <index> <text>")
    alice.says("a slip")
    bob.sees("[alice] a slip")
    alice.says("/delete -1", "deleted: a slip")
    bob.sees('alice deleted "a slip"')
    alice.says("/delete", "index is missing. It is /delete <index>")
    for name in ("history", "hist"):
        bob.says(f"/{name} 1", "…[alice] first (edited)  👍 1")
    bob.says("/history none", "count: a number from 1 to 100000 is wanted, not 'none'")


def test_typing(stage):
    alice, bob = both(stage)
    alice.says("/typing", "@bob is told that you are typing")
    bob.sees("alice is typing")
    bob.says("/typing-notify off", "that others are typing is not shown")
    alice.says("/typing", "@bob is told that you are typing")
    alice.says("done typing")
    bob.sees("[alice] done typing")
    assert bob.terminal.lines().count("alice is typing") == 1
    bob.says("/typing-notify on", "that others are typing is shown")
    bob.says("/typing-notify maybe", "switch: say on or off")
    bob.says("/typing x", "Too much: 'x'. It is /typing")


def test_files(stage):
    alice, bob = both(stage)
    data = os.urandom(600_000)
    for number, (send, fetch) in enumerate((("send-file", "download"), ("sf", "dl"))):
        (alice.folder / f"a file {number}.bin").write_bytes(data)
        alice.says(f'/{send} "{alice.folder}/a file {number}.bin"', f"sent a file {number}.bin to @bob")
        bob.sees(f"[alice] [file] a file {number}.bin")
        bob.says(f"/{fetch}", f"wrote a file {number}.bin")
        assert (bob.folder / f"a file {number}.bin").read_bytes() == data
    alice.says("/sf nowhere.txt", "there is no file nowhere.txt")
    bob.says("/dl 1", "Message 1 carries no file: /history shows which do.")


def test_what_was_not_meant_is_not_sent(stage):
    alice, bob = both(stage)
    for line in ("/hlep", " /hlep", "  /dm", "/", "/ dm"):
        alice.terminal.type(line)
    alice.sees("There is no command /hlep: did you mean /help?…")
    alice.says("//etc is a folder")
    bob.sees("[alice] /etc is a folder")
    shown = [line for line in bob.terminal.lines() if "hlep" in line or line in {"[alice] /", "[alice] / dm"}]
    assert shown == []


def test_after_a_restart_all_is_there_and_an_account_ends_for_good(stage):
    alice, bob = both(stage)
    alice.says("the last word")
    bob.sees("[alice] the last word")
    for person in (alice, bob):
        person.terminal.type("/quit")
        assert person.terminal.ends() == 0
    for person in (bob, alice):
        person.start()
    bob.says("/dm alice", "talking with @alice")
    bob.says("/history 50", "…[alice] first (edited)  👍 1", "…[alice] /etc is a folder", "…[alice] the last word")
    assert not any("a slip" in line or "fisrt" in line for line in bob.terminal.lines())
    alice.says("/verify bob", "bob is verified")
    alice.says("/delete-account", "Type alice to delete the account for ever:…")
    alice.says("never", "nothing was deleted")
    alice.says("/delete-account", "Type alice to delete the account for ever:…")
    alice.says("alice", "deleted alice")
    assert alice.terminal.ends() == 0
    # Until he has heard of it, he talks into the conversation that he has.
    bob.sees("alice is not in #club any more", "alice is not in @alice any more")
    bob.says("/dm alice", "there is no user 'alice', as far as this server knows")
    assert set(CHAT) - Person.typed == NOT_OF_THE_REFERENCE
