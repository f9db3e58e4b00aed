"""`qpq`: global options, and the commands of the table."""

from __future__ import annotations

from pathlib import Path

import click

from qpq.daemon.command import daemon
from qpq.profile import Profile, default_home
from qpq.repl.command import repl
from qpq.table.commands import TABLE
from qpq.table.extras import completion, man
from qpq.table.shell import add_commands
from qpq.tui.command import tui

VERSION = "0.1.0"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="qpq")
@click.option("--server", "-s", envvar="QPQ_SERVER", default="127.0.0.1:7000", show_default=True)
@click.option("--username", "-u", envvar="QPQ_USERNAME", help="Who you are here; needed when several profiles exist.")
@click.option("--password", "-p", envvar="QPQ_PASSWORD", help="Better asked for, or QPQ_PASSWORD.")
@click.option("--home", type=click.Path(path_type=Path), help="Folder of the profiles (QPQ_HOME).")
@click.option("--ca-cert", type=click.Path(path_type=Path, exists=True), help="Trust only this CA (PEM or DER).")
@click.option("--quic-engine", type=click.Choice(["native", "aioquic"]), default="native", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON value a line on stdout, errors on stderr.")
@click.pass_context
def main(
    context: click.Context,
    server: str,
    username: str | None,
    password: str | None,
    home: Path | None,
    ca_cert: Path | None,
    quic_engine: str,
    as_json: bool,
) -> None:
    """End-to-end encrypted messages from the command line.

    A conversation is named @person or #group. Exit codes are those of the error table
    (docs/spec/wire.md); errors are one sentence on stderr.
    """
    context.obj = Profile(
        server=server, home=home or default_home(), username=username, password=password,
        ca_cert=ca_cert, engine=quic_engine, json=as_json,  # type: ignore[arg-type]  # click's Choice has checked it
    )  # fmt: skip


add_commands(main, TABLE)
for entry in (repl, tui, daemon, completion, man):
    main.add_command(entry)
