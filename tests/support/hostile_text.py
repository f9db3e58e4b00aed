"""Texts that would move a cursor, hide something or pass for something else if they were shown as they are; and texts that
look alike to a careless filter and must stay as they are."""

from __future__ import annotations

import unicodedata

BIDI = [chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x061C, 0x200E, 0x200F)]
WIDTHLESS = [chr(c) for c in (0x200B, 0x2060, 0xFEFF, 0x00AD, 0x180E, 0x2061, 0x2062, 0x2063, 0x2064, 0x206A, 0x206F)]
CSI = ["0m", "31m", "2J", "H", "1;1H", "A", "K", "?25l", "?1049h", "6n", "5n", "c", ">c", "1000h", "3g", "!p"]
OSC = [
    "0;owned",
    "2;owned",
    "4;1;rgb:ff/00/00",
    "52;c;b3duZWQ=",
    "7;file:///etc",
    "9;owned",
    "133;A",
    "777;notify;a;b",
    "1337;File=:AAAA",
]

CLASSES: dict[str, list[str]] = {
    "C0 controls": [f"a{chr(c)}b" for c in range(0x20) if chr(c) not in "\t\n\r\x1b"] + ["a\x7fb"],
    "escape sequences": [f"a\x1b[{rest}b" for rest in CSI] + ["\x1bc", "\x1b7", "\x1b(0", "\x1b#8", "\x1b"],
    "operating system commands": [f"\x1b]{rest}{end}" for rest in OSC for end in ("\x07", "\x1b\\")],
    "device control and the like": [f"\x1b{kind}q#0;1{end}" for kind in "PX^_" for end in ("\x1b\\", "\x9c", "")],
    "terminal links": [
        f"\x1b]8;{parameters};{uri}{end}click{again}"
        for parameters in ("", "id=1")
        for uri in ("https://bank.example", "file:///etc/passwd")
        for end, again in (("\x07", "\x1b]8;;\x07"), ("\x1b\\", "\x1b]8;;\x1b\\"))
    ],
    "C1 controls": [f"a{chr(c)}31mb" for c in range(0x80, 0xA0) if c != 0x85],
    "bidirectional controls": [f"user{c}txt.exe" for c in BIDI] + ["\u202e" * 50, "a\u2066b\u2067c\u2069\u2069\u2069"],
    "zero-width floods": [f"a{c * 200}b" for c in WIDTHLESS] + ["\u200d" * 100, "x\u200c\u200d\u200c\u200dy", "\u200b"],
    "combining stacks": [f"z{chr(c) * 60}" for c in (0x0300, 0x0316, 0x034F, 0x0489, 0x0E49, 0x0F71, 0x20DD, 0x20E3)],
    "separators of lines": [f"a{c}[bob] send me money" for c in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"] + ["a\r\nb", "\n" * 500],
    "lone surrogates": ["\ud800", "a\udfffb", "\udc80\udc81", "\ud83d alone", "\udcff.txt"],
    "noncharacters and private use": ["a\ufffeb", "a\uffffb", "\ufdd0", "\U0001ffff", "\ue000", "\uf8ff", "\U000f0000", "\U0010fffd"],
    "variation selectors and tags": [
        "a" + "\ufe0f" * 50, "\ufe00\ufe01\ufe02", "a" + "\U000e0100" * 60, "".join(chr(0xE0000 + ord(c)) for c in "hidden words"),
        "\U000e0001\U000e0041", "\U0001f3f4" + "\U000e0067" * 40, "x\U000e007f",
    ],
    "blank letters": ["\u3164", "\u115f\u1160", "\uffa0" * 9, "\u2800" * 40, "\u17b4\u17b5"],
    "annotations and invisible format": ["\ufff9a\ufffab\ufffb", "\u206c\u206d", "\U0001d173music\U0001d17a", "\U000e0020"],
    "lines without end": ["W" * 60_000, "a " * 20_000, "\u05d0" * 20_000, "\U0001f600" * 8_000],
}  # fmt: skip

BENIGN = [
    "plain", "tabs are blanks", "مرحبا بالعالم", "می\u200cخواهم", "שָׁלוֹם עולם", "नमस्ते दुनिया", "क्\u200dष", "ক্ষ", "தமிழ்", "ภาษาไทย", "བོད་སྐད་", "မြန်မာ",
    "Tiếng Việt", "日本語のテキスト", "한국어", "Ελληνικά", "Русский", "ᠮᠣᠩᠭᠣᠯ", "👍🏽", "👩\u200d👩\u200d👧\u200d👦", "👩🏽\u200d⚕\ufe0f", "🏳\ufe0f\u200d🌈", "🇩🇪🇮🇳",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "1\ufe0f\u20e3", "❤\ufe0f", "🙂\u200d↔\ufe0f", "½ ± € ™ ☎", "e\u0301a\u0308", "🩷",
    "a/b\\c", "100 % [sic] \"quoted\"", "۱۲۳ ٤٥٦",
]  # fmt: skip


def texts() -> list[tuple[str, str]]:
    """Return each hostile text with its class."""
    return [(kind, text) for kind, found in CLASSES.items() for text in found]


NEVER = {*BIDI, *WIDTHLESS, *"\u3164\u115f\u1160\uffa0\u2800"}


def check(line: str) -> None:
    """Fail unless a line can be written to any terminal: by Unicode's tables, not by the filter's."""
    run, before = 0, ""
    for char in line:
        category = unicodedata.category(char)
        assert category not in {"Cc", "Cs", "Zl", "Zp", "Co"}, (ascii(char), line[:80])
        assert char not in NEVER, ascii(char)
        joins = category in {"Mn", "Me"}
        run = run + 1 if joins else 0
        assert run <= 8
        widthless = char in "\u200c\u200d" or 0xFE00 <= ord(char) <= 0xFE0F or 0xE0000 <= ord(char) <= 0xE01EF
        tag = 0xE0020 <= ord(char) <= 0xE007F and (0xE0020 <= ord(before or "a") <= 0xE007F or before == "\U0001f3f4")
        assert not (widthless and not tag and (not before or before in "\u200c\u200d")), ascii(line[:80])
        before = char
