"""Runs a command's coroutine under Trio and turns what goes wrong into a sentence and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qpq.output import complain
from qpq.table.model import Mistake, NotWell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpq.profile import Profile

EXIT_NOT_WELL = 1
EXIT_MISTAKE = 2
EXIT_FAULT = 10
EXIT_INTERRUPTED = 130
KEY_ADVICE = (
    "Ask the server's operator, another way than through it, whether the key was changed, and compare: `qpqctl check` shows it. "
    "If it was, take the server's certificate from the operator (server-cert.der in its data_dir) and say --ca-cert FILE before "
    "the command; if it was not, somebody is in between"
)


def run(profile: Profile, main: Callable[[], Awaitable[None]]) -> int:
    """Run `main`; return the exit code of the error table."""
    import trio

    try:
        trio.run(main)
    except BaseException as exc:  # noqa: BLE001 - the edge speaks to the user; see `settle`
        return settle(profile, first(exc))
    return 0


def first(exc: BaseException) -> BaseException:
    """Return the first leaf of an exception group, or the exception itself."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


def settle(profile: Profile, exc: BaseException) -> int:
    """Tell the user what happened and return the exit code; a fault of our own keeps its traceback."""
    from qpqclient import KeyChanged, QpqError

    if isinstance(exc, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    if isinstance(exc, BrokenPipeError):
        return 0
    if isinstance(exc, NotWell):
        return EXIT_NOT_WELL
    if isinstance(exc, click.ClickException):
        exc.show()
        return exc.exit_code
    if isinstance(exc, Mistake):
        complain("usage", str(exc), as_json=profile.json)
        return EXIT_MISTAKE
    if isinstance(exc, QpqError):
        complain(exc.name, str(exc) + (f". {KEY_ADVICE}" if isinstance(exc, KeyChanged) else ""), as_json=profile.json)
        return exc.exit_code
    if isinstance(exc, OSError):
        complain("os", f"{exc.strerror or exc}: {exc.filename or ''}".rstrip(": "), as_json=profile.json)
        return EXIT_FAULT
    raise exc
