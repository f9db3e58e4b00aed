"""Peers that break no rule once and do it for ever: counted by connection and by address, closed, and what they held is
free again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trio_quic import EngineName, Limits, QuicConfiguration, ServerTls, events
from trio_quic.codes import FLOOD
from trio_quic.testing import ALPN, Certificates
from trio_quic.testing.hostile import (
    PING,
    Duel,
    HostileClient,
    ack_frame,
    at,
    challenge_frame,
    crypto_frame,
    length_and,
    new_id_frame,
    reset_frame,
    retire_id_frame,
    stop_frame,
    stream_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECOND_US = 1_000_000
FLOW_CONTROL_ERROR = 0x3
FEW = Limits(cancels_per_second_max=50, paths_per_second_max=20, idle_frames_per_second_max=100)


def duel(name: EngineName, certificates: Certificates, limits: Limits) -> Duel:
    server = certificates.server
    tls = ServerTls(chain_pem=server.chain_pem, key_pem=server.key_pem)
    return Duel(name, QuicConfiguration(alpn=ALPN, server=tls, limits=limits))


def abandoned(client: HostileClient, first: int, count: int) -> list[bytes]:
    """Streams that are opened with half a frame's length and given up."""
    numbers = range(4 * first, 4 * (first + count), 4)
    return [frame for n in numbers for frame in (stream_frame(n, 0, b"\x09"), reset_frame(n, 1))]


def unwanted(client: HostileClient, first: int, count: int) -> list[bytes]:
    """Whole calls whose answers are not wanted."""
    numbers = range(4 * first, 4 * (first + count), 4)
    return [f for n in numbers for f in (stream_frame(n, 0, length_and(b"call"), fin=True), stop_frame(n))]


def pings(client: HostileClient, first: int, count: int) -> list[bytes]:
    return [PING] * count


def empty_stream_frames(client: HostileClient, first: int, count: int) -> list[bytes]:
    return [stream_frame(0, 0, b"")] * 2 * count


def handshake_bytes(client: HostileClient, first: int, count: int) -> list[bytes]:
    return [crypto_frame(0, b"")] * count


def unasked_acks(client: HostileClient, first: int, count: int) -> list[bytes]:
    """Of a packet that has come: quinn-proto leaves some numbers out, and ends whoever acknowledges those."""
    return [ack_frame(client.last_received)] * 2 * count


def challenges(client: HostileClient, first: int, count: int) -> list[bytes]:
    return [challenge_frame() for _ in range(count)]


def retirements(client: HostileClient, first: int, count: int) -> list[bytes]:
    """The same id, retired again and again."""
    return [retire_id_frame(1)] * count


ATTACKS = [
    (abandoned, "floods_of_cancels", FEW.cancels_per_second_max),
    (unwanted, "floods_of_cancels", FEW.cancels_per_second_max),
    (pings, "floods_of_idle_frames", FEW.idle_frames_per_second_max),
    (empty_stream_frames, "floods_of_idle_frames", FEW.idle_frames_per_second_max),
    (handshake_bytes, "floods_of_idle_frames", FEW.idle_frames_per_second_max),
    (unasked_acks, "floods_of_idle_frames", FEW.idle_frames_per_second_max),
    (challenges, "floods_of_paths", FEW.paths_per_second_max),
    (retirements, "floods_of_paths", FEW.paths_per_second_max),
]


