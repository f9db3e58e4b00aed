"""The callee's end of the TCP bus: one service, listening.

1. A peer is who its certificate says; whoever the table of callers does not name is sent away at once.
2. A call is a task of its connection: it ends with its caller, by a cancel or with the connection.
3. Draining: callers are told, go on getting their answers, and close; a call that crossed with the goodbye is answered.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api.methods import METHODS
from qpqcore.bus.admission import FETCH_WAIT, TOO_MANY, Admission, refusable
from qpqcore.bus.allowed import MAY_CALL
from qpqcore.bus.tcp_link import (
    CALLER_SILENT_SECONDS_MAX,
    CALLS_MAX,
    HANDSHAKE_SECONDS_MAX,
    LOST,
    PING_SECONDS,
    Link,
)
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.net.mutual_tls import service_of
from qpqcore.net.places import binding
from qpqcore.net.tls_stream import TlsStream
from qpqcore.wire.bus_frame import (
    ENVELOPE_BYTES_MAX,
    Away,
    Frame,
    FrameError,
    Kind,
    agreed_version,
    frame,
    goaway,
    hello,
)
from qpqcore.wire.envelope import BusReply, Envelope, method_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqcore.net.mutual_tls import Credentials

    Entrance = Callable[[Envelope, str], Awaitable[BusReply]]
    """Answers an Envelope that the named peer brings."""

log = structlog.get_logger()

SHED = BusReply.refused(TOO_MANY).to_bytes()
CONNECTIONS_MAX = 1_024
"""Of all callers; each holds a few buffers. Past it a connection is closed as it comes."""


class BusServer:
    """Answers calls of one service."""

    def __init__(
        self, service: str, entrance: Entrance, credentials: Credentials, *, calls_max: int = CALLS_MAX,
        admission: Admission | None = None,
    ) -> None:  # fmt: skip
        self.service = service
        self.entrance = entrance
        self.calls_max = calls_max
        self.admission = admission or Admission(service, trio.current_time, delay_seconds=0)
        """By default nothing is shed: who runs a service says what it may cost."""
        self.calls = 0
        """In flight."""
        self.overloaded = 0
        """Calls refused because too many were in flight."""
        self.is_draining = False
        self._credentials = credentials
        self._accepting = trio.CancelScope()
        self._connections: set[_Connection] = set()
        self._open = 0
        self._empty = trio.Event()

    async def serve(
        self, host: str, port: int, *, task_status: trio.TaskStatus[tuple[str, int]] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; `task_status.started` gets the address."""
        with binding(host, port):
            listeners = await trio.open_tcp_listeners(port, host=host)
        address = listeners[0].socket.getsockname()
        async with trio.open_nursery() as nursery:
            task_status.started((str(address[0]), int(address[1])))
            with self._accepting:
                await trio.serve_listeners(self._connected, listeners, handler_nursery=nursery)

    async def drain(self) -> None:
        """Take no new connections, send callers elsewhere, and wait until all have gone."""
        self.is_draining = True
        self._accepting.cancel()
        for connection in self._connections:
            connection.link.put_nowait(goaway(Away.DRAINING))
        if self._open:
            await self._empty.wait()

    async def _connected(self, transport: trio.SocketStream) -> None:
        if self._open >= CONNECTIONS_MAX:
            await trio.aclose_forcefully(transport)
            return
        self._open += 1
        stream = TlsStream(transport, self._credentials.server)
        try:
            await self._converse(stream)
        except (*LOST, trio.TooSlowError) as exc:
            log.warning("bus_caller_lost", reason=str(exc) or type(exc).__name__)
        finally:
            await stream.aclose()
            self._open -= 1
            if not self._open:
                self._empty.set()
                self._empty = trio.Event()

    async def _converse(self, stream: TlsStream) -> None:
        with trio.fail_after(HANDSHAKE_SECONDS_MAX):
            await stream.do_handshake()
            link, peer = Link(stream), service_of(stream.peer_certificate())
            first = await link.receive_first()
            if refused := self._judge(peer, first):
                log.warning("bus_caller_refused", peer=peer, reason=refused.name)
                await link.send_now(goaway(refused, f"{self.service} does not serve {peer}"))
                return
            await link.send_now(hello())
        connection = _Connection(self, link, peer)
        self._connections.add(connection)
        try:
            if self.is_draining:
                link.put_nowait(goaway(Away.DRAINING))
            await connection.run()
        finally:
            self._connections.discard(connection)

    def _judge(self, peer: str, first: Frame) -> Away | None:
        if peer not in MAY_CALL[self.service]:
            return Away.FORBIDDEN
        return None if agreed_version(first) else Away.VERSION


