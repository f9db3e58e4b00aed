"""The page that shows the commands, played as it stands (docs/operate/commands-shown.md)."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from qpq.table.commands import CHAT
from tests.support.servers import serving_in_a_thread
from tests.support.shells import Shell, derive_quickly
from tests.support.shown import Play, fits_values, rows_of, texts_of
from tests.support.terminals import terminals

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "commands-shown.md").read_text()
REFERENCE = set(
    "dm create-group invite remove join leave switch list members group-info rename history react typing typing-notify edit "
    "delete send-file download disappear verify update-key delete-account whoami help quit".split()
)
PLAIN = {
    "ping", "register", "login", "whoami", "dm", "send", "send --all", "recv", "group create", "invite", "join", "remove", "leave",
    "members", "list", "history", "rename", "disappear", "verify", "update-key", "send-file", "download", "delete-account",
}  # fmt: skip
"""The twenty of the reference, `send --all` and both ways of files counted."""
QPQ = Path(sys.executable).with_name("qpq")


class Person:
    """Somebody at a terminal."""

    def __init__(self, open_, home, where, name):
        self.name, self._open, self._home, self._where = name, open_, home, where
        self.folder = home / f"{name}'s"
        self.folder.mkdir()
        self.start()
        self.terminal.sees("…/help lists the commands")

    def start(self):
        environment = {"QPQ_HOME": str(self._home), "QPQ_SERVER": self._where, "QPQ_PASSWORD": f"secret {self.name}"}
        self.terminal = self._open([QPQ, "repl", "--username", self.name], environment, self.folder)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    with serving_in_a_thread(folder) as server, terminals() as open_:
        people = {name: Person(open_, folder, server.where, name) for name in ("alice", "bob")}
        for name in ("photo.jpg", "a film.bin"):
            (people["alice"].folder / name).write_bytes(os.urandom(300_000))
        yield people


def test_each_command_does_what_the_page_shows(people):
    play = Play(people)
    *rows, last = rows_of(PAGE, "In the REPL")
    for _, effect, _, wrong in rows:
        play.sentence(wrong)
        play.sentence(effect)
    for person in people.values():
        person.start()
        person.terminal.sees("…/help lists the commands")
    for _, _, after, _ in rows:
        play.sentence(after)
    _, effect, after, wrong = last
    for sentence in (wrong, effect, after):
        play.sentence(sentence)


def test_the_page_has_a_row_for_each_command_and_alias_of_the_reference_and_each_does_something():
    rows = {command.strip("`/"): cells for command, *cells in rows_of(PAGE, "In the REPL")}
    first = {name: command for name, command in CHAT.items() if name in REFERENCE}
    assert set(rows) == {*first, *(alias for command in first.values() for alias in command.aliases)}
    assert len(first) == 26
    for name, cells in rows.items():
        assert all(cells), name
        assert any(f"`/{name} " in step or f"`/{name}`" in step for step in cells[:1]), name


def test_each_subcommand_says_in_json_what_the_page_shows(tmp_path):
    with pytest.MonkeyPatch.context() as quick, serving_in_a_thread(tmp_path) as server:
        derive_quickly(quick)
        shells = {
            "alice": Shell(tmp_path / "a", server.where, "alice"), "bob": Shell(tmp_path / "b", server.where, "bob"),
            "alice again": Shell(tmp_path / "c", server.where, "alice"),
        }  # fmt: skip
        (shells["alice"].cwd / "photo.jpg").write_bytes(os.urandom(300_000))
        for who, command, output in rows_of(PAGE, "In a shell"):
            (typed,) = texts_of(command)
            found = shells[who].says(*shlex.split(typed)[1:])
            shown = [json.loads(text) for text in texts_of(output)]
            assert fits_values([json.loads(line) for line in found.splitlines()], shown), (typed, found)


def test_the_page_has_every_plain_subcommand():
    typed = {" ".join(texts_of(command)[0].split()[2:]) for _, command, _ in rows_of(PAGE, "In a shell")}
    assert {name for name in PLAIN if not any(line == name or line.startswith(f"{name} ") for line in typed)} == set()
