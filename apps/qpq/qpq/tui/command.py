"""`qpq tui`: the subcommand."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from qpq.repl.themes import THEME_DEFAULT, THEMES
from qpq.running import first, settle
from qpq.table.model import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpq.profile import Profile
    from qpq.tui.app import ChatApp

MISSING = "The full-screen view needs Textual: install `qpq[tui]`, or use `qpq repl`."
NO_TERMINAL = "The full-screen view needs a terminal: `qpq repl` does without."


@click.command()
@click.option("--username", "-u", envvar="QPQ_USERNAME", help="Who you are; made on the server if the name is new.")
@click.option("--password", "-p", envvar="QPQ_PASSWORD", help="Better asked for, or QPQ_PASSWORD, or the keyring.")
@click.option("--server", "-s", envvar="QPQ_SERVER", help="Instead of the one before the subcommand.")
@click.option(
    "--theme", type=click.Choice(sorted(THEMES)), default=THEME_DEFAULT, envvar="QPQ_THEME", show_default=True
)
@click.pass_obj
def tui(profile: Profile, /, username: str | None, password: str | None, server: str | None, theme: str) -> None:
    """Chat on the full screen: conversations, timeline, composer, members."""
    profile.username = username or profile.username
    profile.password = password if password is not None else profile.password
    profile.server = server or profile.server
    raise SystemExit(run(profile, theme))


def run(profile: Profile, theme: str) -> int:
    """Run until the person ends it; return the exit code of the error table."""
    try:
        _check()
        profile.entrance()  # asked for here, while the terminal is still a plain one
        run_screen(profile, theme, lambda app: app.run())
    except BaseException as exc:  # noqa: BLE001 - the edge speaks to the user; see `settle`
        return settle(profile, first(exc))
    return 0


def _check() -> None:
    from importlib.util import find_spec

    streams = (sys.stdin, sys.stdout, sys.stderr)  # Textual draws on the last
    if not all(stream.isatty() for stream in streams) or os.environ.get("TERM") == "dumb":
        raise Mistake(NO_TERMINAL)
    if find_spec("textual") is None:
        raise Mistake(MISSING)


def run_screen(profile: Profile, theme: str, show: Callable[[ChatApp], object]) -> None:
    """Open the profile on a thread of its own and have `show` run the screen here. QpqError."""
    if theme == "plain":
        os.environ["NO_COLOR"] = "1"  # Textual reads it there, and leaves bold and reverse
    elif os.environ.get("NO_COLOR"):
        theme = "plain"
    else:
        os.environ.pop("NO_COLOR", None)  # empty is not set, says the convention; Textual takes it for set

    from qpq.tui.app import ChatApp
    from qpq.tui.bridge import Bridge
    from qpq.tui.session import serve

    bridge = Bridge()

    async def client() -> None:
        await serve(profile, bridge)

    bridge.run(client, lambda: show(ChatApp(bridge, theme=theme, coloured=theme != "plain")))
