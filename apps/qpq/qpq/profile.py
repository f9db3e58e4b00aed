"""Where a person's data lies and how it is unlocked: the global options of every command."""

from __future__ import annotations

import os
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qpqclient import Client

NAME_CHARS_MAX = 64
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


@dataclass(slots=True)
class Profile:
    """The global options; one folder holds one device of one account."""

    server: str
    home: Path
    username: str | None
    password: str | None
    ca_cert: Path | None
    engine: str
    json: bool

    def folder(self) -> Path:
        """Return the folder of the named profile, or of the only one there is."""
        return self.home / folder_name(self.name())

    def name(self) -> str:
        """Return the user name asked for, or the only profile's."""
        if self.username:
            return self.username
        known = sorted(p.name for p in self.home.glob("*") if p.is_dir()) if self.home.exists() else []
        if len(known) == 1:
            return known[0]
        if known:
            raise click.UsageError(f"several profiles here ({', '.join(known)}): say --username")
        raise click.UsageError("no profile yet: say --username NAME, and `qpq register` or `qpq login`")

    def secret(self, *, confirm: bool = False) -> str:
        """Return the password: from the option, QPQ_PASSWORD, or asked for at the terminal."""
        if self.password is None:
            self.password = click.prompt(
                f"Password of {self.name()}", hide_input=True, confirmation_prompt=confirm, err=True
            )
        return self.password

    @asynccontextmanager
    async def open(self, *, confirm: bool = False) -> AsyncIterator[Client]:
        """Open the profile's client; a session that is stored there is resumed."""
        import qpqclient

        password = self.secret(confirm=confirm)
        folder = self.folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with qpqclient.open_client(
            folder,
            server=self.server,
            password=password,
            ca_cert=self.ca_cert,
            engine=self.engine,  # type: ignore[arg-type]  # click's Choice has checked it
        ) as client:
            yield client


def folder_name(username: str) -> str:
    """Return a folder name for a user name: itself when plain, else its bytes in hex."""
    if _PLAIN.match(username) and username not in {".", ".."}:
        return username
    return "x" + username.encode().hex()[: NAME_CHARS_MAX * 2]


def default_home() -> Path:
    """Return QPQ_HOME, or the platform's folder for user data."""
    from platformdirs import user_data_path

    home = os.environ.get("QPQ_HOME")
    return Path(home) if home else user_data_path("qpq", appauthor=False)
