"""One QUIC connection as the application sees it: calls, streams, what the handshake proved, and the end."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from .addresses import Address, unpack
from .calls import PendingReply, ReplyStream
from .engine import GONE, Engine
from .streams import QuicStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .endpoint import QuicEndpoint
    from .errors import ConnectionClosed
    from .sinks import StreamSink

LINGER_S: Final = 1.0
"""How long `aclose` waits for the peer to acknowledge what was sent."""


class QuicConnection:
    """A connection, from the end of its handshake on. `number` names it towards the engine."""

    def __init__(self, endpoint: QuicEndpoint, number: int, *, is_server: bool) -> None:
        self.endpoint = endpoint
        self.engine: Engine = endpoint.engine
        self.number = number
        self.is_server = is_server
        self.data: object | None = None
        """The application's own."""
        self.closed: ConnectionClosed | None = None
        """Why the connection is over, once it is."""
        self.calls_in_flight = 0
        """Calls of the peer that are not answered yet."""
        self.established = trio.Event()
        """Set when the handshake is done, and when the connection is over."""
        self._over = trio.Event()
        self._call_ended = trio.lowlevel.ParkingLot()
        self._idle: trio.Event | None = None
        self._sinks: dict[int, StreamSink] = {}
        self._streams_available = trio.lowlevel.ParkingLot()
        self._facts: tuple[bytes | None, str | None, str] | None = None
        self._certificates: list[bytes] = []
        self._spki_sha256: bytes | None = None
        self._remote: Address | None = None

    def __repr__(self) -> str:
        return f"<QuicConnection {self.number:#x} {'closed' if self.closed else 'open'}>"

    # --- calls and streams

    async def call(self, frame: bytes) -> bytes:
        """Sends one frame on a stream of its own and returns the one frame that answers it.

        Raises StreamReset, FrameError or ConnectionClosed. Cancelling resets the stream, which cancels the peer's
        handler.
        """
        stream = await self._new_stream(lambda: self.engine.call(self.number, frame))
        pending = PendingReply(self, stream)
        self._sinks[stream] = pending
        return await pending.wait()

    @asynccontextmanager
    async def open_call(self, frame: bytes) -> AsyncIterator[ReplyStream]:
        """The same for an answer of any number of frames; leaving the block gives up what has not come."""
        stream = await self._new_stream(lambda: self.engine.call(self.number, frame))
        replies = ReplyStream(self, stream)
        self._sinks[stream] = replies
        try:
            yield replies
        finally:
            replies.give_up()

    async def open_stream(self) -> QuicStream:
        """A raw stream. Waits while the peer allows no more of them."""
        number = await self._new_stream(lambda: self.engine.open(self.number, False))
        stream = QuicStream(self, number)
        self._sinks[number] = stream
        return stream

    async def _new_stream(self, attempt: Callable[[], int]) -> int:
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            if self.closed is not None:
                raise self.closed.renewed()
            stream = attempt()
            if stream >= 0:
                self.wake()
                return stream
            if stream == GONE:
                # The event that says why is on its way.
                self.wake()
                await self._over.wait()
                continue
            await self._streams_available.park()

    def set_frame_limit(self, bytes_max: int) -> None:
        """The largest frame taken from the peer from now on."""
        self.engine.set_frame_limit(self.number, bytes_max)

    def update_keys(self) -> None:
        """Goes on to the next traffic keys (RFC 9001 section 6); does nothing while the last step is under way."""
        self.engine.update_keys(self.number)
        self.wake()

    def charge(self) -> None:
        """A call of the peer was refused: it counts like a cancelled one (`Limits.cancels_per_second_max`)."""
        self.engine.charge(self.number)

    def set_window(self, window_bytes: int) -> None:
        """What the peer may send over all its streams before anything is read, from now on."""
        self.engine.set_window(self.number, window_bytes)
        self.wake()

    # --- facts

    @property
    def peer_certificates(self) -> list[bytes]:
        """The peer's verified chain in DER, leaf first; empty if it showed none."""
        return self._certificates

    @property
    def peer_spki_sha256(self) -> bytes | None:
        """SHA-256 of the public key in the peer's certificate: what a pin is made of."""
        return self._spki_sha256

    @property
    def alpn(self) -> bytes | None:
        """The application protocol agreed on."""
        return self._facts[0] if self._facts else None

    @property
    def server_name(self) -> str | None:
        """The name the client asked for; known on the server only."""
        return self._facts[1] if self._facts else None

    @property
    def group(self) -> str:
        """The key exchange group agreed on, such as X25519MLKEM768."""
        return self._facts[2] if self._facts else ""

    @property
    def remote_address(self) -> Address:
        """Where the peer is, or was when the connection ended; it may change meanwhile."""
        return self._remote or ("0.0.0.0", 0)  # noqa: S104 - says "nowhere"

    def export_keying_material(self, label: bytes, context: bytes, length: int) -> bytes:
        """RFC 8446 section 7.5: bytes only these two ends know. Raises ConnectionClosed."""
        if self.closed is not None:
            raise self.closed.renewed()
        return self.engine.export_keying_material(self.number, label, context, length)

    def stats(self) -> dict[str, int]:
        """Figures of the connection by name; empty once it is over."""
        return self.engine.stats(self.number) or {}

    # --- the end

    def close(self, code: int = 0, reason: bytes = b"") -> None:
        """Closes at once; what has not been sent is not sent any more."""
        self.engine.close(self.number, code, reason, self.endpoint.now_us())
        self.wake()

    async def aclose(self, code: int = 0, reason: bytes = b"") -> None:
        """Closes once the peer has acknowledged what was sent, or after LINGER_S. Cancelling closes at once."""
        try:
            with trio.move_on_after(LINGER_S):
                await self.wait_acknowledged()
        finally:
            self.close(code, reason)
        await trio.lowlevel.checkpoint()

    async def wait_acknowledged(self) -> None:
        """Waits until the peer has acknowledged all that was sent and ended, or the connection is over."""
        if self.closed is None:
            idle = self._idle = self._idle or trio.Event()
            self.engine.watch_idle(self.number)
            self.wake()
            await idle.wait()

    async def wait_closed(self) -> ConnectionClosed:
        """Waits for the end and says why it came."""
        await self._over.wait()
        closed = self.closed
        assert closed is not None
        return closed

    # --- for the endpoint and the streams

    def wake(self) -> None:
        """There is something to send."""
        self.endpoint.wake()

    def report_fault(self, fault: Exception) -> None:
        """A handler failed."""
        self.endpoint.report_fault(fault)

    def sink(self, stream: int) -> StreamSink | None:
        """Who takes this stream's events."""
        return self._sinks.get(stream)

    def adopt(self, stream: int, sink: StreamSink) -> None:
        """Hands a stream's events to `sink` from now on."""
        self._sinks[stream] = sink

    def forget(self, stream: int) -> None:
        """Nobody cares for this stream's events any more."""
        self._sinks.pop(stream, None)

    def abandon(self, stream: int, code: int) -> None:
        """Gives up both halves of a stream."""
        self.forget(stream)
        self.engine.reset(self.number, stream, code)
        self.engine.stop_sending(self.number, stream, code)
        self.wake()

    async def wait_call_ended(self) -> None:
        """Waits until one of the peer's calls ends, or the connection."""
        await self._call_ended.park()

    def on_call_ended(self) -> None:
        """One of the peer's calls is answered."""
        self.calls_in_flight -= 1
        self._call_ended.unpark_all()

    def on_connected(self, packed_address: bytes) -> None:
        """The handshake is done: keep its facts, which outlive the engine's own record."""
        self._remote = unpack(packed_address)
        self._facts = self.engine.handshake(self.number)
        self._certificates = self.engine.peer_certificates(self.number) or []
        self._spki_sha256 = self.engine.peer_spki_sha256(self.number)
        self.established.set()

    def on_path(self, packed_address: bytes) -> None:
        """The peer moved."""
        self._remote = unpack(packed_address)

    def on_available(self) -> None:
        """Streams can be opened again."""
        self._streams_available.unpark_all()

    def on_idle(self) -> None:
        """All that was sent is acknowledged."""
        if self._idle is not None:
            self._idle.set()
            self._idle = None

    def on_closed(self, closed: ConnectionClosed) -> None:
        """The end: everyone who waits learns it."""
        self.closed = closed
        sinks, self._sinks = list(self._sinks.values()), {}
        for sink in sinks:
            sink.on_closed(closed)
        self._streams_available.unpark_all()
        self._call_ended.unpark_all()
        self.on_idle()
        self.established.set()
        self._over.set()
