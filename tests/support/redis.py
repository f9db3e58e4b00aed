"""A way to a Redis server that a test can cut, or put TLS in front of; the servers themselves are tools.redis_server's."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator


class Relay:
    """A way to a server that can be cut, and that can have TLS in front: the server is none the wiser."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._to = port
        self._tls = tls
        self._open: set[trio.CancelScope] = set()
        self._is_cut = False
        self.port = 0

    def cut(self) -> None:
        """Lose all connections, and take none."""
        self._is_cut = True
        for scope in list(self._open):
            scope.cancel()

    def mend(self) -> None:
        self._is_cut = False

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._carry, [listener])

    async def _carry(self, near: trio.abc.Stream) -> None:
        with trio.CancelScope() as scope:
            self._open.add(scope)
            try:
                if self._is_cut:
                    return
                if self._tls is not None:
                    near = trio.SSLStream(near, self._tls, server_side=True, https_compatible=True)
                async with await trio.open_tcp_stream("127.0.0.1", self._to) as far, trio.open_nursery() as nursery:
                    for one, other in ((near, far), (far, near)):
                        nursery.start_soon(self._pump, one, other, nursery.cancel_scope)
            except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                pass
            finally:
                self._open.discard(scope)
        await trio.aclose_forcefully(near)

    async def _pump(self, one: trio.abc.Stream, other: trio.abc.Stream, both: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in one:
                await other.send_all(data)
        both.cancel()


@asynccontextmanager
async def relay(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    """Run a relay to a port of this machine while the block runs."""
    made = Relay(port, tls)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.serve)
        yield made
        nursery.cancel_scope.cancel()
