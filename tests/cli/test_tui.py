"""The full-screen view as a process in a real pseudo-terminal, against a real server; its peers are processes, too."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trio

import qpqclient
from qpqclient.store import DATABASE, Store, open_key
from qpqcore.store.connection import connect
from tests.support.hostile_text import CLASSES
from tests.support.servers import serving_in_a_thread
from tests.support.terminals import PATIENCE_SECONDS, terminals
from tests.unit.cli.test_harmless import check

QPQ = Path(sys.executable).with_name("qpq")
COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
SEQUENCES_OF_OUR_OWN = re.compile(
    r"\x1b\[(?:[0-9;]*[ABCDGHJKm]|\?[0-9;]+[hl]|\?20(?:26|31|48)\$p|[0-9] q|[<=>?]?[0-9]*u|\?[0-9]*n)|\x1bP\+q[0-9A-F;]*\x1b\\|\x1b\]22;[a-z-]*\x07"
)
"""What Textual writes to move the cursor, to colour, to ask a terminal what it can, and to shape the mouse."""
UP, CTRL_K, CTRL_Q = b"\x1b[A", b"\x0b", b"\x11"
KEPT = "typed, and not sent when the power went"


class Town:
    """A server, and people at terminals."""

    def __init__(self, folder, where, open_):
        self.home, self.folder, self.where, self._open = folder / "home", folder, where, open_

    def environment(self, name, **more):
        return {"QPQ_HOME": str(self.home), "QPQ_SERVER": self.where, "QPQ_PASSWORD": f"secret {name}", **more}

    def person(self, face, name, **more):
        return self._open([QPQ, face, "--username", name], self.environment(name, **more), self.folder)

    def run(self, *words, **more):
        environment = {**os.environ, **self.environment("alice", **more)}
        return subprocess.run([QPQ, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)

    def keeps(self, name, text):
        """Wait until what stands in a composer is stored: the screen has it a moment before."""

        async def look():
            folder = self.home / name
            database = connect(folder / DATABASE, open_key(folder, f"secret {name}"), read_only=True)
            with trio.fail_after(PATIENCE_SECONDS), closing(database):
                while not any(
                    text in json.loads(value)
                    for (value,) in database.execute("SELECT value FROM meta WHERE name LIKE 'draft:%'")
                ):
                    await trio.sleep(0.01)

        trio.run(look)

    def client(self, name):
        return qpqclient.open_client(self.home / name, server=self.where, password=f"secret {name}")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tui")
    with serving_in_a_thread(folder) as server, terminals() as open_:
        yield Town(folder, server.where, open_)


def test_two_people_talk_and_nothing_typed_is_lost(town):
    alice, bob = town.person("tui", "alice"), town.person("repl", "bob")
    bob.sees("registered bob…")
    alice.shows("registered alice", "No conversation is open")
    alice.type("/dm bob", "Hello from Alice!")
    bob.sees("[alice] Hello from Alice!")
    alice.shows("@bob  (not verified)", "Hello from Alice!", "(delivered)")
    bob.type("/dm alice", "Hello from Bob!")
    alice.shows("Hello from Bob!")
    alice.keys(UP + b"rAnswered\r")
    bob.sees("[alice] Answered")
    alice.keys(UP + b"e, and mended\r")
    bob.sees("[alice] Answered, and mended (edited)")
    alice.keys(UP + UP + b"+")
    alice.shows("React with")
    alice.keys(b"rocket\r")
    bob.sees('alice reacted 🚀 to "Hello from Bob!"')
    alice.keys(UP + b"d")
    alice.shows("Delete this message, for everybody?")
    alice.keys(b"y")
    bob.sees('alice deleted "Answered, and mended"')
    bob.type("/create-group reading", "/invite alice", "@alice what do you read?")
    alice.shows("#reading 1!")
    alice.type("/hlep")
    alice.shows("There is no command /hlep: did you mean /help?", "│ /hlep")
    alice.keys(b"\x7f" * 5 + KEPT.encode())
    alice.shows(KEPT)
    town.keeps("alice", KEPT)
    alice.kill()

    again = town.person("tui", "alice")
    again.shows("you are alice", "@bob (draft)")
    again.keys(CTRL_K + b"bb\r")
    again.shows("Hello from Bob!", "🚀 1", KEPT)
    again.keys(b"\r" + CTRL_K + b"rdg\r")
    bob.sees(f"@alice [alice] {KEPT}")
    again.shows("#reading  ·  2 members", "(names you)")
    again.process.send_signal(signal.SIGTERM)
    assert again.ends() == 0
    assert b"\x1b[?1049l" in again.raw, "the terminal is as it was found"


def test_a_key_that_changes_is_announced(town):
    async def meet():
        async with town.client("dora") as dora, town.client("eve") as eve:
            for client, name in ((dora, "dora"), (eve, "eve")):
                await client.register(name, f"secret {name}")
            await dora.dm("eve")
            await dora.verify("eve")

    trio.run(meet)
    dora = town.person("tui", "dora")
    dora.shows("@eve ✓")
    dora.keys(CTRL_Q)
    assert dora.ends() == 0
    folder = town.home / "dora"
    store = Store(folder, open_key(folder, "secret dora"))  # as if the key known so far had been another one
    store.db.execute("UPDATE people SET identity_key = ? WHERE name = 'eve'", (b"\7" * 32,))
    store.close()
    dora = town.person("tui", "dora")
    dora.shows("@eve KEY CHANGED")
    dora.keys(CTRL_K + b"eve\r")
    dora.shows("@eve  (KEY CHANGED: /verify)")
    dora.type("/verify eve")
    dora.shows("eve is not who eve was", "* the server names another key for eve", "│ /verify eve")
    dora.keys(CTRL_Q)
    assert dora.ends() == 0


def test_hostile_text_and_no_colours(town):
    async def send():
        async with town.client("mallory") as mallory, town.client("frank") as frank:
            await frank.register("frank", "secret frank")
            await mallory.register("mallory", "secret mallory")
            chosen = await mallory.dm("frank")
            group = await mallory.create_group("\x1b]0;owned\x07\u202eclub\n[alice] hi", ["frank"])
            first = await chosen.send("begin")
            for found in CLASSES.values():
                text = found[0].encode(errors="replace").decode()
                await chosen.send(f"{text[:2_000]} [{text[:20]}]")
                await chosen.react(first.id, text[:20])
            await group.send("\x1b[2J @frank the end")
            await mallory.flush()

    trio.run(send)
    frank = town.person("tui", "frank", NO_COLOR="1")
    frank.shows("@mallory 17")
    frank.keys(CTRL_K + b"mallory\r")
    frank.shows("@mallory  (not verified)")
    for _ in range(12):
        frank.keys(b"\x1b[5~")  # page up
    frank.shows("begin")
    frank.keys(b"pasted \x1b[200~\x1b[31mred\x1b]0;owned\x07\x1b[201~")
    frank.shows("pasted")
    frank.keys(b"\x15" + b"/list\r")
    frank.shows("@mallory  2 members")
    frank.keys(CTRL_Q)
    assert frank.ends() == 0
    assert COLOUR.search(frank.raw) is None
    for line in re.split("[\r\n]", SEQUENCES_OF_OUR_OWN.sub("", frank.raw.decode())):
        check(line)


def test_what_goes_wrong_is_said_before_the_screen_begins(town):
    done = town.run("tui", "--username", "alice")
    assert (done.returncode, done.stderr) == (
        2,
        "qpq: The full-screen view needs a terminal: `qpq repl` does without.\n",
    )
    assert town.run("--username", "gina", "register").returncode == 0
    guess = town.person("tui", "gina", QPQ_PASSWORD="guess")
    guess.shows("this folder does not open with this password")
    assert guess.ends() == 22
    assert b"\x1b[?1049h" not in guess.raw
