"""`/livez`, `/readyz` and `/metrics` over HTTP/1.1 (h11), for probes and Prometheus."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import h11
import trio

from qpqcore.net.places import binding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.obs.metrics import Metrics

REQUEST_SECONDS_MAX = 5
READ_BYTES = 8_192
CONNECTIONS_MAX = 64


class HealthPage:
    """Answers probes. `ready` says why not, or ""; `notes` what else is to be known: who is ready may miss a neighbour."""

    def __init__(self, metrics: Metrics, ready: Callable[[], str], notes: Callable[[], Sequence[str]] = tuple) -> None:
        self._metrics = metrics
        self._ready = ready
        self._notes = notes
        self._limit = trio.CapacityLimiter(CONNECTIONS_MAX)

    async def serve(
        self, host: str, port: int, *, task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; `task_status.started` gets the address."""
        with binding(host, port):
            listeners = await trio.open_tcp_listeners(port, host=host)
        address = listeners[0].socket.getsockname()
        task_status.started((str(address[0]), int(address[1])))
        await trio.serve_listeners(self._answer, listeners)

    async def _answer(self, stream: trio.SocketStream) -> None:
        async with self._limit:
            with trio.move_on_after(REQUEST_SECONDS_MAX):
                with contextlib.suppress(trio.BrokenResourceError, h11.RemoteProtocolError):
                    await self._one(stream)
                await stream.aclose()

    async def _one(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(READ_BYTES))
            elif isinstance(event, h11.Request):
                path = event.target.decode("ascii", "replace").partition("?")[0]
                if path == "/metrics":
                    await self._metrics.weigh()
                status, kind, body = self._page(path)
                headers = [("content-type", kind), ("content-length", str(len(body))), ("connection", "close")]
                out = connection.send(h11.Response(status_code=status, headers=headers)) or b""
                out += connection.send(h11.Data(data=body)) or b""
                out += connection.send(h11.EndOfMessage()) or b""
                await stream.send_all(out)
                return
            else:
                return

    def _page(self, path: str) -> tuple[int, str, bytes]:
        if path == "/livez":
            return 200, "text/plain", b"alive\n"
        if path == "/readyz":
            away = self._ready()
            lines = [away or "ready", *self._notes()]
            return 503 if away else 200, "text/plain", "".join(f"{line}\n" for line in lines).encode()
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4", self._metrics.page()
        return 404, "text/plain", b"/livez, /readyz, /metrics\n"
