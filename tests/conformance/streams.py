"""What streams carry: a line that says what to do, then bytes of a pattern.

echo           sends back what comes
give N         sends N bytes of the pattern
take           answers with count and SHA-256 of what came
hold           the same, but reads nothing before `release`
release        lets those go on that hold
reset CODE     gives up its sending half
stop CODE      reads no more
await-reset    reads to the reset and answers with its code
await-stop     sends on until it is stopped, and notes the code
close CODE     closes the connection
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import trio

from trio_quic import ConnectionClosed, StreamReset
from trio_quic.errors import QuicError

if TYPE_CHECKING:
    from trio_quic import QuicConnection, QuicStream

    from .ends import Exchange, Notes

PERIOD = bytes(range(251))  # a prime, so that a misplaced piece shows
PIECE_BYTES = 65_536
ENDLESS_BYTES = 16_384
UNKNOWN_VERB = 1
KINDS = {
    "peer_application": "application-remote",
    "peer_transport": "transport-remote",
    "transport": "transport-local",
    "handshake_late": "late",
}


def pattern(size: int) -> bytes:
    """The first bytes of the pattern."""
    return (PERIOD * (size // len(PERIOD) + 1))[:size]


def told(data: bytes) -> str:
    """Count and digest."""
    return f"{len(data)} {sha256(data).hexdigest()}"


def ended(closed: ConnectionClosed) -> str:
    """How a connection of trio_quic ended."""
    return f"{KINDS.get(closed.kind, closed.kind)} {closed.code}"


def broken(error: BaseException, word: str) -> str:
    """How half a stream ended: `word` is reset or stopped."""
    cause = error if isinstance(error, QuicError) else error.__cause__
    if isinstance(cause, StreamReset):
        return f"{word} {cause.code}"
    assert isinstance(cause, ConnectionClosed), cause
    return f"closed {ended(cause)}"


async def receive_all(stream: QuicStream) -> bytes:
    """Read to the end."""
    data = bytearray()
    while piece := await stream.receive_some():
        data += piece
    return bytes(data)


async def send_pieces(stream: QuicStream, data: bytes) -> None:
    """Send, and give others their turn."""
    for start in range(0, len(data), PIECE_BYTES):
        await stream.send_all(data[start : start + PIECE_BYTES])


class Answering:
    """The server's side of the streams."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self._released = trio.Event()

    async def answer(self, connection: QuicConnection, stream: QuicStream) -> None:
        """Do what the first line says."""
        try:
            line = await self._head(stream)
            self.notes.add(f"stream {line}")
            verb, _, number = line.partition(" ")
            await self._do(verb, int(number or 0), connection, stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.notes.add(f"broken {error}")

    async def _head(self, stream: QuicStream) -> str:
        line = b""
        while (byte := await stream.receive_some(1)) not in (b"\n", b""):
            line += byte
        return line.decode()

    async def _do(self, verb: str, number: int, connection: QuicConnection, stream: QuicStream) -> None:
        if verb == "echo":
            while piece := await stream.receive_some():
                await stream.send_all(piece)
        elif verb == "give":
            await send_pieces(stream, pattern(number))
        elif verb in ("hold", "take"):
            if verb == "hold":
                await self._released.wait()
            await stream.send_all(told(await receive_all(stream)).encode())
        elif verb == "release":
            self._released.set()
            await stream.send_all(b"ok")
        elif verb == "close":
            connection.close(number)
        elif verb == "await-reset":
            await self._await_reset(stream)
        elif verb == "await-stop":
            await self._await_stop(stream)
        elif verb == "stop":
            stream.stop_sending(number)
        else:
            return stream.reset(number if verb == "reset" else UNKNOWN_VERB)
        await stream.send_eof()

    async def _await_reset(self, stream: QuicStream) -> None:
        try:
            await receive_all(stream)
            words = "no reset"
        except trio.BrokenResourceError as error:
            words = broken(error, "reset")
        await stream.send_all(words.encode())

    async def _await_stop(self, stream: QuicStream) -> None:
        try:
            while True:
                await stream.send_all(pattern(ENDLESS_BYTES))
        except trio.BrokenResourceError as error:
            self.notes.add(broken(error, "stopped"))
            raise


class Asking:
    """The client's side of one stream."""

    def __init__(self, stream: QuicStream, exchange: Exchange, how: str, code: int) -> None:
        self._stream, self._exchange, self._how, self._code = stream, exchange, how, code

    async def run(self, data: bytes) -> None:
        """Both halves, to their ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, data)
            nursery.start_soon(self._receive)
        self._exchange.over.set()

    async def _send(self, data: bytes) -> None:
        try:
            await send_pieces(self._stream, data)
            if self._how == "reset":
                await self._exchange.go.wait()
                self._stream.reset(self._code)
            else:
                await self._stream.send_eof()
            self._exchange.sent = "ok"
        except trio.BrokenResourceError as error:
            self._exchange.sent = broken(error, "stopped")

    async def _receive(self) -> None:
        if self._how == "wait":
            await self._exchange.go.wait()
        try:
            if self._how == "stop":
                await self._stream.receive_some()
                self._stream.stop_sending(self._code)
                self._exchange.received = "stopped"
            else:
                self._exchange.received = f"ok {told(await receive_all(self._stream))}"
        except trio.BrokenResourceError as error:
            self._exchange.received = broken(error, "reset")
