"""An in-memory datagram network: scripted loss, delay, duplication and reordering, by Trio's clock and nothing else.

Under `trio.testing.MockClock` a run is repeatable: give `transport_factory=link.bind` to `serve_quic` and
`open_quic_connection`.
"""

from __future__ import annotations

import random  # noqa: TID251 - faults of a simulation, seeded
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Final

import trio

from trio_quic.addresses import Address, pack, unpack

if TYPE_CHECKING:
    from trio_quic.engine import Datagram, Transmit

DELAY_S: Final = 0.01
INBOX_DATAGRAMS_MAX: Final = 4096
"""A socket's buffer: what comes beyond it is lost."""

Fate = Sequence[float]
"""When each copy of a datagram arrives, in seconds from now: () is lost, two are a duplicate, unequal ones reorder."""
Script = Callable[[int, Address, Address, bytes], Fate]
"""(the datagram's number from 0, from, to, bytes) -> what becomes of it."""


def prompt(number: int, source: Address, destination: Address, data: bytes) -> Fate:
    """Everything arrives after DELAY_S."""
    return (DELAY_S,)


def lossy(seed: int, *, loss: float = 0.0, duplication: float = 0.0, jitter_s: float = 0.0) -> Script:
    """A script that loses, doubles and (by jitter) reorders at random, the same way for the same seed."""
    dice = random.Random(seed)

    def fate(number: int, source: Address, destination: Address, data: bytes) -> Fate:
        copies = 0 if dice.random() < loss else 1 + (dice.random() < duplication)
        return [DELAY_S + dice.random() * jitter_s for _ in range(copies)]

    return fate


class MemoryLink:
    """The network. `sent` counts datagrams, `script` may be exchanged at any time."""

    def __init__(self, script: Script = prompt) -> None:
        self.script = script
        self.sent = 0
        self._ends: dict[Address, MemoryTransport] = {}
        self._under_way: list[tuple[float, int, Address, Address, bytes]] = []
        self._order = count()
        self._ports = count(40_000)
        self._scope = trio.CancelScope()

    @classmethod
    @asynccontextmanager
    async def running(cls, script: Script = prompt) -> AsyncIterator[MemoryLink]:
        """A link with its delivery task."""
        link = cls(script)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link._deliver)
            yield link
            nursery.cancel_scope.cancel()

    def bind(self, address: Address) -> MemoryTransport:
        """A `TransportFactory`: port 0 takes the next free one, an unspecified host one of its own."""
        host, port = address
        port = port or next(self._ports)
        if host in ("0.0.0.0", "::"):  # noqa: S104 - an address in memory
            host = f"10.1.{port >> 8}.{port & 0xFF}"
        if (host, port) in self._ends:
            raise OSError(f"address in use: {host}:{port}")
        end = self._ends[host, port] = MemoryTransport(self, (host, port))
        return end

    def carry(self, source: Address, destination: Address, data: bytes) -> None:
        """Takes a datagram on its way."""
        number, self.sent = self.sent, self.sent + 1
        for delay_s in self.script(number, source, destination, data):
            entry = (trio.current_time() + delay_s, next(self._order), source, destination, data)
            heappush(self._under_way, entry)
        self._scope.deadline = self._under_way[0][0] if self._under_way else inf

    async def _deliver(self) -> None:
        while True:
            next_at = self._under_way[0][0] if self._under_way else inf
            with trio.CancelScope(deadline=next_at) as self._scope:
                await trio.sleep_forever()
            while self._under_way and self._under_way[0][0] <= trio.current_time():
                _, _, source, destination, data = heappop(self._under_way)
                end = self._ends.get(destination)
                if end is not None:
                    end.put(source, data)

    def forget(self, address: Address) -> None:
        """The end has been closed."""
        self._ends.pop(address, None)


class MemoryTransport:
    """One end: a `DatagramTransport`."""

    def __init__(self, link: MemoryLink, address: Address) -> None:
        self._link = link
        self.address = address
        self._inbox: deque[Datagram] = deque(maxlen=INBOX_DATAGRAMS_MAX)
        self._readers = trio.lowlevel.ParkingLot()

    def put(self, source: Address, data: bytes) -> None:
        """A datagram arrives."""
        self._inbox.append((pack(source), 0, data, 0))
        self._readers.unpark_all()

    def receive_nowait(self) -> list[Datagram]:
        """All that has arrived."""
        batch = list(self._inbox)
        self._inbox.clear()
        return batch

    def send_nowait(self, batch: Sequence[Transmit]) -> int:
        """Everything, always."""
        for packed, data, segment_bytes in batch:
            step = segment_bytes or len(data)
            for start in range(0, len(data), step):
                self._link.carry(self.address, unpack(packed), data[start : start + step])
        return len(batch)

    async def wait_readable(self) -> None:
        """Waits for a datagram."""
        if self._inbox:
            await trio.lowlevel.checkpoint()
        else:
            await self._readers.park()

    async def wait_writable(self) -> None:
        """There is always room."""
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Leaves the network."""
        self._link.forget(self.address)
