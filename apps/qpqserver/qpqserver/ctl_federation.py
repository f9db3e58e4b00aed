"""`qpqctl federation`: what waits for other domains, and certificates of a federation that has a CA of its own."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from qpqcore.config.settings import ConfigError, Settings, database_url_of, federation_peers_of
from qpqcore.model.ids import domain_of, is_domain
from qpqcore.net import authority
from qpqcore.net.certificates import CertificateUnreadable
from qpqcore.runtime import clock
from qpqcore.store.errors import DatabaseError
from qpqdelivery.boxes import NOBODY
from qpqserver.output import tell
from qpqserver.stores import beside

Given = tuple[Settings, bool]
BOXES_MAX = 10_000
BOXES = (
    "SELECT device, last, acked, entries, bytes, coalesce((SELECT accepted_ms FROM entries e WHERE e.device = m.device "
    "ORDER BY number LIMIT 1), 0) FROM mailboxes m WHERE device > {} AND device < {} ORDER BY device LIMIT {}"
)
HOMES = "SELECT home, position FROM homes ORDER BY home LIMIT {}"


@click.group()
def federation() -> None:
    """Other domains."""


@federation.command("list")
@click.pass_obj
def list_(given: Given) -> None:
    """List what waits for each domain, and how far what it sends was taken; the server may be running."""
    settings, as_json = given
    try:
        boxes, homes = _rows(settings, BOXES, NOBODY, NOBODY + b"\xff", BOXES_MAX), _rows(settings, HOMES, BOXES_MAX)
    except (DatabaseError, ConfigError) as exc:
        click.echo(f"qpqctl: {exc}", err=True)
        sys.exit(1)
    taken = dict(homes)
    waiting = {domain_of(bytes(row[0])): row[1:] for row in boxes}
    now_ms = clock.now_ms()
    for domain in sorted({*federation_peers_of(settings), *taken, *waiting}):
        last, acked, entries, size, oldest_ms = waiting.get(domain, (0, 0, 0, 0, 0))
        age_s = max(0, now_ms - oldest_ms) // 1000 if oldest_ms else 0
        tell(
            {
                "domain": domain, "waiting": entries, "bytes": size, "oldest_seconds": age_s, "sent": acked, "last": last,
                "taken": taken.get(domain, 0),
            },
            f"{domain}  waiting {entries} ({size} bytes, the oldest for {age_s} s)  sent {acked}  taken {taken.get(domain, 0)}",
            as_json=as_json,
        )  # fmt: skip


def _rows(settings: Settings, statement: str, *values: object) -> list[tuple[Any, ...]]:
    if settings.store_backend == "postgres":
        from qpqcore.store.postgres.migrate import ask
        from qpqcore.store.postgres.schemas import schema_of

        text = statement.format(*(f"${n}" for n in range(1, len(values) + 1)))
        return [tuple(row) for row in ask(database_url_of(settings), schema_of("delivery"), text, *values)]
    with beside(settings, "delivery") as connection:
        return connection.execute(statement.format(*"?" * len(values)), values).fetchall()  # type: ignore[no-any-return]  # rows of the driver


@federation.command("ca")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def ca(given: Given, folder: Path) -> None:
    """Make a CA for a federation of one's own in FOLDER/ca, unless it is there. Its key belongs off the servers."""
    made = authority.make_ca(folder, _now())
    tell(
        {"made": made, "ca": str(folder / "ca" / "ca.pem")},
        f"{folder}/ca: {'made' if made else 'is there'}",
        as_json=given[1],
    )


@federation.command("cert")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("domain")
@click.pass_obj
def cert(given: Given, folder: Path, domain: str) -> None:
    """Issue the certificate of DOMAIN's server from the CA in FOLDER, into FOLDER/DOMAIN."""
    if not is_domain(domain):
        click.echo(f"qpqctl: {domain!r} is not a lower-case domain name", err=True)
        sys.exit(2)
    try:
        ends = authority.issue_domain(folder, domain, _now())
    except CertificateUnreadable as exc:
        click.echo(f"qpqctl: {exc}", err=True)
        sys.exit(1)
    tell(
        {"domain": domain, "folder": str(folder / domain), "ends": ends.isoformat()},
        f"{folder}/{domain}: federation.pem, federation.key, federation-ca.pem; until {ends:%Y-%m-%d}",
        as_json=given[1],
    )


def _now() -> datetime:
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
