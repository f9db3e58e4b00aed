"""What reaches the terminal of a subcommand: plain lines or one JSON value a line, never a raw control byte."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import click

from qpq.harmless import harmless


def emit(value: dict[str, Any], *lines: str, as_json: bool) -> None:
    """Write one result: `value` as JSON, escaped to ASCII, or `lines` for people."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=True, sort_keys=True))
    else:
        for line in lines:
            click.echo(_encodable(harmless(line)))


def complain(code: str, sentence: str, *, as_json: bool) -> None:
    """Write an error to stderr, in the form that was asked for."""
    if as_json:
        click.echo(json.dumps({"error": code, "detail": sentence}, sort_keys=True), err=True)
    else:
        click.echo(f"qpq: {_encodable(harmless(sentence))}", err=True)


def _encodable(line: str) -> str:
    """Return a line as standard output can take it: a terminal that is not UTF-8 gets question marks."""
    encoding = sys.stdout.encoding or "utf-8"
    return line.encode(encoding, errors="replace").decode(encoding)


@dataclass(frozen=True, slots=True)
class Emitter:
    """The listener of a command that is a process of its own (`qpq.here.Listener`)."""

    as_json: bool

    def tell(self, value: dict[str, Any], *lines: str) -> None:
        """Write one result."""
        emit(value, *lines, as_json=self.as_json)

    async def ask(self, question: str) -> str:
        """Ask at the terminal."""
        return str(click.prompt(harmless(question), err=True))

    async def ask_secret(self, question: str) -> str:
        """Ask twice at the terminal, unseen."""
        return str(click.prompt(harmless(question), hide_input=True, confirmation_prompt=True, err=True))

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a file has come; nothing where nobody looks."""
        if sys.stderr.isatty() and total_bytes:
            end = "\n" if done_bytes >= total_bytes else ""
            click.echo(f"\r{harmless(what)} {100 * done_bytes // total_bytes} %{end}", nl=False, err=True)


def megabytes(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
