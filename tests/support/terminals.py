"""Real pseudo-terminals with a program in them, and what its screen has shown."""

from __future__ import annotations

import codecs
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from contextlib import contextmanager, suppress
from fcntl import ioctl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE_SECONDS = 60
ROWS, COLUMNS = 50, 300
TOKEN = re.compile(
    r"\x1b\[([0-9;:<=>?]*)[ !-/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[()].|\x1b[=>78]|([^\x1b])", re.S
)
PARTIAL = re.compile(r"\x1b(?:\[[0-9;:<=>?]*[ !-/]*|[()]|\][^\x07]*)?\Z")

SEQUENCES_OF_OUR_OWN = re.compile(
    r"\x1b\[(?:[0-9;]*[ABCDGHJKm]|\?(?:1|7|12|25|1000|1003|1006|1015|1049|2004)[hl]|6n|[0-9] q)|\x1b\[=?[0-9]*u|\x08"
)
"""What prompt_toolkit writes to move the cursor and to colour: nothing else may reach a terminal."""


INHERITED = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
"""Not the size of another terminal: where several tests run at once, pytest's workers are told one."""


class Screen:
    """What a terminal shows, rows that have scrolled away included: the few sequences that prompt_toolkit writes."""

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        self.size = rows, columns
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0
        self._rest = ""

    def feed(self, text: str) -> str:
        """Take what a program wrote; return what a terminal answers."""
        text = self._rest + text
        partial = PARTIAL.search(text)
        self._rest = partial[0] if partial else ""
        answer = ""
        for token in TOKEN.finditer(text[: len(text) - len(self._rest)]):
            parameters, command, char = token.groups()
            if char is not None:
                self._put(char)
            elif command == "n":
                answer += f"\x1b[{self.row - self._top() + 1};{self.column + 1}R"
            elif command:
                numbers = [int(n) for n in parameters.split(";") if n.isdigit()]
                self._move(command, numbers)
        return answer

    def _top(self) -> int:
        return max(0, len(self.rows) - self.size[0])

    def _move(self, command: str, numbers: list[int]) -> None:
        count = numbers[0] if numbers else 1
        match command:
            case "A":
                self.row = max(self._top(), self.row - count)
            case "B":
                self.row = min(len(self.rows) - 1, self.row + count)
            case "C":
                self.column += count
            case "D":
                self.column = max(0, self.column - count)
            case "G":
                self.column = count - 1
            case "H":
                self.row, self.column = self._top() + (numbers or [1])[0] - 1, (numbers[1:] or [1])[0] - 1
                self.rows.extend([] for _ in range(self.row + 1 - len(self.rows)))
            case "J":
                del self.rows[self.row][self.column :]
                for row in self.rows[self.row + 1 :]:
                    row.clear()
            case "K":
                del self.rows[self.row][self.column :]
            case _:  # colours and modes move nothing
                pass

    def _put(self, char: str) -> None:
        if char == "\n":
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append([])
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char >= " ":
            if self.column >= self.size[1]:
                self._put("\n")
                self.column = 0
            row = self.rows[self.row]
            row.extend(" " * (self.column + 1 - len(row)))
            row[self.column] = char
            self.column += 1

    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.rows]


class Terminal:
    """A program in a pseudo-terminal of its own."""

    def __init__(
        self, words: Sequence[str | bytes | Path], environment: Mapping[str, str], cwd: Path | None = None,
        size: tuple[int, int] = (ROWS, COLUMNS), on_output: Callable[[bytes], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.process = subprocess.Popen(
            [str(w) if not isinstance(w, bytes) else w for w in words], stdin=slave, stdout=slave, stderr=slave,
            env={**INHERITED, "TERM": "xterm-256color", **environment}, cwd=cwd, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.raw = b""
        self._screen, self._seen = Screen(*size), 0
        self._on_output = on_output
        self._changed, self._ended = threading.Condition(), False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Take in what the program writes, and answer as a terminal does."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # the program has closed its side
                data = b""
            with self._changed:
                self.raw += data
                self._on_output(data)
                self._ended = not data
                if answer := self._screen.feed(decoder.decode(data)):
                    os.write(self._master, answer.encode())
                self._changed.notify_all()
            if not data:
                return

    def _wait(self, found: Callable[[], list[int] | None], complain: Callable[[], str]) -> list[int]:
        """Wait until `found()` is something; return it."""
        end_s = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while (result := found()) is None:
                left_s = end_s - time.monotonic()
                if self._ended or left_s <= 0:
                    raise AssertionError(complain() + " in\n" + "\n".join(self._screen.lines()))
                self._changed.wait(left_s)
            return result

    def lines(self) -> list[str]:
        """Return all rows as they are now, those that have scrolled away included."""
        with self._changed:
            return self._screen.lines()

    def type(self, *lines: str) -> None:
        """Type lines, each with Enter."""
        for line in lines:
            os.write(self._master, line.encode() + b"\r")

    def keys(self, data: bytes) -> None:
        os.write(self._master, data)

    def sees(self, *wanted: str) -> None:
        """Wait until each of these lines (or, with a `…` at an end, beginnings or ends of lines) is there, below those seen before."""

        def places() -> list[int | None]:
            lines = self._screen.lines()[self._seen :]
            return [next((n for n, line in enumerate(lines) if fits(line, w)), None) for w in wanted]

        def found() -> list[int] | None:
            there = [place for place in places() if place is not None]
            return there if len(there) == len(wanted) else None

        def missing() -> str:
            return f"not shown: {[w for w, place in zip(wanted, places(), strict=True) if place is None]}"

        self._seen += max(self._wait(found, missing), default=-1) + 1

    def sees_next(self, wanted: str) -> None:
        """Wait until a line is there, and nothing between it and those seen before."""
        before = self._seen
        self.sees(wanted)
        between = [line for line in self.lines()[before : self._seen - 1] if line]
        assert not between, between

    def screen(self) -> list[str]:
        """Return the rows that stand on the screen now."""
        with self._changed:
            return self._screen.lines()[-self._screen.size[0] :]

    def shows(self, *parts: str) -> None:
        """Wait until each of these is within a row of the screen."""

        def missing() -> list[str]:
            rows = self._screen.lines()
            return [part for part in parts if not any(part in row for row in rows)]

        self._wait(lambda: None if missing() else [], lambda: f"not shown: {missing()}")

    def ends(self) -> int:
        """Wait until the program has ended; return its exit code."""
        self._reader.join(PATIENCE_SECONDS)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        self.kill()
        self._reader.join(PATIENCE_SECONDS)
        os.close(self._master)


def fits(line: str, wanted: str) -> bool:
    """Tell whether a line is the one that is meant."""
    if wanted.startswith("…"):
        return wanted.strip("…") in line if wanted.endswith("…") else line.endswith(wanted[1:])
    return line.startswith(wanted[:-1]) if wanted.endswith("…") else line == wanted


@contextmanager
def terminals() -> Iterator[Callable[..., Terminal]]:
    """Yield a function that opens terminals; they end with the block."""
    opened: list[Terminal] = []

    def open_(
        words: Sequence[str | bytes | Path], environment: Mapping[str, str], cwd: Path | None = None, **more: Any
    ) -> Terminal:
        opened.append(Terminal(words, environment, cwd, **more))
        return opened[-1]

    try:
        yield open_
    finally:
        for terminal in opened:
            terminal.close()
