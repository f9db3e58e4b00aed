"""Finds emoji by the words of their Unicode names."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EMOJI_RANGES = ((0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0x2600, 0x27BF))
"""The main blocks."""


def emoji_named(words: str) -> Iterator[tuple[str, str]]:
    """Yield the emoji whose names have these words in them, with their names; none for no words."""
    wanted = words.strip().upper()
    yield from ((char, name) for char, name in _emoji() if wanted and wanted in name)


@lru_cache(maxsize=1)
def _emoji() -> tuple[tuple[str, str], ...]:
    codes = (code for first, last in EMOJI_RANGES for code in range(first, last + 1))
    return tuple((chr(c), name) for c in codes if (name := unicodedata.name(chr(c), "")))
