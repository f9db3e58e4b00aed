"""Files: send-file and download, with progress on a terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qpq.commands.naming import label
from qpq.harmless import harmless
from qpq.table.model import Mistake

if TYPE_CHECKING:
    from pathlib import Path

    from qpq.here import Here
    from qpqclient import Message

LOOKBACK_MESSAGES = 10_000


async def send_file(here: Here, path: Path) -> None:
    """Encrypt and send a file; resumed where it stopped if sent again."""
    if path.is_dir():
        raise Mistake(f"{harmless(str(path))} is a folder: pack it into a file first")
    if not path.is_file():
        raise Mistake(f"there is no file {harmless(str(path))}")
    total = path.stat().st_size
    message = await here.open.send_file(path, partial(here.listener.progress, path.name))
    await here.settled(message)
    here.tell(
        {"id": message.id.hex(), "conversation": here.open.id.hex(), "bytes": total},
        f"sent {harmless(path.name)} to {label(here.open)}",
    )


async def download(here: Here, index: str, to: Path) -> None:
    """Download a file, checked against its hash; resumed where it stopped."""
    message = file_message(here, index)
    name = message.file.name if message.file else ""
    path = await here.open.download(message, to, partial(here.listener.progress, name))
    here.tell({"path": str(path), "bytes": path.stat().st_size}, f"wrote {harmless(str(path))}")


def file_message(here: Here, index: str) -> Message:
    """Return the message of a number, which must carry a file; without a number, the newest that does."""
    if index:
        found = here.message(index, here.open)
        if found.file is None:
            raise Mistake(f"Message {index} carries no file: /history shows which do.")
        return found
    files = [m for m in here.open.history(LOOKBACK_MESSAGES) if m.file is not None]
    if not files:
        raise Mistake(f"There is no file in {label(here.open)}.")
    return files[-1]
