"""`qpq repl`: the subcommand."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from qpq.repl.themes import THEME_DEFAULT, THEMES
from qpq.running import run

if TYPE_CHECKING:
    from qpq.profile import Profile
    from qpq.repl.view import View


@click.command()
@click.option("--username", "-u", envvar="QPQ_USERNAME", help="Who you are; made on the server if the name is new.")
@click.option("--password", "-p", envvar="QPQ_PASSWORD", help="Better asked for, or QPQ_PASSWORD, or the keyring.")
@click.option("--server", "-s", envvar="QPQ_SERVER", help="Instead of the one before the subcommand.")
@click.option(
    "--theme", type=click.Choice(sorted(THEMES)), default=THEME_DEFAULT, envvar="QPQ_THEME", show_default=True
)
@click.option("--plain", is_flag=True, help="Plain lines, as where standard input or output is no terminal.")
@click.pass_obj
def repl(
    profile: Profile, /, username: str | None, password: str | None, server: str | None, theme: str, plain: bool
) -> None:
    """Chat: registers or logs in by itself, receives while you type."""
    profile.username = username or profile.username
    profile.password = password if password is not None else profile.password
    profile.server = server or profile.server
    plain = plain or not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb"

    async def main() -> None:
        from qpq.repl.session import chat

        profile.entrance()  # asked for here, while the terminal takes a line as usual, with its backspace
        view = open_view(theme, plain=plain)
        try:
            await chat(profile, view, plain=plain)
        finally:
            view.close()

    raise SystemExit(run(profile, main))


def open_view(theme: str, *, plain: bool) -> View:
    """Return where the chat is shown."""
    if plain:
        from qpq.repl.plain import PlainView

        return PlainView()
    from qpq.repl.screen import Screen

    return Screen(theme)
