"""What reaches the terminal: plain lines or one JSON value a line, never a raw control byte.

Text from other people is hostile until shown harmless: control and escape characters, bidi
overrides and isolates, and zero-width characters that do not belong to an emoji or a script that
needs them are replaced by a visible mark.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import Any

import click

MARK = "�"
COMBINING_RUN_MAX = 8
"""Marks on one character that real scripts stay below."""
_JOINERS = {"‌", "‍"}
_BIDI = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "؜", "‎", "‏"}


def harmless(text: str) -> str:
    """Return `text` as it may be written to a terminal, on one line."""
    out: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if char in {"\n", "\t"}:
            out.append(" ")
        elif marks > COMBINING_RUN_MAX:
            continue
        elif (
            char in _BIDI
            or category in {"Cc", "Cs", "Zl", "Zp"}
            or (category == "Cf" and char not in _JOINERS and not 0xE0020 <= ord(char) <= 0xE007F)
        ):
            out.append(MARK)
        else:
            out.append(char)
    return "".join(out)


def emit(value: dict[str, Any], line: str, *, as_json: bool) -> None:
    """Write one result: `value` as JSON, or `line` for people."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=True, sort_keys=True))
    else:
        click.echo(harmless(line))


def complain(code: str, sentence: str, *, as_json: bool) -> None:
    """Write an error to stderr, in the form that was asked for."""
    if as_json:
        click.echo(json.dumps({"error": code, "detail": sentence}, sort_keys=True), err=True)
    else:
        click.echo(f"qpq: {harmless(sentence)}", err=True)


def show_qr(text: str, *, as_json: bool) -> None:
    """Draw a QR code of one's own making where people look: on a terminal, and not beside JSON."""
    if as_json or not sys.stderr.isatty():
        return
    import segno

    segno.make(text, error="l", micro=False).terminal(out=sys.stderr, compact=True)
