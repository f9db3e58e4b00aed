"""Receipts: what came and what was read is told to its senders, several messages at a time, and not in large groups.

What is to be told is noted in the transaction that stores the message; so no crash forgets it, and none tells it twice
under two ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from qpqclient.content import new_content
from qpqclient.errors import DiskFull
from qpqclient.outgoing import put
from qpqclient.settings import DELIVERED, KEYS, READ, VERIFIED
from qpqcore.api.content import ChannelKind, ContentReceipt, ContentReceiptKind

if TYPE_CHECKING:
    from qpqclient.core import Core

RECEIPT_ACCOUNTS_MAX = 16
"""In a conversation: in a larger one each message would be followed by as many small ones."""
RECEIPT_IDS_MAX = 256
"""In one receipt: 6 KiB."""
RECEIPT_WAIT_SECONDS = 1.0
"""What comes meanwhile is told by the same receipt."""
RETRY_SECONDS = 30.0
KINDS = ((1, READ, ContentReceiptKind.READ), (0, DELIVERED, ContentReceiptKind.DELIVERED))


class Receipts:
    """Tells what came and what was read."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._work = trio.Event()
        self._work.set()

    def came(self, channel: bytes, ident: bytes) -> None:
        """Note, within the caller's transaction, that a message has come."""
        if self._core.settings.on(DELIVERED):
            self._store.db.execute("INSERT OR IGNORE INTO receipts_due VALUES (?, ?, 0)", (channel, ident))
            self._work.set()

    def read(self, channel: bytes, idents: list[bytes]) -> None:
        """Note, within the caller's transaction, that messages were read here; those that were are passed over."""
        tells = self._core.settings.on(READ)
        for ident in idents:
            fresh = self._store.db.execute(
                "UPDATE messages SET read = 1 WHERE channel = ? AND id = ? AND read = 0", (channel, ident)
            ).rowcount
            if fresh and tells:
                self._store.db.execute("INSERT OR REPLACE INTO receipts_due VALUES (?, ?, 1)", (channel, ident))
                self._work.set()

    async def run(self) -> None:
        """Tell what is due, for ever."""
        while True:
            await self._work.wait()
            await trio.sleep(RECEIPT_WAIT_SECONDS)
            self._work = trio.Event()
            try:
                self.send()
            except DiskFull:
                await trio.sleep(RETRY_SECONDS)
                self._work.set()

    def send(self) -> None:
        """Put all that is due into the outbox; DiskFull."""
        for (channel,) in self._store.rows("SELECT DISTINCT channel FROM receipts_due"):
            if not self._are_told(channel):
                self._store.db.execute("DELETE FROM receipts_due WHERE channel = ?", (channel,))
                continue
            for read, setting, kind in KINDS:
                while idents := self._due(channel, read):
                    self._tell(channel, idents, read, kind if self._core.settings.on(setting) else None)

    def _due(self, channel: bytes, read: int) -> tuple[bytes, ...]:
        rows = self._store.rows(
            "SELECT id FROM receipts_due WHERE channel = ? AND read = ? LIMIT ? + 0", channel, read, RECEIPT_IDS_MAX
        )
        return tuple(r[0] for r in rows)

    def _tell(self, channel: bytes, idents: tuple[bytes, ...], read: int, kind: ContentReceiptKind | None) -> None:
        with self._store.transaction() as db:
            if kind is not None:
                timer = int(self._store.rows("SELECT timer_seconds FROM channels WHERE channel = ?", channel)[0][0])
                receipt = ContentReceipt(ids=idents, kind=kind)
                content = new_content(self._core.now_ms(), "receipt", expires_after_seconds=timer, receipt=receipt)
                put(self._store, channel, content, self._core.now_ms())
            db.executemany(
                "DELETE FROM receipts_due WHERE channel = ? AND id = ? AND read = ?",
                [(channel, i, read) for i in idents],
            )
        self._core.wake_sender()

    def _are_told(self, channel: bytes) -> bool:
        """Whether receipts are sent to a conversation at all."""
        rows = self._store.rows(
            "SELECT kind, (SELECT count(DISTINCT account) FROM leaves l WHERE l.channel = c.channel) FROM channels c "
            "WHERE channel = ? AND active = 1",
            channel,
        )
        strict = self._core.settings.get(KEYS) == VERIFIED
        if not rows or self._core.upkeep.leaves(channel) or self._core.contacts.waits(channel):
            return False
        if strict and self._core.contacts.unverified(channel):
            return False
        kind, accounts = rows[0]
        return kind in (ChannelKind.DIRECT, ChannelKind.GROUP) and 1 < accounts <= RECEIPT_ACCOUNTS_MAX
