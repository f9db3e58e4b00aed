"""What stands inside the ciphertext: made by senders, applied to the store by receivers (docs/spec/content.md)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from qpqclient.model import Event, GroupChanged, MessageChanged, MessageStored
from qpqcore.api.content import Content, ContentReceiptKind
from qpqcore.model.errors import Refusal

if TYPE_CHECKING:
    from qpqclient.store import Store
    from qpqcore.api.delivery import Entry

VERSION = 1
ID_BYTES = 16
CONTENT_BYTES_MAX = 64 * 1024
"""Of the plaintext (docs/spec/content.md): whatever is longer is nobody's message."""
UNSUPPORTED = "[unsupported message]"
EMOJI_CHARS_MAX = 32
"""A flag of a region takes 7, a family of five with skin tones 14."""
REACTIONS_EACH_MAX = 16
"""Of one person to one message: more are not kept."""
SENT_MS_MAX = 253_402_300_799_999
"""The end of the year 9999: no calendar shows a later moment. A sender may write any 64 bits, which no SQLite column holds."""


def new_content(
    now_ms: int, which: str, *, expires_after_seconds: int = 0, fallback: str = "", **parts: object
) -> Content:
    """Make a content of one kind with a fresh id."""
    return Content(
        version=VERSION, id=secrets.token_bytes(ID_BYTES), sent_ms=now_ms, fallback=fallback,
        expires_after_seconds=expires_after_seconds, which=which, **parts,  # type: ignore[arg-type]  # the parts are the union's members
    )  # fmt: skip


def shown_text(content: Content) -> str | None:
    """Return the text of a content that is shown as a message; None for one that is not."""
    match content.which:
        case "text":
            return content.text or ""
        case "reply":
            return content.reply.text if content.reply else ""
        case "file":
            return f"[file] {content.file.name}" if content.file else ""
        case "reaction" | "edit" | "delete" | "receipt" | "timer" | "rename" | "profile" | "cutShort" | "selfState":
            return None
        case _:
            return content.fallback or UNSUPPORTED


def expiry(content: Content, accepted_ms: int) -> int:
    """Return when a content vanishes that the server took at a moment; 0: never."""
    return accepted_ms + content.expires_after_seconds * 1000 if content.expires_after_seconds else 0


def read_content(data: bytes) -> Content | None:
    """Return what an application message holds; None when it is no content, or too long for one."""
    if len(data) > CONTENT_BYTES_MAX:
        return None
    try:
        return Content.from_bytes(data)
    except Refusal:
        return None


def add_message(
    store: Store,
    channel: bytes,
    sender: bytes,
    content: Content,
    *,
    own: bool,
    state: str,
    accepted_ms: int,
    log_number: int | None,
) -> bool:
    """Store a content that is shown as a message; False if it is none."""
    text = shown_text(content)
    if text is None:
        return False
    # One's own vanishes so long after the server took it: until then it waits, however long that is.
    expires_ms = expiry(content, accepted_ms) if log_number is not None else 0
    store.db.execute(
        "INSERT OR IGNORE INTO messages (channel, id, sender, kind, text, sent_ms, accepted_ms, log_number, state, own, "
        "edited, reply_to, file, shown, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        (
            channel, content.id, sender, content.which, text, min(content.sent_ms, SENT_MS_MAX), accepted_ms, log_number, state, int(own),
            content.reply.to if content.reply else None, content.file.to_bytes() if content.file else None, int(own),
            expires_ms,
        ),
    )  # fmt: skip
    return True


def apply_content(store: Store, channel: bytes, sender: bytes, content: Content, entry: Entry) -> list[Event]:
    """Apply a received content within the caller's transaction; return what happened. A repeat does nothing."""
    fresh = store.db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (channel, content.id)).rowcount
    if not fresh:
        return []
    added = add_message(
        store, channel, sender, content, own=False, state="received", accepted_ms=entry.accepted_ms,
        log_number=entry.log_number,
    )  # fmt: skip
    if added:
        return [MessageStored(channel, content.id)]
    return apply_action(store, channel, sender, content)


def apply_action(store: Store, channel: bytes, sender: bytes, content: Content) -> list[Event]:
    """Apply a content that changes something: one's own when it is sent, others' when they come."""
    db = store.db
    if content.which == "edit" and content.edit is not None:
        db.execute(
            "UPDATE messages SET text = ?, edited = 1 WHERE channel = ? AND id = ? AND sender = ?",
            (content.edit.text, channel, content.edit.to, sender),
        )
        return [MessageChanged(channel, content.edit.to)]
    if content.which == "delete" and content.delete is not None:
        db.execute(
            "DELETE FROM messages WHERE channel = ? AND id = ? AND sender = ?", (channel, content.delete, sender)
        )
        return [MessageChanged(channel, content.delete)]
    if content.which == "reaction" and content.reaction is not None:
        row = (channel, content.reaction.to, sender, content.reaction.emoji)
        if content.reaction.remove:
            db.execute("DELETE FROM reactions WHERE channel = ? AND id = ? AND account = ? AND emoji = ?", row)
        else:
            db.execute(
                "INSERT OR IGNORE INTO reactions SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM messages WHERE channel = ? AND id = ?) "
                "AND (SELECT count(*) FROM reactions WHERE channel = ? AND id = ? AND account = ?) < ?",
                (*row[:3], row[3][:EMOJI_CHARS_MAX], *row[:2], *row[:3], REACTIONS_EACH_MAX),
            )
        return [MessageChanged(channel, content.reaction.to)]
    if content.which == "receipt" and content.receipt is not None:
        state = "read" if content.receipt.kind is ContentReceiptKind.READ else "delivered"
        for ident in content.receipt.ids:
            db.execute(
                "UPDATE messages SET state = ? WHERE channel = ? AND id = ? AND own = 1 AND state <> 'read'",
                (state, channel, ident),
            )
        return [MessageChanged(channel, i) for i in content.receipt.ids]
    if content.which == "timer":
        db.execute("UPDATE channels SET timer_seconds = ? WHERE channel = ?", (content.timer or 0, channel))
    if content.which == "rename":
        db.execute("UPDATE channels SET name = ? WHERE channel = ?", (content.rename or "", channel))
    return [GroupChanged(channel, active=True)]
