"""Whether the peer is still there: idle ones are pinged seldom, those that owe an answer soon, and silent ones given up."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from trio_quic import ConnectionClosed, IncomingCall, Limits, serve_quic
from trio_quic.testing import Certificates, Fate, bench, prompt
from trio_quic.testing.link import DELAY_S

from .test_engines import SERVER, pair, sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio_quic import QuicConnection
    from trio_quic.addresses import Address
    from trio_quic.testing.bench import Bench

Engines = tuple[Any, Any]

KEEPALIVE_S, PROBE_S, SILENCE_S, IDLE_S = 25, 2, 6, 60
CLIENT_LIMITS = Limits(
    keepalive_ms=KEEPALIVE_S * 1000, probe_ms=PROBE_S * 1000, silence_ms=SILENCE_S * 1000, idle_ms=IDLE_S * 1000
)
SLACK_S = 0.6
"""Round trips, and the grid of late deadlines."""


def nothing(*_: object) -> Fate:
    """A network that is gone."""
    return ()


async def for_ever(call: IncomingCall) -> None:
    """Never answers."""
    await trio.sleep_forever()


async def once(call: IncomingCall) -> None:
    """Answers once and keeps the stream open: a subscription."""
    await call.send(b"ready")
    await trio.sleep_forever()


async def subscribed(connection: QuicConnection, nursery: trio.Nursery) -> None:
    """Open one, and go on once it is ready."""

    async def listen(*, task_status: Any) -> None:
        async with connection.open_call(b"subscribe") as replies:
            events: AsyncIterator[bytes] = replies
            assert await anext(events) == b"ready"
            task_status.started()
            with pytest.raises(ConnectionClosed):
                await anext(events)

    await nursery.start(listen)


@asynccontextmanager
async def subscriber(certificates: Certificates, engines: Engines) -> AsyncIterator[tuple[Bench, QuicConnection]]:
    """A client with a subscription that is ready, and nothing else."""
    async with (
        bench(certificates, engines, once) as place,
        place.connect(limits=CLIENT_LIMITS) as connection,
        trio.open_nursery() as nursery,
    ):
        await subscribed(connection, nursery)
        yield place, connection


@pytest.fixture
def autojump_clock() -> MockClock:
    """Jump as pytest-trio's does, but not before what is on its way has arrived: a kernel that is busy brings a datagram later."""
    return MockClock(autojump_threshold=0.002)


async def seconds_until_closed(connection: QuicConnection) -> float:
    """How long from now until it is over for want of an answer."""
    begun = trio.current_time()
    closed = await connection.wait_closed()
    assert closed.kind == "idle"
    return trio.current_time() - begun


async def test_a_call_to_a_dead_server_fails_soon(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engines) as place, place.connect(limits=CLIENT_LIMITS) as connection:
        await trio.sleep(17)  # the engine has not been told the time for long
        place.link.script = nothing
        begun = trio.current_time()
        with pytest.raises(ConnectionClosed, match="idle"):
            await connection.call(b"x")
        assert trio.current_time() - begun == pytest.approx(SILENCE_S, abs=SLACK_S)


