"""Raw streams: Trio's own conformance checks, flow control, reset and stop-sending."""

from __future__ import annotations

import math
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
from trio.testing import MockClock, check_half_closeable_stream

from trio_quic import ConnectionClosed, Limits, QuicConnection, QuicStream, StreamReset, codes
from trio_quic.testing import Bench, Certificates, bench

Engines = tuple[Any, Any]


class Raw:
    """A raw server that hands its streams out."""

    def __init__(self) -> None:
        self._sender, self._receiver = trio.open_memory_channel[QuicStream](math.inf)
        self.done = trio.Event()

    async def on_stream(self, connection: QuicConnection, stream: QuicStream) -> None:
        self._sender.send_nowait(stream)
        await self.done.wait()

    async def accepted(self) -> QuicStream:
        return await self._receiver.receive()


async def stream_pair(connection: QuicConnection, raw: Raw) -> tuple[QuicStream, QuicStream]:
    """(client's, server's): the peer learns of a stream by its first byte."""
    ours = await connection.open_stream()
    await ours.send_all(b"!")
    theirs = await raw.accepted()
    assert await theirs.receive_some(1) == b"!"
    return ours, theirs


async def raw_pair(
    stack: AsyncExitStack, certificates: Certificates, engines: Any, **options: Any
) -> tuple[Bench, QuicStream, QuicStream]:
    raw = Raw()
    place = await stack.enter_async_context(bench(certificates, engines, None, on_stream=raw.on_stream, **options))
    connection = await stack.enter_async_context(place.connect())
    return place, *(await stream_pair(connection, raw))


async def test_trio_conformance(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    raw = Raw()
    async with (
        bench(certificates, engines, None, on_stream=raw.on_stream) as place,
        place.connect() as connection,
    ):

        async def make() -> tuple[QuicStream, QuicStream]:
            return await stream_pair(connection, raw)

        async def make_clogged() -> tuple[QuicStream, QuicStream]:
            ours, theirs = await make()
            for stream in (ours, theirs):
                with trio.move_on_after(5) as scope:
                    while True:
                        await stream.send_all(bytes(100_000))
                assert scope.cancelled_caught
            return ours, theirs

        await check_half_closeable_stream(make, make_clogged)


async def test_unread_streams_hold_their_sender(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    limits = Limits(stream_window_bytes=64 * 1024)
    async with AsyncExitStack() as stack:
        place, ours, theirs = await raw_pair(stack, certificates, engines, limits=limits)
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(400):
                await ours.send_all(bytes(10_000))
                sent += 10_000
            await ours.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await trio.sleep(10)
            stalled = sent
            assert stalled < 4_000_000
            received_by_server = place.server_connections[0].stats()
            assert received_by_server.get("bytes_received", 0) < 64 * 1024 + 20_000
            assert received_by_server.get("unread_bytes", 0) <= 64 * 1024
            await trio.sleep(10)
            assert sent == stalled
            total = 0
            while piece := await theirs.receive_some():
                total += len(piece)
        assert total == 4_000_000


async def test_reset_breaks_the_reader(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        _, ours, theirs = await raw_pair(stack, certificates, engines)
        ours.reset(0x123)
        with pytest.raises(trio.BrokenResourceError) as broken:
            await theirs.receive_some()
        assert isinstance(broken.value.__cause__, StreamReset)
        assert broken.value.__cause__.code == 0x123
        with pytest.raises(trio.ClosedResourceError):
            await ours.send_all(b"more")
        # The other direction is whole.
        await theirs.send_all(b"still fine")
        assert await ours.receive_some() == b"still fine"


async def test_stop_sending_breaks_the_writer(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with AsyncExitStack() as stack:
        _, ours, theirs = await raw_pair(stack, certificates, engines)
        theirs.stop_sending(0x321)
        with pytest.raises(trio.BrokenResourceError) as broken:
            while True:
                await ours.send_all(bytes(10_000))
                await trio.sleep(0.01)
        assert isinstance(broken.value.__cause__, StreamReset)
        assert broken.value.__cause__.code == 0x321
        with pytest.raises(trio.BrokenResourceError):
            await theirs.receive_some()
        await theirs.send_all(b"still fine")
        assert await ours.receive_some() == b"still fine"


async def test_stop_sending_wakes_a_blocked_writer(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with AsyncExitStack() as stack:
        _, ours, theirs = await raw_pair(stack, certificates, engines)
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await ours.send_all(bytes(4_000_000))

            nursery.start_soon(send)
            await trio.sleep(5)
            theirs.stop_sending(1)


async def test_the_connections_end_breaks_streams(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with AsyncExitStack() as stack:
        place, ours, _ = await raw_pair(stack, certificates, engines)
        place.server_connections[0].close(7, b"enough")
        with pytest.raises(trio.BrokenResourceError) as broken:
            await ours.receive_some()
        cause = broken.value.__cause__
        assert isinstance(cause, ConnectionClosed)
        assert (cause.kind, cause.code) == ("peer_application", 7)
        with pytest.raises(trio.BrokenResourceError):
            await ours.send_all(b"x")


async def test_graceful_close_delivers_what_was_sent(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    raw = Raw()
    async with bench(certificates, engines, None, on_stream=raw.on_stream) as place:
        async with place.connect() as connection:
            ours, theirs = await stream_pair(connection, raw)
            await ours.send_all(bytes(100_000))
            await ours.aclose()
            await theirs.aclose()
            await connection.aclose(3, b"done")
        await trio.sleep(1)
        (server_side,) = place.closed
        assert (await server_side.wait_closed()).code == 3


async def test_a_raw_server_calls_handlers_faults_too(
    engine: Any, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async def on_stream(connection: QuicConnection, stream: QuicStream) -> None:
        raise LookupError("raw")

    async with (
        bench(certificates, engine, None, on_stream=on_stream) as place,
        place.connect() as connection,
    ):
        stream = await connection.open_stream()
        await stream.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError) as broken:
            await stream.receive_some()
        assert isinstance(broken.value.__cause__, StreamReset)
        assert broken.value.__cause__.code == codes.HANDLER_FAULT
        assert [str(fault) for fault in place.faults] == ["raw"]


async def test_streams_wait_for_their_turn(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    limits = Limits(streams_max=3)
    raw = Raw()
    async with (
        bench(certificates, engines, None, on_stream=raw.on_stream, limits=limits) as place,
        place.connect() as connection,
    ):
        pairs = [await stream_pair(connection, raw) for _ in range(3)]
        with trio.move_on_after(5) as scope:
            await connection.open_stream()
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream_pair, connection, raw)
            await trio.sleep(1)
            ours, theirs = pairs[0]
            await ours.aclose()
            await theirs.aclose()


async def test_a_peer_without_handler_refuses_streams(
    engine: Any, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engine) as place, place.connect() as connection:
        await connection.call(b"x")
        (server_side,) = place.server_connections
        with pytest.raises(StreamReset) as reset:
            await server_side.call(b"are you there?")
        assert reset.value.code == codes.NO_HANDLER
