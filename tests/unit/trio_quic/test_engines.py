"""Engines without Trio around them: Retry keys that rotate, workers' numbers, batches, and the boundary of one connection."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

from trio_quic import ClientTls, Limits, QuicConfiguration, ServerTls, events, make_engine
from trio_quic.addresses import pack, unpack
from trio_quic.testing import ALPN, NAME, Certificates

Engines = tuple[Any, Any]

CLIENT = pack(("10.0.0.2", 4_000))
SERVER = pack(("10.0.0.1", 7_000))
NOW_S = 1_800_000_000
OLD, NEW, NEWER = (bytes([byte]) * 32 for byte in (1, 2, 3))
ROUNDS_MAX = 50
SECOND_US = 1_000_000
ACK_US = 25_000
"""After so long a lone answer is acknowledged (RFC 9000 section 18.2)."""
PROBE_US = 50_000
"""How much later it would be sent again, at most."""


def server_configuration(certificates: Certificates, **options: Any) -> QuicConfiguration:
    leaf = certificates.server
    return QuicConfiguration(alpn=ALPN, server=ServerTls(chain_pem=leaf.chain_pem, key_pem=leaf.key_pem), **options)


def client_configuration(certificates: Certificates, **options: Any) -> QuicConfiguration:
    return QuicConfiguration(alpn=ALPN, client=ClientTls(pins_sha256=(certificates.server.spki_sha256,)), **options)


def sent(engine: Any, source: bytes, now_us: int) -> list[tuple[bytes, int, bytes, int]]:
    """What an engine sends, as its peer receives it."""
    return [(source, 0, data, segment) for _, data, segment in engine.transmit(now_us)]


@dataclass
class Pair:
    """A server and a client that hand each other their datagrams at once."""

    server: Any
    client: Any
    now_us: int = 1
    events: dict[str, list[Any]] = field(default_factory=lambda: {"server": [], "client": []})

    def settle(self) -> None:
        """Until both are silent."""
        for _ in range(ROUNDS_MAX):
            self.now_us += 1_000
            up, down = sent(self.client, CLIENT, self.now_us), sent(self.server, SERVER, self.now_us)
            self.server.receive(up, self.now_us)
            self.client.receive(down, self.now_us)
            self.drain()
            if not up and not down:
                return
        raise AssertionError("they never fall silent")

    def drain(self) -> None:
        self.events["server"] += self.server.poll()
        self.events["client"] += self.client.poll()

    def of(self, side: str, kind: int) -> list[Any]:
        return [event for event in self.events[side] if event[0] == kind]


def pair(certificates: Certificates, engines: Engines, **options: Any) -> Pair:
    server, client = engines
    return Pair(
        make_engine(server, server_configuration(certificates, **options)),
        make_engine(client, client_configuration(certificates)),
    )


# --- Retry keys

ALWAYS = Limits(retry_from_half_open=0)


def asked_to_retry(certificates: Certificates, engine: Any) -> tuple[Pair, list[Any]]:
    """A pair whose client has got its Retry, and the first flight with the token, not delivered yet."""
    place = pair(certificates, (engine, engine), limits=ALWAYS, retry_key=OLD, unix_time_s=NOW_S)
    place.client.connect(SERVER, NAME, place.now_us)
    place.server.receive(sent(place.client, CLIENT, place.now_us), place.now_us)
    place.client.receive(sent(place.server, SERVER, place.now_us), place.now_us)
    assert place.server.counters()["retries_sent"] >= 1
    return place, sent(place.client, CLIENT, place.now_us)


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ([], True),
        ([(NEW, OLD)], True),
        ([(OLD, NEW)], True),
        ([(NEW, OLD), (NEWER, NEW)], False),
        ([(NEW, None)], False),
    ],
)
def test_a_token_is_good_as_long_as_its_key_is_known(
    engine: Any, keys: list[Any], taken: bool, certificates: Certificates
) -> None:
    place, flight = asked_to_retry(certificates, engine)
    for current, also in keys:
        place.server.set_retry_keys(current, also)
    place.server.receive(flight, place.now_us)
    assert place.server.counters()["connections_accepted"] == taken
    if taken:
        place.settle()
        assert place.of("client", events.CONNECTED)


def test_tokens_expire(engine: Any, certificates: Certificates) -> None:
    place, flight = asked_to_retry(certificates, engine)
    place.server.receive(flight, place.now_us + 40 * SECOND_US)
    assert place.server.counters()["connections_accepted"] == 0


@pytest.mark.parametrize("age_s", [0, 3_600])
def test_processes_that_share_a_key_share_its_tokens_however_old_they_are(
    engine: Any, age_s: int, certificates: Certificates
) -> None:
    place, flight = asked_to_retry(certificates, engine)
    # The second process has run for an hour less, or more, by its own clock.
    other = make_engine(
        engine, server_configuration(certificates, limits=ALWAYS, retry_key=OLD, unix_time_s=NOW_S - age_s)
    )
    other.receive(flight, place.now_us + age_s * SECOND_US)
    assert other.counters()["connections_accepted"] == 1


def test_keys_of_another_length_are_refused(engine: Any, certificates: Certificates) -> None:
    server = make_engine(engine, server_configuration(certificates))
    with pytest.raises((ValueError, TypeError)):
        server.set_retry_keys(b"short")
    with pytest.raises((ValueError, TypeError)):
        server.set_retry_keys(NEW, b"short")


# --- workers


def test_a_datagram_for_another_worker_is_handed_over(engine: Any, certificates: Certificates) -> None:
    """A balancer that knows nothing of connection ids gives a client's datagrams to the wrong process."""
    first = make_engine(engine, server_configuration(certificates, worker=1))
    second = make_engine(engine, server_configuration(certificates, worker=2))
    place = Pair(first, make_engine(engine, client_configuration(certificates)))
    number = place.client.connect(SERVER, NAME, place.now_us)
    place.settle()
    assert place.of("client", events.CONNECTED)
    place.client.call(number, b"for the first")
    flight = sent(place.client, CLIENT, place.now_us)
    assert {data[1] for _, _, data, _ in flight} == {1}

    second.receive(flight, place.now_us)
    assert second.poll() == []  # without forwarding it is nobody's
    second.set_forwarding(2)
    second.receive(flight, place.now_us)
    handed = second.poll()
    assert [event[:3] for event in handed] == [(events.FOREIGN, 1, CLIENT)] * len(flight)
    first.receive([(address, 0, data, 0) for _, _, address, data in handed], place.now_us)
    place.drain()
    assert [event[3] for event in place.of("server", events.FRAME)] == [b"for the first"]


