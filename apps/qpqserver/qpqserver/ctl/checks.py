"""`qpqctl check`, `status` and `test`: is all in order, does the server answer, does it do its work."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpqcore.config.settings import database_url_of
from qpqcore.net.certificates import CertificateUnreadable
from qpqcore.store.errors import DatabaseError, DatabaseUnreadable
from qpqserver.reloading import EdgeCertificate
from qpqserver.secrecy import edge_files
from qpqserver.stores import SERVICES, beside, database_path

if TYPE_CHECKING:
    from qpqcore.config.settings import Settings
    from qpqserver.ctl.given import Given
    from trio_quic import EngineName

LOOK_SECONDS = 0.5
"""Between two looks at a database that is not ready."""


@click.command()
@click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True, help="Its database alone; again for more."
)
@click.option(
    "--wait", "wait_seconds", type=click.FloatRange(min=0), default=0.0, help="Look again for so many seconds."
)
@click.pass_obj
def check(given: Given, services: tuple[str, ...], wait_seconds: float) -> None:
    """Check the configuration, the certificate and each database."""
    settings = given.settings
    failed = False
    until = time.monotonic() + wait_seconds
    for name in services or SERVICES:
        try:
            version = schema_awaited(settings, name, until)
        except DatabaseError as exc:
            failed = True
            given.tell({"part": name, "ok": False, "detail": str(exc)}, f"{name}: {exc}")
        else:
            given.tell({"part": name, "ok": True, "schema": version}, f"{name}: ok, schema {version}")
    cert, key = edge_files(settings)
    if cert.exists() or settings.tls_cert:
        try:
            pin = EdgeCertificate(cert, key).pin.hex()
        except CertificateUnreadable as exc:
            failed = True
            given.tell({"part": "certificate", "ok": False, "detail": str(exc)}, f"certificate: {exc}")
        else:
            given.tell({"part": "certificate", "ok": True, "spki_sha256": pin}, f"certificate: {pin}")
    sys.exit(1 if failed else 0)


def schema_awaited(settings: Settings, service: str, until: float) -> int:
    """Return a database's schema number, looking again until a moment of the monotonic clock. DatabaseError."""
    while True:
        try:
            return schema_number(settings, service)
        except DatabaseError:
            if time.monotonic() >= until:
                raise
            time.sleep(LOOK_SECONDS)


def schema_number(settings: Settings, service: str) -> int:
    """Return a database's schema number. DatabaseError, also for one that this program cannot use, or that is not there."""
    if settings.store_backend == "postgres":
        from qpqcore.store.postgres.migrate import look
        from qpqcore.store.postgres.schemas import schema_of

        return look(database_url_of(settings), schema_of(service))
    if not database_path(settings, service).exists():
        raise DatabaseUnreadable(f"{database_path(settings, service)}: no server has been here yet")
    with beside(settings, service) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@click.command()
@click.option("--server", default="127.0.0.1:7000", show_default=True)
@click.pass_obj
def status(given: Given, server: str) -> None:
    """Ask a running server, over QUIC, how it is."""
    import trio

    from qpqclient import QpqError, ping

    async def ask() -> int:
        try:
            answer = await ping(server)
        except QpqError as exc:
            named = server in str(exc)  # what does not answer is named by the sentence
            given.tell({"ok": False, "detail": str(exc)}, str(exc) if named else f"{server}: {exc}")
            return 1
        good = answer.status == "ok"
        given.tell(
            {"ok": good, "status": answer.status, "version": answer.server_version},
            f"{server}: {answer.status}",
        )
        return 0 if good else 1

    sys.exit(trio.run(ask))


@click.command()
@click.option("--server", default="127.0.0.1:7000", show_default=True)
@click.option("--ca-cert", type=click.Path(path_type=Path, exists=True), help="Certificate to trust; else first use.")
@click.option("--engine", type=click.Choice(["native", "aioquic"]), default="native", show_default=True)
@click.pass_obj
def test(given: Given, server: str, ca_cert: Path | None, engine: EngineName) -> None:
    """Probe a running server: two new accounts, a message from one to the other, both deleted."""
    import trio

    from qpqclient import QpqError
    from qpqserver.probe import probe

    try:
        result = trio.run(probe, server, given.settings.auth_token, ca_cert, engine)
    except QpqError as exc:
        given.tell({"ok": False, "error": exc.name, "detail": str(exc)}, f"{server}: {exc}")
        sys.exit(exc.exit_code)
    given.tell(
        {"ok": True, **{name: round(seconds, 4) for name, seconds in result.items()}},
        f"{server}: ok; " + ", ".join(f"{n.removesuffix('_s')} {s:.3f} s" for n, s in result.items()),
    )
