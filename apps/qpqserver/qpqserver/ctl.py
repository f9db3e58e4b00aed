"""`qpqctl`: the operator's tool: check, migrate, status, test, user list, certs, secrets."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpqcore.config.settings import ConfigError, Settings, database_url_of, load
from qpqcore.store.errors import DatabaseError
from qpqserver.ctl_federation import federation
from qpqserver.ctl_secrets import certs, secrets
from qpqserver.embedded import VERSION, certificate
from qpqserver.output import tell
from qpqserver.stores import SERVICES, beside, database_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio_quic import EngineName

LIST_MAX = 100_000
LOOK_SECONDS = 0.5
"""Between two looks at a database that is not ready."""
LIST_SQLITE = (
    "SELECT a.name, hex(a.account), a.state, (SELECT count(*) FROM devices d WHERE d.account = a.account) "
    "FROM accounts a ORDER BY a.name LIMIT ?"
)
LIST_POSTGRES = (
    "SELECT a.name, encode(a.account, 'hex'), a.state, (SELECT count(*) FROM devices d WHERE d.account = a.account) "
    "FROM accounts a ORDER BY a.name LIMIT $1"
)


@click.group()
@click.version_option(VERSION, prog_name="qpqctl")
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file of the server.")
@click.option("--data-dir", help="Folder of the server's data.")
@click.option("--json", "as_json", is_flag=True, help="One JSON value a line.")
@click.pass_context
def main(context: click.Context, config: Path | None, data_dir: str | None, as_json: bool) -> None:
    """Look after a QPQ server."""
    try:
        settings = load(config, os.environ, {"data_dir": data_dir})
    except ConfigError as exc:
        click.echo(f"qpqctl: {exc}", err=True)
        sys.exit(2)
    context.obj = (settings, as_json)


@main.command()
@click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True, help="Its database alone; again for more."
)
@click.option(
    "--wait", "wait_seconds", type=click.FloatRange(min=0), default=0.0, help="Look again for so many seconds."
)
@click.pass_obj
def check(given: tuple[Settings, bool], services: tuple[str, ...], wait_seconds: float) -> None:
    """Check the configuration, the certificate and each database."""
    settings, as_json = given
    failed = False
    data = Path(settings.data_dir)
    until = time.monotonic() + wait_seconds
    for name in services or SERVICES:
        try:
            version = schema_awaited(settings, name, until)
        except DatabaseError as exc:
            failed = True
            tell({"part": name, "ok": False, "detail": str(exc)}, f"{name}: {exc}", as_json=as_json)
        else:
            tell({"part": name, "ok": True, "schema": version}, f"{name}: ok, schema {version}", as_json=as_json)
    if (data / "server-cert.der").exists() or settings.tls_cert:
        _, pin, _ = certificate(settings, data)
        tell(
            {"part": "certificate", "ok": True, "spki_sha256": pin.hex()}, f"certificate: {pin.hex()}", as_json=as_json
        )
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
    """Return a database's schema number; 0: there is none yet. DatabaseError, also for one that this program cannot use."""
    if settings.store_backend == "postgres":
        from qpqcore.store.postgres.migrate import look
        from qpqcore.store.postgres.schemas import schema_of

        return look(database_url_of(settings), schema_of(service))
    if not database_path(settings, service).exists():
        return 0
    with beside(settings, service) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@main.command()
@click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True, help="Only this one; again for more."
)
@click.option("--no-roles", is_flag=True, help="Neither make the services' roles nor give them their rights.")
@click.option(
    "--passwords", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with a file for each service that has its role's password.",
)  # fmt: skip
@click.pass_obj
def migrate(given: tuple[Settings, bool], services: tuple[str, ...], no_roles: bool, passwords: Path | None) -> None:
    """Bring the schemas in PostgreSQL to what this program needs, as the user of database_url.

    Each service has a schema and a role: qpq_auth, qpq_keystore, qpq_delivery, qpq_blob. May be run as often as one
    likes, by several at once, and while services run.
    """
    from qpqcore.store.postgres.migrate import migrate as bring
    from qpqcore.store.postgres.schemas import schema_of

    settings, as_json = given
    chosen = services or SERVICES
    try:
        given_passwords = _passwords(passwords, chosen)
        schemas = [schema_of(name) for name in chosen]
        done = bring(database_url_of(settings), schemas, roles=not no_roles, passwords=given_passwords)
    except (DatabaseError, ConfigError, OSError) as exc:
        tell({"ok": False, "detail": str(exc)}, f"qpqctl: {exc}", as_json=as_json)
        sys.exit(1)
    for outcome in done:
        step = (
            f"step {outcome.after}" if outcome.before == outcome.after else f"step {outcome.before} to {outcome.after}"
        )
        tell(
            {"ok": True, "schema": outcome.schema, "before": outcome.before, "after": outcome.after},
            f"{outcome.schema}: {step}",
            as_json=as_json,
        )