# --- batches


def test_many_datagrams_of_one_connection_leave_and_arrive_as_one(certificates: Certificates) -> None:
    """GSO and GRO: the native engine hands over trains, and takes them."""
    place = pair(certificates, ("native", "native"))
    number = place.client.connect(SERVER, NAME, place.now_us)
    place.settle()
    before = place.server.counters()["datagrams_received"]
    place.client.call(number, bytes(60_000))
    trains = place.client.transmit(place.now_us)
    # The first congestion window, in one piece.
    assert len(trains) == 1
    (_, data, segment), *_ = trains
    assert segment == Limits().datagram_bytes
    assert len(data) >= 8 * segment
    place.server.receive([(CLIENT, 0, data, segment)], place.now_us)
    assert place.server.counters()["datagrams_received"] - before == -(-len(data) // segment)
    place.settle()
    assert [len(event[3]) for event in place.of("server", events.FRAME)] == [60_000]


def test_one_turn_takes_all_that_has_arrived(certificates: Certificates) -> None:
    """recvmmsg: a socket's datagrams cost a system call by the dozen, and Python one call."""
    engine: Any = make_engine("native", server_configuration(certificates))
    address = unpack(engine.bind(pack(("127.0.0.1", 0))))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(200):
            stranger.sendto(bytes([number]) * 30, address)
        engine.poll_socket(1)
    engine.unbind()
    assert engine.counters()["datagrams_received"] == 200


# --- timers


def test_what_was_acknowledged_wakes_nobody(certificates: Certificates) -> None:
    """The time-out of a packet moves once the packet is acknowledged: the native engine does not ask for the old one."""
    place = pair(certificates, ("native", "native"))
    number = place.client.connect(SERVER, NAME, place.now_us)
    place.settle()
    (server,) = (event[1] for event in place.of("server", events.CONNECTED))
    waited = 0
    for call in range(5):
        place.client.call(number, b"call")
        place.settle()
        place.server.reply(server, place.of("server", events.FRAME)[call][2], b"answer")
        place.settle()
        # The answer is not acknowledged yet; at once where a packet's number was skipped before it (RFC 9000, section 21.4).
        waited += place.server.next_timeout() - place.now_us < ACK_US + PROBE_US
        place.now_us += ACK_US
        place.client.handle_timeout(place.now_us)
        place.settle()
        assert place.server.next_timeout() - place.now_us > SECOND_US
    assert waited >= 3
    assert len(place.of("client", events.FRAME)) == 5


# --- the boundary of one connection


def test_a_fault_inside_one_connection_ends_that_one_only(certificates: Certificates) -> None:
    """The native engine's own test of this is in src/engine/tests.rs: from outside nothing makes it panic."""
    place = pair(certificates, ("aioquic", "aioquic"))
    numbers = [place.client.connect(SERVER, NAME, place.now_us) for _ in range(2)]
    place.settle()
    broken, whole = (event[1] for event in place.of("server", events.CONNECTED))

    def fails(*arguments: Any, **named: Any) -> None:
        raise AssertionError("inside aioquic")

    place.server._peers[broken].connection.receive_datagram = fails
    for number in numbers:
        place.client.call(number, b"x")
    place.settle()
    assert [event[1:3] for event in place.of("server", events.CLOSED)] == [(broken, events.CLOSE_NUMBERS["fault"])]
    assert [event[1] for event in place.of("server", events.FRAME)] == [whole]
    assert place.server.counters()["faults"] == 1
