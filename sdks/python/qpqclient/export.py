"""One's own data in files that anybody can read: JSON, and the files that were sent; and transcripts.

What is written is no longer sealed: it is readable by its owner alone (mode 0600), and the owner looks after it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import trio

from qpqclient import transcript
from qpqclient.blobs import safe_name
from qpqclient.errors import QpqError

if TYPE_CHECKING:
    from pathlib import Path

    from qpqclient.conversation import Conversation
    from qpqclient.core import Core
    from qpqclient.model import Message

FORMAT = 1


def message_value(message: Message) -> dict[str, Any]:
    """Return what is told of a message: everything but the secrets of its file."""
    value: dict[str, Any] = {
        "id": message.id.hex(), "sender": message.sender, "own": message.own, "sent_ms": message.sent_ms,
        "state": message.state, "edited": message.edited, "text": message.text,
        "reactions": [list(r) for r in message.reactions],
    }  # fmt: skip
    if message.reply_to is not None:
        value["reply_to"] = message.reply_to.hex()
    if message.file is not None:
        f = message.file
        value["file"] = {"name": f.name, "mime": f.mime, "bytes": f.total_bytes, "sha256": f.sha256.hex()}
    return value


def conversation_value(conversation: Conversation) -> dict[str, Any]:
    """Return what is told of a conversation."""
    return {
        "conversation": conversation.id.hex(), "kind": conversation.kind, "name": conversation.name,
        "active": conversation.active, "timer_seconds": conversation.timer_seconds,
        "members": [
            {"name": m.name, "account": m.account.hex(), "devices": [d.hex() for d in m.devices]}
            for m in conversation.members()
        ],
    }  # fmt: skip


async def write_transcript(core: Core, conversation: Conversation, path: Path, password: str) -> int:
    """Write a conversation's transcript; return how many messages it has. FileExistsError."""
    salt = transcript.new_salt()
    key = await trio.to_thread.run_sync(transcript.transcript_key, password, salt)
    head = {
        "format": FORMAT, **conversation_value(conversation), "exported_ms": core.now_ms(),
        "exported_by": core.account.name,
    }  # fmt: skip
    count = 0
    with transcript.writing(path, key, salt, head, core.account.credential(), core.account.device_secret) as add:
        for page in conversation.everything():
            for message in page:
                add(message_value(message))
            count += len(page)
            await trio.lowlevel.checkpoint()
    return count


async def write_all(core: Core, conversations: list[Conversation], folder: Path, *, files: bool) -> dict[str, int]:
    """Write account, people and conversations into an empty folder; return what it holds. FileExistsError.

    `files`: those that are sent with messages too, as far as the server still has them; those that it has not are counted.
    """
    folder.mkdir(parents=True, mode=0o700)
    done = {"conversations": 0, "messages": 0, "files": 0, "files_missing": 0}
    for conversation in conversations:
        done["conversations"] += 1
        place = folder / conversation.id.hex()[:16]
        place.mkdir(mode=0o700)
        _write(place / "conversation.json", [conversation_value(conversation)])
        for page in conversation.everything():
            _write(place / "messages.jsonl", [message_value(m) for m in page])
            done["messages"] += len(page)
            await trio.lowlevel.checkpoint()
            for message in page if files else ():
                if message.file is not None:
                    done[await _fetch(conversation, message, place / "files")] += 1
    _write(folder / "account.json", [_account_value(core)])
    return done


def _account_value(core: Core) -> dict[str, Any]:
    people = core.store.rows("SELECT account, name, identity_key FROM people ORDER BY name")
    return {
        "format": FORMAT, "name": core.account.name, "account": core.account.account.hex(),
        "device": core.account.device.hex(), "exported_ms": core.now_ms(),
        "people": [{"account": a.hex(), "name": n, "identity_key": k.hex()} for a, n, k in people],
    }  # fmt: skip


async def _fetch(conversation: Conversation, message: Message, folder: Path) -> str:
    """Download a message's file; return under what it is counted."""
    assert message.file is not None
    folder.mkdir(exist_ok=True, mode=0o700)
    to = folder / f"{message.id.hex()[:16]}-{safe_name(message.file.name)}"
    try:
        (await conversation.download(message, to)).chmod(0o600)
    except QpqError:
        return "files_missing"
    return "files"


def _write(path: Path, values: list[dict[str, Any]]) -> None:
    """Append values, a line each."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as out:
        for value in values:
            out.write(json.dumps(value, ensure_ascii=False, sort_keys=True) + "\n")