def _passwords(folder: Path | None, services: Sequence[str]) -> dict[str, str]:
    if folder is None:
        return {}
    return {name: (folder / name).read_text(encoding="utf-8").strip() for name in services}


@main.command()
@click.option("--server", default="127.0.0.1:7000", show_default=True)
@click.pass_obj
def status(given: tuple[Settings, bool], server: str) -> None:
    """Ask a running server, over QUIC, how it is."""
    import trio

    from qpqclient import QpqError, ping

    async def ask() -> int:
        try:
            answer = await ping(server)
        except QpqError as exc:
            tell({"ok": False, "detail": str(exc)}, f"{server}: {exc}", as_json=given[1])
            return 1
        good = answer.status == "ok"
        tell(
            {"ok": good, "status": answer.status, "version": answer.server_version},
            f"{server}: {answer.status}",
            as_json=given[1],
        )
        return 0 if good else 1

    sys.exit(trio.run(ask))


@main.command()
@click.option("--server", default="127.0.0.1:7000", show_default=True)
@click.option("--ca-cert", type=click.Path(path_type=Path, exists=True), help="Certificate to trust; else first use.")
@click.option("--engine", type=click.Choice(["native", "aioquic"]), default="native", show_default=True)
@click.pass_obj
def test(given: tuple[Settings, bool], server: str, ca_cert: Path | None, engine: EngineName) -> None:
    """Probe a running server: two new accounts, a message from one to the other, both deleted."""
    import trio

    from qpqclient import QpqError
    from qpqserver.probe import probe

    settings, as_json = given
    try:
        result = trio.run(probe, server, settings.auth_token, ca_cert, engine)
    except QpqError as exc:
        tell({"ok": False, "error": exc.name, "detail": str(exc)}, f"{server}: {exc}", as_json=as_json)
        sys.exit(exc.exit_code)
    tell(
        {"ok": True, **{name: round(seconds, 4) for name, seconds in result.items()}},
        f"{server}: ok; " + ", ".join(f"{n.removesuffix('_s')} {s:.3f} s" for n, s in result.items()),
        as_json=as_json,
    )


@main.group()
def user() -> None:
    """Accounts."""


@user.command("list")
@click.pass_obj
def list_(given: tuple[Settings, bool]) -> None:
    """List the accounts, with their devices; the server may be running."""
    settings, as_json = given
    try:
        rows = accounts(settings)
    except (DatabaseError, ConfigError) as exc:
        click.echo(f"qpqctl: {exc}", err=True)
        sys.exit(1)
    states = ("active", "suspended", "deleting")
    for name, account, state, devices in rows:
        tell(
            {"name": name, "account": account.lower(), "state": states[state], "devices": devices},
            f"{name}  {states[state]}  {devices} devices",
            as_json=as_json,
        )


def accounts(settings: Settings) -> list[tuple[str, str, int, int]]:
    """Return name, id in hexadecimal, state and number of devices of every account. DatabaseError."""
    if settings.store_backend == "postgres":
        from qpqcore.store.postgres.migrate import ask
        from qpqcore.store.postgres.schemas import schema_of

        return [tuple(row) for row in ask(database_url_of(settings), schema_of("auth"), LIST_POSTGRES, LIST_MAX)]
    with beside(settings, "auth") as connection:
        return connection.execute(LIST_SQLITE, (LIST_MAX,)).fetchall()  # type: ignore[no-any-return]  # rows of the driver


main.add_command(certs)
main.add_command(federation)
main.add_command(secrets)


if __name__ == "__main__":
    main()
