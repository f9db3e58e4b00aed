"""What one has: search, export-transcript, verify-transcript, export-data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qpq.commands.naming import find, label
from qpq.commands.showing import message_line, message_value
from qpq.output import emit
from qpq.running import command

if TYPE_CHECKING:
    from qpq.profile import Profile

FOUND_DEFAULT = 20
NEW_FILE = click.Path(path_type=Path, dir_okay=False)


def transcript_password(given: str | None, *, confirm: bool) -> str:
    """Return a transcript's password, asked for where none is given."""
    return given or str(
        click.prompt("Password of the transcript", hide_input=True, confirmation_prompt=confirm, err=True)
    )


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--in", "within", metavar="CONVERSATION", help="Only there: @person or #group.")
@click.option("--count", "-n", default=FOUND_DEFAULT, show_default=True, type=click.IntRange(1, 10_000))
@command
async def search(profile: Profile, words: tuple[str, ...], within: str | None, count: int) -> None:
    """Find messages of this device that have all WORDS, newest first; works offline."""
    async with profile.open() as client:
        place = await find(client, within) if within else None
        for message in client.search(" ".join(words), count=count, within=place):
            chosen = client.conversation(message.channel)
            emit(message_value(chosen, message), f"{label(chosen)} {message_line(message)}", as_json=profile.json)


@click.command("export-transcript")
@click.argument("conversation")
@click.argument("path", type=NEW_FILE)
@click.option("--transcript-password", "secret", envvar="QPQ_TRANSCRIPT_PASSWORD", help="Better asked for.")
@command
async def export_transcript(profile: Profile, conversation: str, path: Path, secret: str | None) -> None:
    """Write a conversation into a file, encrypted under a password and chained, so that no change passes unseen."""
    async with profile.open() as client:
        chosen = await find(client, conversation)
        count = await client.export_transcript(chosen, path, transcript_password(secret, confirm=True))
        emit({"path": str(path), "messages": count}, f"wrote {count} messages to {path}", as_json=profile.json)


@click.command("verify-transcript")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--transcript-password", "secret", envvar="QPQ_TRANSCRIPT_PASSWORD", help="Better asked for.")
@click.option("--show", is_flag=True, help="Show the messages too.")
@command
async def verify_transcript(profile: Profile, path: Path, secret: str | None, show: bool) -> None:
    """Check every link of a transcript; names the first that is broken. Needs no account."""
    import trio

    import qpqclient

    def line(value: dict[str, Any]) -> None:
        emit({"message": value}, f"[{value.get('sender')}] {value.get('text')}", as_json=profile.json)

    typed = transcript_password(secret, confirm=False)
    done = await trio.to_thread.run_sync(qpqclient.verify_transcript, path, typed, line if show else lambda _: None)
    emit(
        {
            "messages": done.messages,
            "conversation": done.head.get("name"),
            "exported_by": done.head.get("exported_by"),
            "account": done.author.account.hex(),
            "device": done.author.device.hex(),
            "identity_key": done.author.identity_key.hex(),
        },
        f"every link holds: {done.messages} messages of {done.head.get('name')}, signed by device "
        f"{done.author.device.hex()[:8]} of {done.head.get('exported_by')}, identity key {done.author.identity_key.hex()}",
        as_json=profile.json,
    )


@click.command("export-data")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--files/--no-files", default=True, help="The files that were sent, too.  [default: files]")
@command
async def export_data(profile: Profile, folder: Path, files: bool) -> None:
    """Write all of one's own data into a new FOLDER, as plain JSON and files that anybody with it can read."""
    async with profile.open() as client:
        done = await client.export_data(folder, files=files)
        emit(
            {"folder": str(folder), **done},
            f"wrote {done['conversations']} conversations with {done['messages']} messages and {done['files']} files "
            f"to {folder}; it is not encrypted",
            as_json=profile.json,
        )


COMMANDS = (search, export_transcript, verify_transcript, export_data)
