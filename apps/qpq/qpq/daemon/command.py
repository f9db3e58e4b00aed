"""`qpq daemon`: the subcommand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qpq.output import emit
from qpq.running import run

if TYPE_CHECKING:
    from qpq.profile import Profile


@click.command()
@click.option(
    "--socket", "path", type=click.Path(path_type=Path), help="Instead of daemon.sock in the profile's folder."
)
@click.option("--stdio", is_flag=True, help="One program, at standard input and output.")
@click.pass_obj
def daemon(profile: Profile, /, path: Path | None, stdio: bool) -> None:
    """Serve programs: JSON-RPC 2.0 over a Unix socket, events as notifications."""

    def ready(at: Path, what: str) -> None:
        emit({"socket": str(at), "account": what}, f"{what}; listening on {at}", as_json=profile.json)

    async def main() -> None:
        from qpq.daemon.server import daemon as serve

        await serve(profile, path, stdio=stdio, ready=ready)

    raise SystemExit(run(profile, main))
