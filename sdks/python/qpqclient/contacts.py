"""Whom one knows, and how well: contacts, blocked people, and those whose key one has compared.

A mark of verification is of one identity key, and lost when the key changes. All of it stays on this device.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from qpqclient.content import ID_BYTES
from qpqclient.model import MessageChanged
from qpqcore.api.content import ChannelKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqclient.core import Core

KNOWN, BLOCKED = "known", "blocked"
REQUESTED, DECLINED = 1, 2
NOTICE = "notice"
"""The kind of what stands in a timeline and nobody has sent."""


class Contacts:
    """The people of this device, as its owner sees them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store

    # --- known and blocked

    def state(self, account: bytes) -> str:
        """Return `known`, `blocked`, or nothing for who is neither."""
        rows = self._store.rows("SELECT state FROM contacts WHERE account = ?", account)
        return str(rows[0][0]) if rows else ""

    def blocked(self, account: bytes) -> bool:
        """Whether what a person sends is dropped."""
        return self.state(account) == BLOCKED

    def put(self, accounts: Iterable[bytes], state: str) -> None:
        """Make people known, blocked, or neither. Of many, inside a transaction: else each is a commit of its own."""
        self._store.db.executemany(
            "INSERT INTO contacts VALUES (?, ?, x'', x'') ON CONFLICT (account) DO UPDATE SET state = excluded.state",
            [(account, state) for account in accounts],
        )

    def know(self, accounts: Iterable[bytes]) -> None:
        """Make people known whom one turns to oneself; who is blocked stays so."""
        self.put([a for a in accounts if not self.state(a)], KNOWN)

    def all(self, state: str) -> list[bytes]:
        """Return the accounts of a state."""
        return [r[0] for r in self._store.rows("SELECT account FROM contacts WHERE state = ? ORDER BY account", state)]

    # --- requests

    def judge(self, channel: bytes, *, requests: bool, is_strange: bool = False) -> None:
        """Say, within the caller's transaction, what becomes of a conversation that somebody has just added one to.

        From somebody blocked: declined. From people of whom none is known: a request, if that is set; in any case where it
        `is_strange`: into what one was in before, by somebody who was not.
        """
        own = self._core.account.account
        others = {r[0] for r in self._store.rows("SELECT account FROM leaves WHERE channel = ?", channel)} - {own}
        states = {self.state(account) for account in others}
        kind = self._store.rows("SELECT kind FROM channels WHERE channel = ?", channel)[0][0]
        if kind == ChannelKind.DIRECT and BLOCKED in states:
            self._store.db.execute("UPDATE channels SET request = ? WHERE channel = ?", (DECLINED, channel))
            self._core.upkeep.want_leave(channel)
        elif is_strange or (requests and others and KNOWN not in states):
            self._store.db.execute("UPDATE channels SET request = ? WHERE channel = ?", (REQUESTED, channel))

    def waits(self, channel: bytes) -> bool:
        """Whether a conversation waits to be accepted, or was declined."""
        return bool(self._store.rows("SELECT 1 FROM channels WHERE channel = ? AND request > 0", channel))

    # --- keys

    def verify(self, account: bytes, key: bytes) -> None:
        """Set the mark for a key (empty: take it away). Who has compared has judged what was announced, too."""
        self._store.db.execute(
            "INSERT INTO contacts VALUES (?, '', ?, x'') ON CONFLICT (account) DO UPDATE SET verified_key = excluded.verified_key, announced = x''",
            (account, key),
        )

    def verified(self, account: bytes) -> bool:
        """Whether the key that an account has here now is the one that was compared, in every group too."""
        rows = self._store.rows("SELECT verified_key FROM contacts WHERE account = ?", account)
        key = self._core.people.identity(account)
        if not rows or key is None or rows[0][0] != key:
            return False
        others = "SELECT 1 FROM leaves WHERE account = ? AND identity_key NOT IN (x'', ?) LIMIT 1"
        return not self._store.rows(others, account, key)

    def unverified(self, channel: bytes) -> list[bytes]:
        """Return the other members of a conversation who have no mark."""
        rows = self._store.rows("SELECT DISTINCT account FROM leaves WHERE channel = ?", channel)
        return [a for (a,) in rows if a != self._core.account.account and not self.verified(a)]

    def announce(self, account: bytes, seen: bytes, text: str) -> None:
        """Say in every timeline shared with a person that something about the key is not as it was; once of each `seen`."""
        rows = self._store.rows("SELECT announced FROM contacts WHERE account = ?", account)
        if rows and rows[0][0] == seen:
            return
        channels = [r[0] for r in self._store.rows("SELECT DISTINCT channel FROM leaves WHERE account = ?", account)]
        idents = [secrets.token_bytes(ID_BYTES) for _ in channels]
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO contacts VALUES (?, '', x'', ?) ON CONFLICT (account) DO UPDATE SET announced = excluded.announced",
                (account, seen),
            )
            for channel, ident in zip(channels, idents, strict=True):
                self.note(channel, ident, account, text)
        for channel, ident in zip(channels, idents, strict=True):
            self._core.tell(MessageChanged(channel, ident))

    def note(self, channel: bytes, ident: bytes, account: bytes, text: str) -> None:
        """Put a notice behind what stands in a timeline now; inside a transaction."""
        now_ms = self._core.server_now_ms()
        (last,) = self._store.rows("SELECT coalesce(max(log_number), 0) FROM messages WHERE channel = ?", channel)[0]
        self._store.db.execute(
            "INSERT INTO messages (channel, id, sender, kind, text, sent_ms, accepted_ms, log_number, state, own, edited, "
            "shown, expires_ms, read) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'received', 0, 0, 0, 0, 0)",
            (channel, ident, account, NOTICE, text, now_ms, now_ms, last),
        )
