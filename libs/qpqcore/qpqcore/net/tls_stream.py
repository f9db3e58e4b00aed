"""TLS over a byte stream, by memory BIOs: whatever came is decrypted in one go, whatever is given leaves in one send.

One task receives, one sends. Of the peer's certificate only the chain and its service name count (`mutual_tls`).
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trio.abc import Stream

READ_BYTES = 256 * 1024
RECORD_BYTES = 16 * 1024
"""The largest TLS record (RFC 8446 §5.1): a read gives no more than one."""
GOODBYE_SECONDS_MAX = 1.0


class TlsStream:
    """One end. A cancelled `send` or `receive` leaves it unusable: cancel only what is to end."""

    def __init__(self, transport: Stream, context: ssl.SSLContext, server_hostname: str | None = None) -> None:
        self._transport = transport
        self._is_cut = False
        """Whether a send was cut off: nothing may follow it."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_hostname is None, server_hostname=server_hostname
        )

    async def do_handshake(self) -> None:
        """Shake hands; ssl.SSLError for a peer that is refused, after it has been told."""
        refused: ssl.SSLError | None = ssl.SSLWantReadError()
        while refused is not None:
            try:
                self._tls.do_handshake()
                refused = None
            except ssl.SSLError as exc:
                refused = exc
            await self._flush()
            if isinstance(refused, ssl.SSLWantReadError):
                await self._fill()
            elif refused is not None:
                raise refused

    def peer_certificate(self) -> Mapping[str, object]:
        """Return the peer's verified certificate, as `ssl.SSLSocket.getpeercert` does."""
        return self._tls.getpeercert() or {}

    async def receive(self) -> bytes:
        """Return all that has come, at least a byte, or b"" at the end. ssl.SSLError, trio.BrokenResourceError."""
        while True:
            pieces = []
            try:
                while piece := self._tls.read(RECORD_BYTES):
                    pieces.append(piece)
                ended = True
            except ssl.SSLWantReadError:
                ended = False
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                ended = True
            if pieces or ended:
                return b"".join(pieces)
            await self._fill()

    async def send(self, data: bytes) -> None:
        """Send all of it. ssl.SSLError, trio.BrokenResourceError."""
        if len(data) <= RECORD_BYTES:
            self._tls.write(data)
        else:
            view = memoryview(data)
            while view:
                view = view[self._tls.write(view) :]
        await self._flush()

    async def aclose(self) -> None:
        """Say goodbye where that goes at once; close."""
        with (
            trio.move_on_after(GOODBYE_SECONDS_MAX, shield=not self._is_cut),
            contextlib.suppress(ssl.SSLError, ValueError, trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            if not self._is_cut:
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._tls.unwrap()
                await self._flush()
        await trio.aclose_forcefully(self._transport)

    async def _fill(self) -> None:
        data = await self._transport.receive_some(READ_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._is_cut = True
            await self._transport.send_all(data)
            self._is_cut = False
