"""What several drills stand on: a server, of one process or of many, and `qpq` processes with their peak of memory."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import trio

from qpqcore.config.settings import Settings
from qpqserver.embedded import beside
from tests.oracle import traces
from tools.demo.processes import Server, ServerProcess, free_port

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Iterable, Sequence

QPQ = (str(Path(sys.executable).with_name("qpq")),)
SERVER = str(Path(sys.executable).with_name("qpq-server"))
LOOK_SECONDS = 0.01
"""How often a process is looked at that is to be killed at some point."""


FORMS = ("embedded", "scaled")
chosen = "embedded"
"""Set by `python -m tools.client_drills --form`."""


class DrillServer(Server, Protocol):
    """A server that drills kill, and into whose databases they look."""

    folder: Path
    promises_pages: bool
    """Whether what vanishes is to be gone from unused parts of its files, too."""

    counts_chunks: bool
    """Whether it runs the program that was given in place of its own."""

    @property
    def pids(self) -> Sequence[int]:
        """Its processes' ids."""

    def rows(self, service: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement on a service's database; return its rows."""

    def in_tables(self, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
        """Return (table, canary) for each that a row of a table holds."""

    def in_pages(self, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
        """Return (file, canary) for each in what can be read of the databases' files, used or not."""


class EmbeddedServer(ServerProcess):
    """The embedded form."""

    promises_pages = counts_chunks = True

    @property
    def pids(self) -> Sequence[int]:
        """The one."""
        return [self.pid]

    @property
    def _settings(self) -> Settings:
        return Settings(data_dir=str(self.folder / "data"))

    def rows(self, service: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement beside the server, or while it stands still; return its rows."""
        with beside(self._settings, service, read_only=not sql.startswith("UPDATE")) as connection:
            return [tuple(row) for row in connection.execute(sql, values).fetchall()]

    def in_tables(self, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
        """Look through the tables."""
        return traces.in_tables(self._settings, canaries)

    def in_pages(self, canaries: Iterable[bytes]) -> set[tuple[str, bytes]]:
        """Look through decrypted pages and logs."""
        return traces.in_pages(self._settings, canaries)


@asynccontextmanager
async def server_process(
    folder: Path, config: str = "", program: Sequence[str] = (SERVER,)
) -> AsyncIterator[DrillServer]:  # fmt: skip
    """Run a server in the chosen form while the block runs; `config` is TOML, `program` in place of `qpq-server` embedded."""
    if chosen == "scaled":
        from tools.client_drills.scaled import scaled_server

        async with scaled_server(folder, config) as many:
            yield many
        return
    folder.mkdir(parents=True)
    (folder / "server.toml").write_text(config)
    server = EmbeddedServer(folder, free_port(), "native", (*program, "--config", str(folder / "server.toml")))
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


def environment(home: Path, where: str, name: str, password: str = "") -> dict[str, str]:
    """Return what a person's `qpq` is told by the environment."""
    return {
        **os.environ, "QPQ_HOME": str(home), "QPQ_SERVER": where, "QPQ_USERNAME": name,
        "QPQ_PASSWORD": password or f"secret of {name}",
    }  # fmt: skip


async def qpq(told: dict[str, str], *words: str, typed: str = "", program: Sequence[str] = QPQ) -> str:
    """Run a command that must succeed; return its output. RuntimeError."""
    done = await run_qpq(told, *words, typed=typed, program=program)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode}: {done.stderr.decode()}")
    return str(done.stdout.decode())


async def run_qpq(
    told: dict[str, str], *words: str, typed: str = "", program: Sequence[str] = QPQ
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return await trio.run_process(
        [*program, *words], env=told, stdin=typed.encode(), capture_stdout=True, capture_stderr=True, check=False
    )


def peak_kib(pid: int) -> int:
    """Return the most memory that a process has had at a time; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
