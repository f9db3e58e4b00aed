"""Native QUIC engines on a wire without a clock: what the datagram and frame targets send into."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from tools.fuzz.instrumented import ROOT
from tools.fuzz.target import demand
from trio_quic import events
from trio_quic._native import NativeEngine
from trio_quic.addresses import pack
from trio_quic.aio.engine import AioquicEngine
from trio_quic.configuration import ClientTls, Limits, QuicConfiguration, ServerTls

if TYPE_CHECKING:
    from trio_quic.engine import Engine

CERTIFICATE = ROOT / "tests" / "fuzz" / "quic.pem"
"""Certificate and key of the server that the corpus's datagrams were sent to. They protect nothing."""
SERVER_AT, CLIENT_AT = pack(("10.0.0.1", 7000)), pack(("10.0.0.2", 4000))
UNIX_TIME_S = 1_800_000_000
FRAME_BYTES_MAX = 65_536
LIMITS = Limits(frame_bytes_max=FRAME_BYTES_MAX, retry_from_half_open=1_000)
STEP_US = 1_000
logging.getLogger("quic").addHandler(logging.NullHandler())  # aioquic tells of every bad packet
SEED_SERVER, SEED_CLIENT = b"s" * 32, b"c" * 32


def _configuration(*, client: bool) -> QuicConfiguration:
    pem = CERTIFICATE.read_bytes()
    at = pem.index(b"-----BEGIN PRIVATE KEY")
    return QuicConfiguration(
        alpn=(b"qpq/1",), server=None if client else ServerTls(chain_pem=pem[:at], key_pem=pem[at:]),
        client=ClientTls(first_use=True) if client else None, limits=LIMITS, groups=("X25519",),
        seed=SEED_CLIENT if client else SEED_SERVER, unix_time_s=UNIX_TIME_S,
    )  # fmt: skip


@cache
def _server_configuration() -> QuicConfiguration:
    return _configuration(client=False)


def server() -> Engine:
    """Return a fresh server engine; every one draws the same randomness."""
    return NativeEngine(_server_configuration())


@cache
def _unseeded() -> QuicConfiguration:
    return replace(_server_configuration(), seed=None, unix_time_s=None)


def aioquic_server() -> Engine:
    """Return a fresh server of the other engine, which cannot be seeded."""
    return AioquicEngine(_unseeded(), True)


class Pair:
    """A client connected to a server; both live as long as the process, and each input is one stream."""

    def __init__(self) -> None:
        self.server, self.client = server(), NativeEngine(_configuration(client=True))
        self.flights: list[bytes] = []
        """The client's datagrams, in order."""
        self._now_us = 0
        self._connection = self.client.connect(SERVER_AT, "localhost", 0)
        self._settle()
        self._theirs = next(e[1] for e in self.server.poll() if e[0] == events.CONNECTED)
        self.client.poll()

    def _settle(self) -> None:
        """Carry datagrams until none are left; acknowledgements that wait for a timer are sent too."""
        while True:
            self._now_us += STEP_US
            up, down = self.client.transmit(self._now_us), self.server.transmit(self._now_us)
            if not up and not down:
                return
            self.flights += [data for _, data, _ in up]
            self.server.receive([(CLIENT_AT, 0, data, segment) for _, data, segment in up], self._now_us)
            self.client.receive([(SERVER_AT, 0, data, segment) for _, data, segment in down], self._now_us)

    def send(self, data: bytes, step: int) -> tuple[list[bytes], str]:
        """Send a stream in pieces; return (frames that came, how it ended)."""
        self.flights.clear()
        stream = self.client.open(self._connection, False)
        demand(stream >= 0, "no stream can be opened: earlier ones are not over")
        found: list[bytes] = []
        ended = ""
        for at in range(0, max(len(data), 1), step):
            piece, last = data[at : at + step], at + step >= len(data)
            demand(self.client.write(self._connection, stream, piece, last) == len(piece), "a window that is full")
            self._settle()
            ended = self._arrived(found)
            if ended:
                break  # of an oversized frame the server does not want the rest
        self._end(stream)
        return found, ended

    def _arrived(self, found: list[bytes]) -> str:
        """Take what came; return how the stream ended, or an empty text."""
        while arrived := self.server.poll():
            for event in arrived:
                kind, stream = event[0], event[2]
                if kind == events.FRAME:
                    found.append(event[3])
                    if event[4]:
                        return "clean"
                    self.server.consumed(self._theirs, stream)
                    self._settle()
                elif kind == events.FIN:
                    return "clean"
                elif kind == events.VIOLATION:
                    return events.VIOLATIONS[event[3]]
        return ""

    def _end(self, stream: int) -> None:
        self.server.finish(self._theirs, stream)
        self.server.stop_sending(self._theirs, stream, 0)
        self.client.stop_sending(self._connection, stream, 0)
        self._settle()
        self.server.poll()
        self.client.poll()
        for engine in (self.client, self.server):
            due = engine.next_timeout()
            if due is not None and due <= self._now_us:
                engine.handle_timeout(self._now_us)


@cache
def pair() -> Pair:
    """Return the process's pair."""
    return Pair()
