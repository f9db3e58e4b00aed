"""A client that keeps no rule: aioquic's connection, driven by hand and without I/O, and packets of any frames.

Frames are bytes as RFC 9000 section 19 lays them out; the functions below write those that attacks are made of.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration as AioquicConfiguration
from aioquic.quic.connection import QuicConnection, QuicConnectionError
from aioquic.quic.packet import QuicPacketType, QuicProtocolVersion
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.tls import Epoch, load_pem_private_key, load_pem_x509_certificates

from trio_quic.engine import make_engine
from trio_quic.events import FRAME, RESET, VIOLATION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trio_quic.configuration import EngineName, QuicConfiguration
    from trio_quic.engine import Engine
    from trio_quic.events import Event

    from .certificates import Certificate

DATAGRAM_BYTES: Final = 1350
FRAMES_BYTES_MAX: Final = 1250
"""What fits one packet's headers and seal."""
INITIAL_BYTES_MIN: Final = 1200
SERVER: Final = ("10.0.0.1", 7000)
STEP_US: Final = 1_000
QUIET_ROUNDS_MAX: Final = 50
PING: Final = b"\x01"
LIMITLESS: Final = 1 << 40
STREAM_FRAMES: Final = (0x04, 0x05, *range(0x08, 0x10), 0x11, 0x15)
"""Types of the frames that name a stream."""


def stream_frame(stream: int, offset: int, data: bytes, *, fin: bool = False) -> bytes:
    """STREAM, with offset and length."""
    head = encode_uint_var(stream) + encode_uint_var(offset) + encode_uint_var(len(data))
    return bytes([0x0E | fin]) + head + data


def crypto_frame(offset: int, data: bytes) -> bytes:
    """CRYPTO."""
    return b"\x06" + encode_uint_var(offset) + encode_uint_var(len(data)) + data


def reset_frame(stream: int, final_size: int) -> bytes:
    """RESET_STREAM, code 0."""
    return b"\x04" + encode_uint_var(stream) + b"\0" + encode_uint_var(final_size)


def stop_frame(stream: int) -> bytes:
    """STOP_SENDING, code 0."""
    return b"\x05" + encode_uint_var(stream) + b"\0"


def ack_frame(largest: int) -> bytes:
    """ACK of one packet."""
    return b"\x02" + encode_uint_var(largest) + b"\0\0\0"


def new_id_frame(sequence: int, retire_prior_to: int) -> bytes:
    """NEW_CONNECTION_ID."""
    head = encode_uint_var(sequence) + encode_uint_var(retire_prior_to)
    return b"\x18" + head + b"\x08" + os.urandom(8) + os.urandom(16)


def retire_id_frame(sequence: int) -> bytes:
    """RETIRE_CONNECTION_ID."""
    return b"\x19" + encode_uint_var(sequence)


def challenge_frame() -> bytes:
    """PATH_CHALLENGE."""
    return b"\x1a" + os.urandom(8)


def length_and(frame: bytes) -> bytes:
    """A whole frame of trio_quic's own."""
    return len(frame).to_bytes(4, "little") + frame


def _tolerant(handler: Callable[..., None], *arguments: Any) -> None:
    with suppress(QuicConnectionError):
        handler(*arguments)


class HostileClient:
    """One client; `now` is in seconds, datagrams go in and out as bytes."""

    def __init__(self, alpn: bytes, identity: Certificate | None = None) -> None:
        configuration = AioquicConfiguration(
            alpn_protocols=[alpn.decode("ascii")],
            is_client=True,
            verify_mode=ssl.CERT_NONE,
            server_name="server.test",
            max_datagram_size=DATAGRAM_BYTES,
            supported_versions=[QuicProtocolVersion.VERSION_1],
        )
        if identity is not None:
            configuration.certificate, *configuration.certificate_chain = load_pem_x509_certificates(identity.chain_pem)
            configuration.private_key = load_pem_private_key(identity.key_pem)
        self.state = QuicConnection(configuration=configuration)
        self.state._local_active_connection_id_limit = LIMITLESS
        # Answers on streams that only crafted packets opened are not this state's business.
        handlers = self.state._QuicConnection__frame_handlers  # type: ignore[attr-defined] # aioquic's private table
        for frame in STREAM_FRAMES:
            handler, epochs = handlers[frame]
            handlers[frame] = (partial(_tolerant, handler), epochs)
        self._server = SERVER

    def connect(self, now: float) -> list[bytes]:
        """The first flight."""
        self.state.connect(self._server, now)
        return self.take(now)

    def receive(self, data: bytes, now: float) -> None:
        """Takes a datagram in."""
        self.state.receive_datagram(data, self._server, now)

    def take(self, now: float) -> list[bytes]:
        """What aioquic itself wants to send: a well-behaved client's part."""
        timer = self.state.get_timer()
        if timer is not None and timer <= now:
            self.state.handle_timer(now)
        return [data for data, _ in self.state.datagrams_to_send(now)]

    @property
    def is_open(self) -> bool:
        """Whether the handshake is done."""
        return bool(self.state._handshake_confirmed)

    @property
    def close_code(self) -> int | None:
        """What the server closed with."""
        ended = self.state._close_event
        return None if ended is None else int(ended.error_code)

    @property
    def last_received(self) -> int:
        """The highest number of the server's packets."""
        return int(self.state._spaces[Epoch.ONE_RTT].largest_received_packet)

    def packet(self, frames: bytes) -> bytes:
        """One 1-RTT packet of these frames; the first frame's type is one byte long."""
        return self._packet(QuicPacketType.ONE_RTT, Epoch.ONE_RTT, frames)

    def packets(self, frames: Sequence[bytes]) -> list[bytes]:
        """As many as these frames fill."""
        packets, waiting = [], b""
        for frame in frames:
            if len(waiting) + len(frame) > FRAMES_BYTES_MAX:
                packets.append(self.packet(waiting))
                waiting = b""
            waiting += frame
        return [*packets, self.packet(waiting)] if waiting else packets

    def initial(self, frames: bytes, now: float) -> bytes:
        """One Initial packet of these frames, in place of the first flight or after it."""
        if not self.state._cryptos_initial:
            self.connect(now)
        return self._packet(QuicPacketType.INITIAL, Epoch.INITIAL, frames.ljust(INITIAL_BYTES_MIN - 60, b"\0"))

    def _packet(self, kind: QuicPacketType, epoch: Epoch, frames: bytes) -> bytes:
        state = self.state
        builder = QuicPacketBuilder(
            host_cid=state.host_cid,
            peer_cid=state._peer_cid.cid,
            version=QuicProtocolVersion.VERSION_1,
            is_client=True,
            max_datagram_size=DATAGRAM_BYTES,
            packet_number=state._packet_number,
        )
        crypto = state._cryptos[epoch] if epoch is Epoch.ONE_RTT else state._cryptos_initial[1]
        builder.start_packet(kind, crypto)
        builder.start_frame(frames[0], len(frames) - 1).push_bytes(frames[1:])
        datagrams, _ = builder.flush()
        state._packet_number = builder.packet_number
        return bytes(datagrams[0])


