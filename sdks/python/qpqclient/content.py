"""What stands inside the ciphertext: made by senders, applied to the store by receivers (docs/spec/content.md)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from qpqclient.model import Event, GroupChanged, MessageChanged, MessageStored
from qpqclient.told import NAME_CHARS_MAX, KnownFrom, learn
from qpqcore.api.content import (
    Content,
    ContentEdit,
    ContentPin,
    ContentReaction,
    ContentReceipt,
    ContentReceiptKind,
)
from qpqcore.groups.policy import Right
from qpqcore.model.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqclient.store import Store
    from qpqcore.api.delivery import Entry

VERSION = 1
ID_BYTES = 16
CONTENT_BYTES_MAX = 64 * 1024
"""Of the plaintext (docs/spec/content.md): whatever is longer is nobody's message."""
UNKNOWN = "unknown"
"""The kind of a message that only a later version knows: its fallback is shown."""
UNSUPPORTED = "[unsupported message]"
EMOJI_CHARS_MAX = 32
"""A flag of a region takes 7, a family of five with skin tones 14."""
REACTIONS_EACH_MAX = 16
"""Of one person to one message: more are not kept."""
PINS_MAX = 50
"""In one conversation: who wants to pin more unpins another first."""
LASTING = frozenset({"timer", "rename", "settings"})
"""Kinds that no timer makes vanish: who is away must learn of them."""
RIGHTS = {"rename": Right.RENAME, "timer": Right.TIMER, "pin": Right.PIN}
"""Kinds that need a right in groups with admins."""
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
        case (
            "reaction"
            | "edit"
            | "delete"
            | "receipt"
            | "timer"
            | "rename"
            | "pin"
            | "profile"
            | "cutShort"
            | "selfState"
            | "moved"
            | "settings"
        ):
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
    read = int(own or sender == store.get("account"))
    store.db.execute(
        "INSERT OR IGNORE INTO messages (channel, id, sender, kind, text, sent_ms, accepted_ms, log_number, state, own, "
        "edited, reply_to, file, shown, expires_ms, read) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)",
        (
            channel, content.id, sender, UNKNOWN if content.which.isdigit() else content.which, text, min(content.sent_ms, SENT_MS_MAX), accepted_ms, log_number, state, int(own),
            content.reply.to if content.reply else None, content.file.to_bytes() if content.file else None, int(own),
            expires_ms, read,
        ),
    )  # fmt: skip
    return True


def apply_content(
    store: Store,
    channel: bytes,
    sender: bytes,
    content: Content,
    entry: Entry,
    *,
    may: Callable[[Right], bool] = lambda _: True,
) -> list[Event]:
    """Apply a received content within the caller's transaction; return what happened. A repeat does nothing.

    `may`: whether its sender has a right, such as its kind needs (`RIGHTS`); what nobody may do is done by nobody.
    """
    fresh = store.db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (channel, content.id)).rowcount
    if not fresh:
        # The same may have come by two channels of one conversation: everybody goes by the earlier place.
        where = "channel = ? AND id = ? AND sender = ? AND log_number > ?"
        store.db.execute(
            f"UPDATE messages SET log_number = ? WHERE {where}",  # noqa: S608 - fixed text
            (entry.log_number, channel, content.id, sender, entry.log_number),
        )
        return []
    if store.rows("SELECT 1 FROM deleted WHERE channel = ? AND id = ? AND account = ?", channel, content.id, sender):
        return []
    state = "sent" if sender == store.get("account") else "received"
    added = add_message(
        store, channel, sender, content, own=False, state=state, accepted_ms=entry.accepted_ms,
        log_number=entry.log_number,
    )  # fmt: skip
    right = RIGHTS.get(content.which)
    learnt = learn(store, channel, sender, content, entry, may) if right is None else []
    if added:
        return [MessageStored(channel, content.id), *learnt]
    allowed = right is None or may(right) or _names(store, channel, content)
    return (apply_action(store, channel, sender, content) if allowed else []) or learnt


def _names(store: Store, channel: bytes, content: Content) -> bool:
    """Whether a content names a conversation that has no name here: whoever adds people tells them its name."""
    return content.which == "rename" and store.rows("SELECT name FROM channels WHERE channel = ?", channel) == [("",)]


