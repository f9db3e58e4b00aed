"""A fuse: kills its own process by SIGKILL in the window that it was armed for.

A file says which window, and how often it is to be passed before: so the conductor arms a process that runs already,
and what was hit is on record after the process is gone. Only processes started by `tools.soak` have one.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARMED = "armed"
HITS = "hits"


class Fuse:
    """The fuse of this process; its files lie in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._armed = folder / ARMED
        self._hits = folder / HITS
        self._passed: dict[str, int] = {}

    def reach(self, window: str) -> None:
        """Say that this window is reached; if it is the armed one, this is the process's end."""
        try:
            order = self._armed.read_text()
        except FileNotFoundError:
            return
        name, _, rest = order.partition("\n")
        if name != window:
            return
        passed = self._passed[order] = self._passed.get(order, 0) + 1
        if passed <= int(rest.split()[0]):
            return
        with self._hits.open("a") as hits:
            hits.write(f"{time.monotonic():.6f} {window}\n")
        self._armed.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)


def arm(folder: Path, window: str, skip: int, serial: int) -> None:
    """Arm a process's fuse: it ends when it comes to `window` for the (`skip` + 1)th time from now."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "armed.part"
    part.write_text(f"{window}\n{skip} {serial}")
    part.replace(folder / ARMED)


def disarm(folder: Path) -> None:
    """Take an order back."""
    (folder / ARMED).unlink(missing_ok=True)


def hits(folder: Path) -> list[tuple[float, str]]:
    """Return when, in seconds of the machine's monotonic clock, and where a process was killed by its fuse."""
    path = folder / HITS
    lines = path.read_text().splitlines() if path.exists() else []
    return [(float(at), window) for at, _, window in (line.partition(" ") for line in lines)]


def around(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(what stands there)` in place of an attribute."""
    setattr(owner, name, make(getattr(owner, name)))
