"""What several drills stand on: a server process, and `qpq` processes with their peak of memory."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from tools.demo.processes import ServerProcess, free_port

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Sequence

QPQ = (str(Path(sys.executable).with_name("qpq")),)
SERVER = str(Path(sys.executable).with_name("qpq-server"))
LOOK_SECONDS = 0.01
"""How often a process is looked at that is to be killed at some point."""


@asynccontextmanager
async def server_process(folder: Path, config: str = "") -> AsyncIterator[ServerProcess]:
    """Run a server as a process while the block runs; `config` is TOML."""
    folder.mkdir(parents=True)
    (folder / "server.toml").write_text(config)
    server = ServerProcess(folder, free_port(), "native", (SERVER, "--config", str(folder / "server.toml")))
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
