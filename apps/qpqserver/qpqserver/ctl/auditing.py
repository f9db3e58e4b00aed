"""`qpqctl audit`: what operators did, and whether what was written down is as it was written."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from qpqserver.ctl.accounts import moment
from qpqserver.ctl.given import EXIT_FAILED, FAULTS
from qpqserver.operating.audit import FIRST, AuditBroken, checked

if TYPE_CHECKING:
    from qpqserver.ctl.given import Given
    from qpqserver.operating.audit import Entry

HASH_CHARS = 64


@click.group()
def audit() -> None:
    """The log of what operators did; the server may be running."""


def _checked(given: Given, expected: dict[int, str]) -> list[Entry]:
    try:
        return list(checked(given.audit().entries(), expected))
    except (AuditBroken, *FAULTS) as exc:
        given.fail(exc)


@audit.command()
@click.pass_obj
def show(given: Given) -> None:
    """Show all entries, the oldest first; the chain is checked on the way."""
    for entry in _checked(given, {}):
        of = f" (of {entry.of})" if entry.of else ""
        given.tell(
            asdict(entry),
            f"{entry.number}  {moment(entry.at_ms)}  {entry.operator}: {' '.join((entry.act, *entry.typed))}"
            f"  {entry.outcome}{of}",
        )


@audit.command()
@click.option(
    "--expect", "expected", metavar="NUMBER:HASH", multiple=True,
    help="What `audit head` said once, or a backup's manifest says; again for more.",
)  # fmt: skip
@click.pass_obj
def verify(given: Given, expected: tuple[str, ...]) -> None:
    """Check the chain; name the first entry that does not hold. Without --expect a cut-off end is not seen."""
    noted = {}
    for text in expected:
        number, _, digest = text.partition(":")
        if not number.isdigit() or len(digest) != HASH_CHARS:
            click.echo(f"qpqctl: {text!r} is not NUMBER:HASH", err=True)
            sys.exit(EXIT_FAILED)
        noted[int(number)] = digest
    entries = _checked(given, noted)
    given.tell({"ok": True, "entries": len(entries)}, f"{len(entries)} entries hold")


@audit.command()
@click.pass_obj
def head(given: Given) -> None:
    """Show the last entry's number and hash: note them elsewhere, for `audit verify --expect`."""
    entries = _checked(given, {})
    number, digest = (entries[-1].number, entries[-1].hash) if entries else (0, FIRST)
    given.tell({"number": number, "hash": digest}, f"{number}:{digest}")
