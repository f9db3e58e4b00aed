"""Caps and Retry: how many peers, how many of one address, and proof of address under load."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from trio_quic import ConnectFailed, Limits
from trio_quic.aio.admission import Load, Verdict, site, verdict
from trio_quic.testing import Bench, Certificates, MemoryTransport, bench

if TYPE_CHECKING:
    from trio.testing import MockClock

    from trio_quic.addresses import Address

Engines = tuple[Any, Any]


def at(place: Bench, host: str) -> Any:
    """A transport factory for a client at this address."""

    def bind(address: Address) -> MemoryTransport:
        return place.link.bind((host, place.link.sent + 1000))

    return bind


async def _connect(place: Bench, host: str) -> Any:
    from trio_quic import open_quic_connection
    from trio_quic.testing import NAME

    return open_quic_connection(
        *place.endpoint.address,
        place.client,
        server_name=NAME,
        engine=place.client_engine,
        transport_factory=at(place, host),
    )


async def test_connections_in_all(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    limits = Limits(connections_max=2)
    async with bench(certificates, engines, limits=limits) as place:
        async with AsyncExitStack() as stack:
            for number in (1, 2):
                await stack.enter_async_context(await _connect(place, f"10.2.0.{number}"))
            with pytest.raises(ConnectFailed, match="peer_transport"):
                await stack.enter_async_context(await _connect(place, "10.2.0.3"))
            assert place.endpoint.counters()["connections_refused"] >= 1
        # A closed connection answers late packets for a while before it is gone.
        await trio.sleep(10)
        async with await _connect(place, "10.2.0.3") as connection:
            assert await connection.call(b"x") == b"x"


async def test_connections_per_address(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    limits = Limits(connections_per_address_max=4)
    async with bench(certificates, engines, limits=limits) as place, AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(await _connect(place, "10.2.0.1"))
        # From half of it on, an address has to be proven.
        assert place.endpoint.counters()["retries_sent"] >= 2
        with pytest.raises(ConnectFailed, match="peer_transport"):
            await stack.enter_async_context(await _connect(place, "10.2.0.1"))
        other = await stack.enter_async_context(await _connect(place, "10.2.0.2"))
        assert await other.call(b"x") == b"x"


async def test_retry_from_a_threshold_of_half_open_connections(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    limits = Limits(retry_from_half_open=3, half_open_max=3, handshake_ms=60_000, idle_ms=120_000)
    async with bench(certificates, engines, limits=limits) as place:
        deliver = place.link.script
        # Three peers that never get an answer stay half open.
        place.link.script = lambda number, source, destination, data: (
            () if source == place.endpoint.address else deliver(number, source, destination, data)
        )
        async with trio.open_nursery() as nursery:

            async def mute(number: int) -> None:
                async with await _connect(place, f"10.3.0.{number}"):
                    raise AssertionError("connected")

            for number in range(3):
                nursery.start_soon(mute, number)
            await trio.sleep(0.5)
            counters = place.endpoint.counters()
            assert (counters["half_open"], counters["retries_sent"]) == (3, 0)
            # A fourth is asked to prove its address, and keeps no place while it has not.
            nursery.start_soon(mute, 4)
            await trio.sleep(0.5)
            counters = place.endpoint.counters()
            assert counters["half_open"] == 3
            assert counters["retries_sent"] >= 1
            assert counters["connections_accepted"] == 3
            nursery.cancel_scope.cancel()


async def test_retry_always(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with bench(certificates, engines, limits=Limits(retry_from_half_open=0)) as place:
        async with place.connect() as connection:
            assert await connection.call(b"x") == b"x"
        counters = place.endpoint.counters()
        assert counters["retries_sent"] >= 1
        assert counters["connections_accepted"] == 1


async def test_a_retry_token_is_good_in_another_process(
    engine: Any, certificates: Certificates, autojump_clock: MockClock
) -> None:
    """Two endpoints with one key: the second takes the token that the first gave."""
    from functools import partial

    from trio_quic import serve_quic
    from trio_quic.testing import HOST, echo

    limits = Limits(retry_from_half_open=0)
    key = bytes(range(32))
    async with bench(certificates, engine, limits=limits) as place:
        place.server_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        configuration = replace(place.configuration, retry_key=key)
        serve = partial(serve_quic, echo, configuration, host=HOST, engine=engine, transport_factory=place.link.bind)
        first = await place.nursery.start(partial(serve, port=7001))
        second = await place.nursery.start(partial(serve, port=7002))
        deliver = place.link.script
        retried = False

        def reroute(number: int, source: Address, destination: Address, data: bytes) -> Any:
            nonlocal retried
            if source == first.address:
                retried = True
            if retried and destination == first.address:
                place.link.carry(source, second.address, data)
                return ()
            if source == second.address:
                # The client knows one server only.
                end = place.link._ends.get(destination)
                if end is not None:
                    end.put(first.address, data)
                return ()
            return deliver(number, source, destination, data)

        place.link.script = reroute
        from trio_quic import open_quic_connection
        from trio_quic.testing import NAME

        async with open_quic_connection(
            *first.address, place.client, server_name=NAME, engine=engine, transport_factory=place.link.bind
        ) as connection:
            assert await connection.call(b"x") == b"x"
        assert first.counters()["connections_accepted"] == 0
        assert second.counters()["connections_accepted"] == 1
        assert second.counters()["retries_sent"] == 0


CALM = Load(validated=False, accepting=True, half_open=0, connections=0, of_site=0, of_site_lately=0)
CAPS = Limits(retry_from_half_open=2, half_open_max=4, connections_max=8, connections_per_address_max=6)
CAPS = replace(CAPS, handshakes_per_address_max=20)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (CALM, Verdict.ACCEPT),
        (replace(CALM, half_open=2), Verdict.RETRY),
        (replace(CALM, half_open=2, validated=True), Verdict.ACCEPT),
        (replace(CALM, half_open=4, validated=True), Verdict.IGNORE),
        (replace(CALM, connections=8, validated=True), Verdict.REFUSE),
        (replace(CALM, of_site=3), Verdict.RETRY),
        (replace(CALM, of_site=3, validated=True), Verdict.ACCEPT),
        (replace(CALM, of_site=6, validated=True), Verdict.REFUSE),
        (replace(CALM, of_site_lately=10), Verdict.RETRY),
        (replace(CALM, of_site_lately=19, validated=True), Verdict.ACCEPT),
        (replace(CALM, of_site_lately=20, validated=True), Verdict.LIMIT),
        (replace(CALM, accepting=False), Verdict.REFUSE),
    ],
)
def test_verdicts(load: Load, expected: Verdict) -> None:
    assert verdict(load, CAPS, CAPS.retry_from_half_open) is expected


def test_one_site_is_a_64_bit_prefix() -> None:
    assert site(bytes(8) + b"12345678" + b"pp") == site(bytes(8) + b"87654321" + b"qq")
    assert site(b"1234pp") != site(b"1235pp")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"streams_max": -1}, "negative"),
        ({"streams_max": 1000}, "cover"),
        ({"datagram_bytes": 1199}, "datagram_bytes"),
    ],
)
def test_limits_that_cannot_work(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**change)
