"""The REPL in real terminals, beside what docs/operate/commands-shown.md shows of each command (test_commands_shown.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.servers import serving_in_a_thread
from tests.support.terminals import terminals

QPQ = Path(sys.executable).with_name("qpq")


class Person:
    """Somebody at a terminal."""

    def __init__(self, open_, folder, where, name):
        self.name, self._open, self._where, self.folder = name, open_, where, folder
        self.start()

    def start(self):
        environment = {"QPQ_HOME": str(self.folder), "QPQ_SERVER": self._where, "QPQ_PASSWORD": f"secret {self.name}"}
        self.terminal = self._open([QPQ, "repl", "--username", self.name], environment, self.folder)
        self.sees("…/help lists the commands")

    def says(self, line, *wanted):
        """Type a line, and see what comes of it."""
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
        alice.says("/create-group club", "made #club with 1 member")
        alice.says("/invite bob", "bob is in #club")
        bob.sees("you are in #club now: /join opens it")
        bob.says("/join", "joined #club")
        yield alice, bob


def both(stage, target_of_alice="@bob", target_of_bob="@alice"):
    alice, bob = stage
    alice.says(f"/switch {target_of_alice}", f"in {target_of_alice}")
    bob.says(f"/switch {target_of_bob}", f"in {target_of_bob}")
    return alice, bob


def test_groups(stage):
    alice, bob = both(stage, "#club", "#club")
    alice.says("hello club")
    bob.sees("[alice] hello club")
    alice.says("/cg other", "made #other with 1 member")
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


def test_what_was_not_meant_is_not_sent(stage):
    alice, bob = both(stage)
    for line in ("/hlep", " /hlep", "  /dm", "/", "/ dm"):
        alice.terminal.type(line)
    alice.sees("There is no command /hlep: did you mean /help?…")
    alice.says("//etc is a folder")
    bob.sees("[alice] /etc is a folder")
    shown = [line for line in bob.terminal.lines() if "hlep" in line or line in {"[alice] /", "[alice] / dm"}]
    assert shown == []


def test_names_of_several_words_and_timers_that_end(stage):
    alice, bob = both(stage, "#club", "#club")
    alice.says("/dm nobody", "there is no user 'nobody', as far as this server knows")
    alice.says("/rename book club", 'renamed to "book club"')
    bob.sees('club is called "book club" now')
    alice.says("/rename club", "renamed to club")
    bob.sees('"book club" is called club now')
    alice.says("/disappear 1d", "messages vanish after 1d")
    bob.sees("new messages in #club vanish after 1d")
    alice.says("/disappear off", "messages stay")
    bob.sees("new messages in #club stay")
