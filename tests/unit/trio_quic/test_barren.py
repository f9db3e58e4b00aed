"""A native server of many idle clients works their pings off in a thread, without a turn of the scheduler: whatever else
comes, from either side, is heard as before. Real sockets.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from trio_quic import (
    ClientTls,
    IncomingCall,
    Limits,
    QuicConfiguration,
    QuicConnection,
    QuicEndpoint,
    ServerTls,
    endpoint,
    open_quic_connection,
    ports,
    serve_quic,
)
from trio_quic.testing import ALPN, Certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CLIENTS = 3
HANDSHAKE_S = 10
"""The deadline that the server's timer is set for, whatever else there is."""
LIVELY = Limits(keepalive_ms=20, silence_ms=6_000)
"""Pings enough that the server is soon in its thread, and a client that is not answered is closed."""


class Waits:
    """Counts when the server goes to its thread and when it comes back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = self.ended = 0
        self.changed = trio.Condition()
        whole = ports.EnginePort.wait_barren

        async def counted(port: ports.EnginePort, now_us: int) -> None:
            await self._note(begun=1)
            await whole(port, now_us)
            await self._note(ended=1)

        monkeypatch.setattr(ports.EnginePort, "wait_barren", counted)
        monkeypatch.setattr(endpoint, "CROWD", CLIENTS)

    async def _note(self, begun: int = 0, ended: int = 0) -> None:
        async with self.changed:
            self.begun, self.ended = self.begun + begun, self.ended + ended
            self.changed.notify_all()

    async def in_thread(self) -> None:
        """Until the server waits in its thread."""
        async with self.changed:
            while self.begun == self.ended:
                await self.changed.wait()


async def until(condition: Callable[[], bool]) -> None:
    """Go on once it holds."""
    while not condition():
        await trio.lowlevel.checkpoint()


async def answer(call: IncomingCall) -> None:
    """Echoes; a subscriber gets what is published later."""
    if call.frame != b"subscribe":
        call.reply(call.frame)
        return
    await call.send(b"ready")
    call.connection.data = call
    await trio.sleep_forever()


@asynccontextmanager
async def crowd(certificates: Certificates) -> AsyncIterator[tuple[QuicEndpoint, list[QuicConnection]]]:
    """A server, and its clients."""
    leaf = certificates.server
    own = QuicConfiguration(
        alpn=ALPN,
        server=ServerTls(chain_pem=leaf.chain_pem, key_pem=leaf.key_pem),
        limits=Limits(frame_head_ms=500, handshake_ms=HANDSHAKE_S * 1000),
    )
    theirs = QuicConfiguration(alpn=ALPN, client=ClientTls(ca_pem=leaf.chain_pem), limits=LIVELY)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
            server = await nursery.start(partial(serve_quic, answer, own, host="127.0.0.1", port=0))
            clients = [
                await stack.enter_async_context(open_quic_connection(*server.address, theirs)) for _ in range(CLIENTS)
            ]
            yield server, clients
            nursery.cancel_scope.cancel()


async def test_pings_are_answered_in_the_thread(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Waits(monkeypatch)
    async with crowd(certificates) as (server, clients):
        await waits.in_thread()
        begun, before = waits.begun, server.counters()["datagrams_received"]
        await until(lambda: server.counters()["datagrams_received"] >= before + 30)
        # Thirty pings and no turn for them, and the answers have arrived.
        assert waits.begun <= begun + 1
        heard = [connection.stats()["datagrams_received"] for connection in clients]
        await until(
            lambda: all(now.stats()["datagrams_received"] > was for now, was in zip(clients, heard, strict=True))
        )


async def test_calls_and_pushes_are_heard_from_the_thread(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = Waits(monkeypatch)
    async with crowd(certificates) as (server, clients):
        async with clients[0].open_call(b"subscribe") as replies:
            assert await anext(replies) == b"ready"
            for turn in range(5):
                await waits.in_thread()
                assert await clients[1].call(bytes([turn])) == bytes([turn])
                await waits.in_thread()
                (subscription,) = [one.data for one in server.connections if one.data is not None]
                assert isinstance(subscription, IncomingCall)
                await subscription.send(b"news")
                assert await anext(replies) == b"news"
        assert waits.begun > 5


async def test_a_deadline_that_comes_earlier_is_kept(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that does not come is late in time, though its beginning brought no event."""
    waits = Waits(monkeypatch)
    async with crowd(certificates) as (server, clients):
        await waits.in_thread()
        begun_s = trio.current_time()
        stream = await clients[0].open_stream()
        await stream.send_all(b"\x01")
        await until(lambda: server.counters()["frames_late"] == 1)
        assert trio.current_time() - begun_s < HANDSHAKE_S / 2


async def test_the_end_comes_at_once(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Waits(monkeypatch)
    async with crowd(certificates) as (server, clients):
        await waits.in_thread()
        address = server.address
    assert all(connection.closed is not None for connection in clients)
    # The socket is free again.
    transport = ports.UdpTransport(address)
    transport.close()
