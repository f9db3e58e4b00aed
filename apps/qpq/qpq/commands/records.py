"""What one takes along: export-transcript, verify-transcript, export-data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpq.harmless import harmless, harmless_name

if TYPE_CHECKING:
    from pathlib import Path

    from qpq.here import Here

QUESTION = "Password of the transcript"


async def export_transcript(here: Here, path: Path, transcript_password: str) -> None:
    """Write the conversation into a file, encrypted under a password and chained, so that no change passes unseen."""
    secret = transcript_password or await here.listener.ask_secret(QUESTION)
    count = await here.client.export_transcript(here.open, path, secret)
    here.tell({"path": str(path), "messages": count}, f"wrote {count} messages to {harmless(str(path))}")


async def verify_transcript(here: Here, path: Path, transcript_password: str, show: bool) -> None:
    """Check every link of a transcript; names the first that is broken. Needs no account."""
    import trio

    import qpqclient

    secret = transcript_password or await here.listener.ask(QUESTION)

    def line(value: dict[str, Any]) -> None:
        here.tell({"message": value}, f"[{harmless_name(str(value.get('sender')))}] {harmless(str(value.get('text')))}")

    def heard(value: dict[str, Any]) -> None:
        if show:
            trio.from_thread.run_sync(line, value)

    done = await trio.to_thread.run_sync(qpqclient.verify_transcript, path, secret, heard)
    author = done.author
    here.tell(
        {
            "messages": done.messages,
            "conversation": done.head.get("name"),
            "exported_by": done.head.get("exported_by"),
            "account": author.account.hex(),
            "device": author.device.hex(),
            "identity_key": author.identity_key.hex(),
        },
        f"every link holds: {done.messages} messages of {harmless_name(str(done.head.get('name')))}, signed by device "
        f"{author.device.hex()[:8]} of {harmless_name(str(done.head.get('exported_by')))}, identity key {author.identity_key.hex()}",
    )


async def export_data(here: Here, folder: Path, no_files: bool) -> None:
    """Write all of one's own data into a new folder, as plain JSON and files that anybody with it can read."""
    done = await here.client.export_data(folder, files=not no_files)
    here.tell(
        {"folder": str(folder), **done},
        f"wrote {done['conversations']} conversations with {done['messages']} messages and {done['files']} files "
        f"to {harmless(str(folder))}; it is not encrypted",
    )
