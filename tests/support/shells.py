"""`qpq` as people use it in a shell, run in the test's own process: what it writes, and the code with which it ends.

Starting an interpreter costs more than most commands do. What only a process shows (signals, pipes, limits, two at once) has one:
`Shell.process`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from qpq.main import main
from qpq.table.commands import TABLE
from qpq.table.model import Face
from qpqclient import store
from qpqcore.model.errors import EXIT_CODES

QPQ = Path(sys.executable).with_name("qpq")
PATIENCE_SECONDS = 240
NAMES = {(c.subcommand or c.name).split()[-1] for c in TABLE if Face.SHELL in c.faces}
"""What a shell has, but for aliases (tests/unit/cli/test_table.py) and what runs on (repl, daemon: tests of their own)."""


class Done(NamedTuple):
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def qpq(words, environment, cwd, typed=""):
    """Run a command; whatever ends it but an exit is the test's failure."""
    with chdir(cwd):
        done = CliRunner(env=environment).invoke(main, [os.fspath(w) for w in words], input=typed)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def derive_quickly(monkeypatch):
    """Let folders open without the work that keeps guesses slow: each command opens one."""
    monkeypatch.setattr(store, "ARGON_KIB", 8)
    monkeypatch.setattr(store, "ARGON_PASSES", 1)


class Shell:
    """One person's shell."""

    used: set[str] = set()

    def __init__(self, home, where, name):
        home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "QPQ_HOME": str(home), "QPQ_SERVER": where, "QPQ_USERNAME": name, "QPQ_PASSWORD": f"secret {name}"
        }  # fmt: skip
        self.cwd = home

    def _note(self, words):
        self.used.add(" ".join(w for w in words if w in NAMES))

    def run(self, *words, typed="", **environment):
        self._note(words)
        return qpq(words, {**self.environment, **environment}, self.cwd, typed)

    def process(self, *words, typed="", **environment):
        """Run a command as a process."""
        self._note(words)
        return subprocess.run(
            [QPQ, *words], cwd=self.cwd, env={**os.environ, **self.environment, **environment}, input=typed,
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

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
