"""The scaled form under the drills: a process for each service, of some two, over PostgreSQL and Redis; all are killed at once."""

from __future__ import annotations

import time
import tomllib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from qpqcore.config.settings import Settings
from tests.oracle import traces
from tests.support.postgres import rows_in
from tools.rolling.stage import DATABASE, Stage, stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

COUNTS: Final = {"keystore": 1, "delivery": 2, "blob": 2, "auth": 1, "federation": 1, "gateway": 1}
"""Two where what a client does in one process has to be seen by the other; one gateway, since a client is given one address."""


class ScaledServer:
    """Implements what the drills do with a server (`tools.client_drills.stage.DrillServer`)."""

    promises_pages = False
    """docs/operate/postgresql.md: what was deleted stays in its files for a while."""
    counts_chunks = False

    def __init__(self, place: Stage) -> None:
        self._place = place
        self.folder = place.folder
        self.address = f"{place.hosts[0]}:{place.port}"
        self.victims: Sequence[str] = ("all processes of the server",)

    @property
    def pids(self) -> list[int]:
        """The processes' ids."""
        return self._place.pids

    async def start(self) -> None:
        """Start all processes; return once every one says that it is ready."""
        for one in self._place.everyone:
            self._place.start(one)
        for one in self._place.everyone:
            await self._place.wait_ready(one)

    async def kill(self) -> float:
        """SIGKILL to all; return the moment, in seconds of the monotonic clock."""
        moment = time.monotonic()
        self._place.end_all()
        return moment

    async def stop(self) -> int:
        """End all: PostgreSQL stays, to be looked through."""
        self._place.end_all()
        return 0

    @property
    def _settings(self) -> Settings:
        return Settings(store_backend="postgres", database_url=self._place.database.url(DATABASE))

    def rows(self, service: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement on a service's schema; return its rows."""
        return rows_in(self._settings.database_url, service, sql, values)

    def in_tables(self, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
        """Return (table, canary) for each that a row holds."""
        return traces.in_tables(self._settings, canaries)

    def in_pages(self, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
        """Return (file, canary) for each in PostgreSQL's files, its write-ahead log and what no table uses included."""
        self._place.database.sql(DATABASE, "CHECKPOINT")
        return traces.in_files(self._place.database.data, canaries)


@asynccontextmanager
async def scaled_server(folder: Path, config: str = "") -> AsyncIterator[ScaledServer]:
    """Run PostgreSQL, Redis and all services while the block runs; `config` is TOML."""
    more = {f"QPQ_{name.upper()}": str(value) for name, value in tomllib.loads(config).items()}
    with stage(folder, COUNTS, more) as place:
        server = ScaledServer(place)
        await server.start()
        yield server
