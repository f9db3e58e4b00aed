"""The network between the two ends: what becomes of a datagram, what has been seen, and the client's outside address.

Two kinds behave alike: one in memory by Trio's clock, and a relay of real UDP sockets.
"""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import trio

from trio_quic.addresses import Address, pack
from trio_quic.testing import HOST, PORT, MemoryLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

DELAY_S = 0.01  # one way, in memory; a relay adds none of its own
DATAGRAM_BYTES_MAX = 65_535
SILENCE_S = 0.4  # nobody has anything left to send: longer than any acknowledgement is held back
SOCKET_BUFFER_BYTES = 4 << 20
BATCH_DATAGRAMS_MAX = 64
LONG_KINDS = ("initial", "0-rtt", "handshake", "retry")


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram under way; `up`: from the client to the server."""

    number: int
    up: bool
    data: bytes


def clear(datagram: Datagram) -> Sequence[float]:
    """Everything arrives."""
    return (0.0,)


def cut(datagram: Datagram) -> Sequence[float]:
    """Nothing does."""
    return ()


def kind(data: bytes) -> str:
    """RFC 9000 section 17: what sort of packet a datagram begins with."""
    if not data or not data[0] & 0x80:
        return "short"
    if data[1:5] == bytes(4):
        return "versions"
    return LONG_KINDS[data[0] >> 4 & 3]


class Path:
    """What both kinds of network share: the rule, and the counts."""

    def __init__(self) -> None:
        self.rule: Callable[[Datagram], Sequence[float]] = clear
        self.bytes = {True: 0, False: 0}
        self.kinds: Counter[tuple[bool, str]] = Counter()
        self.first_up = b""
        self._numbers = count()

    def judge(self, up: bool, data: bytes) -> Sequence[float]:
        """Note a datagram and say when its copies arrive, in seconds beyond the usual."""
        if up and not self.first_up:
            self.first_up = data
        self.bytes[up] += len(data)
        self.kinds[up, kind(data)] += 1
        return self.rule(Datagram(next(self._numbers), up, data))

    async def silence(self) -> None:
        """Wait until nothing has been sent for a while."""
        before = None
        while before != (before := dict(self.bytes)):
            await trio.sleep(SILENCE_S)


class Stranger:
    """Somebody else's socket towards the server."""

    def __init__(self, send: Callable[[bytes], None], receive: Callable[[], object]) -> None:
        self.send, self.receive = send, receive


class NatLink(MemoryLink):
    """A link whose clients are seen at an outside address, which can change."""

    def __init__(self, script) -> None:
        super().__init__(script)
        self.outside: dict[Address, Address] = {}
        self._hosts = count(1)

    def carry(self, source: Address, destination: Address, data: bytes) -> None:
        if destination == (HOST, PORT):
            source = self.outside.get(source, source)
        else:
            inside = {seen: own for own, seen in self.outside.items()}
            if destination in self.outside and destination not in inside:
                return  # an address that the client has left
            destination = inside.get(destination, destination)
        super().carry(source, destination, data)

    def move(self) -> None:
        for client in [address for address in self._ends if address != (HOST, PORT)]:
            self.outside[client] = (f"10.77.0.{next(self._hosts)}", client[1])


class MemoryPath(Path):
    """A link in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.server = (HOST, PORT)
        self.link: NatLink

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MemoryPath]:
        """Run the link."""

        def script(number: int, source: Address, destination: Address, data: bytes) -> Sequence[float]:
            return [DELAY_S + extra for extra in self.judge(destination == self.server, data)]

        async with NatLink.running(script) as self.link:
            yield self

    @property
    def listens(self) -> Address:
        """Where the server binds."""
        return self.server

    @property
    def front(self) -> Address:
        """Where clients send to."""
        return self.server

    @property
    def factory(self):
        """How ends get their datagrams."""
        return self.link.bind

    def aim(self, server: Address) -> None:
        """Nothing to learn: the server is where it was told to be."""

    def move(self) -> None:
        """Give the clients another outside address."""
        self.link.move()

    def inject(self, data: bytes) -> None:
        """Deliver a datagram to every client in the server's name."""
        for address, end in list(self.link._ends.items()):
            if address != self.server:
                end.put(self.server, data)

    @asynccontextmanager
    async def stranger(self):
        """Open somebody else's socket."""
        end = self.link.bind(("10.9.9.9", 9))

        async def receive() -> bytes:
            await end.wait_readable()
            return end.receive_nowait()[0][2]

        yield Stranger(lambda data: end.send_nowait([(pack(self.server), data, 0)]), receive)
        end.close()


