"""Peers that break QUIC's own rules: each costs its own connection, and a bystander notices nothing.

The hostile end is aioquic with its own limits taken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import trio
from aioquic.quic.packet import QuicStreamFrame

from trio_quic import (
    ConnectionClosed,
    EngineName,
    IncomingCall,
    Limits,
    QuicConfiguration,
    QuicConnection,
    ServerTls,
    events,
)
from trio_quic.testing import ALPN, Certificates, bench
from trio_quic.testing.hostile import Duel, length_and

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from trio.testing import MockClock

    from trio_quic.aio.bounds import BoundedConnection
    from trio_quic.aio.engine import AioquicEngine

FLOW_CONTROL_ERROR, STREAM_LIMIT_ERROR = 0x3, 0x4
PROTOCOL_ERRORS = {0x5, 0x7, 0xA}
LIMITLESS = 1 << 50


def inside(connection: QuicConnection) -> BoundedConnection:
    """aioquic's own connection object."""
    return cast("AioquicEngine", connection.engine)._peers[connection.number].connection


def alternating_bytes(connection: QuicConnection) -> None:
    """Sends every other byte of a stream: 5,000 gaps, each of which costs the receiver a search."""
    state = inside(connection)
    state.send_stream_data(0, bytes(10_000))
    offsets = iter(range(1, 10_000, 2))

    def get_frame(max_size: int, max_offset: int | None = None) -> QuicStreamFrame | None:
        offset = next(offsets, None)
        return None if offset is None else QuicStreamFrame(data=b"x", offset=offset)

    state._streams[0].sender.get_frame = get_frame  # type: ignore[method-assign]
    state._streams[0].sender.on_data_delivery = lambda *_: None  # type: ignore[method-assign]


def too_many_bytes(connection: QuicConnection) -> None:
    """Ignores both windows, behind a first frame that is not answered yet."""
    state = inside(connection)
    state._remote_max_data = LIMITLESS
    state.send_stream_data(0, b"\x04\0\0\0wait" + bytes(1_000_000))
    state._streams[0].max_stream_data_remote = LIMITLESS


def too_many_streams(connection: QuicConnection) -> None:
    """Ignores the limit of streams."""
    state = inside(connection)
    state._remote_max_streams_bidi = LIMITLESS
    for number in range(200):
        state.send_stream_data(4 * number, b"x")


def one_way_stream(connection: QuicConnection) -> None:
    """Opens a stream of a kind that is not allowed at all."""
    state = inside(connection)
    state._remote_max_streams_uni = LIMITLESS
    state._remote_max_stream_data_uni = LIMITLESS
    state.send_stream_data(2, b"x")


def unknown_frame(connection: QuicConnection) -> None:
    """Sends a frame type that does not exist."""
    state = inside(connection)

    def write_nonsense(builder: Any, *arguments: Any, **named: Any) -> None:
        builder.start_frame(0x3F, capacity=8).push_bytes(b"nonsense")

    state._write_ping_frame = write_nonsense  # type: ignore[method-assign]
    state.send_ping(1)


@pytest.mark.parametrize(
    ("attack", "codes"),
    [
        (alternating_bytes, None),
        (too_many_bytes, {FLOW_CONTROL_ERROR}),
        (too_many_streams, {STREAM_LIMIT_ERROR}),
        (one_way_stream, {STREAM_LIMIT_ERROR}),
        (unknown_frame, PROTOCOL_ERRORS),
    ],
)
async def test_a_hostile_peer_costs_its_own_connection(
    engine: EngineName,
    attack: Callable[[QuicConnection], None],
    codes: set[int] | None,
    certificates: Certificates,
    autojump_clock: MockClock,
) -> None:
    limits = Limits(idle_ms=600_000)

    async def wait() -> None:
        await trio.sleep_forever()

    def on_call(call: IncomingCall) -> Coroutine[Any, Any, None] | None:
        if call.frame == b"wait":
            return wait()
        call.reply(call.frame)
        return None

    async with (
        bench(certificates, (engine, "aioquic"), on_call, limits=limits) as place,
        place.connect(engine="native") as bystander,
        place.connect() as hostile,
    ):
        attack(hostile)
        hostile.wake()
        cast("AioquicEngine", hostile.engine)._touched.add(hostile.number)
        with trio.fail_after(120):
            closed = await hostile.wait_closed()
        assert closed.kind == "peer_transport"
        assert codes is None or closed.code in codes
        with pytest.raises(ConnectionClosed):
            await hostile.call(b"x")
        assert await bystander.call(b"unharmed") == b"unharmed"
        assert place.endpoint.counters()["faults"] == 0


