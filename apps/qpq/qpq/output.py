"""What reaches the terminal of a subcommand: plain lines or one JSON value a line, never a raw control byte."""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from dataclasses import dataclass, field
from getpass import GetPassWarning
from typing import Any

import click

from qpq.harmless import harmless, harmless_name
from qpq.profile import has_terminal
from qpq.table.model import Mistake

PROGRESS_SECONDS = 0.1
BAR_CHARS = 20


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


class Progress:
    """The line that shows how far a file has come: a bar, the rate, the time left; not more often than eyes follow."""

    def __init__(self) -> None:
        self._what, self._begun_s, self._begun_bytes, self._shown_s = "", 0.0, 0, -math.inf

    def line(self, what: str, done_bytes: int, total_bytes: int, now_s: float) -> str | None:
        """Return the line; None when the last one is not old enough and the file is not complete."""
        if what != self._what or done_bytes < self._begun_bytes:
            self._what, self._begun_s, self._begun_bytes, self._shown_s = what, now_s, done_bytes, -math.inf
        if now_s - self._shown_s < PROGRESS_SECONDS and done_bytes < total_bytes:
            return None
        self._shown_s = now_s
        filled = BAR_CHARS * done_bytes // total_bytes if total_bytes else BAR_CHARS
        rate = (done_bytes - self._begun_bytes) / max(now_s - self._begun_s, 0.001)
        left = f", {(total_bytes - done_bytes) / rate:.0f} s left" if rate and done_bytes < total_bytes else ""
        bar = "#" * filled + "-" * (BAR_CHARS - filled)
        return f"{harmless_name(what)} [{bar}] {megabytes(done_bytes)} of {megabytes(total_bytes)}, {megabytes(int(rate))}/s{left}"


@dataclass(frozen=True, slots=True)
class Emitter:
    """The listener of a command that is a process of its own (`qpq.here.Listener`)."""

    as_json: bool
    bar: Progress = field(default_factory=Progress)

    def tell(self, value: dict[str, Any], *lines: str) -> None:
        """Write one result."""
        emit(value, *lines, as_json=self.as_json)

    async def ask(self, question: str) -> str:
        """Ask at the terminal."""
        return _answer(question)

    async def ask_secret(self, question: str) -> str:
        """Ask twice at the terminal, unseen."""
        return _answer(question, secret=True)

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a file has come; nothing where nobody looks."""
        if not self.as_json and sys.stderr.isatty():
            line = self.bar.line(what, done_bytes, total_bytes, time.monotonic())
            if line is not None:
                click.echo(f"\r{line}\x1b[K" + "\n" * (done_bytes >= total_bytes), nl=False, err=True)


def _answer(question: str, *, secret: bool = False) -> str:
    """Return what is typed, or piped; Mistake where that is nothing and there is no terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GetPassWarning)  # of piped input nothing is echoed
        try:
            return str(click.prompt(harmless(question), hide_input=secret, confirmation_prompt=secret, err=True))
        except click.Abort as exc:
            if has_terminal():
                raise
            raise Mistake("there is no terminal to ask at: give the answer as an option, --help has it") from exc


def megabytes(count: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
