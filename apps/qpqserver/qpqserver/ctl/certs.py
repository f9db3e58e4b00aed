"""`qpqctl certs`: the bus's CA and certificates, and when every certificate ends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpqcore.api.methods import SERVICES
from qpqcore.net import authority
from qpqcore.net.certificates import CertificateUnreadable, chain_pem, ends_s, spki_sha256
from qpqcore.runtime import clock
from qpqserver.secrecy import EDGE_CERT, edge_files

if TYPE_CHECKING:
    from qpqserver.ctl.given import Given

FOLDER = click.Path(path_type=Path, file_okay=False)
SERVICE = click.Choice(sorted(SERVICES.values()))


def now() -> datetime:
    """Return the time."""
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


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
    given.tell({"ca": str(where), "made": made}, f"{where}: {'made' if made else 'there already'}")


@certs.command()
@click.argument("folder", type=FOLDER)
@click.argument("service", type=SERVICE)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=authority.SERVICE_DAYS, show_default=True)
@click.pass_obj
def issue(given: Given, folder: Path, service: str, days: float) -> None:
    """Issue a certificate to SERVICE, in FOLDER/SERVICE."""
    with given.looking():
        ends = authority.issue(folder, service, now(), days)
    said = f"{service}: good until {ends:%Y-%m-%d %H:%M} UTC"
    given.tell({"service": service, "not_after": ends.isoformat()}, said)


@certs.command()
@click.argument("folder", type=FOLDER)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=authority.SERVICE_DAYS, show_default=True)
@click.pass_obj
def renew(given: Given, folder: Path, days: float) -> None:
    """Issue what is missing, damaged or in the last third of its life; processes take it by themselves within 30 s."""
    with given.looking():
        for service in renewed(folder, days):
            given.tell({"service": service, "renewed": True}, f"{service}: renewed")


def renewed(folder: Path, days: float = authority.SERVICE_DAYS) -> list[str]:
    """Renew what is due; return whose. CertificateUnreadable."""
    authority.read_ca(folder)
    due = [service for service in SERVICES.values() if authority.is_due(folder, service, now())]
    for service in due:
        authority.issue(folder, service, now(), days)
    return due


@certs.command("show")
@click.argument("folder", type=FOLDER, required=False)
@click.pass_obj
def show_certs(given: Given, folder: Path | None) -> None:
    """Show when each certificate ends: the edge's with its pin, and those of the bus in FOLDER."""
    edge, _ = edge_files(given.settings)
    found = [("edge", edge)] if edge.exists() else []
    if folder is not None:
        found += [(path.parent.name, path) for path in sorted(folder.glob(f"*/{authority.BUS_CERT}"))]
        found += [("ca", folder / authority.CA_FOLDER / "ca.pem"), ("edge of gateways", folder / "gateway" / EDGE_CERT)]
    with given.looking():
        for of, path in found:
            if not path.exists():
                continue
            try:
                chain = chain_pem(path)
                ends = datetime.fromtimestamp(ends_s(chain), UTC)
            except ValueError as exc:
                raise CertificateUnreadable(f"{path}: not a certificate") from exc
            pin = spki_sha256(chain).hex()
            days = (ends - now()).days
            given.tell(
                {"of": of, "path": str(path), "not_after": ends.isoformat(), "days_left": days, "spki_sha256": pin},
                f"{of}: good until {ends:%Y-%m-%d %H:%M} UTC, {days} days; pin {pin}",
            )
