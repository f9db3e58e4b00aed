"""Where a person's data lies and how it is unlocked: the global options of every command."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from qpq.table.model import Mistake

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
    engine: Literal["native", "aioquic"]
    json: bool
    _contact: str = field(default="", init=False)
    """What is to be said of the server's key once it is kept."""

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

    def entrance(self) -> str:
        """Return the password of who may be new here: typed at a terminal, it is typed twice, for it may make an account."""
        if self.folder().exists() or not is_typed():
            return self.secret()
        return self.secret(
            confirm=True,
            why=f"no profile of {self.name()} here: a name that is new on {self.server} is registered with this password",
        )

    def secret(self, *, confirm: bool = False, why: str = "") -> str:
        """Return the password: from the option, QPQ_PASSWORD, the keyring, or asked for at the terminal.

        `confirm`: asked for twice; `why`: said before, where it is asked for.
        """
        if self.password is None:
            self.password = from_keyring(self.name())
        if self.password is None:
            if why:
                click.echo(why, err=True)
            self.password = asked(f"Password of {self.name()}", confirm=confirm)
        return self.password

    @asynccontextmanager
    async def open(self, *, confirm: bool = False) -> AsyncIterator[Client]:
        """Open the profile's client; a session that is stored there is resumed. OtherAccount.

        A folder that was made for this, and has no account at the end (the password was wrong, say), is taken away
        again: it would open with that password only.
        """
        import qpqclient
        from qpq.errors import OtherAccount

        password = self.secret(confirm=confirm)
        folder = self.folder()
        fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = False
        try:
            async with qpqclient.open_client(
                folder,
                server=self.server,
                password=password,
                ca_cert=self.ca_cert,
                engine=self.engine,
                trust=self._first_use,
            ) as client:
                known = client.known
                if known and self.username and plain(client.name) != plain(self.username):
                    raise OtherAccount(
                        f"the folder {folder} holds the account of {client.name}, not of {self.username}: "
                        f"say --username {client.name}, or another --home"
                    )
                try:
                    yield client
                finally:
                    known = client.known
        finally:
            if known:
                self.kept()
            elif fresh:
                import shutil

                shutil.rmtree(folder, ignore_errors=True)

    def _first_use(self, spki_sha256: bytes) -> bool:
        """Take a key at first use; it is kept, and any other refused, where an account comes of it: see `kept`."""
        digits = spki_sha256.hex()
        shown = " ".join(digits[i : i + 8] for i in range(0, len(digits), 8))
        self._contact = (
            f"first contact with {self.server}: its key (SHA-256 {shown}) is kept, any other will be refused"
        )
        return True

    def kept(self) -> None:
        """Say whose key was taken, where one was: the folder has an account now, and stays."""
        if self._contact and not self.json:
            click.echo(self._contact, err=True)
        self._contact = ""


def asked(question: str, *, confirm: bool) -> str:
    """Return what is typed unseen at the terminal; without one the first line of standard input. Mistake where that is empty."""
    if has_terminal():
        return str(click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True))
    line = sys.stdin.readline().rstrip("\n") if sys.stdin is not None else ""
    if not line:
        raise Mistake("there is no terminal to ask for the password at: set QPQ_PASSWORD")
    return line


def is_typed() -> bool:
    """Tell whether standard input is a terminal; it may have been closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def has_terminal() -> bool:
    """Tell whether this process has a terminal, be its standard input another thing."""
    if is_typed():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def plain(name: str) -> str:
    """Return a user name without what PRECIS takes for equal: case, width and composition."""
    return unicodedata.normalize("NFKC", name).casefold()


def from_keyring(username: str) -> str | None:
    """Return the password that the desktop's keyring has under `qpq`, where the package `keyring` is installed."""
    from importlib.util import find_spec

    if find_spec("keyring") is None:
        return None
    from importlib import import_module

    return import_module("keyring").get_password("qpq", username)  # type: ignore[no-any-return]


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
