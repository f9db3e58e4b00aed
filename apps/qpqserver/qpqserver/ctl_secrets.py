"""`qpqctl certs` and `qpqctl secrets`: what the processes of a deployment have to hold, a folder for each."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpqcore.api.methods import SERVICES
from qpqcore.net import authority
from qpqcore.net.certificates import CertificateUnreadable
from qpqcore.runtime import clock
from qpqserver import secrecy
from qpqserver.output import tell

if TYPE_CHECKING:
    from qpqcore.config.settings import Settings

    Given = tuple[Settings, bool]

FOLDER = click.Path(path_type=Path, file_okay=False)
SERVICE = click.Choice(sorted(SERVICES.values()))


def now() -> datetime:
    """Return the time."""
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


def fail(exc: Exception) -> None:
    """Say why, and leave."""
    click.echo(f"qpqctl: {exc}", err=True)
    sys.exit(1)


@click.group()
def certs() -> None:
    """Certificates of the bus: a CA of your own, one short-lived certificate for each service."""


@certs.command("init")
@click.argument("folder", type=FOLDER)
@click.pass_obj
def init_ca(given: Given, folder: Path) -> None:
    """Make the CA in FOLDER/ca, unless it is there. Its key is for this command alone: give it to no service."""
    made = authority.make_ca(folder, now())
    where = folder / authority.CA_FOLDER
    tell({"ca": str(where), "made": made}, f"{where}: {'made' if made else 'there already'}", as_json=given[1])


@certs.command()
@click.argument("folder", type=FOLDER)
@click.argument("service", type=SERVICE)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=authority.SERVICE_DAYS, show_default=True)
@click.pass_obj
def issue(given: Given, folder: Path, service: str, days: float) -> None:
    """Issue a certificate to SERVICE, in FOLDER/SERVICE."""
    try:
        ends = authority.issue(folder, service, now(), days)
    except CertificateUnreadable as exc:
        fail(exc)
    said = f"{service}: good until {ends:%Y-%m-%d %H:%M} UTC"
    tell({"service": service, "not_after": ends.isoformat()}, said, as_json=given[1])


@certs.command()
@click.argument("folder", type=FOLDER)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=authority.SERVICE_DAYS, show_default=True)
@click.pass_obj
def renew(given: Given, folder: Path, days: float) -> None:
    """Issue what is missing, damaged or in the last third of its life; processes take it by themselves within 30 s."""
    try:
        for service in renewed(folder, days):
            tell({"service": service, "renewed": True}, f"{service}: renewed", as_json=given[1])
    except CertificateUnreadable as exc:
        fail(exc)


def renewed(folder: Path, days: float = authority.SERVICE_DAYS) -> list[str]:
    """Renew what is due; return whose. CertificateUnreadable."""
    authority.read_ca(folder)
    due = [service for service in SERVICES.values() if authority.is_due(folder, service, now())]
    for service in due:
        authority.issue(folder, service, now(), days)
    return due


@click.group()
def secrets() -> None:
    """Secrets of a deployment: a folder for each service, with what that one needs and no more."""


@secrets.command()
@click.argument("folder", type=FOLDER)
@click.pass_obj
def init(given: Given, folder: Path) -> None:
    """Make what is missing in FOLDER: CA, certificates, keys; nothing that is there is touched."""
    authority.make_ca(folder, now())
    made = secrecy.init(folder, given[0].federation_domain, now())
    issued = renewed(folder)
    tell(
        {"folder": str(folder), "made": len(made), "issued": issued},
        f"{folder}: {len(made)} secrets made, {len(issued)} certificates issued",
        as_json=given[1],
    )
