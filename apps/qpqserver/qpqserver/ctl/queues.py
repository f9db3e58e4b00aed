"""`qpqctl queue`: the mailboxes of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qpqserver.ctl.accounts import SHOWN_CHARS, accounts, moment
from qpqserver.ctl.reading import ROWS_MAX, rows_of

if TYPE_CHECKING:
    from qpqserver.ctl.given import Given

QUEUES_SQLITE = (
    "SELECT lower(hex(device)), lower(hex(account)), entries, bytes, last, acked, seen_ms FROM mailboxes "
    "WHERE entries >= ? ORDER BY entries DESC, device LIMIT ? + 0"
)
QUEUES_POSTGRES = (
    "SELECT encode(device, 'hex'), encode(account, 'hex'), entries, bytes, last, acked, seen_ms FROM mailboxes "
    "WHERE entries >= $1 ORDER BY entries DESC, device LIMIT $2"
)
TOTALS = "SELECT count(*), coalesce(sum(entries), 0), coalesce(sum(bytes), 0) FROM mailboxes"
TOTALS_POSTGRES = "SELECT count(*), coalesce(sum(entries), 0)::bigint, coalesce(sum(bytes), 0)::bigint FROM mailboxes"


@click.group()
def queue() -> None:
    """Mailboxes of devices; the server may be running."""


@queue.command("list")
@click.option("--least", type=click.IntRange(min=0), default=1, show_default=True, help="Entries that wait, at least.")
@click.pass_obj
def list_(given: Given, least: int) -> None:
    """List mailboxes, the fullest first: whose, how many entries and bytes wait, when the device last came."""
    with given.looking():
        rows = rows_of(given.settings, "delivery", QUEUES_SQLITE, QUEUES_POSTGRES, least, ROWS_MAX)
        names = {account: name for name, account, _, _ in accounts(given.settings)}
    for device, account, entries, size, last, acked, seen_ms in rows:
        name = names.get(account, "")
        given.tell(
            {
                "device": device, "account": account, "name": name, "entries": entries, "bytes": size, "last": last,
                "acked": acked, "seen_ms": seen_ms,
            },
            f"{name or account[:SHOWN_CHARS]}  device {device[:SHOWN_CHARS]}  {entries} {'entry' if entries == 1 else 'entries'}, {size} bytes, "
            f"seen {moment(seen_ms)}",
        )  # fmt: skip


@queue.command()
@click.pass_obj
def total(given: Given) -> None:
    """Sum all mailboxes up."""
    with given.looking():
        ((mailboxes, entries, size),) = rows_of(given.settings, "delivery", TOTALS, TOTALS_POSTGRES)
    given.tell(
        {"mailboxes": mailboxes, "entries": entries, "bytes": size},
        f"{mailboxes} mailboxes, {entries} entries, {size} bytes",
    )
