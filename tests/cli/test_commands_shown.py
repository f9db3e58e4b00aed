"""The page that shows the commands, played as it stands (docs/operate/commands-shown.md)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.servers import serving_in_a_thread
from tests.support.shown import Play, rows_of
from tests.support.terminals import terminals

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "commands-shown.md").read_text()
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
