"""Finds emoji by the words of their Unicode names, and says what is one."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EMOJI_RANGES = ((0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0x2600, 0x27BF))
"""The main blocks."""
JOINER, TAGS = "\u200d", ("\U000e0020", "\U000e007f")
"""What joins several to one, and what the flags of England, Scotland and Wales end with (UTS #51)."""


def emoji_named(words: str) -> Iterator[tuple[str, str]]:
    """Yield the emoji whose names have these words in them, with their names; none for no words."""
    wanted = words.strip().upper()
    yield from ((char, name) for char, name in _emoji() if wanted and wanted in name)


@lru_cache(maxsize=1)
def _emoji() -> tuple[tuple[str, str], ...]:
    codes = (code for first, last in EMOJI_RANGES for code in range(first, last + 1))
    return tuple((chr(c), name) for c in codes if (name := unicodedata.name(chr(c), "")))


PRESENTED = frozenset("\ufe0f\u20e3")
"""What makes an emoji of a digit or a sign: variation selector 16, the enclosing keycap (UTS #51 §1.4.3)."""


def is_emoji(text: str) -> bool:
    """Say whether a text can be an emoji: a symbol, or what is shown as one, and no letter and no blank beside it.

    Later versions of Unicode have emoji that this Python does not know: those are let through, words are not.
    """
    plain = [c for c in text if unicodedata.category(c)[0] in "LZC" and c != JOINER and not TAGS[0] <= c <= TAGS[1]]
    symbols = any(unicodedata.category(c) in {"So", "Cn"} or c in PRESENTED for c in text)
    return symbols and all(unicodedata.category(c) == "Cn" for c in plain)


def emoji_meant(word: str) -> str | None:
    """Return the emoji that is called `:so:` or so `:as_it_begins`, where that is clear; None: it is not.

    What is an emoji is itself.
    """
    if not word.startswith(":"):
        return word if is_emoji(word) else None
    name = word.strip(":").replace("_", " ")
    found = list(emoji_named(name))
    exact = [char for char, whole in found if whole == name.upper()] or ([found[0][0]] if len(found) == 1 else [])
    return exact[0] if exact else None
