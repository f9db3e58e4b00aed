"""Writes docs/operate/qpqctl.md from the commands themselves: `python -m qpqserver.ctl.manual`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qpqserver.ctl.root import main

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# qpqctl: all commands

Written by `python -m qpqserver.ctl.manual` out of the program; a test compares. What belongs together stands in
[backups](backup.md), [secrets](secrets.md), [upgrading](upgrade.md), [running a server](running.md).

Exit codes: 0 done; 1 it could not be done, and one sentence on standard error says why; 2 the command or the configuration cannot be. With `--json` standard output has one JSON value a
line, `{"ok": false, "error": ..., "detail": ...}` for what could not be done.

| what it works on | how | the server |
|---|---|---|
| SQLCipher files (`--data-dir`, as the server's user or root) | looks: reads beside the server. Acts: asks the running server over `data_dir/control.sock`; where none runs, does it itself, with the files locked, so that none can start meanwhile | running or not |
| PostgreSQL (`QPQ_STORE_BACKEND=postgres`, `QPQ_DATABASE_URL` of the schemas' owner) | in the database; with `QPQ_REDIS_URL` and `QPQ_SECRETS_DIR` (for `redis-seal`) all gateways are told and cut off within a second, without them within 5 minutes | running or not |
| `restore` | locks the files, or looks whether services are connected | stopped |
| `status`, `test`, `bench` | over QUIC, from anywhere | running |

Who acts is written down ([the audit log](#qpqctl-audit)): `--operator`, `QPQ_OPERATOR`, else the machine's user (behind sudo, who called it). An act is `begun` before and `done` or `failed` after; one without an end was cut off and may have been done.
Each entry has the hash of the one before. `qpqctl audit head`, noted elsewhere from time to time, and `audit verify --expect` show also a log that was cut off or written anew; a backup's manifest has the head of its moment. It stands in `data_dir/audit.log`, or in the table `qpqctl.audit`,
which services' roles cannot see. Of users it has what the operator typed, and no token.

A password can be set by nobody but its owner: what it protects is sealed on their devices (docs/spec/recovery.md). Who has forgotten it and has a device left changes it there; else the account is lost, and its name can be had again 90 days after `user delete`.
"""


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its path, groups before what is in them."""
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}")


def options_of(command: click.Command) -> Iterator[str]:
    """Yield a line for each option."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            names, means = parameter.get_help_record(click.Context(command)) or ("", "")
            yield f"* `{names}`" + (f": {means}" if means else "")


def page() -> str:
    """Return the page."""
    out = [HEAD, "## qpqctl", "", *options_of(main)]
    for path, command in list(commands(main, "qpqctl"))[1:]:
        depth = "##" if len(path.split()) == len(("qpqctl", "command")) else "###"
        arguments = " ".join(
            p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)
        )
        out += ["", f"{depth} {path}", ""]
        if not isinstance(command, click.Group):
            out += [f"    {path} {arguments}".rstrip(), ""]
        paragraphs = (command.help or "").split("\n\n")
        out += ["\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)]
        found = list(options_of(command))
        out += ["", *found] if found else []
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    click.echo(page(), nl=False)
