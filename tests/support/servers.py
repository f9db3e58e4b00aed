"""An embedded server in a thread of the test's own process: what terminals and subprocesses talk to, cheap to start."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import structlog
import trio

from qpqcore.config.settings import Settings
from qpqserver.embedded import open_embedded

PATIENCE_SECONDS = 60


class ThreadServer:
    """A running server; `where` is its address."""

    def __init__(self, folder, listen="127.0.0.1:0"):
        # Standard output may be a command's that runs in this process meanwhile.
        self._logs = structlog.get_config()
        (folder / "server").mkdir(parents=True, exist_ok=True)
        self._log = (folder / "server" / "server.log").open("a")
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(self._log))
        self._settings = Settings(listen=listen, data_dir=str(folder / "server"))
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
            async with open_embedded(self._settings) as server:
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
