"""What is an emoji, and what is called like one."""

from __future__ import annotations

import pytest

from qpq.emoji import emoji_meant


@pytest.mark.parametrize(
    "emoji",
    ["👍", "👍🏽", "❤️", "❤", "1️⃣", "#️⃣", "🇩🇪", "👩‍👩‍👧", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "‼️", "↔️", "©️", "\U0001fae9"],
)  # fmt: skip
def test_an_emoji_is_itself(emoji):
    assert emoji_meant(emoji) == emoji


@pytest.mark.parametrize(
    "word", ["blah", "1", "", " ", "👍 yes", "yes👍", "!", "ü", "你好", "👍\n", "\u200d", "\x1b[2J", "::", ":heart:", ":nothing_is_called_so:"]
)  # fmt: skip
def test_a_word_is_none(word):
    assert emoji_meant(word) is None


@pytest.mark.parametrize(
    ("word", "emoji"), [(":rocket:", "🚀"), (":ROCKET", "🚀"), (":party_popper:", "🎉"), (":party_pop", "🎉")]
)
def test_a_name_is_resolved(word, emoji):
    assert emoji_meant(word) == emoji
