"""What every command is given: the settings, how to say what it found, who the operator is, where acts are written down."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click

from qpqcore.config.settings import ConfigError, Settings, database_url_of
from qpqcore.model.errors import Refusal
from qpqcore.net.certificates import CertificateUnreadable
from qpqcore.store.errors import DatabaseError
from qpqserver.operating.audit import AuditBroken
from qpqserver.operating.control import ControlBroken
from qpqserver.output import tell
from qpqserver.secrecy import SecretMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qpqserver.operating.audit import Log

EXIT_FAILED, EXIT_CONFIGURATION = 1, 2
FAULTS = (DatabaseError, ConfigError, CertificateUnreadable, SecretMissing, ControlBroken, AuditBroken, OSError)
"""What goes wrong outside of this program: a sentence each, and exit code 1."""


@dataclass(frozen=True, slots=True)
class Given:
    """Made by the root command."""

    settings: Settings
    as_json: bool
    operator: str

    def tell(self, value: dict[str, Any], line: str) -> None:
        """Print one result."""
        tell(value, line, as_json=self.as_json)

    def fail(self, exc: Exception) -> NoReturn:
        """Say why, and leave."""
        if self.as_json:
            name = exc.code.name if isinstance(exc, Refusal) else type(exc).__name__
            tell({"ok": False, "error": name, "detail": reason_of(exc)}, "", as_json=True)
        click.echo(f"qpqctl: {reason_of(exc)}", err=True)
        sys.exit(EXIT_FAILED)

    def audit(self) -> Log:
        """Return where acts are written down."""
        if self.settings.store_backend == "postgres":
            from qpqserver.operating.audit_postgres import PostgresLog

            return PostgresLog(database_url_of(self.settings))
        from pathlib import Path

        from qpqserver.operating.audit_file import FileLog

        return FileLog(Path(self.settings.data_dir))

    @contextmanager
    def acting(self, act: str, *typed: str) -> Iterator[None]:
        """Write an act down before it is done, and after it what came of it; fail as the act fails.

        `typed`: what the operator typed of it, and nothing else that would tell who it concerns.
        """
        try:
            log = self.audit()
            begun = log.append(self.operator, act, typed, "begun")
            try:
                yield
            except (Refusal, *FAULTS) as exc:
                name = exc.code.name if isinstance(exc, Refusal) else type(exc).__name__
                log.append(self.operator, act, (), f"failed: {name}", of=begun.number)
                raise
            log.append(self.operator, act, (), "done", of=begun.number)
        except (Refusal, *FAULTS) as exc:
            self.fail(exc)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Fail in a sentence where what is looked for cannot be read."""
        try:
            yield
        except (Refusal, *FAULTS) as exc:
            self.fail(exc)


def reason_of(exc: Exception) -> str:
    """Return the sentence of an error."""
    return exc.detail if isinstance(exc, Refusal) else str(exc)


def operator_name(named: str | None) -> str:
    """Return who acts: as named, else the user of this machine behind sudo."""
    return named or os.environ.get("SUDO_USER") or getpass.getuser()