class Duel:
    """A server's engine and hostile clients at its door, by a clock of their own: no I/O and no waiting."""

    def __init__(self, name: EngineName, configuration: QuicConfiguration) -> None:
        self.engine: Engine = make_engine(name, configuration)
        self.now_us = STEP_US
        self.answers = True
        """Whether frames are answered; else they stay with the application."""
        self.events: list[Event] = []
        self.clients: dict[bytes, HostileClient] = {}
        self._alpn = configuration.alpn[0]

    def client(self, host: int = 1, port: int = 4000, identity: Certificate | None = None) -> HostileClient:
        """A new one at 10.9.0.`host`, not connected; `identity`: its certificate."""
        client = HostileClient(self._alpn, identity)
        self.clients[at(host, port)] = client
        return client

    def opened(self, host: int = 1, port: int = 4000) -> HostileClient:
        """A new one that has done its handshake. Raises RuntimeError if the server would not."""
        client = self.client(host, port)
        self.send(client.connect(self.now), host, port)
        self.exchange()
        if not client.is_open:
            raise RuntimeError("no handshake")
        return client

    @property
    def now(self) -> float:
        """Seconds."""
        return self.now_us / 1_000_000

    def send(self, datagrams: Sequence[bytes], host: int = 1, port: int = 4000) -> None:
        """Lets datagrams arrive at the server, and its answers at the clients."""
        self.engine.receive([(at(host, port), 0, data, 0) for data in datagrams], self.now_us)
        self._answers()

    def _answers(self) -> bool:
        self._serve(self.engine.poll())
        answered = False
        for packed, data, segment_bytes in self.engine.transmit(self.now_us):
            answered = True
            client = self.clients.get(packed)
            step = segment_bytes or len(data)
            for start in range(0, len(data), step):
                if client is not None:
                    client.receive(data[start : start + step], self.now)
        return answered

    def _serve(self, batch: list[Event]) -> None:
        """What an application does that echoes."""
        self.events += batch
        for event in batch:
            if event[0] == FRAME and self.answers:
                self.engine.reply(event[1], event[2], event[3])
            elif event[0] in (RESET, VIOLATION):
                self.engine.reset(event[1], event[2], 0)

    def exchange(self, until: Callable[[], bool] = lambda: False) -> None:
        """Goes on for as long as anybody has something to send."""
        for _ in range(QUIET_ROUNDS_MAX):
            self.pass_time(STEP_US)
            busy = False
            for packed, client in self.clients.items():
                datagrams = client.take(self.now)
                busy |= bool(datagrams)
                self.engine.receive([(packed, 0, data, 0) for data in datagrams], self.now_us)
            busy |= self._answers()
            if until() or not busy:
                return

    def pass_time(self, microseconds: int) -> None:
        """Later, with the server's timers."""
        self.now_us += microseconds
        due_us = self.engine.next_timeout()
        while due_us is not None and due_us <= self.now_us:
            self.engine.handle_timeout(self.now_us)
            self._answers()
            later_us = self.engine.next_timeout()
            if later_us == due_us:
                break
            due_us = later_us

    def counted(self, name: str) -> int:
        """One of the engine's counters."""
        return self.engine.counters()[name]


def at(host: int, port: int) -> bytes:
    """The packed address of 10.9.0.`host`."""
    return bytes([10, 9, 0, host]) + port.to_bytes(2, "big")
