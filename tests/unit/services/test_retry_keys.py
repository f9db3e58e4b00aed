"""Retry keys that go by the clock: tokens outlive one change of keys and no second, and all gateways of a secret agree."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from qpqcore.bus.local import LocalBus
from qpqcore.bus.notices import LocalNotices
from qpqgateway.config import Config
from qpqgateway.jobs import RETRY_LOOK_MS, rotate_retry_keys
from qpqgateway.main import ALPN, quic_configuration, serve
from qpqgateway.rules import RETRY_KEY_MS, RETRY_STEP_MS, retry_keys, retry_keys_change_ms
from qpqgateway.service import Gateway
from trio_quic import ClientTls, Limits, QuicConfiguration, ServerTls, open_quic_connection
from trio_quic.engine import make_engine
from trio_quic.testing import Certificates, MemoryLink, prompt

SECRET, ANOTHER = b"s" * 32, b"t" * 32
NOW_MS = 1_800_000_000_000 // RETRY_KEY_MS * RETRY_KEY_MS
"""The beginning of a key's time."""
TOKEN_MS = 15_000
"""A token's life (trio_quic)."""
CLIENT, SERVER = b"\x0a\x00\x00\x02\x00\x02", b"\x0a\x00\x00\x01\x1b\x58"


@pytest.fixture(params=["native", "aioquic"])
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def certificates():
    return Certificates()


def server_of(engine, certificates, keys):
    own = ServerTls(chain_pem=certificates.server.chain_pem, key_pem=certificates.server.key_pem)
    made = make_engine(
        engine,
        QuicConfiguration(alpn=(ALPN,), server=own, limits=Limits(retry_from_half_open=0), unix_time_s=NOW_MS // 1000),
    )
    made.set_retry_keys(*keys)
    return made


def flight_with_token(engine, certificates, keys):
    """What a client sends that a gateway with these keys has asked to come again."""
    server = server_of(engine, certificates, keys)
    client = make_engine(engine, QuicConfiguration(alpn=(ALPN,), client=ClientTls(first_use=True)))
    client.connect(SERVER, "server.test", 1)
    server.receive([(CLIENT, 0, data, step) for _, data, step in client.transmit(1)], 1)
    client.receive([(SERVER, 0, data, step) for _, data, step in server.transmit(1)], 1)
    assert server.counters()["retries_sent"]
    return [(CLIENT, 0, data, step) for _, data, step in client.transmit(2)]


def takes(engine, certificates, keys, flight):
    """Whether another gateway, or one that started anew, with these keys takes the token."""
    server = server_of(engine, certificates, keys)
    server.receive(flight, 3)
    return server.counters()["connections_accepted"] == 1


def test_a_token_is_taken_after_one_change_and_by_another_gateway_and_refused_after_two(engine, certificates):
    given = NOW_MS + RETRY_KEY_MS - 1
    flight = flight_with_token(engine, certificates, retry_keys(SECRET, given))
    judged = partial(takes, engine, certificates, flight=flight)
    assert judged(keys=retry_keys(SECRET, given))
    assert judged(keys=retry_keys(SECRET, given + TOKEN_MS))
    assert not judged(keys=retry_keys(SECRET, given + RETRY_KEY_MS))
    assert not judged(keys=retry_keys(ANOTHER, given))


@pytest.mark.parametrize("into_ms", [0, 1, RETRY_STEP_MS - 1, RETRY_STEP_MS, RETRY_KEY_MS - 1])
@pytest.mark.parametrize("apart_ms", [0, TOKEN_MS, RETRY_STEP_MS - 1])
def test_gateways_whose_clocks_differ_open_each_others_tokens(into_ms, apart_ms):
    one, other = NOW_MS + into_ms, NOW_MS + into_ms + apart_ms
    assert retry_keys(SECRET, one)[0] in retry_keys(SECRET, other)
    assert retry_keys(SECRET, other)[0] in retry_keys(SECRET, one)


def test_each_key_seals_for_its_time_only():
    sealing = [retry_keys(SECRET, NOW_MS + n * RETRY_STEP_MS)[0] for n in range(8)]
    assert sealing == [key for key in dict.fromkeys(sealing) for _ in range(2)]
    assert len(set(sealing)) == 4
    assert retry_keys_change_ms(NOW_MS) == RETRY_STEP_MS
    assert retry_keys_change_ms(NOW_MS + RETRY_STEP_MS - 1) == 1


async def test_the_keys_are_those_of_the_time_even_when_the_clock_is_set(autojump_clock):
    used, set_by_ms = [], 0

    class Endpoint:
        def set_retry_keys(self, current, also):
            used.append((current, also))

    def clock_ms():
        return NOW_MS + int(trio.current_time() * 1000) + set_by_ms

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rotate_retry_keys, Endpoint(), SECRET, clock_ms)
        await trio.sleep(3 * RETRY_KEY_MS / 1000)
        expected = [retry_keys(SECRET, NOW_MS + int(begun * 1000) + n * RETRY_STEP_MS) for n in range(6)]
        assert list(dict.fromkeys(used))[:6] == expected
        set_by_ms = 10 * RETRY_KEY_MS
        await trio.sleep(RETRY_LOOK_MS / 1000 + 1)
        assert used[-1] == retry_keys(SECRET, clock_ms())
        nursery.cancel_scope.cancel()


async def test_a_handshake_goes_on_over_the_change(engine, certificates, autojump_clock):
    """A served gateway: the answer to its Retry is under way while the keys change."""
    config = Config(host="10.0.0.1", engine=engine, retry_from_half_open=0)
    begun = trio.current_time()

    def clock_ms():  # the change comes after half a second
        return NOW_MS - 500 + int((trio.current_time() - begun) * 1000)

    gateway = Gateway(
        config, LocalBus(), version="0", own_assertion=bytes, external_sender=(b"", b""), notices=LocalNotices(),
        clock_ms=clock_ms,
    )  # fmt: skip
    own = ServerTls(chain_pem=certificates.server.chain_pem, key_pem=certificates.server.key_pem)
    async with MemoryLink.running() as link, trio.open_nursery() as nursery:
        started = partial(
            serve, gateway, config, quic_configuration(config, own), retry_secret=SECRET, clock_ms=clock_ms,
            transport_factory=link.bind,
        )  # fmt: skip
        endpoint = await nursery.start(started)

        def slow_once_asked(number, source, destination, data):
            later = destination == endpoint.address and endpoint.counters()["retries_sent"]
            return (1.5,) if later else prompt(number, source, destination, data)

        link.script = slow_once_asked
        client = QuicConfiguration(alpn=(ALPN,), client=ClientTls(first_use=True))
        async with open_quic_connection(*endpoint.address, client, engine=engine, transport_factory=link.bind):
            assert clock_ms() > NOW_MS + 500
        assert endpoint.counters()["connections_accepted"] == 1
        nursery.cancel_scope.cancel()
