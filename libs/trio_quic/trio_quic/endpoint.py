"""One engine under Trio: feed it, drain its events, flush, re-arm its timer. Never polls.

Two tasks: one waits for datagrams, the other for the next deadline or for somebody who has something to send. A call
gets a third only when its handler has to wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final

import trio

from . import codes, events
from .calls import IncomingCall
from .connection import QuicConnection
from .errors import ConnectionClosed
from .events import CLOSE_KINDS, VIOLATIONS, Event
from .faults import run_handler
from .streams import QuicStream

if TYPE_CHECKING:
    from .addresses import Address
    from .configuration import ServerTls
    from .engine import Engine
    from .handover import Handover
    from .ports import Port

_log = logging.getLogger("trio_quic")

CallHandler = Callable[[IncomingCall], Coroutine[Any, Any, None] | None]
"""Called with each whole first frame of a stream: answers at once and returns None, or returns a coroutine for a task
of its own.
"""
StreamHandler = Callable[[QuicConnection, QuicStream], Coroutine[Any, Any, None]]
"""Called with each raw stream a peer opens; its coroutine runs in a task of its own, and the stream is closed when it
ends.
"""
ConnectionHook = Callable[[QuicConnection], None]
FaultHook = Callable[[Exception], None]

MICROSECONDS: Final = 1_000_000
BARREN_TURNS: Final = 8
"""After so many turns in a row without an event what comes is mostly pings of idle peers: a turn of the scheduler for each
costs four times what the native engine's own does. Traffic, even a single caller's, has an event every second or third turn.
"""
CROWD: Final = 200
"""Fewer connections ping too seldom to be worth a thread."""


def log_fault(fault: Exception) -> None:
    """What happens to a handler's exception unless the application wants it: one log line, with its traceback."""
    _log.error("a handler failed", exc_info=fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The application's side of an endpoint; each is called synchronously, from the endpoint's own tasks."""

    on_call: CallHandler | None = None
    on_stream: StreamHandler | None = None
    on_connection: ConnectionHook | None = None
    on_closed: ConnectionHook | None = None
    on_fault: FaultHook = log_fault


class QuicEndpoint:
    """One UDP socket, its engine and its connections. Made by `serve_quic` and `open_quic_connection`."""

    def __init__(self, engine: Engine, port: Port, hooks: Hooks, handover: Handover | None = None) -> None:
        self.engine = engine
        self._port = port
        self._hooks = hooks
        self._handover = handover
        self._epoch = trio.current_time()
        self._connections: dict[int, QuicConnection] = {}
        self._wanted = trio.lowlevel.ParkingLot()
        self._dirty = True
        self._timer = trio.CancelScope()
        self._draining = False
        self._nursery: trio.Nursery | None = None
        self._handlers: dict[int, Callable[[Event, QuicConnection], None]] = {
            events.FRAME: self._on_frame,
            events.READABLE: self._on_readable,
            events.WRITABLE: self._on_writable,
            events.CLOSED: self._on_closed,
            events.RESET: self._on_reset,
            events.STOPPED: self._on_stopped,
            events.OPENED: self._on_opened,
            events.AVAILABLE: lambda event, connection: connection.on_available(),
            events.PATH: lambda event, connection: connection.on_path(event[2]),
            events.FIN: self._on_fin,
            events.VIOLATION: self._on_violation,
            events.IDLE: lambda event, connection: connection.on_idle(),
        }

    # --- for the application

    @property
    def address(self) -> Address:
        """Where this endpoint is bound."""
        return self._port.address

    @property
    def connections(self) -> list[QuicConnection]:
        """The connections established now."""
        return [connection for connection in self._connections.values() if connection.established.is_set()]

    def counters(self) -> dict[str, int]:
        """What has been counted since the start, by name."""
        return self.engine.counters() | (self._handover.counters() if self._handover is not None else {})

    def set_certificate(self, tls: ServerTls) -> None:
        """Uses another certificate for connections from now on. Raises ValueError if it cannot be used; the old one
        stays then.
        """
        self.engine.set_certificate(tls)

    def set_retry_keys(self, current: bytes, also: bytes | None = None) -> None:
        """Seals Retry tokens with `current` (32 bytes) from now on, and takes those of `also` besides until they expire.

        A client answers one Retry only, so where processes share keys no token may meet one that cannot open it: rotate
        in two steps, first everywhere `(old, new)`, then everywhere `(new, old)`.
        """
        self.engine.set_retry_keys(current, also)

    def refuse_new(self) -> None:
        """Takes no new peers from now on; those that are here go on as before. `drain` comes next."""
        self.engine.set_accepting(False)

    async def drain(self, code: int = 0, reason: bytes = b"") -> None:
        """Takes no new peers and no new calls (they are reset with DRAINING), lets calls finish, closes each connection
        as it gets idle.

        Ends when all are closed. It waits for handlers as long as they take: bound it with a cancel scope.
        """
        self._draining = True
        self.engine.set_accepting(False)
        async with trio.open_nursery() as nursery:
            for connection in self.connections:
                nursery.start_soon(self._drain_one, connection, code, reason)

    async def _drain_one(self, connection: QuicConnection, code: int, reason: bytes) -> None:
        while connection.closed is None and connection.calls_in_flight:
            await connection.wait_call_ended()
        await connection.aclose(code, reason)

    # --- the three steps

    def now_us(self) -> int:
        """The engine's time: Trio's clock since this endpoint was made."""
        return int((trio.current_time() - self._epoch) * MICROSECONDS)

    async def run(self, *, task_status: trio.TaskStatus[QuicEndpoint] = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled; then tells every peer, sends that, and closes the socket."""
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._receive_loop)
                self._nursery.start_soon(self._send_loop)
                self._nursery.start_soon(self._rouse_at_the_end)
                if self._handover is not None:
                    self._nursery.start_soon(self._take_over_loop, self._handover)
                task_status.started(self)
        finally:
            self._shut()

    def _shut(self) -> None:
        for number in list(self._connections):
            self.engine.close(number, codes.NO_ERROR, b"", self.now_us())
        self._dispatch(self.engine.poll())
        self._port.flush(self.now_us())
        self._port.close()
        if self._handover is not None:
            self._handover.close()

    async def _rouse_at_the_end(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._port.rouse()

    async def _receive_loop(self) -> None:
        engine, port, barren = self.engine, self._port, 0
        while True:
            if barren < BARREN_TURNS or len(self._connections) < CROWD:
                await port.wait_readable()
            else:
                await port.wait_barren(self.now_us())
            # What is asked for from here on leaves with the flush below: the other task need not wake for it, which
            # takes a turn of the scheduler, a tenth of a lone call.
            self._dirty = True
            batch = port.receive(self.now_us())
            barren = 0 if batch else barren + 1
            self._dispatch(batch)
            sent = port.flush(self.now_us())
            self._dirty = False
            self._dispatch(engine.poll())
            if sent:
                self._rearm()
            else:
                self.wake()

    async def _take_over_loop(self, handover: Handover) -> None:
        """Works off what other workers hand over, as if it had come from the network."""
        while True:
            await handover.wait_readable()
            if batch := handover.receive_nowait():
                self.engine.receive(batch, self.now_us())
                self._dispatch(self.engine.poll())
                self.wake()

    async def _send_loop(self) -> None:
        engine, port = self.engine, self._port
        while True:
            # Before the flush: what is asked for from here on needs another round.
            self._dirty = False
            self._dispatch(engine.poll())
            if not port.flush(self.now_us()):
                await port.wait_writable()
                continue
            with trio.CancelScope() as self._timer:
                self._rearm()
                if self._dirty:
                    await trio.lowlevel.checkpoint()
                else:
                    await self._wanted.park()
            if self._timer.cancelled_caught:
                engine.handle_timeout(self.now_us())

    def wake(self) -> None:
        """There is something to send, or an event to take: once per turn of the scheduler is enough."""
        if not self._dirty:
            self._dirty = True
            self._wanted.unpark_all()

    def _rearm(self) -> None:
        due_us = self.engine.next_timeout()
        # One microsecond late: a clock of floats may be a rounding error early, and the engine would have nothing to do
        # yet.
        deadline = inf if due_us is None else self._epoch + (due_us + 1) / MICROSECONDS
        if deadline != self._timer.deadline:  # setting it costs Trio's table of deadlines
            self._timer.deadline = deadline

    # --- events

    def _dispatch(self, batch: list[Event]) -> None:
        for event in batch:
            connection = self._connections.get(event[1])
            if event[0] == events.FOREIGN:
                if self._handover is not None:
                    self._handover.give(event[1], event[2], event[3])
            elif event[0] == events.CONNECTED:
                self._on_connected(event, connection)
            elif connection is not None:
                self._handlers[event[0]](event, connection)
        if self._handover is not None:
            self._handover.flush()

    def begin(self, packed_address: bytes, server_name: str) -> QuicConnection:
        """Starts a connection; `established` says when it is one. Raises ValueError for a bad name or address."""
        number = self.engine.connect(packed_address, server_name, self.now_us())
        connection = self._connections[number] = QuicConnection(self, number, is_server=False)
        self.wake()
        return connection

    def _on_connected(self, event: Event, connection: QuicConnection | None) -> None:
        if connection is None:
            connection = self._connections[event[1]] = QuicConnection(self, event[1], is_server=event[3])
        connection.on_connected(event[2])
        if self._draining:
            connection.close(codes.DRAINING)
        else:
            self._hook(self._hooks.on_connection, connection)

    def _on_closed(self, event: Event, connection: QuicConnection) -> None:
        del self._connections[connection.number]
        was_established = connection.established.is_set()
        connection.on_closed(ConnectionClosed(CLOSE_KINDS[event[2]], event[3], event[4]))
        if was_established:
            self._hook(self._hooks.on_closed, connection)

    def _hook(self, hook: ConnectionHook | None, connection: QuicConnection) -> None:
        if hook is not None:
            try:
                hook(connection)
            except Exception as fault:  # noqa: BLE001 - the application's fault
                self.report_fault(fault)

    def report_fault(self, fault: Exception) -> None:
        """A handler or hook failed: that costs its stream, not the endpoint."""
        try:
            self._hooks.on_fault(fault)
        except Exception as second:  # noqa: BLE001 - nobody else is left to tell
            log_fault(second)

    def _on_frame(self, event: Event, connection: QuicConnection) -> None:
        sink = connection.sink(event[2])
        if sink is not None:
            sink.on_frame(event[3], event[4])
        else:
            self._answer(IncomingCall(connection, event[2], event[3]), event[2])

    def _on_violation(self, event: Event, connection: QuicConnection) -> None:
        sink = connection.sink(event[2])
        violation = VIOLATIONS[event[3]]
        if sink is not None:
            sink.on_violation(violation)
        else:
            self._answer(IncomingCall(connection, event[2], b"", violation), event[2])

    def _answer(self, call: IncomingCall, stream: int) -> None:
        """Hands a call to the application; whatever it does wrong costs this call only."""
        if self._hooks.on_call is None or self._draining:
            call.reset(codes.DRAINING if self._draining else codes.NO_HANDLER)
            return
        try:
            handler = self._hooks.on_call(call)
        except Exception as fault:  # noqa: BLE001 - the application's fault
            call.reset(codes.HANDLER_FAULT)
            self.report_fault(fault)
            return
        if handler is None:
            # Answered already, else nobody ever would.
            call.reset(codes.HANDLER_FAULT)
            return
        call.connection.adopt(stream, call)
        call.connection.calls_in_flight += 1
        self._start(self._run_call, call, stream, handler)

    async def _run_call(self, call: IncomingCall, stream: int, handler: Coroutine[Any, Any, None]) -> None:
        try:
            await call.run(handler)
        finally:
            call.connection.forget(stream)
            call.connection.on_call_ended()

    def _on_opened(self, event: Event, connection: QuicConnection) -> None:
        if self._hooks.on_stream is None or self._draining:
            connection.abandon(event[2], codes.DRAINING if self._draining else codes.NO_HANDLER)
            return
        stream = QuicStream(connection, event[2])
        connection.adopt(event[2], stream)
        connection.calls_in_flight += 1
        self._start(self._run_stream, connection, stream, self._hooks.on_stream)

    async def _run_stream(self, connection: QuicConnection, stream: QuicStream, handler: StreamHandler) -> None:
        try:
            if not await run_handler(handler(connection, stream), self.report_fault):
                stream.reset(codes.HANDLER_FAULT)
        finally:
            stream.close_nowait()
            connection.on_call_ended()

    def _start(self, task: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(task, *arguments)

    def _on_readable(self, event: Event, connection: QuicConnection) -> None:
        if (sink := connection.sink(event[2])) is not None:
            sink.on_readable()

    def _on_writable(self, event: Event, connection: QuicConnection) -> None:
        if (sink := connection.sink(event[2])) is not None:
            sink.on_writable()

    def _on_fin(self, event: Event, connection: QuicConnection) -> None:
        if (sink := connection.sink(event[2])) is not None:
            sink.on_fin()

    def _on_reset(self, event: Event, connection: QuicConnection) -> None:
        if (sink := connection.sink(event[2])) is not None:
            sink.on_reset(event[3])
        else:
            # A stream nobody has yet, or any more: its other half goes too.
            connection.abandon(event[2], codes.CANCELLED)

    def _on_stopped(self, event: Event, connection: QuicConnection) -> None:
        if (sink := connection.sink(event[2])) is not None:
            sink.on_stopped(event[3])
