"""`qpqctl secrets`: what the processes of a deployment have to hold, a folder for each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from qpqcore.net import authority
from qpqcore.net.certificates import CertificateUnreadable
from qpqserver import cluster, outside, secrecy
from qpqserver.ctl.certs import FOLDER, now, renewed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qpqserver.ctl.given import Given


@click.group()
def secrets() -> None:
    """Secrets of a deployment: a folder for each service, with what that one needs and no more."""


def outer(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for what is no service."""
    for option in (
        click.option("--database", metavar="HOST:PORT/NAME", help="PostgreSQL's passwords and addresses, too."),
        click.option("--redis", metavar="HOST:PORT", help="Redis's, too; rediss://HOST:PORT with TLS."),
        click.option("--grafana", is_flag=True, help="A password for Grafana's admin, too."),
    ):
        command = option(command)
    return command


def complete(
    folder: Path, domain: str, *, database: str | None = None, redis: str | None = None, grafana: bool = False
) -> tuple[int, list[str]]:
    """Make what is missing in a folder; return how much, and to whom certificates were issued. CertificateUnreadable."""
    authority.make_ca(folder, now())
    made = len(secrecy.init(folder, domain, now()))
    if database:
        made += outside.database(folder, database)
    if redis:
        made += outside.redis(folder, redis)
    if grafana:
        outside.password(folder / "grafana" / "password")
    return made, renewed(folder)


@secrets.command()
@click.argument("folder", type=FOLDER)
@outer
@click.pass_obj
def init(given: Given, /, folder: Path, **outer: Any) -> None:
    """Make what is missing in FOLDER: CA, certificates, keys; nothing that is there is touched."""
    with given.looking():
        made, issued = complete(folder, given.settings.federation_domain, **outer)
    given.tell(
        {"folder": str(folder), "made": made, "issued": issued},
        f"{folder}: {made} secrets made, {len(issued)} certificates issued",
    )


@secrets.command("cluster")
@click.argument("folder", type=FOLDER)
@outer
@click.pass_obj
def in_cluster(given: Given, /, folder: Path, **outer: Any) -> None:
    """Do the same with the Secrets of the Kubernetes namespace that this runs in; FOLDER: empty, in memory."""
    try:
        written = cluster.complete(
            cluster.of_this_pod(dict(os.environ)), folder,
            lambda made: complete(made, given.settings.federation_domain, **outer),
        )  # fmt: skip
    except (cluster.ClusterError, CertificateUnreadable) as exc:
        given.fail(exc)
    given.tell({"written": written}, f"written: {', '.join(written) or 'nothing'}")
