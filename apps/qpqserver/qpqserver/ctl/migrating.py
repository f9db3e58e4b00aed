"""`qpqctl migrate`: the schemas in PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpqcore.config.settings import ConfigError, database_url_of
from qpqserver.stores import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqserver.ctl.given import Given


@click.command()
@click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True, help="Only this one; again for more."
)
@click.option("--no-roles", is_flag=True, help="Neither make the services' roles nor give them their rights.")
@click.option(
    "--passwords", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with a file for each service that has its role's password.",
)  # fmt: skip
@click.option(
    "--distribute", is_flag=True,
    help="Spread the tables over the nodes of Citus, while services run; where they are already new ones are in any case.",
)  # fmt: skip
@click.pass_obj
def migrate(given: Given, services: tuple[str, ...], no_roles: bool, passwords: Path | None, distribute: bool) -> None:
    """Bring the schemas in PostgreSQL to what this program needs, as the user of database_url.

    Each service has a schema and a role: qpq_auth, qpq_keystore, qpq_delivery, qpq_blob. May be run as often as one
    likes, by several at once, and while services run. SQLCipher files are brought along by the server, at its start.
    """
    from qpqcore.store.postgres.migrate import migrate as bring
    from qpqcore.store.postgres.schemas import schema_of

    chosen = services or SERVICES
    with given.looking():
        if not database_url_of(given.settings):
            raise ConfigError("there is no database_url: SQLCipher files are migrated by the server, at its start")
        schemas = [schema_of(name) for name in chosen]
        given_passwords = _passwords(passwords, chosen)
        done = bring(
            database_url_of(given.settings),
            schemas,
            roles=not no_roles,
            passwords=given_passwords,
            distribute=distribute,
        )
    for outcome in done:
        step = (
            f"step {outcome.after}" if outcome.before == outcome.after else f"step {outcome.before} to {outcome.after}"
        )
        spread = "" if outcome.distributed is None else f", {outcome.distributed} tables distributed"
        told = {"ok": True, "schema": outcome.schema, "before": outcome.before, "after": outcome.after}
        if outcome.distributed is not None:
            told["distributed"] = outcome.distributed
        given.tell(told, f"{outcome.schema}: {step}{spread}")


def _passwords(folder: Path | None, services: Sequence[str]) -> dict[str, str]:
    if folder is None:
        return {}
    return {name: (folder / name).read_text(encoding="utf-8").strip() for name in services}
