"""The REPL in real pseudo-terminals."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from tests.support.servers import serving_in_a_thread
from tests.support.terminals import terminals

COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-7]|9[0-7])m")
QPQ = Path(sys.executable).with_name("qpq")
WRITING = """
import select
import sys

import trio
import trio.testing

from qpq.repl.screen import Screen
from qpq.repl.view import Style


class Slow(Screen):
    def _write(self):
        waits = bool(self._waiting)
        super()._write()
        if waits:  # as if the terminal took the line slowly: a key comes meanwhile
            select.select([sys.stdin], [], [], 60)


async def main():
    screen = Slow("plain")

    async def read():
        try:
            print(f"read {await screen.read()!r}")
        except KeyboardInterrupt:
            print("Ctrl-C at the prompt")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        screen.show("somebody says something", Style.MESSAGE)
    screen.close()


trio.run(main)
"""


def test_the_quick_start_as_it_is_typed(tmp_path):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho what?\nread said\necho "$said" > $1\n')
    editor.chmod(0o755)
    with serving_in_a_thread(tmp_path) as server, terminals() as terminal:

        def qpq(line):
            name, *words = line.split()
            assert name == "qpq"
            environment = {"QPQ_HOME": str(tmp_path / "home"), "QPQ_SERVER": server.where, "EDITOR": str(editor)}
            return terminal([QPQ, *words], environment)

        alice = qpq("qpq repl --username alice --password secretA")
        alice.sees("registered alice…")
        bob = qpq("qpq repl --username bob --password secretB")
        bob.sees("registered bob…")
        alice.type("/dm bob", "Hello from Alice!")
        bob.sees("[alice] Hello from Alice!")
        alice.keys(b"half typed, then not meant\x03")
        alice.sees("Ctrl-D or /quit ends")
        alice.keys(b"two\x1b\rlines\r")
        bob.sees("[alice] two", "    lines")
        alice.keys(b"\x18\x05")
        alice.sees("what?")
        alice.type("from the editor, by the line")
        bob.sees("[alice] from the editor, by the line")
        alice.type("/quit")
        assert alice.ends() == 0
        bob.process.send_signal(signal.SIGTERM)
        assert bob.ends() == 0


@pytest.mark.parametrize(
    ("keys", "wanted"), [(b"\x04", "read None"), (b"\x03", "Ctrl-C at the prompt"), (b"typed\r", "read 'typed'")]
)
def test_a_key_that_comes_while_a_line_is_written_is_taken_as_any_other(keys, wanted):
    with terminals() as terminal:
        person = terminal([sys.executable, "-c", WRITING], {})
        person.sees("somebody says something")
        person.keys(keys)
        person.sees(wanted)
        assert person.ends() == 0


def test_a_password_is_asked_for_while_backspace_still_works(tmp_path):
    with serving_in_a_thread(tmp_path) as server, terminals() as terminal:
        for greeting in ("registered ann…", "you are ann…"):
            person = terminal(
                [QPQ, "repl", "--username", "ann"], {"QPQ_HOME": str(tmp_path / "home"), "QPQ_SERVER": server.where}
            )
            person.shows("Password of ann:")
            new = greeting.startswith("registered")
            person.keys(b"secrer\x7ft\n" if new else b"secret\n")
            if new:  # a typing error would make an account that nobody opens again
                person.shows("Repeat for confirmation:")
                person.keys(b"secret\n")
            person.sees(greeting)
            person.keys(b"\x04")
            assert person.ends() == 0


def test_without_colours_and_in_each_theme(tmp_path):
    with serving_in_a_thread(tmp_path) as server, terminals() as terminal:
        for number, (theme, no_colour) in enumerate((("light", ""), ("light", "1"), ("plain", ""))):
            environment = {
                "QPQ_HOME": str(tmp_path),
                "QPQ_SERVER": server.where,
                "QPQ_THEME": theme,
                "NO_COLOR": no_colour,
            }
            person = terminal([QPQ, "repl", "--username", "eve", "--password", "secret"], environment)
            person.sees("registered eve…" if not number else "you are eve…")
            person.keys(b"\x04")
            assert person.ends() == 0
            assert (COLOUR.search(person.raw) is not None) is (theme in {"dark", "light"} and not no_colour), theme