def apply_action(store: Store, channel: bytes, sender: bytes, content: Content) -> list[Event]:
    """Apply a content that changes something: one's own when it is sent, others' when they come."""
    match content:
        case Content(which="edit", edit=ContentEdit() as edit):
            return _edited(store, channel, sender, edit)
        case Content(which="delete", delete=bytes() as ident):
            where = "channel = ? AND id = ? AND sender = ?"
            gone = store.db.execute(f"DELETE FROM messages WHERE {where}", (channel, ident, sender))  # noqa: S608 - fixed text
            if not gone.rowcount:
                store.db.execute("INSERT OR IGNORE INTO deleted VALUES (?, ?, ?)", (channel, ident, sender))
            return [MessageChanged(channel, ident)] if gone.rowcount else []
        case Content(which="reaction", reaction=ContentReaction() as reaction):
            return _reacted(store, channel, sender, reaction)
        case Content(which="receipt", receipt=ContentReceipt() as receipt):
            return _told(store, channel, sender, receipt)
        case Content(which="pin", pin=ContentPin() as pin):
            return _pinned(store, channel, sender, pin)
        case Content(which="timer"):
            store.db.execute(
                "UPDATE channels SET timer_seconds = ?, timer_from = ? WHERE channel = ?",
                (content.timer or 0, KnownFrom.TOLD, channel),
            )
        case Content(which="rename"):
            name = (content.rename or "")[:NAME_CHARS_MAX]
            store.db.execute(
                "UPDATE channels SET name = ?, name_from = ? WHERE channel = ?", (name, KnownFrom.TOLD, channel)
            )
        case _:
            return []
    return [GroupChanged(channel, active=True)]


def _edited(store: Store, channel: bytes, sender: bytes, edit: ContentEdit) -> list[Event]:
    changed = store.db.execute(
        "UPDATE messages SET text = ?, edited = 1 WHERE channel = ? AND id = ? AND sender = ? AND kind IN ('text', 'reply')",
        (edit.text, channel, edit.to, sender),
    )
    return [MessageChanged(channel, edit.to)] if changed.rowcount else []


def _reacted(store: Store, channel: bytes, sender: bytes, reaction: ContentReaction) -> list[Event]:
    emoji = reaction.emoji[:EMOJI_CHARS_MAX]
    if reaction.remove:
        where = "channel = ? AND id = ? AND account = ? AND emoji = ?"
        changed = store.db.execute(f"DELETE FROM reactions WHERE {where}", (channel, reaction.to, sender, emoji))  # noqa: S608 - fixed text
    else:
        changed = store.db.execute(
            "INSERT OR IGNORE INTO reactions SELECT channel, id, ?, ? FROM messages WHERE channel = ? AND id = ? "
            "AND (SELECT count(*) FROM reactions WHERE channel = ? AND id = ? AND account = ?) < ?",
            (sender, emoji, channel, reaction.to, channel, reaction.to, sender, REACTIONS_EACH_MAX),
        )
    return [MessageChanged(channel, reaction.to)] if changed.rowcount else []


def _told(store: Store, channel: bytes, sender: bytes, receipt: ContentReceipt) -> list[Event]:
    """Note who has one's own messages; what oneself has read on another device is read here too."""
    own, read = store.get("account") or b"", receipt.kind is ContentReceiptKind.READ
    changed = []
    for ident in receipt.ids:
        if sender == own:
            done = store.db.execute(
                "UPDATE messages SET read = 1 WHERE channel = ? AND id = ? AND read < ?", (channel, ident, int(read))
            )
        else:
            done = store.db.execute(
                "INSERT INTO receipts SELECT channel, id, ?, ? FROM messages WHERE channel = ? AND id = ? AND sender = ? "
                "ON CONFLICT (channel, id, account) DO UPDATE SET read = 1 WHERE excluded.read > read",
                (sender, int(read), channel, ident, own),
            )
            if done.rowcount:
                store.db.execute(
                    "UPDATE messages SET state = ? WHERE channel = ? AND id = ? AND state IN ('pending', 'sent', ?)",
                    ("read" if read else "delivered", channel, ident, "delivered" if read else "sent"),
                )
        if done.rowcount:
            changed.append(MessageChanged(channel, ident))
    return list(changed)


def _pinned(store: Store, channel: bytes, sender: bytes, pin: ContentPin) -> list[Event]:
    if pin.remove:
        changed = store.db.execute("DELETE FROM pins WHERE channel = ? AND id = ?", (channel, pin.to))
    else:
        changed = store.db.execute(
            "INSERT OR IGNORE INTO pins SELECT channel, id, ? FROM messages WHERE channel = ? AND id = ? "
            "AND (SELECT count(*) FROM pins WHERE channel = ?) < ?",
            (sender, channel, pin.to, channel, PINS_MAX),
        )
    return [MessageChanged(channel, pin.to)] if changed.rowcount else []
