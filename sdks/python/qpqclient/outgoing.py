"""Puts contents into the outbox: from the end of the caller's transaction on they are sent, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqclient.content import add_message, apply_action

if TYPE_CHECKING:
    from qpqclient.store import Store
    from qpqcore.api.content import Content

TTL_SECONDS_MAX = 30 * 24 * 3600
SETTINGS = frozenset({"timer", "rename"})
"""Contents that hold here from when they are queued: what is sent next already follows them."""


def put(store: Store, channel: bytes, content: Content, now_ms: int) -> None:
    """Store a content with its place in the outbox, and show it if it is shown; inside a transaction."""
    account = store.get("account") or b""
    store.db.execute("INSERT INTO seen VALUES (?, ?)", (channel, content.id))
    store.db.execute(
        "INSERT INTO outbox (channel, id, content, ttl_seconds, generation, epoch, payload) VALUES (?, ?, ?, ?, 0, 0, NULL)",
        (channel, content.id, content.to_bytes(), min(content.expires_after_seconds, TTL_SECONDS_MAX)),
    )
    add_message(store, channel, account, content, own=True, state="pending", accepted_ms=now_ms, log_number=None)
    if content.which in SETTINGS:
        apply_action(store, channel, account, content)
