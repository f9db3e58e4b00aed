"""The attacks: each plays until its time is over, as quickly as one core allows."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import qpqnative
from qpqclient.transport import frame_of
from qpqcore.api.auth import LoginStartParams
from qpqcore.api.gateway import HealthParams, HelloParams
from qpqcore.api.rpc import Call
from tools.hostile.stage import Attacker, Stage, make_socket
from trio_quic.testing.hostile import (
    PING,
    ack_frame,
    challenge_frame,
    crypto_frame,
    length_and,
    new_id_frame,
    reset_frame,
    stop_frame,
    stream_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAMS = 100
"""A connection's."""
WINDOW_BYTES = 128 * 1024
"""A stream's."""
PIECE_BYTES = 1_200
TOGETHER = 20
"""Handshakes of one attacker at once."""
TOGETHER_SECONDS_MAX = 0.5
HELD_CONNECTIONS = 200
"""Kept open side by side by attacks on memory."""


def alternating_ranges(stage: Stage) -> None:
    """Every other byte of a stream, 250 a datagram."""
    for attacker in stage.welcomed():
        offsets = range(1, WINDOW_BYTES, 2)
        attacker.flood(attacker.client.packets([stream_frame(0, offset, b"x") for offset in offsets]))


def gap_bytes(stage: Stage) -> None:
    """The last byte of every stream's window, and nothing before it."""
    crowd(stage, lambda: [stream_frame(4 * n, WINDOW_BYTES // 8, b"x") for n in range(STREAMS)])


def unreadable_windows(stage: Stage) -> None:
    """Streams that lack their first byte, filled up to the window."""
    held: list[Attacker] = []
    while stage.goes_on and len(held) < HELD_CONNECTIONS:
        attacker = stage.opened()
        if attacker is None:
            continue
        held.append(attacker)
        for n in range(STREAMS):
            pieces = range(1, WINDOW_BYTES - PIECE_BYTES, PIECE_BYTES)
            attacker.flood(attacker.client.packets([stream_frame(4 * n, at, bytes(PIECE_BYTES)) for at in pieces]))
            if not (stage.goes_on and attacker.is_welcome):
                break
    stage.wait()


def crowd(stage: Stage, frames: Callable[[], list[bytes]]) -> None:
    """Send the same on many connections, and keep them."""
    held: list[Attacker] = []
    while stage.goes_on and len(held) < HELD_CONNECTIONS:
        attacker = stage.opened()
        if attacker is not None:
            held.append(attacker)
            attacker.flood(attacker.client.packets(frames()))
    while stage.goes_on:
        for attacker in held:
            attacker.pump()
        time.sleep(0.05)


def spoofed_initials(stage: Stage) -> None:
    """First flights, each from another address, whose answers nobody reads."""
    while stage.goes_on:
        attacker = Attacker(stage.target, stage.new_host())
        attacker.send(attacker.client.connect(time.monotonic()))
        attacker.leave()


def half_open(stage: Stage) -> None:
    """First flights from addresses that prove to be there, and then say nothing more."""
    held: list[Attacker] = []
    while stage.goes_on:
        attacker = Attacker(stage.target, stage.new_host())
        attacker.send(attacker.client.connect(time.monotonic()))
        attacker.socket.setblocking(True)
        attacker.socket.settimeout(0.01)
        try:
            answer = attacker.socket.recv(2_048)
        except TimeoutError:
            continue
        finally:
            attacker.socket.setblocking(False)
        if answer[0] & 0xF0 == 0xF0:
            attacker.client.receive(answer, time.monotonic())
            attacker.send(attacker.client.take(time.monotonic()))
        held.append(attacker)


def handshakes(stage: Stage) -> None:
    """Whole handshakes from one address, closed at once."""
    while stage.goes_on:
        together = [Attacker(stage.target, "127.0.0.2") for _ in range(TOGETHER)]
        for attacker in together:
            attacker.send(attacker.client.connect(time.monotonic()))
        end = time.monotonic() + TOGETHER_SECONDS_MAX
        while together and time.monotonic() < end:
            for attacker in together:
                attacker.pump()
                if attacker.client.is_open:
                    attacker.client.state.close()
                    attacker.pump()
            for attacker in [a for a in together if a.client.is_open or a.client.close_code is not None]:
                attacker.leave()
                together.remove(attacker)
        for attacker in together:
            attacker.leave()


def handshake_in_pieces(stage: Stage) -> None:
    """Handshakes that begin behind a hole."""
    while stage.goes_on:
        attacker = Attacker(stage.target, stage.new_host())
        frames = b"".join(crypto_frame(at, b"x") for at in (*range(101, 400, 2), 500_000))
        attacker.send([attacker.client.initial(frames, time.monotonic())])
        attacker.leave()


def slow_streams(stage: Stage) -> None:
    """Streams that give a byte of their frame's length, and no more."""
    crowd(stage, lambda: [stream_frame(4 * n, 0, b"\x09") for n in range(STREAMS)])


def half_frames(stage: Stage) -> None:
    """Streams that announce the largest frame and send half of it."""
    body = (64 * 1024).to_bytes(4, "little") + bytes(32 * 1024)
    pieces = range(0, len(body), PIECE_BYTES)
    crowd(
        stage,
        lambda: [stream_frame(4 * n, at, body[at : at + PIECE_BYTES]) for n in range(STREAMS) for at in pieces],
    )


def per_stream(stage: Stage, frames: Callable[[int], tuple[bytes, ...]]) -> None:
    """Use up streams as quickly as the server gives them."""
    for attacker in stage.welcomed():
        for first in count(0, STREAMS // 4):
            numbers = range(4 * first, 4 * (first + STREAMS // 4), 4)
            while attacker.streams_allowed < first + STREAMS // 4 and stage.goes_on and attacker.is_welcome:
                attacker.pump()
            if not (stage.goes_on and attacker.is_welcome):
                break
            attacker.flood(attacker.client.packets([frame for n in numbers for frame in frames(n)]))


def abandoned_streams(stage: Stage) -> None:
    """Streams that are opened and reset."""
    per_stream(stage, lambda n: (stream_frame(n, 0, b"\x09"), reset_frame(n, 1)))


def unwanted_answers(stage: Stage) -> None:
    """Whole calls whose answers are refused at once."""
    call = length_and(frame_of(HealthParams()))
    per_stream(stage, lambda n: (stream_frame(n, 0, call, fin=True), stop_frame(n)))


def unread_replies(stage: Stage) -> None:
    """Calls on connections that never give credit for an answer."""
    call = length_and(frame_of(HelloParams(client_version="0.1.0", protocol=1)))
    crowd(stage, lambda: [stream_frame(4 * n, 0, call, fin=True) for n in range(STREAMS)])


def migrations(stage: Stage) -> None:
    """Every datagram from another port."""
    for attacker in stage.welcomed():
        sockets = [make_socket("127.0.0.3") for _ in range(STREAMS)]
        first = attacker.socket
        for each in sockets:
            attacker.socket = each
            attacker.send([attacker.client.packet(PING)])
            attacker.pump()
            each.close()
        attacker.socket = first
        attacker.pump()


def repeated(stage: Stage, frame: Callable[[], bytes], frames: int = 1_000) -> None:
    """One kind of frame, as many as a datagram takes."""
    for attacker in stage.welcomed():
        attacker.flood(attacker.client.packets([frame() for _ in range(frames)]))


def challenges(stage: Stage) -> None:
    """Path challenges, 138 a datagram."""
    repeated(stage, challenge_frame)


def new_ids(stage: Stage) -> None:
    """Connection ids that retire those before."""
    while stage.goes_on:
        attacker = stage.opened()
        if attacker is not None:
            # The server ends it, and says so to an id that was made up.
            attacker.flood(attacker.client.packets([new_id_frame(n, n) for n in range(10, 210)]))
            attacker.leave()


def pings(stage: Stage) -> None:
    """Pings, 1,250 a datagram."""
    repeated(stage, lambda: PING, 20_000)


def empty_frames(stage: Stage) -> None:
    """Stream frames without a byte."""
    repeated(stage, lambda: stream_frame(0, 0, b""), 5_000)


def false_acks(stage: Stage) -> None:
    """Acknowledgements of what was acknowledged before, and then of what was never sent."""
    for attacker in stage.welcomed():
        attacker.flood(attacker.client.packets([ack_frame(attacker.client.last_received)] * 5_000))
        attacker.flood([attacker.client.packet(ack_frame(1 << 29))])


def calls(stage: Stage, bodies: Iterator[bytes]) -> None:
    """Calls as quickly as they are answered, in new connections where the server closes one."""
    for attacker in stage.welcomed():
        state = attacker.client.state
        for body in bodies:
            stream = state.get_next_available_stream_id()
            if stream // 4 < attacker.streams_allowed:
                state.send_stream_data(stream, length_and(body), end_stream=True)
            attacker.pump()
            if not (stage.goes_on and attacker.is_welcome):
                break


def bombs(stage: Stage) -> None:
    """Messages that say more than they hold: lists of nothing, pointers to themselves, segments without end."""
    words = 1_000
    self_pointer = b"\0\0\0\0" + (2).to_bytes(4, "little") + b"\xfc\xff\xff\xff\0\0\1\0" * 2
    nothing = b"\0\0\0\0" + (words).to_bytes(4, "little") + b"\1\0\0\0" + ((1 << 29) - 1 << 3).to_bytes(4, "little")
    segments = b"\xff\xff\xff\x7f" + bytes(8 * words)
    deep = b"\0\0\0\0" + words.to_bytes(4, "little") + b"\0\0\0\0\0\0\1\0" * words
    bodies = [self_pointer, nothing + bytes(8 * words - 8), segments, deep]
    calls(stage, (bodies[n % 4] for n in count()))


def log_ins(stage: Stage) -> None:
    """Log-ins begun for names that do not exist."""
    request = qpqnative.OpaqueLogin().start(b"guess")
    calls(stage, (frame_of(LoginStartParams(name=f"nobody{n}", request=request)) for n in count()))


def refused_calls(stage: Stage) -> None:
    """Calls of methods that do not exist."""
    body = Call(method=60_000).to_bytes()
    calls(stage, (body for _ in count()))


def rubbish(stage: Stage) -> None:
    """Datagrams of nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.4", 0))
        while stage.goes_on:
            for _ in range(100):
                made.sendto(b"\x40" + os.urandom(60), stage.target)


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table."""

    play: Callable[[Stage], None]
    bound: str
    """The limit's name, or whose rule it is."""
    metrics: tuple[str, ...]
    """Counters of /metrics that show it, without `qpq_quic_` and `_total`."""
    times: int = 1
    """So many times as long as the others: a deadline or a window of 10 s has to come."""
    engine: str = "native"
    """aioquic where the native engine's bound is quinn-proto's own and cannot be lifted."""

    @property
    def name(self) -> str:
        """The row's name."""
        return self.play.__name__.replace("_", " ")


ATTACKS = (
    Attack(alternating_ranges, "quinn-proto's own", ("connections_broken",)),
    Attack(alternating_ranges, "stream_gaps_max", ("connections_broken",), engine="aioquic"),
    Attack(gap_bytes, "first_window_bytes", ("connections_broken", "frames_late")),
    Attack(unreadable_windows, "first_window_bytes", ("connections_broken", "frames_late")),
    Attack(unreadable_windows, "first_window_bytes", ("connections_broken", "frames_late"), engine="aioquic"),
    Attack(spoofed_initials, "retry_from_half_open, half_open_max", ("retries_sent", "connections_ignored")),
    Attack(
        spoofed_initials,
        "retry_from_half_open, half_open_max",
        ("retries_sent", "connections_ignored"),
        engine="aioquic",
    ),
    Attack(half_open, "handshake_ms, half_open_max", ("handshakes_late", "retries_sent"), times=4),
    Attack(handshakes, "handshakes_per_address_max", ("handshakes_limited",), times=3),
    Attack(handshake_in_pieces, "handshake_bytes_max", ("handshakes_failed",)),
    Attack(handshake_in_pieces, "handshake_bytes_max", ("handshakes_failed",), engine="aioquic"),
    Attack(slow_streams, "frame_head_ms, streams_max", ("frames_late",), times=3),
    Attack(half_frames, "frame_ms, held_bytes_max, first_window_bytes", ("frames_waited", "frames_late")),
    Attack(abandoned_streams, "cancels_per_second_max", ("floods_of_cancels", "floods_by_address")),
    Attack(unwanted_answers, "cancels_per_second_max", ("floods_of_cancels", "floods_by_address")),
    Attack(unread_replies, "streams_max, held_bytes_max", ("replies_refused",)),
    Attack(migrations, "paths_per_second_max", ("floods_of_paths", "floods_by_address")),
    Attack(challenges, "paths_per_second_max", ("floods_of_paths", "floods_by_address")),
    Attack(new_ids, "QUIC's own limit of ids, paths_per_second_max", ("connections_broken", "floods_of_paths")),
    Attack(pings, "idle_frames_per_second_max", ("floods_of_idle_frames", "floods_by_address")),
    Attack(empty_frames, "idle_frames_per_second_max", ("floods_of_idle_frames", "floods_by_address")),
    Attack(false_acks, "idle_frames_per_second_max", ("floods_of_idle_frames", "connections_broken")),
    Attack(bombs, "nesting, traversal, lists (qpqnative wire)", ()),
    Attack(log_ins, "login_per_address (auth)", ()),
    Attack(refused_calls, "LINES_PER_SECOND_MAX (qpqcore.obs.logs)", ()),
    Attack(rubbish, "one look-up each", ("datagrams_received",)),
)
