"""The commands of README.md, cut out of it and run as they stand, in pseudo-terminals."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
PATIENCE_SECONDS = 60


def command(mark: str) -> str:
    """Return the console block behind a mark."""
    found = re.search(rf"<!-- run: {mark} -->\n```console\n(.*?)\n```", README, re.DOTALL)
    assert found, mark
    return found[1]


class Terminal:
    """A program in a pseudo-terminal of its own."""

    def __init__(self, line: str, folder: Path) -> None:
        self.screen = ""
        self._master, slave = pty.openpty()
        environment = {**os.environ, "QPQ_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=folder, stdin=slave, stdout=slave, stderr=slave,
            env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def wait_for(self, text: str) -> None:
        """Read until `text` is on the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.screen:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not come; the screen holds:\n{self.screen}"
            if select.select([self._master], [], [], left)[0]:
                try:
                    self.screen += os.read(self._master, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"ended without {text!r}; the screen holds:\n{self.screen}") from None

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def done(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Read until the program ends; return its exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    self.screen += os.read(self._master, 65536).decode(errors="replace")
                except OSError:
                    break
        return self.process.wait(max(0.1, end - time.monotonic()))

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminals(tmp_path):
    """Open terminals in a copy of the clone's layout: the same commands, other data."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    opened: list[Terminal] = []

    def open_(line: str) -> Terminal:
        opened.append(Terminal(line, tmp_path))
        return opened[-1]

    yield open_
    for terminal in opened:
        terminal.kill()


def server_command() -> str:
    """Return what `make run` starts; making the environment is not tested anew here."""
    assert command("server") == "make run"
    shown = subprocess.run(
        ["make", "--no-print-directory", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return shown.stdout.strip().splitlines()[-1]


def test_two_people_talk_as_the_readme_says_and_all_is_there_again(terminals):
    server = terminals(server_command())
    server.wait_for("listens on 127.0.0.1:7000")
    for number in (1, 2):
        assert terminals(command(f"terminal-{number} register")).done() == 0
    alice = terminals(command("terminal-1 chat"))
    alice.wait_for("chatting with")
    bob = terminals(command("terminal-2 chat"))
    bob.wait_for("chatting with")
    alice.type("Hello from Alice!\n")
    bob.wait_for("[alice] Hello from Alice!")
    bob.type("Hi Alice\n")
    alice.wait_for("[bob] Hi Alice")
    for person in (alice, bob):
        person.type("\x04")
        assert person.done() == 0
    server.type("\x03")
    assert server.done(5) == 0
    again = terminals(server_command())
    again.wait_for("listens on 127.0.0.1:7000")
    history = terminals(".venv/bin/qpq -u bob -p secretB history @alice")
    assert history.done() == 0
    assert "[alice] Hello from Alice!" in history.screen
    assert "[bob] Hi Alice" in history.screen
    again.type("\x03")
    assert again.done(5) == 0


def test_the_sdk_example_of_the_readme_runs(terminals):
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example
    assert example[1].strip() == (ROOT / "examples" / "send_receive.py").read_text().strip()
    server = terminals(server_command())
    server.wait_for("listens on 127.0.0.1:7000")
    run = terminals(f"{sys.executable} {ROOT / 'examples' / 'send_receive.py'}")
    assert run.done() == 0, run.screen
    assert "dora: Hello, Emil!" in run.screen