@pytest.mark.parametrize(("attack", "counter", "allowed"), ATTACKS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_flood_ends_its_connection_and_less_does_not(
    engine: EngineName,
    attack: Callable[[HostileClient, int, int], list[bytes]],
    counter: str,
    allowed: int,
    certificates: Certificates,
) -> None:
    place = duel(engine, certificates, FEW)
    client = place.opened()
    done = 0
    for _ in range(3):
        # Half of what is allowed, each second.
        place.pass_time(SECOND_US)
        for packet in client.packets(attack(client, done, allowed // 2)):
            place.send([packet])
            place.exchange()
        done += allowed // 2
    assert client.close_code is None
    assert place.counted(counter) == 0
    place.pass_time(SECOND_US)
    place.send(client.packets(attack(client, done, 2 * allowed)))
    place.exchange()
    assert client.close_code == FLOOD
    assert place.counted(counter) == 1
    assert [event[3] for event in place.events if event[0] == events.CLOSED] == [FLOOD]
    assert place.counted("faults") == 0


def test_calls_that_were_refused_count_like_cancelled_ones(engine: EngineName, certificates: Certificates) -> None:
    place = duel(engine, certificates, FEW)
    client = place.opened()
    number = place.events[0][1]
    for _ in range(FEW.cancels_per_second_max):
        place.engine.charge(number)
    place.send([client.packet(PING)])
    assert client.close_code is None
    place.engine.charge(number)
    place.send([client.packet(PING)])
    place.exchange()
    assert client.close_code == FLOOD
    assert place.counted("floods_of_cancels") == 1


def test_moving_all_the_time_is_a_flood(engine: EngineName, certificates: Certificates) -> None:
    place = duel(engine, certificates, FEW)
    client = place.opened()
    for port in range(4001, 4100):
        place.clients[at(1, port)] = client
        place.send([client.packet(PING)], 1, port)
    place.exchange()
    assert client.close_code == FLOOD
    assert place.counted("floods_of_paths") == 1


def test_one_address_shares_what_its_connections_may_do(engine: EngineName, certificates: Certificates) -> None:
    """Ten seconds of eight connections' worth, spread over twenty that each do less than they may."""
    limits = replace(FEW, floods_per_address_factor=2, retry_from_half_open=1_000)
    place = duel(engine, certificates, limits)
    clients = [place.opened(1, port) for port in range(4000, 4020)]
    elsewhere = place.opened(2)
    for _ in range(3):
        place.pass_time(SECOND_US)
        for port, client in enumerate(clients, 4000):
            if client.close_code is None:
                place.send(client.packets([PING] * (FEW.idle_frames_per_second_max * 4 // 5)), 1, port)
        place.send(elsewhere.packets([PING] * (50)), 2)
        place.exchange()
    assert place.counted("floods_by_address") == len([c for c in clients if c.close_code == FLOOD]) > 0
    assert place.counted("floods_of_idle_frames") == 0
    assert elsewhere.close_code is None


def test_an_address_has_so_many_handshakes_in_ten_seconds(engine: EngineName, certificates: Certificates) -> None:
    place = duel(engine, certificates, Limits(handshakes_per_address_max=4))
    for port in range(4000, 4004):
        client = place.opened(1, port)
        client.state.close()
        place.send(client.take(place.now), 1, port)
    # From half of them on it had to prove its address.
    assert place.counted("retries_sent") == 2
    with pytest.raises(RuntimeError, match="no handshake"):
        place.opened(1, 4004)
    assert place.counted("handshakes_limited") > 0
    assert place.opened(2).is_open
    place.pass_time(10 * SECOND_US)
    assert place.opened(1, 4005).is_open


def test_a_peer_that_moved_away_frees_its_place_where_it_came_from(
    engine: EngineName, certificates: Certificates
) -> None:
    """It was counted at one address and freed at the other: the first was full for ever."""
    place = duel(engine, certificates, Limits(connections_per_address_max=1, handshake_ms=1_000, idle_ms=5_000))
    for turn in range(3):
        client = place.opened(1, 4000 + turn)
        place.clients = {at(2, 4000): client}
        place.send([client.packet(PING)], 2)
        place.exchange()
        assert place.counted("moves") == turn + 1
        client.state.close()
        place.send(client.take(place.now), 2)
        place.pass_time(20 * SECOND_US)
        assert place.counted("connections") == 0
    assert place.counted("faults") == 0


def test_what_cannot_be_read_takes_no_place(engine: EngineName, certificates: Certificates) -> None:
    """First packets sealed with anything: they cost one decryption."""
    place = duel(engine, certificates, Limits())
    for host in range(1, 9):
        whole = place.client(host).connect(place.now)[0]
        place.send([whole[:100] + bytes(100) + whole[200:]], host)
    assert place.counted("half_open") == place.counted("connections") == 0


@pytest.mark.parametrize(
    ("offsets", "native_ends"),
    [([Limits().handshake_bytes_max], True), (range(1, 500, 2), False)],
    ids=["one byte behind a hole", "every other byte"],
)
def test_a_handshake_in_pieces_ends_or_stays_small(
    engine: EngineName, offsets: Sequence[int], native_ends: bool, certificates: Certificates
) -> None:
    """quinn-proto holds a range in 16 KiB as cheaply as a byte; its deadline ends the handshake."""
    place = duel(engine, certificates, Limits(stream_gaps_max=100))
    client = place.client()
    place.send([client.initial(b"".join(crypto_frame(offset, b"x") for offset in offsets), place.now)])
    ends = native_ends or engine == "aioquic"
    assert place.counted("handshakes_failed") == ends
    assert place.counted("half_open") == (not ends)
    place.pass_time(11 * SECOND_US)
    assert place.counted("half_open") == 0


def test_acknowledging_what_was_never_sent(engine: EngineName, certificates: Certificates) -> None:
    """The native engine ends it; aioquic looks for nothing that is not there."""
    place = duel(engine, certificates, Limits())
    client = place.opened()
    place.send([client.packet(ack_frame(1_000_000))])
    place.exchange()
    assert (client.close_code is not None) == (engine == "native")
    assert place.counted("connections_broken") == (engine == "native")
    assert place.opened(2).is_open


def test_new_connection_ids_without_end(engine: EngineName, certificates: Certificates) -> None:
    place = duel(engine, certificates, Limits())
    client = place.opened()
    place.send(client.packets([new_id_frame(n, n) for n in range(10, 1_000)]))
    place.exchange()
    # The client is not told: the server writes to an id that was made up.
    assert events.CLOSED in [event[0] for event in place.events]
    assert place.counted("connections_broken") + place.counted("floods_of_paths") == 1


def test_a_stranger_fills_a_small_window_and_a_friend_a_large_one(
    engine: EngineName, certificates: Certificates
) -> None:
    """Streams that lack their first byte: nobody can read them, so they lie in the window."""
    limits = Limits(stream_window_bytes=10_000, connection_window_bytes=2_000_000, first_window_bytes=30_000)
    place = duel(engine, certificates, limits)

    def fill(client: HostileClient, streams: int) -> None:
        for n in range(streams):
            place.send([client.packet(stream_frame(4 * n, 9_000, bytes(900)))])

    stranger = place.opened(1)
    fill(stranger, 3)
    assert stranger.close_code is None
    fill(stranger, 4)
    place.exchange()
    assert stranger.close_code == FLOW_CONTROL_ERROR
    friend = place.opened(2)
    number = [event[1] for event in place.events if event[0] == events.CONNECTED][-1]
    place.engine.set_window(number, limits.connection_window_bytes)
    place.exchange()
    fill(friend, 50)
    place.exchange()
    assert friend.close_code is None


def test_a_stranger_holds_few_half_frames_and_a_friend_many(engine: EngineName, certificates: Certificates) -> None:
    """Bytes of half frames are read, so they do not lie in the window: their budget is the window's."""
    limits = Limits(first_window_bytes=200_000, held_bytes_max=1_000_000, frame_bytes_max=64_000)
    place = duel(engine, certificates, limits)
    client = place.opened()
    number = place.events[0][1]
    for n in range(10):
        place.send([client.packet(stream_frame(4 * n, 0, (60_000).to_bytes(4, "little") + b"x"))])
    stats = place.engine.stats(number)
    assert stats is not None
    assert (stats["held_bytes"], stats["waiting_streams"]) == (180_000, 7)
    place.engine.set_window(number, limits.connection_window_bytes)
    stats = place.engine.stats(number)
    assert stats is not None
    assert (stats["held_bytes"], stats["waiting_streams"]) == (600_000, 0)


def test_all_connections_share_the_memory_of_frames(engine: EngineName, certificates: Certificates) -> None:
    """Past the total each connection has one frame with the application, and goes on as frames are answered."""
    limits = Limits(held_total_bytes_max=100_000, frame_bytes_max=60_000)
    place = duel(engine, certificates, limits)
    place.answers = False
    clients = [place.opened(host) for host in (1, 2, 3)]
    body = length_and(bytes(50_000))
    for stream in (0, 4):
        for host, client in enumerate(clients, 1):
            pieces = [body[start : start + 1_200] for start in range(0, len(body), 1_200)]
            for number, piece in enumerate(pieces):
                place.send([client.packet(stream_frame(stream, 1_200 * number, piece))], host)
    frames = [event for event in place.events if event[0] == events.FRAME]
    assert sorted(event[1] for event in frames) == sorted({event[1] for event in frames})
    assert len(frames) == 3
    assert place.counted("frames_waited") == 3
    for event in frames:
        place.engine.reply(event[1], event[2], b"")
    place.exchange()
    assert len([event for event in place.events if event[0] == events.FRAME]) == 6
    for client in clients:
        client.state.close()
    place.exchange()
    assert place.counted("connections_broken") == 0


def test_deadlines_of_a_busy_connection_are_not_kept_for_each_datagram(
    engine: EngineName, certificates: Certificates
) -> None:
    """The timer moves with every datagram; a heap entry each was kept until the idle time was over."""
    place = duel(engine, certificates, Limits(idle_frames_per_second_max=100_000))
    client = place.opened()
    for _ in range(500):
        place.send([client.packet(PING)])
        place.exchange(lambda: True)
        place.pass_time(30_000)
    assert place.counted("alarms") < 20
