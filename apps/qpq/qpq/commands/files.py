"""Files: send-file and download, with progress on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpq.commands.naming import label, opened
from qpq.output import emit
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpqclient import Conversation, Message

LOOKBACK_MESSAGES = 10_000
ID_CHARS_MIN = 6
"""Of an id's beginning: fewer may be a number, and then of another file than was meant."""


def file_message(chosen: Conversation, index: str) -> Message:
    """Return the file message by its id's beginning, or by number counted from the newest (1)."""
    found = [m for m in chosen.history(LOOKBACK_MESSAGES) if m.file is not None]
    if index.isdigit() and 1 <= int(index) <= len(found):
        return found[-int(index)]
    named = [m for m in found if len(index) >= ID_CHARS_MIN and m.id.hex().startswith(index.lower())]
    if len(named) != 1:
        raise click.UsageError(f"no file {index} in {label(chosen)}: 1 is the newest of {len(found)}")
    return named[0]


@click.command("send-file")
@click.argument("target")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@command
async def send_file(profile: Profile, target: str, path: Path) -> None:
    """Encrypt and send a file; resumed where it stopped if sent again."""
    async with opened(profile, target) as (client, chosen):
        message = await chosen.send_file(path)
        await client.flush()
        emit(
            {"id": message.id.hex(), "conversation": chosen.id.hex(), "bytes": path.stat().st_size},
            f"sent {path.name} to {label(chosen)}",
            as_json=profile.json,
        )


@click.command()
@click.argument("target")
@click.argument("index", default="1")
@click.option("--to", type=click.Path(path_type=Path), default=Path(), help="Folder or file to write.")
@command
async def download(profile: Profile, target: str, index: str, to: Path) -> None:
    """Download a file, checked against its hash; resumed where it stopped."""
    async with opened(profile, target) as (_, chosen):
        message = file_message(chosen, index)
        path = await chosen.download(message, to)
        emit({"path": str(path), "bytes": path.stat().st_size}, f"wrote {path}", as_json=profile.json)


COMMANDS = (send_file, download)
