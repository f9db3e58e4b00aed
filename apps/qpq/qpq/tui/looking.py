"""Fetches a picture and has it opened where it can do no harm: by a process of its own, with little memory and time.

The file lies in the profile's folder, unencrypted, while it is opened, and is removed then (at the next start, after a
kill). A picture is fetched only when somebody wants to look at it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import trio

from qpq.harmless import harmless_name
from qpq.table.model import Mistake
from qpq.tui.scene import Picture

if TYPE_CHECKING:
    from pathlib import Path

    from qpq.here import Here
    from qpqclient import Message

FOLDER = "looking"
"""In the profile's folder."""
PICTURE_BYTES_MAX = 20_000_000
"""Of the file; larger ones are for /download."""
OPENING_SECONDS_MAX = 20.0
"""Beside the processor's time, which `qpq.tui.pictures` bounds: for a machine that is busy."""


async def picture_of(here: Here, message: Message, folder: Path, columns: int, rows: int) -> Picture:
    """Return a message's picture in at most `columns` by twice `rows` dots; Mistake."""
    assert message.file is not None
    if message.file.total_bytes > PICTURE_BYTES_MAX:
        raise Mistake(f"The picture is larger than {PICTURE_BYTES_MAX // 1_000_000} MB: /download writes it to a file.")
    own = folder / message.id.hex()
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        progress = partial(here.listener.progress, message.file.name)
        place = await here.open.download(message, own / "picture", progress)
        width, height, pixels = await opened(place, columns, rows * 2)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return Picture(harmless_name(message.file.name), width, height, pixels)


async def opened(path: Path, width_max: int, height_max: int) -> tuple[int, int, bytes]:
    """Return a picture's width, height and dots, three bytes each; Mistake."""
    words = [sys.executable, "-I", "-m", "qpq.tui.pictures", str(width_max), str(height_max)]
    done = None
    with trio.move_on_after(OPENING_SECONDS_MAX), path.open("rb") as file:
        done = await trio.run_process(
            words, stdin=file, capture_stdout=True, stderr=subprocess.DEVNULL, check=False,
            env={"LANG": os.environ.get("LANG", "C.UTF-8")},
        )  # fmt: skip
    if done is None or done.returncode != 0:
        raise Mistake("This file is no picture that can be shown here: /download writes it to a file.")
    head, pixels = done.stdout[:8], done.stdout[8:]
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
    if not (0 < width <= width_max and 0 < height <= height_max and len(pixels) == width * height * 3):
        raise Mistake("This picture cannot be shown here: /download writes it to a file.")
    return width, height, pixels
