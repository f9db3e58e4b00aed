"""Search in one's own messages, on this device alone: nothing is asked of anybody.

The index is part of the database and changes in the same transaction as the messages (migrations/0007_search.sql).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qpqclient.store import Store

WORDS_MAX = 16
"""Of a query: each is looked up by itself."""
SCANNED_MESSAGES_MAX = 20_000
"""Read through, newest first, for a word of a script that writes without spaces: the index has no parts of words."""
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Thai, Lao, Burmese, Khmer, Japanese, Chinese."""
_WORD = re.compile(r"\w+")


def found(store: Store, text: str, now_ms: int, count: int, channel: bytes | None = None) -> list[tuple[bytes, bytes]]:
    """Return (channel, id) of the messages that have every word of `text`, newest first, at most `count`.

    A word matches from its beginning, whatever its case and accents. What has vanished by `now_ms` is not found.
    """
    words = _WORD.findall(text)[:WORDS_MAX]
    if not words:
        return []
    where, values = "(m.expires_ms = 0 OR m.expires_ms > ?)", [now_ms]
    if channel is not None:
        where += " AND m.channel = ?"
        values.append(channel)  # type: ignore[arg-type]  # values of several columns
    if UNSPACED.search(text):
        return _scanned(store, words, where, values, count)
    query = " AND ".join(f'"{word}" *' for word in words)
    return store.rows(
        "SELECT m.channel, m.id FROM search s JOIN messages m ON m.number = s.rowid "  # noqa: S608 - fixed texts
        f"WHERE search MATCH ? AND {where} ORDER BY m.accepted_ms DESC, m.number DESC LIMIT ? + 0",
        query, *values, count,
    )  # fmt: skip


def _scanned(store: Store, words: list[str], where: str, values: list[int], count: int) -> list[tuple[bytes, bytes]]:
    has = " AND ".join("instr(lower(m.text), lower(?)) > 0" for _ in words)
    return store.rows(
        f"SELECT m.channel, m.id FROM (SELECT * FROM messages ORDER BY number DESC LIMIT {SCANNED_MESSAGES_MAX}) m "  # noqa: S608 - fixed texts
        f"WHERE {where} AND {has} ORDER BY m.accepted_ms DESC, m.number DESC LIMIT ? + 0",
        *values, *words, count,
    )  # fmt: skip
