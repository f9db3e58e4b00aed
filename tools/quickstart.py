"""`python -m tools.quickstart [--form scaled]`: the quick start typed in two real terminals (tmux), then the full-screen view in a third.

A server as a process, or as many; shells in tmux panes; lines typed as the README has them; what is shown is read off the screens. Exit
code 0: the second screen held `[alice] Hello from Alice!`, and the view and its peer saw each other.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tools.demo.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 120
LOOK_SECONDS = 0.1
COLUMNS, ROWS = 120, 34
NO_TMUX = "tmux is not installed, so nothing was shown: apt-get install tmux"


class Panes:
    """A tmux server of one's own, with a shell in each session."""

    def __init__(self, tmux: str, folder: Path, where: str) -> None:
        self._words = [tmux, "-S", str(folder / "tmux"), "-f", os.devnull]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {
            **os.environ, "PATH": path, "QPQ_HOME": str(folder / "home"), "QPQ_SERVER": where, "PS1": "$ ", "LC_ALL": "C.UTF-8",
        }  # fmt: skip

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(  # noqa: S603 - words of this module
            [*self._words, *words], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def open(self, name: str) -> None:
        """Open a terminal with a shell."""
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        self._tmux("new-session", "-d", "-s", name, *size, "sh", "-i")

    def type(self, name: str, *lines: str) -> None:
        """Type lines, each with Enter."""
        for line in lines:
            self._tmux("send-keys", "-t", name, "-l", line)
            self._tmux("send-keys", "-t", name, "Enter")

    def key(self, name: str, *keys: str) -> None:
        """Press keys by their tmux names."""
        self._tmux("send-keys", "-t", name, *keys)

    def screen(self, name: str) -> str:
        """Return what a terminal shows."""
        return self._tmux("capture-pane", "-p", "-t", name)

    def shows(self, name: str, text: str) -> None:
        """Wait until a terminal shows a text."""
        self._until(name, lambda: text in self.screen(name), f"does not show {text!r}")

    def ends(self, name: str) -> None:
        """Wait until the shell is alone again."""
        command = ("display-message", "-p", "-t", name, "#{pane_current_command}")
        self._until(name, lambda: self._tmux(*command).strip() == "sh", "has something running still")

    def _until(self, name: str, is_so: Callable[[], bool], complaint: str) -> None:
        end_s = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            if time.monotonic() > end_s:
                raise SystemExit(f"{name}'s terminal {complaint}:\n{self.screen(name)}")
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End all terminals."""
        subprocess.run([*self._words, "kill-server"], capture_output=True, check=False)  # noqa: S603


def play(panes: Panes) -> None:
    """Type the quick start, then use the view."""
    for name, password in (("alice", "secretA"), ("bob", "secretB")):
        panes.open(name)
        panes.type(name, f"qpq repl --username {name} --password {password}")
        panes.shows(name, f"registered {name}")
    panes.type("alice", "/dm bob", "Hello from Alice!")
    panes.shows("bob", "[alice] Hello from Alice!")
    show(panes, "bob")
    panes.type("alice", "/quit")
    panes.ends("alice")
    panes.type("alice", "qpq tui --username alice --password secretA")
    panes.shows("alice", "you are alice")
    panes.key("alice", "C-k")
    panes.type("alice", "bob")
    panes.shows("alice", "Hello from Alice!")
    panes.type("bob", "/dm alice", "I see you on the full screen")
    panes.shows("alice", "I see you on the full screen")
    panes.type("alice", "and I see you")
    panes.shows("bob", "[alice] and I see you")
    panes.shows("alice", "alice  (read)")
    show(panes, "alice")
    panes.key("alice", "C-q")
    panes.ends("alice")
    panes.type("alice", "echo ended with $?")
    panes.shows("alice", "ended with 0")


def show(panes: Panes, name: str) -> None:
    """Print a terminal's screen."""
    lines = panes.screen(name).rstrip().splitlines()
    print(f"--- {name}'s terminal", *lines, sep="\n")  # noqa: T201


def main() -> int:
    """Play it; say so where there is no tmux."""
    parser = argparse.ArgumentParser(prog="python -m tools.quickstart", description=__doc__)
    parser.add_argument("--form", choices=FORMS, default="embedded", help="of the server")
    form = FORMS[parser.parse_args().form]
    tmux = shutil.which("tmux")
    if tmux is None:
        print(NO_TMUX, file=sys.stderr)  # noqa: T201
        return 3
    with TemporaryDirectory() as folder, form(Path(folder)) as where:
        panes = Panes(tmux, Path(folder), where)
        try:
            ready(where)
            play(panes)
        finally:
            panes.close()
    return 0


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Start a server with its data in a folder; yield its address, at which it does not answer yet."""
    where = f"127.0.0.1:{free_port()}"
    program = str(Path(sys.executable).with_name("qpq-server"))
    words = [program, "--listen", where, "--data-dir", f"{folder}/server", "--metrics-listen", "127.0.0.1:0"]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        yield where
    finally:
        server.terminate()
        server.wait()


@contextmanager
def serving_scaled(folder: Path) -> Iterator[str]:
    """Start a process for each service, over PostgreSQL and Redis; yield where a gateway is to be."""
    from tools.client_drills.scaled import COUNTS
    from tools.rolling.stage import stage

    with stage(folder / "server", COUNTS) as place:
        for one in place.everyone:
            place.start(one)
        yield f"{place.hosts[0]}:{place.port}"


FORMS = {"embedded": serving, "scaled": serving_scaled}


def ready(where: str) -> None:
    """Wait until the server answers."""
    import trio

    import qpqclient

    async def ask() -> None:
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                try:
                    await qpqclient.ping(where)
                    return
                except qpqclient.QpqError:
                    await trio.sleep(LOOK_SECONDS)

    trio.run(ask)


if __name__ == "__main__":
    sys.exit(main())
