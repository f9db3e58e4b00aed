"""What a case sees of the two ends, whoever stands behind them, and the words for how things end.

Words: "reset CODE", "stopped CODE" for streams, and for connections "KIND CODE" with the kinds application-remote,
transport-remote, transport-local, idle, reset (stateless), version, late, closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import trio

from trio_quic import Limits
from trio_quic.testing import Certificate

ALPN = ("conformance/1",)
NAME = "server.test"
RESET_KEY = "one key over all lives of a server"[:32]
GROUPS = ("X25519MLKEM768", "X25519")
CLASSIC_GROUPS = ("X25519",)
# Small enough to be filled by a test; a path of 1,280 bytes, IPv6's least, carries the datagrams.
LIMITS = Limits(streams_max=100, stream_window_bytes=160_000, datagram_bytes=1_232)


class Refused(Exception):
    """No connection came about: `words` says how."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(kw_only=True)
class ServerOptions:
    """How a server is set up."""

    alpn: tuple[str, ...] = ALPN
    certificate: Certificate
    client_ca_pem: bytes | None = None
    client_name: str = ""
    retry: bool = False
    groups: tuple[str, ...] = GROUPS
    limits: Limits = LIMITS


@dataclass(kw_only=True)
class ClientOptions:
    """How a client is set up."""

    alpn: tuple[str, ...] = ALPN
    ca_pem: bytes
    name: str = NAME
    certificate: Certificate | None = None
    groups: tuple[str, ...] = GROUPS
    limits: Limits = LIMITS


@dataclass
class Exchange:
    """One stream that a client opened; `sent` and `received` say how each half ended, once `over` is set."""

    number: int = 0
    sent: str = ""
    received: str = ""
    over: trio.Event = field(default_factory=trio.Event)
    go: trio.Event = field(default_factory=trio.Event)

    async def result(self) -> str:
        """Wait for the end of both halves; how the receiving one ended."""
        await self.over.wait()
        return self.received


class Notes:
    """What a server, or a client, has told: in order, and to be waited for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = trio.lowlevel.ParkingLot()

    def add(self, line: str) -> None:
        """Note something."""
        self.lines.append(line)
        self._more.unpark_all()

    def some(self, *starts: str) -> list[str]:
        """What begins so."""
        return [line for line in self.lines if line.startswith(starts)]

    async def wait(self, *starts: str) -> str:
        """Wait for something that begins so."""
        while not self.some(*starts):
            await self._more.park()
        return self.some(*starts)[0]


class Server(Protocol):
    """A server that does with each stream what its first line says (streams.py)."""

    notes: Notes

    async def die(self) -> None:
        """End without a word."""

    async def live(self) -> None:
        """Begin anew at the same address, with the same reset key and nothing else of the former life."""

    def moved(self) -> bool:
        """Whether the server has seen its client at another address."""

    def step_keys(self) -> None:
        """Go on to the next keys."""


class Client(Protocol):
    """A client with one connection."""

    notes: Notes
    alpn: str
    group: str

    def open(self, head: str, size: int = 0, how: str = "fin", code: int = 0) -> Exchange:
        """Open a stream: send the line `head` and `size` bytes of the pattern, then end it, or `reset` it with `code`
        after `go`. Read to the end, or `stop` reading with `code`, or `wait` with reading for `go`.
        """

    def go(self, exchange: Exchange) -> None:
        """Let what was opened with `wait` read, with `reset` reset."""

    async def closed(self) -> str:
        """Wait for the connection's end and say how it came."""

    def close(self, code: int) -> None:
        """Close, once what was sent has been acknowledged."""

    def step_keys(self) -> None:
        """Go on to the next keys."""


class CannotInitiate(Exception):
    """This implementation does a thing when its peer begins, and offers no way to begin it."""
