"""The notepad: a conversation with oneself, on this device alone. Nothing of it is ever sent anywhere.

It stands among the conversations, under an id that no channel can have, and forgets, expires and is searched as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqclient.blobs import no_progress
from qpqclient.content import add_message, apply_action
from qpqclient.conversation import NOTEPAD_KIND, Conversation
from qpqclient.errors import GroupUnusable
from qpqclient.membership import NOBODY_ELSE
from qpqclient.model import Member, MessageChanged

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from qpqclient.core import Core
    from qpqclient.model import Message, Progress
    from qpqcore.api.content import Content
    from qpqcore.groups.policy import Right

NOTEPAD = b"notepad"
"""A channel's id has 16 bytes and a domain."""


def open_notepad(core: Core) -> Notepad:
    """Return the notepad; it is begun at first use."""
    core.store.db.execute(
        "INSERT OR IGNORE INTO channels (channel, generation, epoch, kind, name, timer_seconds, active, authenticator) "
        "VALUES (?, 0, 0, ?, '', 0, 0, x'')",
        (NOTEPAD, NOTEPAD_KIND),
    )
    return Notepad(core)


class Notepad(Conversation):
    """The conversation with oneself."""

    def __init__(self, core: Core) -> None:
        super().__init__(core, NOTEPAD)

    @property
    def name(self) -> str:
        """One's own name."""
        return self._core.account.name

    @property
    def active(self) -> bool:
        """One is always in it; to the engine it is no group at all."""
        return True

    def members(self) -> list[Member]:
        """Return oneself."""
        account = self._core.account
        return [Member(account.name, account.account, (account.device,))]

    def _queue(self, which: str, **parts: Any) -> Content:
        """Store a content, where it stays."""
        content = self._content(which, **parts)
        account, now_ms = self._core.account.account, self._core.server_now_ms()
        with self._store.transaction():
            (last,) = self._store.rows("SELECT coalesce(max(log_number), 0) FROM messages WHERE channel = ?", NOTEPAD)[
                0
            ]
            added = add_message(
                self._store, NOTEPAD, account, content, own=True, state="sent", accepted_ms=now_ms, log_number=last + 1
            )
            if not added:
                apply_action(self._store, NOTEPAD, account, content)
        self._core.tell(MessageChanged(NOTEPAD, content.id))
        return content

    async def typing(self, *, on: bool = True) -> None:
        """Tell nobody."""

    async def mark_read(self, idents: list[bytes] | None = None) -> None:
        """Tell nobody."""

    async def send_file(self, path: Path, progress: Progress = no_progress) -> Message:
        """Refuse: files lie on a server."""
        raise GroupUnusable("the notepad stays on this device and takes no files")

    def admins(self) -> list[str]:
        """Nobody can do more here than oneself."""
        return []

    def may(self, right: Right) -> bool:
        """One may do everything."""
        return bool(right)

    async def _refuse(self) -> None:
        raise GroupUnusable("the notepad is yours alone: it has no other members and no keys")

    async def invite(self, name: str) -> None:
        """Refuse."""
        await self._refuse()

    async def remove(self, name: str) -> None:
        """Refuse."""
        await self._refuse()

    async def set_admins(self, names: Collection[str], *, everybody_may: Right = NOBODY_ELSE) -> None:
        """Refuse."""
        await self._refuse()

    async def leave(self) -> None:
        """Refuse."""
        await self._refuse()

    async def rejoin(self) -> None:
        """Refuse."""
        await self._refuse()

    async def update_key(self) -> None:
        """Refuse."""
        await self._refuse()
