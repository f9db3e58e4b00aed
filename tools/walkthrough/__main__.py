"""`python -m tools.walkthrough`: play docs/walkthrough.md and write docs/walkthrough/*.txt and *.cast; 1 if it does not go as it says."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.support.terminals import Terminal, terminals
from tools.demo.processes import free_port
from tools.screenshots.__main__ import painted
from tools.walkthrough.page import BEGINS, FOLDER, PAGE, PRESSES, SEES, SHOWS, TYPES, Step, steps
from tools.walkthrough.recording import ROWS, Recording, Stable, columns_of

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = {"C-c": b"\x03", "C-d": b"\x04", "C-k": b"\x0b", "C-q": b"\x11", "Enter": b"\r", "Escape": b"\x1b"}
NAMED = re.compile(r"\{([a-z]+)\}")
ELSEWHERE = {"phone"}
"""Whose programs keep their profile in a place of its own, as on another machine."""
SHOWN_PORT = 7000


class Stage:
    """Everybody's terminals."""

    def __init__(self, folder: Path, open_: Callable[..., Terminal]) -> None:
        self._folder, self._open, self._port = folder, open_, free_port()
        self._terminals: dict[str, Terminal] = {}
        self.recordings: dict[str, Recording] = {}
        self._kept: dict[str, str] = {}
        programs = Path(sys.executable).parent
        self.stable = Stable({
            os.path.relpath(programs, folder / "server's") + "/": "", f"{programs}/": "", f"{folder}/": "", str(folder): ".",
            f":{self._port}": f":{SHOWN_PORT}", f"  {platform.node()} (this one)": "  laptop (this one)",
        })  # fmt: skip

    def play(self, number: int, step: Step) -> None:
        """Play one step."""
        text = NAMED.sub(lambda found: self._kept.get(found[1], found[0]), step.text)
        if step.verb == BEGINS:
            self._begin(number, step.who, text)
        elif step.verb == TYPES:
            self._of(step).type(text)
        elif step.verb == PRESSES:
            self._of(step).keys(b"".join(KEYS[key] for key in text.split()))
        elif step.verb == SEES:
            self._sees(self._of(step), text)
        elif step.verb == SHOWS:
            self._of(step).shows(text)
            if self._was_full(self._of(step)):
                self.recordings[step.who].text += ["-" * columns_of(step.who), *self._of(step).screen()]
        for recording in self.recordings.values():
            recording.cut(number)

    def _of(self, step: Step) -> Terminal:
        return self._terminals[step.who]

    def _sees(self, terminal: Terminal, wanted: str) -> None:
        named = NAMED.search(wanted)
        if named is None:
            terminal.sees(wanted)
            return
        before = wanted[: named.start()]
        terminal.sees(before + "…")
        line = next(line for line in reversed(terminal.lines()) if line.startswith(before))
        self._kept[named[1]] = line.removeprefix(before)
        self.stable.name(self._kept[named[1]])

    def _begin(self, number: int, who: str, command: str) -> None:
        recording = self.recordings.setdefault(who, Recording(who))
        if who in self._terminals:
            self.end(who)
        recording.begins(number, command)
        recording.text.append(f"$ {command}")
        environment = {
            "HOME": str(self._folder), "QPQ_HOME": str(self._folder / (who if who in ELSEWHERE else "home")), "TZ": "UTC",
            "QPQ_SERVER": f"127.0.0.1:{self._port}", "QPQ_LISTEN": f"127.0.0.1:{self._port}", "QPQ_METRICS_LISTEN": "127.0.0.1:0",
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        cwd = self._folder / f"{who}'s"
        cwd.mkdir(exist_ok=True)
        self._terminals[who] = self._open(
            ["bash", "-c", f"exec {command}"], environment, cwd, size=(ROWS, columns_of(who)), on_output=recording.take
        )

    def end(self, who: str) -> None:
        """Wait until somebody's program has ended; keep what it showed. RuntimeError if it did not end well."""
        terminal = self._terminals.pop(who)
        code = terminal.ends()
        if not self._was_full(terminal):
            self.recordings[who].text += [*self._shown(terminal), ""]
        if code:
            raise RuntimeError(f"{who}'s program ended with {code}")

    @staticmethod
    def _was_full(terminal: Terminal) -> bool:
        return b"\x1b[?1049h" in terminal.raw

    @staticmethod
    def _shown(terminal: Terminal) -> list[str]:
        """Return all rows but the empty ones between the prompt and the status at the foot."""
        return [line for line in terminal.lines() if line]

    def end_all(self) -> None:
        """Wait for all that the page ended."""
        for who in list(self._terminals):
            self.end(who)

    def files(self) -> None:
        """Put there what the page takes for granted."""
        (self._folder / "alice's").mkdir()
        (self._folder / "alice's" / "map.png").write_bytes(painted(160, 90))


def main() -> int:
    """Play the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.walkthrough", description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER)
    to: Path = parser.parse_args().to
    with TemporaryDirectory(prefix="qpq-walk-") as folder, terminals() as open_:
        place = Stage(Path(folder), open_)
        place.files()
        for number, step in enumerate(steps(PAGE.read_text()), 1):
            sys.stderr.write(f"{step.who}{step.verb} {step.text}\n")
            place.play(number, step)
        place.end_all()
        to.mkdir(exist_ok=True)
        for recording in place.recordings.values():
            recording.cut(number)
            recording.write(to, place.stable)
    return 0


if __name__ == "__main__":
    sys.exit(main())