async def test_so_does_one_that_waits_when_the_server_dies(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    """Everything that was sent has been acknowledged long ago: only probes can tell."""
    async with (
        bench(certificates, engines, for_ever) as place,
        place.connect(limits=CLIENT_LIMITS) as connection,
        trio.open_nursery() as nursery,
    ):

        async def wait() -> None:
            with pytest.raises(ConnectionClosed, match="idle"):
                await connection.call(b"x")

        nursery.start_soon(wait)
        await trio.sleep(21)
        assert connection.closed is None
        place.link.script = nothing
        assert SILENCE_S - PROBE_S - SLACK_S < await seconds_until_closed(connection) < SILENCE_S + SLACK_S


async def test_a_subscription_that_does_not_open_fails_soon(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engines, once) as place, place.connect(limits=CLIENT_LIMITS) as connection:
        await trio.sleep(1)
        place.link.script = nothing
        begun = trio.current_time()
        with pytest.raises(ConnectionClosed, match="idle"):
            async with connection.open_call(b"x") as replies:
                await anext(replies)
        assert trio.current_time() - begun == pytest.approx(SILENCE_S, abs=SLACK_S)


async def test_a_slow_answer_of_a_living_server_is_waited_for(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async def slow(call: IncomingCall) -> None:
        await trio.sleep(50)
        call.reply(call.frame)

    async with bench(certificates, engines, slow) as place, place.connect(limits=CLIENT_LIMITS) as connection:
        assert await connection.call(b"x") == b"x"
        await trio.sleep(1)
        # What was probed is answered, and no call is owed: the next ping is that of an idle connection.
        before = place.link.sent
        await trio.sleep(KEEPALIVE_S - 3)
        assert place.link.sent == before


async def test_an_open_subscription_costs_a_ping_and_its_answer_each_keepalive(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with subscriber(certificates, engines) as (place, connection):
        await trio.sleep(2)
        before = place.link.sent
        await trio.sleep(10 * KEEPALIVE_S)
        assert 18 <= place.link.sent - before <= 22
        connection.close()


async def test_an_idle_client_notices_a_dead_server_soon_after_its_ping(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with subscriber(certificates, engines) as (place, connection):
        await trio.sleep(2 * KEEPALIVE_S + 5)
        place.link.script = nothing
        left_s = KEEPALIVE_S - 5
        assert await seconds_until_closed(connection) == pytest.approx(left_s + SILENCE_S, abs=SLACK_S)


async def test_a_silent_server_is_pinged_each_probe_time_until_it_is_given_up(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    """QUIC's own repetitions come ever more seldom: a network that is back before the end would not be noticed by them."""
    asked: list[float] = []

    def note(number: int, source: Address, destination: Address, data: bytes) -> Fate:
        if destination == place.endpoint.address:
            asked.append(trio.current_time())
        return nothing()

    async with subscriber(certificates, engines) as (place, connection):
        await trio.sleep(KEEPALIVE_S - 2)
        place.link.script = note
        await seconds_until_closed(connection)
        asked.append(trio.current_time())
        assert asked[-1] - asked[0] == pytest.approx(SILENCE_S, abs=SLACK_S)
        assert max(later - earlier for earlier, later in pairwise(asked)) <= PROBE_S + DELAY_S


async def test_a_ping_that_is_lost_is_repeated(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with subscriber(certificates, engines) as (place, connection):
        await trio.sleep(KEEPALIVE_S - 2)
        place.link.script = nothing
        await trio.sleep(
            2 + 2 * PROBE_S - 0.1
        )  # the ping and the first that follows are lost, and all repetitions till then
        place.link.script = prompt
        await trio.sleep(4 * KEEPALIVE_S)
        assert connection.closed is None
        connection.close()


async def test_a_server_does_not_watch_its_clients_and_forgets_them_by_the_idle_time(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with (
        bench(certificates, engines, for_ever) as place,
        place.connect(limits=CLIENT_LIMITS) as connection,
        trio.open_nursery() as nursery,
    ):

        async def wait() -> None:
            with pytest.raises(ConnectionClosed):
                await connection.call(b"x")

        nursery.start_soon(wait)
        await trio.sleep(1)
        place.link.script = nothing
        server = place.server_connections[0]
        assert await seconds_until_closed(server) == pytest.approx(IDLE_S, abs=2)
        assert place.endpoint.counters()["connections"] == 0


async def test_an_idle_client_learns_of_a_restart_by_its_next_ping(
    certificates: Certificates, autojump_clock: MockClock
) -> None:
    """The server that died comes back with the same reset key (the native engine alone knows stateless resets)."""
    async with bench(certificates, "native", once, reset_key=b"r" * 32) as place:
        async with place.connect(limits=CLIENT_LIMITS) as connection, trio.open_nursery() as nursery:
            await subscribed(connection, nursery)
            await trio.sleep(5)
            begun = trio.current_time()
            place.link.script = nothing  # it dies: what it still says is lost
            place.server_scope.cancel()
            await trio.sleep(1)
            place.link.script = prompt
            again = partial(
                serve_quic, once, place.configuration, host=place.endpoint.address[0], port=place.endpoint.address[1],
                engine="native", transport_factory=place.link.bind,
            )  # fmt: skip
            await place.nursery.start(again)
            assert (await connection.wait_closed()).kind == "reset"
            assert trio.current_time() - begun <= KEEPALIVE_S


async def test_a_lone_ping_is_answered_in_its_own_turn(certificates: Certificates, autojump_clock: MockClock) -> None:
    """The native engine's acknowledgement does not wait for its 25 ms: that would be a wake-up for each ping."""
    seen: list[float] = []

    def note(number: int, source: Address, destination: Address, data: bytes) -> Fate:
        seen.append(trio.current_time())
        return prompt(number, source, destination, data)

    async with bench(certificates, "native") as place, place.connect(limits=CLIENT_LIMITS) as connection:
        await connection.call(b"x")
        await trio.sleep(2)
        place.link.script = note
        await trio.sleep(KEEPALIVE_S)
        asked, answered = seen
        assert answered - asked == pytest.approx(DELAY_S, abs=DELAY_S / 10)


def test_late_deadlines_of_all_connections_fall_together(certificates: Certificates) -> None:
    """Each idle connection has its own idle time-out, and a handshake's; they wake the native engine twice a second."""
    place = pair(certificates, ("native", "native"), limits=Limits(idle_ms=IDLE_S * 1000))
    for number in range(5):
        place.client.connect(SERVER, "server.test", place.now_us + number)
        place.settle()
    place.now_us += 1_000_000
    place.server.handle_timeout(place.now_us)
    sent(place.server, SERVER, place.now_us)
    due = []
    while (at := place.server.next_timeout()) is not None and len(due) < 50:
        due.append(at)
        place.server.handle_timeout(at)
        sent(place.server, SERVER, at)
    assert place.server.counters()["connections"] == 0
    assert due
    assert all(at % 500_000 == 0 for at in due if at - place.now_us > 8_000_000)
    assert len(due) < 10
