"""What a terminal has shown, as text and as an asciicast; what differs from run to run is replaced, length by length."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROWS, COLUMNS = 30, 170
COLUMNS_OF = {"view": 110, "alice": 280, "phone": 280, "robot": 500}
"""The code of a new device, and a frame of JSON, have room on one row: what is cut is not found to be replaced."""
STEP_SECONDS = 1.2
"""Between two steps of a recording: how long they took on the machine that played it is nobody's concern."""
DIGITS, HEX, CODE = "0123456789", "0123456789abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
DAY = re.compile(r"[A-Z][a-z]+day, \d+ [A-Z][a-z]+ \d{4}")
QR = re.compile("[█▀▄ ]{20,}")


class Stable:
    """Replaces ids, keys, numbers, moments and places by others of the same length, the same in each run."""

    def __init__(self, places: dict[str, str]) -> None:
        self._places = places
        self._known: dict[str, str] = {}
        self._rules = (
            (re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{8}(?: [0-9a-f]{8})+|[0-9a-f]{16,})(?![0-9a-f])"), HEX),
            (re.compile(r"(?<=device )[0-9a-f]{8}(?![0-9a-f])"), HEX),
            (re.compile(r"(?<![0-9])[0-9]{10}(?: [0-9]{10})*|(?<![0-9])[0-9]{5}(?: [0-9]{5})+"), DIGITS),
        )

    def name(self, value: str, alphabet: str = CODE) -> None:
        """Replace this value, too, wherever it stands."""
        self._known[value] = self._other(value, alphabet)

    def _other(self, value: str, alphabet: str) -> str:
        if value not in self._known:
            seed = hashlib.shake_256(b"%d" % len(self._known)).digest(len(value))
            self._known[value] = "".join(
                c if c == " " else alphabet[byte % len(alphabet)] for c, byte in zip(value, seed, strict=True)
            )
        return self._known[value]

    def _matched(self, alphabet: str, found: re.Match[str]) -> str:
        return self._other(found[0], alphabet)

    def __call__(self, text: str) -> str:
        """Return the text with all of that replaced."""
        for place, other in self._places.items():
            text = text.replace(place, other)
        for value, other in self._known.items():
            text = text.replace(value, other)
        text = re.sub(r"(?<![0-9])\d\d-\d\d \d\d:\d\d(?![0-9])", "06-01 09:00", text)
        text = re.sub(r"(?<![0-9:])\d\d:\d\d(?= |\Z)", "09:00", text, flags=re.MULTILINE)
        text = re.sub(r'_ms":\d{13}', '_ms":1780300800000', text)
        text = re.sub(r"\d+ MiB are free", "50000 MiB are free", text)
        text = re.sub(r"\d+\.\d s (ahead of|behind)", r"0.0 s \1", text)
        text = DAY.sub(lambda found: "Monday, 1 June 2026".ljust(len(found[0]), "─"), text)
        for pattern, alphabet in self._rules:
            text = pattern.sub(partial(self._matched, alphabet), text)
        return QR.sub(lambda found: found[0] if not found[0].strip() else "▒" * len(found[0]), text)


def columns_of(name: str) -> int:
    """Return how wide somebody's terminal is."""
    return COLUMNS_OF.get(name, COLUMNS)


@dataclass
class Recording:
    """One person's terminal, over all programs that run in it one after the other."""

    name: str
    events: list[tuple[float, bytes]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    _came: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> None:
        """Take what a program has written; called by the terminal's thread."""
        self._came += data

    def cut(self, step: int) -> None:
        """Let what has come since the last step be what is seen at this one."""
        count = len(self._came)
        if count:
            self.events.append((step * STEP_SECONDS, bytes(self._came[:count])))
            del self._came[:count]

    def begins(self, step: int, command: str) -> None:
        """Show the command that a program is started by."""
        self.events.append((step * STEP_SECONDS, f"$ {command}\r\n".encode()))

    def write(self, folder: Path, stable: Stable) -> None:
        """Write both files."""
        rows = [line.rstrip() for line in stable("\n".join(self.text)).splitlines()]
        (folder / f"{self.name}.txt").write_text("\n".join(rows).rstrip() + "\n")
        head = {"version": 2, "width": columns_of(self.name), "height": ROWS, "title": f"QPQ, a walk: {self.name}"}
        lines = [json.dumps(head)]
        lines += [
            json.dumps([round(at, 1), "o", stable(data.decode(errors="replace"))], ensure_ascii=False) for at, data in self.events
        ]  # fmt: skip
        (folder / f"{self.name}.cast").write_text("\n".join(lines) + "\n")
