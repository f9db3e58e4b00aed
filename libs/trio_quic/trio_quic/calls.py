"""Framed calls from both ends: the caller's replies, and the call as the accepting side sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import outcome
import trio

from . import codes
from .engine import BLOCKED, GONE
from .errors import ConnectionClosed, FrameError, QuicError, StreamReset
from .faults import run_handler
from .sinks import StreamSink

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .connection import QuicConnection
    from .events import ViolationName


class PendingReply(StreamSink):
    """The one reply of a call, and the task that waits for it."""

    __slots__ = ("_connection", "_stream", "_task")

    def __init__(self, connection: QuicConnection, stream: int) -> None:
        self._connection = connection
        self._stream = stream
        self._task = trio.lowlevel.current_task()

    async def wait(self) -> bytes:
        """The reply's frame. Cancelling gives the call up at both ends."""

        def abort(_: object) -> trio.lowlevel.Abort:
            self._connection.abandon(self._stream, codes.CANCELLED)
            return trio.lowlevel.Abort.SUCCEEDED

        reply: bytes = await trio.lowlevel.wait_task_rescheduled(abort)
        return reply

    def _settle(self, result: outcome.Value[object] | outcome.Error) -> None:
        self._connection.forget(self._stream)
        trio.lowlevel.reschedule(self._task, result)

    def on_frame(self, frame: bytes, fin: bool) -> None:
        self._settle(outcome.Value(frame))
        if not fin:
            # A second frame was not asked for; most often only the end is missing.
            self._connection.engine.stop_sending(self._connection.number, self._stream, codes.NO_ERROR)

    def on_violation(self, violation: ViolationName) -> None:
        self._settle(outcome.Error(FrameError(violation)))

    def on_fin(self) -> None:
        self._settle(outcome.Error(FrameError("truncated")))

    def on_reset(self, code: int) -> None:
        self._connection.engine.reset(self._connection.number, self._stream, codes.CANCELLED)
        self._settle(outcome.Error(StreamReset(code)))

    def on_closed(self, closed: ConnectionClosed) -> None:
        trio.lowlevel.reschedule(self._task, outcome.Error(closed.renewed()))


class ReplyStream(StreamSink):
    """The replies of a streaming call, an asynchronous iterator: the next frame is read when it is asked for, so the
    sender waits.
    """

    __slots__ = ("_arrived", "_connection", "_ended", "_error", "_frame", "_has_frame", "_stream", "_taken")

    def __init__(self, connection: QuicConnection, stream: int) -> None:
        self._connection = connection
        self._stream = stream
        self._arrived = trio.lowlevel.ParkingLot()
        self._frame = b""
        self._has_frame = False
        self._taken = False
        self._ended = False
        self._error: QuicError | None = None

    def __aiter__(self) -> ReplyStream:
        return self

    async def __anext__(self) -> bytes:
        """The next frame. Raises StreamReset, FrameError or ConnectionClosed when it will not come."""
        if self._taken and not self._ended:
            self._taken = False
            self._connection.engine.consumed(self._connection.number, self._stream)
            self._connection.wake()
        await trio.lowlevel.checkpoint()
        while not self._has_frame:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            await self._arrived.park()
        self._has_frame = False
        self._taken = True
        frame, self._frame = self._frame, b""
        return frame

    def give_up(self) -> None:
        """Tells the sender that nothing more is wanted, unless all has come."""
        if not self._ended and self._error is None:
            self._connection.abandon(self._stream, codes.CANCELLED)
        self._connection.forget(self._stream)

    def _wake(self) -> None:
        self._arrived.unpark_all()

    def on_frame(self, frame: bytes, fin: bool) -> None:
        self._frame, self._has_frame, self._ended = frame, True, fin
        self._wake()

    def on_fin(self) -> None:
        self._ended = True
        self._wake()

    def _fail(self, error: QuicError) -> None:
        self._error = error
        self._wake()

    def on_violation(self, violation: ViolationName) -> None:
        self._fail(FrameError(violation))

    def on_reset(self, code: int) -> None:
        self._connection.engine.reset(self._connection.number, self._stream, codes.CANCELLED)
        self._fail(StreamReset(code))

    def on_closed(self, closed: ConnectionClosed) -> None:
        self._fail(closed.renewed())


class IncomingCall(StreamSink):
    """One call as the accepting side sees it: its frame, and the ways to answer. Exactly one answer ends it.

    With a `violation` the frame is empty: too large, cut short or late; an answer still reaches the caller.
    """

    __slots__ = ("_finished", "_scope", "_stream", "_streamed", "_writable", "connection", "frame", "violation")

    def __init__(
        self, connection: QuicConnection, stream: int, frame: bytes, violation: ViolationName | None = None
    ) -> None:
        self.connection = connection
        self.frame = frame
        self.violation: ViolationName | None = violation
        self._stream = stream
        self._finished = False
        self._streamed = False
        self._scope: trio.CancelScope | None = None
        self._writable: trio.lowlevel.ParkingLot | None = None

    @property
    def finished(self) -> bool:
        """Whether the call was answered to its end, reset, or lost."""
        return self._finished

    def reply(self, frame: bytes) -> None:
        """Sends a frame and ends the call; never waits. If the caller is gone nothing happens.

        A caller that reads so slowly that its replies would exceed `Limits.held_bytes_max` gets a reset (NO_ROOM)
        instead.
        """
        if self._finished:
            return
        self._finished = True
        self.connection.engine.reply(self.connection.number, self._stream, frame)
        self.connection.wake()

    async def send(self, frame: bytes) -> None:
        """Sends one of several frames; waits while the one before has not left. Raises StreamReset when the caller is
        gone.
        """
        await trio.lowlevel.checkpoint()
        while True:
            if self._finished:
                raise StreamReset(codes.CANCELLED)
            result = self.connection.engine.send(self.connection.number, self._stream, frame)
            if result == BLOCKED:
                if self._writable is None:
                    self._writable = trio.lowlevel.ParkingLot()
                await self._writable.park()
                continue
            if result == GONE:
                self._finished = True
                continue
            self._streamed = True
            self.connection.wake()
            return

    def finish(self) -> None:
        """Ends a streamed answer."""
        if not self._finished:
            self._finished = True
            self.connection.engine.finish(self.connection.number, self._stream)
            self.connection.wake()

    def reset(self, code: int) -> None:
        """Gives the call up: the caller gets StreamReset(code)."""
        if not self._finished:
            self._finished = True
            self.connection.engine.reset(self.connection.number, self._stream, code)
            self.connection.wake()

    async def run(self, handler: Coroutine[Any, Any, None]) -> None:
        """Runs the handler's coroutine to its end, or until the caller is gone; then closes the call."""
        with trio.CancelScope() as self._scope:
            if self._finished:
                self._scope.cancel()
            succeeded = await run_handler(handler, self.connection.report_fault)
            if succeeded and self._streamed:
                self.finish()
        self.reset(codes.HANDLER_FAULT)

    def _lost(self) -> None:
        self._finished = True
        if self._scope is not None:
            self._scope.cancel()
        if self._writable is not None:
            self._writable.unpark_all()

    def on_writable(self) -> None:
        if self._writable is not None:
            self._writable.unpark_all()

    def on_reset(self, code: int) -> None:
        self.connection.engine.reset(self.connection.number, self._stream, codes.CANCELLED)
        self._lost()

    def on_stopped(self, code: int) -> None:
        self._lost()

    def on_closed(self, closed: ConnectionClosed) -> None:
        self._lost()
