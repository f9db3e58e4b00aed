"""How `qpqctl` says what it found: a line for people, or one JSON value a line."""

from __future__ import annotations

import json
from typing import Any

import click


def tell(value: dict[str, Any], line: str, *, as_json: bool) -> None:
    """Print one result."""
    click.echo(json.dumps(value, sort_keys=True) if as_json else line)


def counted(count: int, noun: str) -> str:
    """Return a number and what is counted: 1 device, 2 devices."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
