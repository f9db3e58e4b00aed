"""`qpqctl federation`: what waits for other domains, and certificates of a federation that has a CA of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qpqcore.config.settings import federation_peers_of
from qpqcore.model.ids import NOBODY, domain_of, is_domain
from qpqcore.net import authority
from qpqcore.runtime import clock
from qpqdelivery.guests import BOXES
from qpqserver.ctl.certs import FOLDER, now
from qpqserver.ctl.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqserver.ctl.given import Given

BOXES_MAX = 10_000
HOMES = "SELECT home, position FROM homes ORDER BY home LIMIT {}"


@click.group()
def federation() -> None:
    """Other domains."""


@federation.command("list")
@click.pass_obj
def list_(given: Given) -> None:
    """List what waits for each domain, and how far what it sends was taken; the server may be running."""
    with given.looking():
        boxes, homes = _rows(given, BOXES, NOBODY, NOBODY + b"\xff", BOXES_MAX), _rows(given, HOMES, BOXES_MAX)
        peers = federation_peers_of(given.settings)
    taken = {str(home): position for home, position in homes}
    waiting = {domain_of(bytes(row[0])): row[1:] for row in boxes}
    now_ms = clock.now_ms()
    for domain in sorted({*peers, *taken, *waiting}):
        last, acked, entries, size, oldest_ms = waiting.get(domain, (0, 0, 0, 0, 0))
        age_s = max(0, now_ms - oldest_ms) // 1000 if oldest_ms else 0
        given.tell(
            {
                "domain": domain, "waiting": entries, "bytes": size, "oldest_seconds": age_s, "sent": acked, "last": last,
                "taken": taken.get(domain, 0),
            },
            f"{domain}  waiting {entries} ({size} bytes, the oldest for {age_s} s)  sent {acked}  taken {taken.get(domain, 0)}",
        )  # fmt: skip


def _rows(given: Given, statement: str, *values: object) -> Sequence[Any]:
    numbered = statement.format(*(f"${n}" for n in range(1, len(values) + 1)))
    return rows_of(given.settings, "delivery", statement.format(*"?" * len(values)), numbered, *values)


@federation.command("ca")
@click.argument("folder", type=FOLDER)
@click.pass_obj
def ca(given: Given, folder: Path) -> None:
    """Make a CA for a federation of one's own in FOLDER/ca, unless it is there. Its key belongs off the servers."""
    made = authority.make_ca(folder, now())
    given.tell({"made": made, "ca": str(folder / "ca" / "ca.pem")}, f"{folder}/ca: {'made' if made else 'is there'}")


@federation.command("cert")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("domain")
@click.pass_obj
def cert(given: Given, folder: Path, domain: str) -> None:
    """Issue the certificate of DOMAIN's server from the CA in FOLDER, into FOLDER/DOMAIN."""
    if not is_domain(domain):
        raise click.UsageError(f"{domain!r} is not a lower-case domain name")
    with given.looking():
        ends = authority.issue_domain(folder, domain, now())
    given.tell(
        {"domain": domain, "folder": str(folder / domain), "ends": ends.isoformat()},
        f"{folder}/{domain}: federation.pem, federation.key, federation-ca.pem; until {ends:%Y-%m-%d}",
    )