class _Connection:
    """The calls of one caller."""

    def __init__(self, server: BusServer, link: Link, peer: str) -> None:
        self.link = link
        self._server = server
        self._peer = peer
        self._scopes: dict[int, trio.CancelScope] = {}

    async def run(self) -> None:
        """Answer until the caller ends, then end what it waits for."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            nursery.start_soon(self._watch, nursery.cancel_scope)
            try:
                while frames := await self.link.receive():
                    for one in frames:
                        self._take(one, nursery)
                    await self.link.wait_room()
            except LOST as exc:
                log.warning("bus_caller_lost", peer=self._peer, reason=str(exc) or type(exc).__name__)
            nursery.cancel_scope.cancel()

    async def _write(self, end: trio.CancelScope) -> None:
        try:
            await self.link.write()
        except LOST:
            end.cancel()

    async def _watch(self, end: trio.CancelScope) -> None:
        while self.link.silent_seconds < CALLER_SILENT_SECONDS_MAX:
            await trio.sleep(PING_SECONDS)
        end.cancel()

    def _take(self, one: Frame, nursery: trio.Nursery) -> None:
        if one.kind == Kind.REQUEST:
            if one.call in self._scopes:
                raise FrameError("two calls of one number")
            if self._server.calls >= self._server.calls_max:
                self._server.overloaded += 1
                self._reply(one.call, SHED)
                return
            entered = None
            if _counts(one.body):
                entered = self._server.admission.enter()
                if entered is None:
                    self._reply(one.call, SHED)
                    return
            self._server.calls += 1
            scope = self._scopes[one.call] = trio.CancelScope()
            nursery.start_soon(self._answer, one.call, one.body, scope, entered)
        elif one.kind == Kind.CANCEL:
            if waiting := self._scopes.get(one.call):
                waiting.cancel()
        elif one.kind == Kind.PING:
            self.link.pinged(one)
        else:
            raise FrameError(f"a frame of kind {one.kind}")

    async def _answer(self, call: int, body: bytes, scope: trio.CancelScope, entered: float | None) -> None:
        """Answer one; `entered` is admission's, where the call counts as work."""
        if entered is not None:
            self._server.admission.begun(entered)
        try:
            with scope:
                try:
                    reply = await self._server.entrance(Envelope.from_bytes(body), self._peer)
                except Refusal as no:
                    reply = BusReply.refused(no)
                self._reply(call, reply.to_bytes())
        finally:
            del self._scopes[call]
            self._server.calls -= 1
            if entered is not None:
                self._server.admission.left()

    def _reply(self, call: int, data: bytes) -> None:
        if len(data) > ENVELOPE_BYTES_MAX:
            log.error("bus_reply_too_large", bytes=len(data))
            data = BusReply(code=int(ErrorCode.INTERNAL), detail="internal error").to_bytes()
        self.link.put_nowait(frame(Kind.REPLY, call, data))


def _counts(body: bytes) -> bool:
    """Tell whether admission decides on a call; only a poll is looked into for it, and what is no Envelope is refused soon enough."""
    number = method_of(body)
    params = b""
    if number == FETCH_WAIT:
        with suppress(Refusal):
            params = Envelope.from_bytes(body).body
    return refusable(METHODS.get(number), params)
