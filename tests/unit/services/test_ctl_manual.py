"""The book's page of `qpqctl` is what the program says of itself, and every command is on it."""

from __future__ import annotations

from pathlib import Path

import click

from qpqserver.ctl import main
from qpqserver.ctl.manual import commands, page

PAGE = Path(__file__).parents[3] / "docs" / "operate" / "qpqctl.md"


def test_the_page_is_what_the_program_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m qpqserver.ctl.manual > docs/operate/qpqctl.md"


def test_every_command_says_what_it_does():
    found = dict(commands(main, "qpqctl"))
    assert len(found) > 35
    for path, command in found.items():
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name not in {
                "server",
                "engine",
                "days",
                "uses",
                "seconds",
            }:
                assert parameter.help, (path, parameter.name)
