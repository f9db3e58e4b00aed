"""One connection of the TCP bus, as both ends have it: what waits to leave, what has come, whether the peer lives.

1. The caller's hello comes first, then the callee's; calls only after both.
2. One task writes. All that is queued when it is woken leaves in one send: a cancelled send would break the stream.
3. Who answers more than QUEUE_BYTES_MAX that is not read stops reading itself, so the peer waits.
4. A peer that was asked whether it lives and says nothing for SILENT_SECONDS_MAX is gone.
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import TYPE_CHECKING

import trio

from qpqcore.wire.bus_frame import Frame, FrameError, FrameReader, Kind, frame

if TYPE_CHECKING:
    from qpqcore.net.tls_stream import TlsStream

HANDSHAKE_SECONDS_MAX = 5.0
"""TLS and hellos; a stranger holds a connection no longer."""
CALLS_MAX = 20_000
"""In flight on one connection, and at one service in all: as many as a gateway passes on. Past it: `overloaded`."""
SEND_BYTES = 256 * 1024
"""Joined into one send; what is queued behind it has to wait for the next."""
QUEUE_BYTES_MAX = 32 * 1024 * 1024
"""Four of the largest frames."""
PING_SECONDS = 2.0
IDLE_PING_SECONDS = 10.0
"""Where no call waits."""
SILENT_SECONDS_MAX = 6.0
CALLER_SILENT_SECONDS_MAX = 3 * IDLE_PING_SECONDS
"""A callee does not ask: its caller does, so often at least."""
ASK, ANSWER = b"\0", b"\1"

LOST = (ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError, OSError, FrameError)
"""How a connection ends that does not end in order."""


class Link:
    """A stream of frames."""

    def __init__(self, stream: TlsStream) -> None:
        self._stream = stream
        self._reader = FrameReader()
        self._early: list[Frame] = []
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wanted: trio.Event | None = None
        self._room: trio.Event | None = None
        self._heard_s = trio.current_time()
        self._asked_s = 0.0

    @property
    def is_full(self) -> bool:
        """Whether more is queued than should be."""
        return self._queued_bytes > QUEUE_BYTES_MAX

    @property
    def silent_seconds(self) -> float:
        """How long nothing has been heard."""
        return trio.current_time() - self._heard_s

    def put_nowait(self, data: bytes) -> None:
        """Queue a frame."""
        self._queue.append(data)
        self._queued_bytes += len(data)
        if self._wanted is not None:
            self._wanted.set()
            self._wanted = None

    async def write(self) -> None:
        """Send what is queued, for ever. One of LOST."""
        while True:
            if not self._queue:
                self._wanted = trio.Event()
                await self._wanted.wait()
            data = self._take()
            await self._stream.send(data)
            self._queued_bytes -= len(data)
            if self._room is not None and not self.is_full:
                self._room.set()
                self._room = None

    def _take(self) -> bytes:
        if self._queued_bytes <= SEND_BYTES:
            data = b"".join(self._queue)
            self._queue.clear()
            return data
        some, count = [], 0
        while self._queue and count < SEND_BYTES:
            count += len(self._queue[0])
            some.append(self._queue.popleft())
        return b"".join(some)

    async def wait_room(self) -> None:
        """Wait until the peer has read."""
        while self.is_full:
            self._room = self._room or trio.Event()
            await self._room.wait()

    async def send_now(self, data: bytes) -> None:
        """Send one frame while nothing writes yet. One of LOST."""
        await self._stream.send(data)

    async def receive_first(self) -> Frame:
        """Return the first frame, which is small. One of LOST."""
        while True:
            data = await self._stream.receive()
            if not data:
                raise FrameError("ended before its hello")
            if found := self._reader.feed(data):
                self._early = found[1:]
                self._reader.widen()
                return found[0]

    async def receive(self) -> list[Frame]:
        """Return what has come whole, at least one; none at the end. One of LOST."""
        if self._early:
            found, self._early = self._early, []
            return found
        while data := await self._stream.receive():
            self._heard_s = trio.current_time()
            if found := self._reader.feed(data):
                return found
        return []

    def pinged(self, ping: Frame) -> None:
        """Answer where the peer asks."""
        if ping.body == ASK:
            self.put_nowait(frame(Kind.PING, body=ANSWER))

    def ask(self, *, busy: bool) -> bool:
        """Ask the peer whether it lives, if it is time to; False when it has not answered."""
        now_s = trio.current_time()
        if self._asked_s > self._heard_s:
            return now_s - self._asked_s < SILENT_SECONDS_MAX
        if now_s - self._heard_s >= (PING_SECONDS if busy else IDLE_PING_SECONDS):
            self._asked_s = now_s
            self.put_nowait(frame(Kind.PING, body=ASK))
        return True
