"""The server of the drill: a real process on files or on PostgreSQL, and the operator's commands beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import trio

from tests.support import postgres
from tools.demo.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

Store = Literal["sql", "postgres"]
START_SECONDS_MAX = 60
BIN = Path(sys.executable).parent
DATABASE = "drill"


class Stage:
    """One server that can be killed, wiped and put back."""

    def __init__(self, folder: Path, store: Store, database: postgres.Server | None) -> None:
        self.folder, self.store, self._database = folder, store, database
        self.where = f"127.0.0.1:{free_port()}"
        self.keys, self.backup = folder / "keys", folder / "backup"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """The server's folder."""
        return self.folder / "data"

    def environment(self) -> dict[str, str]:
        """Return the settings of server and commands."""
        own = {"QPQ_DATA_DIR": str(self.data), "QPQ_LISTEN": self.where, "QPQ_METRICS_LISTEN": "127.0.0.1:0"}
        if self._database is not None:
            own |= {"QPQ_STORE_BACKEND": "postgres", "QPQ_DATABASE_URL": self._database.url(DATABASE)}
        return {**os.environ, **own}

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        from qpqclient import QpqError, ping

        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; a moment
                [BIN / "qpq-server"], env=self.environment(), stdout=log, stderr=log
            )
        with trio.fail_after(START_SECONDS_MAX):
            while True:
                try:
                    await ping(self.where)
                except QpqError:
                    if self._process.poll() is not None:
                        raise AssertionError((self.folder / "server.log").read_text()[-2_000:]) from None
                    await trio.sleep(0.05)
                else:
                    return

    def kill(self) -> None:
        """SIGKILL, as a machine dies."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def ctl(self, *arguments: str | Path, fails: bool = False) -> dict[str, Any]:
        """Run an operator's command; return the last value that it says. AssertionError if it fails, unless it should."""
        done = await trio.run_process(
            [str(BIN / "qpqctl"), "--json", *map(str, arguments)], env=self.environment(), capture_stdout=True,
            capture_stderr=True, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, (arguments, done.stdout, done.stderr)
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    async def ctl_killed(self, after_s: float, *arguments: str | Path) -> bool:
        """Run a command and kill it after a while; tell whether it had not ended by itself."""
        process = await trio.lowlevel.open_process(
            [str(BIN / "qpqctl"), "--json", *map(str, arguments)], env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with trio.move_on_after(after_s):
            await process.wait()
        killed = process.poll() is None
        if killed:
            process.kill()
        await process.wait()
        return killed

    def wipe(self) -> None:
        """Throw everything away that the server has."""
        shutil.rmtree(self.data)
        if self._database is not None:
            self._database.drop(DATABASE)
            self._database.sql("postgres", f"CREATE DATABASE {DATABASE}")

    def size(self) -> int:
        """Return the bytes of the backup."""
        return sum(path.stat().st_size for path in self.backup.rglob("*") if path.is_file())


@contextmanager
def stage(folder: Path, store: Store) -> Iterator[Stage]:
    """Give a stage whose server is not started yet; nothing of it outlives the block."""
    folder.mkdir(parents=True, exist_ok=True)
    database = None
    if store == "postgres":
        database = postgres.Server(folder / "postgres")
        database.start()
        database.make_template()
        database.fresh(DATABASE)
    made = Stage(folder, store, database)
    try:
        yield made
    finally:
        made.kill()
        if database is not None:
            database.stop()


def now_s() -> float:
    """Return the seconds of a clock that nobody sets."""
    return time.perf_counter()
