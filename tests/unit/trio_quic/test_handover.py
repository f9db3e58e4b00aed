"""Several endpoints behind one address, on real sockets: datagrams land where the kernel puts them, and nothing is lost."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
import trio

from trio_quic import (
    ClientTls,
    ConnectionClosed,
    Handover,
    Limits,
    QuicConfiguration,
    ServerTls,
    open_quic_connection,
    serve_quic,
)
from trio_quic.addresses import pack
from trio_quic.handover import MESSAGE_BYTES_MAX
from trio_quic.ports import UdpTransport
from trio_quic.serve import _spread
from trio_quic.testing import Certificates

KEY = b"r" * 32


class Mover:
    """A client's sockets: `move` goes on from another port."""

    def __init__(self, address):
        self.transport = UdpTransport(("127.0.0.1", 0))

    def __getattr__(self, name):
        return getattr(self.transport, name)

    def move(self):
        old, self.transport = self.transport, UdpTransport(("127.0.0.1", 0))
        old.close()

    async def wait_readable(self):
        while True:
            transport = self.transport
            try:
                return await transport.wait_readable()
            except trio.ClosedResourceError:
                continue  # it has moved

    async def wait_writable(self):
        await self.transport.wait_writable()

    def receive_nowait(self):
        return self.transport.receive_nowait()

    def send_nowait(self, batch):
        return self.transport.send_nowait(batch)

    def close(self):
        self.transport.close()


@asynccontextmanager
async def workers(folder, engine, count=2):
    """Serve one address with several endpoints; yield them, and a function that starts one again."""
    server = Certificates().server
    tls = ServerTls(chain_pem=server.chain_pem, key_pem=server.key_pem)
    endpoints, scopes = {}, {}
    port = 0

    async with trio.open_nursery() as nursery:

        async def run(number, *, task_status):
            configuration = QuicConfiguration(
                alpn=(b"t",), server=tls, retry_key=KEY, reset_key=KEY, worker=number,
                limits=Limits(retry_from_half_open=0),
            )  # fmt: skip
            with trio.CancelScope() as scopes[number]:
                await serve_quic(
                    partial(answer, number), configuration, host="127.0.0.1", port=port, engine=engine,
                    handover=Handover(folder, number, count), task_status=task_status,
                )  # fmt: skip

        async def start(number):
            endpoints[number] = await nursery.start(run, number)

        for number in range(count):
            await start(number)
            port = endpoints[0].address[1]
        yield endpoints, scopes, start
        nursery.cancel_scope.cancel()


def answer(number, call):
    call.reply(bytes([number]) + call.frame)


@asynccontextmanager
async def connected(port, movers):
    def bind(address):
        movers.append(Mover(address))
        return movers[-1]

    configuration = QuicConfiguration(
        alpn=(b"t",), client=ClientTls(first_use=True), limits=Limits(probe_ms=200, idle_ms=20_000)
    )
    async with open_quic_connection("127.0.0.1", port, configuration, transport_factory=bind) as connection:
        yield connection


@pytest.fixture(params=["native", "aioquic"])
def engine(request):
    return request.param


async def test_a_client_that_moves_stays_with_its_worker_wherever_its_datagrams_land(engine, tmp_path):
    with trio.fail_after(60):
        async with workers(tmp_path / "w", engine) as (endpoints, _, _), AsyncExitStack() as stack:
            movers = []
            connection = await stack.enter_async_context(connected(endpoints[0].address[1], movers))
            (own,) = await connection.call(b"")
            other = endpoints[1 - own]
            moves = 0
            while not other.counters()["datagrams_handed_over"] or moves < 5:
                movers[0].move()
                moves += 1
                assert await connection.call(b"%d" % moves) == bytes([own]) + b"%d" % moves
            assert endpoints[own].counters()["datagrams_taken_over"] > 0
            assert other.counters()["datagrams_not_handed_over"] == 0
            assert not other.connections
            (there,) = endpoints[own].connections
            assert there.remote_address[1] == movers[0].address[1]


async def test_a_worker_that_goes_takes_no_others_connections_with_it(engine, tmp_path):
    """Its socket goes, the kernel spreads what is left anew, and who lands elsewhere is handed over; its own clients hear."""
    with trio.fail_after(60):
        async with workers(tmp_path / "w", engine, 3) as (endpoints, scopes, start), AsyncExitStack() as stack:
            port, by = endpoints[0].address[1], {0: [], 1: [], 2: []}
            while min(map(len, by.values())) < 2:
                connection = await stack.enter_async_context(connected(port, []))
                (own,) = await connection.call(b"")
                by[own].append(connection)
            scopes[0].cancel()
            for connection in by[0]:
                with pytest.raises(ConnectionClosed):
                    await connection.call(b"")
            for own in (1, 2):
                for connection in by[own]:
                    assert await connection.call(b"x") == bytes([own]) + b"x"
            await start(0)
            for own in (1, 2):
                for connection in by[own]:
                    assert await connection.call(b"y") == bytes([own]) + b"y"
            while True:
                connection = await stack.enter_async_context(connected(port, []))
                if await connection.call(b"") == b"\0":
                    break


async def test_a_token_of_one_is_taken_by_all(tmp_path):
    """Every client proves its address here; the datagram with its token may land anywhere."""
    with trio.fail_after(60):
        async with workers(tmp_path / "w", "native", 3) as (endpoints, _, _), AsyncExitStack() as stack:
            found = set()
            while found != {b"\0", b"\1", b"\2"}:
                connection = await stack.enter_async_context(connected(endpoints[0].address[1], []))
                found.add(await connection.call(b""))
            assert sum(endpoint.counters()["retries_sent"] for endpoint in endpoints.values()) >= 3


def test_a_names_servers_get_their_share_each_and_families_keep_their_order():
    given = [("::1", 1), ("127.0.0.1", 1), ("127.0.0.2", 1), ("::2", 1)]
    seen = {tuple(_spread(given)) for _ in range(200)}
    assert len(seen) == 4
    assert {tuple(":" in host for host, _ in one) for one in seen} == {(True, False, False, True)}
    assert _spread([("127.0.0.1", 1)]) == [("127.0.0.1", 1)]


async def test_only_the_owner_can_hand_over(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="mode 700"):
        Handover(folder, 0, 2)
    with pytest.raises(ValueError, match="worker"):
        Handover(tmp_path / "w", 2, 2)
    assert not (tmp_path / "w").exists()


async def test_what_has_no_room_or_no_taker_is_dropped_and_counted(tmp_path):
    one, other = Handover(tmp_path / "w", 0, 3), Handover(tmp_path / "w", 1, 3)
    source = pack(("127.0.0.1", 9))
    for worker in (2, 200):
        one.give(worker, source, b"x")
        one.flush()
    assert one.counters() == {
        "datagrams_handed_over": 0, "datagrams_taken_over": 0, "datagrams_not_handed_over": 2,
    }  # fmt: skip
    for _ in range(10_000):
        one.give(1, source, bytes(1200))
    one.flush()
    assert one.given and one.dropped > 2
    taken = []
    while batch := other.receive_nowait():
        taken += batch
    assert len(taken) == one.given == other.taken
    assert set(taken) == {(source, 0, bytes(1200), 0)}
    one._socket.sendto(b"\x06\xff\xffcut short", str(tmp_path / "w" / "1.sock"))
    assert other.receive_nowait() == []
    assert MESSAGE_BYTES_MAX > 1200
    one.close()
    other.close()
    assert list((tmp_path / "w").iterdir()) == []