async def test_replayed_and_mangled_datagrams(
    engine: EngineName, certificates: Certificates, autojump_clock: MockClock
) -> None:
    """An attacker on the path repeats and alters what goes by: calls still get their answers."""
    async with bench(certificates, engine) as place:
        deliver = place.link.script

        def meddle(number: int, source: Any, destination: Any, data: bytes) -> Any:
            if number % 3 == 0:
                mangled = data[:-1] + bytes([data[-1] ^ 1])
                end = place.link._ends.get(destination)
                if end is not None:
                    end.put(source, mangled)
            return [*deliver(number, source, destination, data), 0.02, 0.03]

        place.link.script = meddle
        async with place.connect() as connection:
            for turn in range(50):
                assert await connection.call(bytes([turn]) * 500) == bytes([turn]) * 500
        assert place.endpoint.counters()["faults"] == 0


async def test_a_stranger_cannot_close_a_connection(
    engine: EngineName, certificates: Certificates, autojump_clock: MockClock
) -> None:
    """Datagrams from another address that copy a connection's id but not its keys."""
    seen: list[bytes] = []
    async with bench(certificates, engine) as place:
        deliver = place.link.script

        def watch(number: int, source: Any, destination: Any, data: bytes) -> Any:
            if destination == place.endpoint.address:
                seen.append(data)
            return deliver(number, source, destination, data)

        place.link.script = watch
        async with place.connect() as connection:
            await connection.call(b"x")
            stranger = place.link.bind(("10.9.9.9", 99))
            for data in seen[-3:]:
                for cut in (10, 21, 40, len(data)):
                    stranger.send_nowait([(b"\x0a\x00\x00\x01\x1b\x58", data[:cut] + bytes(30), 0)])
            await trio.sleep(1)
            assert await connection.call(b"y") == b"y"
            assert place.endpoint.connections[0].remote_address[0] != "10.9.9.9"


@pytest.mark.parametrize("kind", ["good", "empty", "rogue", "expired", "usage"])
def test_a_call_sent_along_with_a_bad_client_certificate_is_not_dispatched(
    engine: EngineName, kind: str, certificates: Certificates
) -> None:
    """The client does not wait for a verdict: its call is in the datagrams of its Finished."""
    issued = certificates.authority.issue
    identity = {
        "good": issued("alice", client=True, elliptic=True),
        "empty": None,
        "rogue": certificates.rogue.issue("mallory", client=True, elliptic=True),
        "expired": issued("alice", client=True, expired=True, elliptic=True),
        "usage": issued("alice", client=False, elliptic=True),
    }[kind]
    server = certificates.server
    root = certificates.authority.root_pem
    tls = ServerTls(chain_pem=server.chain_pem, key_pem=server.key_pem, client_ca_pem=root)
    place = Duel(engine, QuicConfiguration(alpn=ALPN, server=tls))
    client = place.client(identity=identity)
    place.send(client.connect(place.now))
    assert client.state.tls.state.name == "CLIENT_POST_HANDSHAKE"
    client.state.send_stream_data(0, length_and(b"call"), end_stream=True)
    place.send(client.take(place.now))
    place.exchange()
    kinds = [event[0] for event in place.events]
    if kind == "good":
        assert kinds == [events.CONNECTED, events.FRAME]
    else:
        assert kinds == [events.CLOSED]
        assert client.close_code is not None
    assert place.counted("handshakes_failed") == (kind != "good")
