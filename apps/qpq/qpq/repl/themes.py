"""Colours. `NO_COLOR` (any value) and a terminal that is no terminal turn them off."""

from __future__ import annotations

THEMES: dict[str, dict[str, str]] = {
    "dark": {
        "prompt": "bold ansibrightcyan", "mention": "bold ansibrightyellow", "notice": "ansibrightblack",
        "error": "ansibrightred", "result": "", "message": "", "bottom-toolbar": "noreverse ansibrightblack",
    },
    "light": {
        "prompt": "bold ansiblue", "mention": "bold ansimagenta", "notice": "ansibrightblack", "error": "ansired",
        "result": "", "message": "", "bottom-toolbar": "noreverse ansibrightblack",
    },
    "contrast": {
        "prompt": "bold", "mention": "bold reverse", "notice": "underline", "error": "bold underline", "result": "",
        "message": "", "bottom-toolbar": "reverse",
    },
    "plain": {"bottom-toolbar": "noreverse"},
}  # fmt: skip
THEME_DEFAULT = "dark"
