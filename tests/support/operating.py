"""A server in one process, on either store, and `qpqctl` beside it as an operator types it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio
from click.testing import CliRunner

import qpqclient
from qpqserver.ctl import main
from qpqserver.embedded import open_embedded
from qpqserver.operating import control

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from qpqcore.config.settings import Settings

PATIENCE_SECONDS = 60


@dataclass
class Operated:
    """A folder, the settings of the server in it, and what was typed."""

    folder: Path
    settings: Settings
    where: str = ""
    server: Any = None
    said: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What `qpqctl` is told."""
        names = ("data_dir", "store_backend", "database_url", "redis_url", "secrets_dir")
        return {f"QPQ_{name.upper()}": getattr(self.settings, name) for name in names if getattr(self.settings, name)}

    def typed(self, *words: str | Path, code: int = 0) -> list[dict[str, Any]]:
        """Run a command; return the values that it says."""
        done = CliRunner().invoke(
            main, ["--json", "--operator", "olga", *map(str, words)], env={"QPQ_REDIS_URL": None, **self.environment}
        )
        assert done.exit_code == code, (words, done.output, done.exception)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    async def ctl(self, *words: str | Path, code: int = 0) -> list[dict[str, Any]]:
        """Run one while the server runs."""
        return await trio.to_thread.run_sync(lambda: self.typed(*words, code=code))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the server, as `qpq-server` does."""
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery, open_embedded(self.settings) as self.server:
                if self.settings.store_backend == "sql":
                    await nursery.start(control.serve, self.folder / "server", self.server.operator)
                self.where = f"127.0.0.1:{self.server.endpoint.address[1]}"
                yield
                nursery.cancel_scope.cancel()

    def client(self, name: str) -> Any:
        """Return the SDK's client of a folder."""
        return qpqclient.open_client(self.folder / name, server=self.where, store_key=b"k" * 32)
