"""A server in a thread of the test's own process: what terminals and subprocesses talk to, cheap to start; of either form."""

from __future__ import annotations

import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
import trio

from qpqcore.config.settings import Settings
from tests.support import constellation, postgres
from tools.redis_server import redis_server

PATIENCE_SECONDS = 60


class Stored:
    """Where servers keep what they keep, as pytest's `--store` and `--bus` say: PostgreSQL and Redis are started at the first need."""

    def __init__(self):
        self._stack = ExitStack()
        self._redis = self._postgres = None
        self._databases = {}
        self.in_postgres = False

    def of(self, folder):
        """Return the settings for a server in a folder; the next one there finds what the last one kept."""
        found = {}
        if self.in_postgres:
            if self._postgres is None:
                self._postgres = postgres.started(**postgres.QUICK)
                self._stack.callback(postgres.ended, self._postgres)
                self._postgres.make_template()
            if folder not in self._databases:
                self._databases[folder] = self._postgres.fresh(f"served_{len(self._databases)}")
            found |= {"store_backend": "postgres", "database_url": self._postgres.url(self._databases[folder])}
        if constellation.chosen == "tcp":
            if self._redis is None:
                place = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
                self._redis = self._stack.enter_context(redis_server(place))
            found |= {"redis_url": self._redis.url}
        return found

    def end(self):
        """End what was started."""
        self._stack.close()


stored = Stored()


class ThreadServer:
    """A running server; `where` is its address."""

    def __init__(self, folder, listen="127.0.0.1:0"):
        # Standard output may be a command's that runs in this process meanwhile.
        self._logs = structlog.get_config()
        (folder / "server").mkdir(parents=True, exist_ok=True)
        self._log = (folder / "server" / "server.log").open("a")
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(self._log))
        self._settings = Settings(listen=listen, data_dir=str(folder / "server"), **stored.of(folder))
        self._ready, self._problem = threading.Event(), None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)
        assert self._problem is None, self._problem

    def _run(self):
        try:
            trio.run(self._serve)
        except BaseException as exc:
            self._problem = exc
        finally:
            self._ready.set()

    async def _serve(self):
        self._token, self._scope = trio.lowlevel.current_trio_token(), trio.CancelScope()
        with self._scope:
            async with constellation.open_server(self._settings) as server:
                self.where = "127.0.0.1:%d" % server.endpoint.address[1]
                self._ready.set()
                await trio.sleep_forever()

    def stop(self):
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(PATIENCE_SECONDS)
        structlog.configure(**self._logs)
        self._log.close()
        assert self._problem is None, self._problem


@contextmanager
def serving_in_a_thread(folder, listen="127.0.0.1:0"):
    """Yield a server."""
    server = ThreadServer(folder, listen)
    try:
        yield server
    finally:
        server.stop()
