"""Raw streams: a QUIC stream as a `trio.abc.HalfCloseableStream`, with reset and stop-sending besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from . import codes
from .engine import GONE
from .errors import ConnectionClosed, QuicError, StreamReset
from .sinks import StreamSink

if TYPE_CHECKING:
    from types import TracebackType

    from .connection import QuicConnection

RECEIVE_BYTES: Final = 64 * 1024
"""What one `receive_some` takes when it is not told."""
SEND_BYTES: Final = 256 * 1024
"""What one step of `send_all` hands over: other tasks get their turn in between."""


class _Turn:
    """Lets one task in at a time and refuses a second, as Trio's streams do."""

    __slots__ = ("_busy", "_what")

    def __init__(self, what: str) -> None:
        self._busy = False
        self._what = what

    def __enter__(self) -> None:
        if self._busy:
            raise trio.BusyResourceError(f"another task is {self._what}")
        self._busy = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._busy = False


class QuicStream(StreamSink, trio.abc.HalfCloseableStream):
    """One bidirectional stream of bytes.

    The peer gets credit only for what `receive_some` has returned. A broken stream raises `trio.BrokenResourceError`
    whose `__cause__` is the StreamReset or ConnectionClosed behind it.
    """

    def __init__(self, connection: QuicConnection, number: int) -> None:
        self.connection = connection
        self.number = number
        self._sending = _Turn("sending")
        self._receiving = _Turn("receiving")
        self._readable = trio.lowlevel.ParkingLot()
        self._writable = trio.lowlevel.ParkingLot()
        self._full = False
        self._ended = False
        self._eof_sent = False
        self._closed = False
        self._send_error: QuicError | None = None
        self._receive_error: QuicError | None = None

    # --- sending

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hands all of `data` to QUIC; waits while the peer's window is full."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            self._check_sending()
            view = memoryview(data).cast("B")
            while len(view):
                taken = self._write(bytes(view[:SEND_BYTES]))
                view = view[taken:]
                if len(view):
                    await self._wait_writable()

    def _write(self, piece: bytes) -> int:
        """Hands one piece over; how much of it was taken."""
        self._check_sending()
        taken = self.connection.engine.write(self.connection.number, self.number, piece, False)
        if taken == GONE:
            self._send_error = self._send_error or self.connection.closed or StreamReset(codes.NO_ERROR)
            self._check_sending()
        self._full = taken < len(piece)
        self.connection.wake()
        return taken

    async def _wait_writable(self) -> None:
        if self._full and self._send_error is None and not self._closed:
            await self._writable.park()
        else:
            await trio.lowlevel.checkpoint()
        self._check_sending()

    async def wait_send_all_might_not_block(self) -> None:
        """Waits until the peer's window has room, as far as is known."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            self._check_sending()
            if self._full:
                await self._wait_writable()

    async def send_eof(self) -> None:
        """Ends the sending half; what was sent still arrives."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            if self._closed:
                raise trio.ClosedResourceError
            if self._eof_sent:
                return
            self._check_sending()
            self._finish()

    def _finish(self) -> None:
        self._eof_sent = True
        self.connection.engine.write(self.connection.number, self.number, b"", True)
        self.connection.wake()

    def _check_sending(self) -> None:
        if self._closed or self._eof_sent:
            raise trio.ClosedResourceError
        if self._send_error is not None:
            raise trio.BrokenResourceError(str(self._send_error)) from self._send_error

    def reset(self, code: int) -> None:
        """Gives up the sending half; what has not arrived may never."""
        self._eof_sent = True
        self.connection.engine.reset(self.connection.number, self.number, code)
        self._writable.unpark_all()
        self.connection.wake()

    # --- receiving

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """At most `max_bytes` as soon as there are any; b"" at the end."""
        if max_bytes is None:
            max_bytes = RECEIVE_BYTES
        elif not isinstance(max_bytes, int):
            raise TypeError("max_bytes must be an integer")
        elif max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        with self._receiving:
            await trio.lowlevel.checkpoint()
            while True:
                got = self._read(max_bytes)
                if got is not None:
                    return got
                await self._readable.park()

    def _read(self, bytes_max: int) -> bytes | None:
        """What there is; None: wait."""
        if self._closed:
            raise trio.ClosedResourceError
        if self._receive_error is not None:
            raise trio.BrokenResourceError(str(self._receive_error)) from self._receive_error
        if self._ended:
            return b""
        read = self.connection.engine.read(self.connection.number, self.number, bytes_max)
        self.connection.wake()
        if read is None:
            # Reset: its event, with the code, is on its way.
            return None
        data, self._ended = read
        return data if data or self._ended else None

    def stop_sending(self, code: int) -> None:
        """Reads no more; the peer's sends fail from then on."""
        self.connection.engine.stop_sending(self.connection.number, self.number, code)
        self._receive_error = self._receive_error or StreamReset(code)
        self._readable.unpark_all()
        self.connection.wake()

    # --- the end

    async def aclose(self) -> None:
        """Ends the sending half, reads no more, and wakes whoever waits. Never waits for the peer."""
        self.close_nowait()
        await trio.lowlevel.checkpoint()

    def close_nowait(self) -> None:
        """The same, at once."""
        if self._closed:
            return
        if not self._eof_sent and self._send_error is None:
            self._finish()
        self._closed = True
        self.connection.engine.stop_sending(self.connection.number, self.number, codes.NO_ERROR)
        self.connection.forget(self.number)
        self._readable.unpark_all()
        self._writable.unpark_all()
        self.connection.wake()

    # --- events

    def on_readable(self) -> None:
        self._readable.unpark_all()

    def on_writable(self) -> None:
        self._full = False
        self._writable.unpark_all()

    def on_reset(self, code: int) -> None:
        self._receive_error = self._receive_error or StreamReset(code)
        self._readable.unpark_all()

    def on_stopped(self, code: int) -> None:
        self._send_error = self._send_error or StreamReset(code)
        self._writable.unpark_all()

    def on_closed(self, closed: ConnectionClosed) -> None:
        self._send_error = self._send_error or closed
        if not self._ended:
            self._receive_error = self._receive_error or closed
        self._readable.unpark_all()
        self._writable.unpark_all()
