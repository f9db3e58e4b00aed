"""Makes any text harmless to show: what other people wrote never moves a cursor, hides, or passes for something else.

Every face (REPL, plain lines, TUI) shows others' text, names and file names through this module alone. What is taken
out leaves a visible mark, so that nobody is shown less than there is without seeing it; Arabic, Hindi, and emoji of
several parts stay as they are.

The classes, by Unicode's own properties (UTR 36, UAX 9, UAX 31):

* control and escape characters, C0 and C1 alike, and so every escape sequence and terminal link (OSC 8);
* embeddings, overrides, isolates and marks of the bidirectional algorithm;
* characters without width or ink: joiners out of place, blanks that are letters, variation selectors and tags in floods;
* marks piled upon one character; line and paragraph separators; lone surrogates; noncharacters; private use;
* lines without end, and messages of lines without end.
"""

from __future__ import annotations

import unicodedata

MARK = "\ufffd"
"""Stands for what was taken out; a run of the same kind leaves one."""
COMBINING_RUN_MAX = 8
"""Marks on one character; real scripts stay below (Tibetan has the most)."""
NAME_CHARS_MAX = 64
"""Of a name as it is shown; the law of names allows no longer ones (PRECIS profile of docs/spec/identity.md)."""
LINES_MAX = 200
"""Of one message on a screen; more would scroll everything else away."""
TEXT_CHARS_MAX = 16_000
"""Of one message on a screen, for the same reason; `qpq history` shows messages whole."""

ZWNJ, ZWJ = "\u200c", "\u200d"
FLAG_BASE, TAG_END = "\U0001f3f4", "\U000e007f"
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_BLANK_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and symbols that show nothing: names made of them cannot be seen."""
_JOINING_SCRIPTS = ((0x0600, 0x08FF), (0x0900, 0x0DFF), (0x0E00, 0x109F), (0x1780, 0x18AF), (0x1A00, 0x1CFF), (0xA840, 0xABFF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE))  # fmt: skip
"""Arabic, Syriac, the scripts of India and South-East Asia, Mongolian: there joiners change how letters are drawn."""
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x180B, 0x180D), (0x180F, 0x180F))


def harmless(text: str) -> str:
    """Return `text` as it may be shown on one line; breaks of lines become blanks."""
    out: list[str] = []
    for cell in harmless_cells(text):
        if cell is not None:
            out.append(cell)
        elif not out or out[-1] != MARK:
            out.append(MARK)
    return "".join(out)


def harmless_cells(text: str) -> list[str | None]:
    """Return what is shown for each character of `text`; None for what is taken out."""
    out: list[str | None] = []
    marks = 0
    for place, char in enumerate(text):
        if " " <= char <= "~":  # most of what is ever written
            marks = 0
            out.append(char)
            continue
        if char in _BREAKS or char == "\t":
            marks = 0
            out.append(" ")
            continue
        if unicodedata.category(char)[0] == "M":
            marks += 1
            if marks > COMBINING_RUN_MAX:
                out.append(None)
                continue
        elif char != ZWJ and char != ZWNJ:
            marks = 0
        out.append(char if _shows(char, text, place) else None)
    return out


def harmless_lines(text: str) -> list[str]:
    """Return `text` as lines that may be shown each, at least one; past the limits it says how much is left out."""
    lines = [harmless(line) for line in text[:TEXT_CHARS_MAX].splitlines()] or [""]
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    if len(lines) > LINES_MAX or len(text) > TEXT_CHARS_MAX:
        left = len(text) - sum(len(line) + 1 for line in lines[:LINES_MAX])
        return [*lines[:LINES_MAX], f"({max(left, 1)} more characters: `qpq history` shows all)"]
    return lines


def harmless_name(name: str) -> str:
    """Return a name as it may be shown beside other words: short, and in quotes when it could pass for more."""
    shown = harmless(name)
    if len(shown) > NAME_CHARS_MAX:
        shown = shown[: NAME_CHARS_MAX - 1] + "…"
    if not shown or any(c.isspace() or c in "[]\"'" for c in shown):
        return '"' + shown.replace('"', "'") + '"'
    return shown


def _shows(char: str, text: str, place: int) -> bool:
    """Tell whether a character other than plain ASCII is shown as it is."""
    before = text[place - 1] if place else ""
    code = ord(char)
    if char in {ZWJ, ZWNJ}:
        return _joins(char, before, text[place + 1 : place + 2])
    if 0xE0020 <= code <= 0xE007F:
        return _in_flag(text, place)
    if _within(code, _SELECTORS):
        return bool(before) and not before.isspace() and not _within(ord(before), _SELECTORS)
    if char in _BLANK_LETTERS or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return False
    return unicodedata.category(char) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} or _is_sign(code)


def _is_sign(code: int) -> bool:
    """Tell whether a format character has ink: the Arabic and Indic number and verse signs."""
    return 0x0600 <= code <= 0x0605 or code in {0x06DD, 0x070F, 0x08E2, 0x110BD, 0x110CD}


def _joins(char: str, before: str, after: str) -> bool:
    """Tell whether a joiner stands where it does something: after a letter that joins, or between emoji."""
    if not before:
        return False
    if _within(ord(before), _JOINING_SCRIPTS):
        return True
    return char == ZWJ and bool(after) and _is_emoji(before) and _is_emoji(after)


def _is_emoji(char: str) -> bool:
    code = ord(char)
    return (
        (code > 0xFF and unicodedata.category(char) in {"So", "Sk", "Cn"})  # Cn: newer than this Python's tables
        or 0x2190 <= code <= 0x21FF
        or code in {0xFE0F, 0x20E3}
    )


def _in_flag(text: str, place: int) -> bool:
    """Tell whether a tag belongs to a flag (Scotland's is such a sequence): at most six before the end, after the base."""
    begin = place
    while begin > 0 and 0xE0020 <= ord(text[begin - 1]) <= 0xE007E and place - begin < 8:
        begin -= 1
    if begin == 0 or text[begin - 1] != FLAG_BASE:
        return False
    end = text.find(TAG_END, begin, begin + 8)
    return end >= 0 and place <= end and end > begin


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)
