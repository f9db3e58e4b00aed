"""The commands of README.md, cut out of it and run as they stand, in pseudo-terminals."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminals import terminals

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


def command(mark):
    """Return the console block behind a mark."""
    found = re.search(rf"<!-- run: {mark} -->\n```console\n(.*?)\n```", README, re.DOTALL)
    assert found, mark
    return found[1]


@pytest.fixture
def terminal(tmp_path):
    """Open terminals in a copy of the clone's layout: the same commands, other data."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    with terminals() as open_:
        yield lambda line: open_(["bash", "-c", f"exec {line}"], {"QPQ_HOME": str(tmp_path / "home")}, tmp_path)


def server_command():
    """Return what `make run` starts; making the environment is not tested anew here."""
    assert command("server") == "make run"
    shown = subprocess.run(
        ["make", "--no-print-directory", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return shown.stdout.strip().splitlines()[-1]


def test_two_people_talk_as_the_readme_says_and_all_is_there_again(terminal):
    server = terminal(server_command())
    server.sees("…listens on 127.0.0.1:7000…")
    alice = terminal(command("terminal-1"))
    alice.sees("registered alice…")
    bob = terminal(command("terminal-2"))
    bob.sees("registered bob…")
    alice.type("/dm bob", "Hello from Alice!")
    bob.sees("[alice] Hello from Alice!")
    bob.type("/dm alice", "Hi Alice")
    alice.sees("[bob] Hi Alice")
    for person in (alice, bob):
        person.keys(b"\x04")
        assert person.ends() == 0
    server.keys(b"\x03")
    assert server.ends() == 0
    again = terminal(server_command())
    again.sees("…listens on 127.0.0.1:7000…")
    history = terminal(".venv/bin/qpq -u bob -p secretB history @alice")
    history.sees("…[alice] Hello from Alice!", "…[bob] Hi Alice…")
    assert history.ends() == 0
    again.keys(b"\x03")
    assert again.ends() == 0


def test_the_sdk_example_of_the_readme_runs(terminal):
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert example
    assert example[1].strip() == (ROOT / "examples" / "send_receive.py").read_text().strip()
    server = terminal(server_command())
    server.sees("…listens on 127.0.0.1:7000…")
    (said,) = re.findall(r"`\.venv/bin/(python examples/send_receive\.py)`", README)
    assert said
    for _ in range(2):  # the names are free each time
        run = terminal(f"{sys.executable} {ROOT / 'examples' / 'send_receive.py'}")
        run.sees("…: Hello, Emil!")
        assert run.ends() == 0
