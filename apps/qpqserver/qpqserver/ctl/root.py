"""The command `qpqctl` itself: options that all commands share, and the groups of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from qpqcore.config.settings import ConfigError, load
from qpqserver.composition import VERSION
from qpqserver.ctl import (
    accounts,
    auditing,
    backups,
    bench,
    certs,
    checks,
    federation,
    invites,
    migrating,
    queues,
    secrets,
)
from qpqserver.ctl.given import EXIT_CONFIGURATION, Given, operator_name

COMMANDS = (
    checks.check, checks.status, checks.test, bench.bench, migrating.migrate, accounts.user, accounts.session,
    queues.queue, invites.invite, invites.registration, certs.certs, federation.federation, secrets.secrets, backups.backup, backups.verify, backups.restore, auditing.audit,
)  # fmt: skip


@click.group()
@click.version_option(VERSION, prog_name="qpqctl")
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file of the server.")
@click.option("--data-dir", help="Folder of the server's data.")
@click.option("--json", "as_json", is_flag=True, help="One JSON value a line.")
@click.option("--operator", envvar="QPQ_OPERATOR", help="Who acts, for the audit log; else this machine's user.")
@click.pass_context
def main(
    context: click.Context, config: Path | None, data_dir: str | None, as_json: bool, operator: str | None
) -> None:
    """Look after a QPQ server."""
    try:
        settings = load(config, os.environ, {"data_dir": data_dir})
    except ConfigError as exc:
        click.echo(f"qpqctl: {exc}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    context.obj = Given(settings, as_json, operator_name(operator))


for _command in COMMANDS:
    main.add_command(_command)
