"""Drafts: what was typed and not sent, kept through a kill; on this device alone, in its encrypted database.

A draft is a row of `meta`, named by its channel, or by nothing for what was typed where no conversation is open.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from qpqclient.errors import TooLong
from qpqclient.model import Draft

if TYPE_CHECKING:
    from qpqclient.store import Store

DRAFT_BYTES_MAX = 1024 * 1024
"""As stored, where a character may take 12 bytes: more than a message may hold, so that it can be shortened."""


class Drafts:
    """The drafts of one folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, channel: bytes) -> Draft:
        """Return what was typed in a conversation; an empty draft if nothing was."""
        stored = self._store.get(_name(channel))
        if not stored:
            return Draft()
        text, reply_to, edit_of = json.loads(stored)
        return Draft(text, _ident(reply_to), _ident(edit_of))

    def set(self, channel: bytes, draft: Draft) -> None:
        """Keep what was typed, or forget it when it is empty; TooLong."""
        if draft == Draft():
            if self._store.get(_name(channel)) is not None:
                self._store.db.execute("DELETE FROM meta WHERE name = ?", (_name(channel),))
            return
        parts = (draft.text, draft.reply_to and draft.reply_to.hex(), draft.edit_of and draft.edit_of.hex())
        stored = json.dumps(parts).encode()
        if len(stored) > DRAFT_BYTES_MAX:
            raise TooLong(f"a draft has at most {DRAFT_BYTES_MAX // 1024} KiB")
        self._store.put({_name(channel): stored})


def _name(channel: bytes) -> str:
    return f"draft:{channel.hex()}"


def _ident(text: str | None) -> bytes | None:
    return bytes.fromhex(text) if text else None
