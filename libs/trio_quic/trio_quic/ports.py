"""Where an endpoint's datagrams come from and go to: the engine's own socket, a Trio UDP socket, or anything a factory
makes.

A port joins an engine and its datagrams: `receive` takes in what has arrived and gives the events, `flush` sends what
there is.
"""

from __future__ import annotations

import socket as stdlib_socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, cast

import trio

from .addresses import Address, pack, unpack

if TYPE_CHECKING:
    from .engine import Datagram, Engine, SocketEngine, Transmit
    from .events import Event

DATAGRAM_BYTES_MAX: Final = 65_535
BATCH_DATAGRAMS_MAX: Final = 64
"""Datagrams per wake-up: the rest waits, so that other tasks get their turn."""


class DatagramTransport(Protocol):
    """Carries datagrams for one endpoint. Simulations use `trio_quic.testing.MemoryLink`."""

    @property
    def address(self) -> Address:
        """This end's address."""

    def receive_nowait(self) -> list[Datagram]:
        """What has arrived, without waiting."""

    def send_nowait(self, batch: Sequence[Transmit]) -> int:
        """Sends from the front without waiting; how many were taken. Those that can never be sent count as taken."""

    async def wait_readable(self) -> None:
        """Waits until something has arrived."""

    async def wait_writable(self) -> None:
        """Waits until `send_nowait` takes something."""

    def close(self) -> None:
        """Gives everything back."""


TransportFactory = Callable[[Address], DatagramTransport]
"""Makes a transport bound to an address; port 0 means any."""


class Port(Protocol):
    """An engine's way to its datagrams."""

    @property
    def address(self) -> Address:
        """This end's address."""

    def receive(self, now_us: int) -> list[Event]:
        """Feeds the engine and takes its events out."""

    def flush(self, now_us: int) -> bool:
        """Sends what the engine has; False: go on when writable."""

    async def wait_readable(self) -> None:
        """Waits for datagrams."""

    async def wait_barren(self, now_us: int) -> None:
        """The same where most datagrams bring no event: those may be worked off meanwhile."""

    def rouse(self) -> None:
        """Ends `wait_barren`, or the next one; for the end."""

    async def wait_writable(self) -> None:
        """Waits for room."""

    def close(self) -> None:
        """Gives everything back."""


@contextmanager
def _named(address: Address) -> Iterator[None]:
    """Have an error of binding say, in its `filename`, which address it was about."""
    try:
        yield
    except OSError as exc:
        host, port = address[:2]
        exc.filename = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise


class EnginePort:
    """The engine's own socket: one call per batch each way."""

    def __init__(self, engine: SocketEngine, address: Address, *, shared: bool = False) -> None:
        self._engine = engine
        with _named(address):
            self.address: Address = unpack(engine.bind(pack(address), shared))
        self._descriptor = engine.fileno()
        self._thread = trio.CapacityLimiter(1)
        self.receive = engine.poll_socket
        self.flush = engine.flush_socket

    async def wait_readable(self) -> None:
        await trio.lowlevel.wait_readable(self._descriptor)

    async def wait_barren(self, now_us: int) -> None:
        try:
            # Cancelling cannot end a thread: `rouse` does.
            await trio.to_thread.run_sync(self._engine.doze, now_us, limiter=self._thread)
        except OSError:
            # No descriptors are left for it: the scheduler's turns do as well.
            await self.wait_readable()

    def rouse(self) -> None:
        self._engine.rouse()

    async def wait_writable(self) -> None:
        await trio.lowlevel.wait_writable(self._descriptor)

    def close(self) -> None:
        trio.lowlevel.notify_closing(self._descriptor)
        self._engine.unbind()


class TransportPort:
    """An engine without socket over a `DatagramTransport`."""

    def __init__(self, engine: Engine, transport: DatagramTransport) -> None:
        self._engine = engine
        self._transport = transport
        self._unsent: deque[Transmit] = deque()
        self.wait_readable = transport.wait_readable
        self.wait_writable = transport.wait_writable
        self.close = transport.close

    @property
    def address(self) -> Address:
        return self._transport.address

    def receive(self, now_us: int) -> list[Event]:
        batch = self._transport.receive_nowait()
        if batch:
            self._engine.receive(batch, now_us)
        return self._engine.poll()

    def flush(self, now_us: int) -> bool:
        unsent = self._unsent
        unsent.extend(self._engine.transmit(now_us))
        if unsent:
            for _ in range(self._transport.send_nowait(list(unsent))):
                unsent.popleft()
        return not unsent

    async def wait_barren(self, now_us: int) -> None:
        await self.wait_readable()

    def rouse(self) -> None:
        """Waits for readability can be cancelled."""


class UdpTransport:
    """A UDP socket of the standard library, non-blocking; for engines that do no system calls of their own."""

    def __init__(self, address: Address, *, shared: bool = False) -> None:
        self._is_v6 = ":" in address[0]
        family = stdlib_socket.AF_INET6 if self._is_v6 else stdlib_socket.AF_INET
        self._socket = stdlib_socket.socket(family, stdlib_socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            if shared:
                self._socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_REUSEPORT, 1)
            with _named(address):
                self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise

    @property
    def address(self) -> Address:
        """The address bound."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def receive_nowait(self) -> list[Datagram]:
        """Up to BATCH_DATAGRAMS_MAX datagrams. A closed port at the other end (ICMP) is QUIC's own timers' business."""
        batch: list[Datagram] = []
        for _ in range(BATCH_DATAGRAMS_MAX):
            try:
                data, source = self._socket.recvfrom(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                break
            except OSError:
                continue
            batch.append((pack(source[:2]), 0, data, 0))
        return batch

    def send_nowait(self, batch: Sequence[Transmit]) -> int:
        """Sends until the socket is full."""
        for position, (packed, data, segment_bytes) in enumerate(batch):
            host, port = unpack(packed)
            if self._is_v6 and ":" not in host:
                host = f"::ffff:{host}"
            step = segment_bytes or len(data)
            try:
                for start in range(0, len(data), step):
                    self._socket.sendto(data[start : start + step], (host, port))
            except BlockingIOError:
                return position
            except OSError:
                continue
        return len(batch)

    async def wait_readable(self) -> None:
        """Waits for datagrams."""
        await trio.lowlevel.wait_readable(self._socket.fileno())

    async def wait_writable(self) -> None:
        """Waits for room."""
        await trio.lowlevel.wait_writable(self._socket.fileno())

    def close(self) -> None:
        """Closes the socket."""
        trio.lowlevel.notify_closing(self._socket.fileno())
        self._socket.close()


def open_port(
    engine: Engine, address: Address, transport_factory: TransportFactory | None, *, shared: bool = False
) -> Port:
    """The engine's own socket if it has one and nothing else is asked for; `shared`: other processes bind the same address.
    Raises OSError if the address cannot be bound.
    """
    if transport_factory is not None:
        return TransportPort(engine, transport_factory(address))
    if hasattr(engine, "poll_socket"):
        return EnginePort(cast("SocketEngine", engine), address, shared=shared)
    return TransportPort(engine, UdpTransport(address, shared=shared))