def _bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made


def _close(made: socket.socket) -> None:
    trio.lowlevel.notify_closing(made)
    made.close()


async def _arriving(made: socket.socket) -> AsyncIterator[tuple[bytes, Address]]:
    """What a socket receives, until it is closed."""
    while True:
        try:
            await trio.lowlevel.wait_readable(made)
            for _ in range(BATCH_DATAGRAMS_MAX):
                yield made.recvfrom(DATAGRAM_BYTES_MAX)
        except BlockingIOError:
            continue
        except trio.ClosedResourceError:
            return
        except OSError:  # the other end has gone, as ICMP tells; or this one, in the middle of a batch
            if made.fileno() < 0:
                return


class UdpPath(Path):
    """A relay of real sockets: one towards the clients, one for each client towards the server."""

    def __init__(self) -> None:
        super().__init__()
        self.listens: Address = ("127.0.0.1", 0)
        self.front: Address = ("127.0.0.1", 0)
        self.factory = None
        self.server: Address | None = None
        self._nursery: trio.Nursery
        self._front: socket.socket
        self._outside: dict[Address, socket.socket] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[UdpPath]:
        """Run the relay."""
        self._front = _bound()
        self.front = self._front.getsockname()
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._upwards)
            yield self
            self._nursery.cancel_scope.cancel()
        for one in (self._front, *self._outside.values()):
            _close(one)

    def aim(self, server: Address) -> None:
        """Learn where the server is; it stays there."""
        self.server = self.listens = server

    async def _upwards(self) -> None:
        async for data, client in _arriving(self._front):
            if self.server is None:
                continue
            if client not in self._outside:
                self._enter(client)
            for delay_s in self.judge(True, data):
                self._send(delay_s, lambda client=client: self._outside[client], data, self.server)

    def _enter(self, client: Address) -> None:
        outside = self._outside[client] = _bound()
        self._nursery.start_soon(self._downwards, client, outside)

    async def _downwards(self, client: Address, outside: socket.socket) -> None:
        async for data, _ in _arriving(outside):
            for delay_s in self.judge(False, data):
                self._send(delay_s, lambda: self._front, data, client)

    def _send(self, delay_s: float, by: Callable[[], socket.socket], data: bytes, to: Address) -> None:
        if delay_s:
            self._nursery.start_soon(self._send_later, delay_s, by, data, to)
            return
        try:
            by().sendto(data, to)
        except OSError:
            pass  # what cannot be sent is lost, like anything else

    async def _send_later(self, delay_s: float, by: Callable[[], socket.socket], data: bytes, to: Address) -> None:
        await trio.sleep(delay_s)
        self._send(0, by, data, to)

    def move(self) -> None:
        """Give the clients another outside address; the one before is closed, and what was under way to it lost."""
        for client, before in list(self._outside.items()):
            _close(before)
            self._enter(client)

    def inject(self, data: bytes) -> None:
        """Send a datagram to every client in the server's name."""
        for client in self._outside:
            self._send(0, lambda: self._front, data, client)

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[Stranger]:
        """Open somebody else's socket."""
        made = _bound()

        async def receive() -> bytes:
            await trio.lowlevel.wait_readable(made)
            return made.recv(DATAGRAM_BYTES_MAX)

        yield Stranger(lambda data: made.sendto(data, self.server), receive)
        _close(made)
