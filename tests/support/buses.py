"""Buses under contract: services' entrances behind a local bus, or behind the TCP bus with certificates of a test's own CA."""

from __future__ import annotations

import datetime as dt
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from qpqcore.api import keystore
from qpqcore.api.methods import SERVICES
from qpqcore.bus import tcp_client, tcp_link, tcp_peer, tcp_server
from qpqcore.bus.local import LocalBus
from qpqcore.bus.tcp_client import TcpBus
from qpqcore.bus.tcp_server import BusServer
from qpqcore.net import authority
from qpqcore.net.mutual_tls import Credentials, name_of
from qpqcore.net.tls_stream import TlsStream
from qpqcore.wire.envelope import BusReply, Envelope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from qpqcore.bus.tcp_client import Address
    from qpqcore.bus.tcp_server import Entrance

NUMBERS = {name: number for number, name in SERVICES.items()}
METHOD = next(m for m in keystore.METHODS if m.name == "resolveUser").number
"""Some method of a service that is called."""
PATIENCE_SECONDS = 20
DEADLINE_MS = 10_000


def envelope(body: bytes = b"", deadline_ms: int = DEADLINE_MS, *, method: int = METHOD, by: bytes = b"") -> Envelope:
    """Return a call, made under an assertion."""
    return Envelope(method=method, deadline_ms=deadline_ms, body=body, assertion=by)


async def echo(given: Envelope, peer: str) -> BusReply:
    """Answer with what came."""
    del peer
    return BusReply(result=given.body)


async def never(given: Envelope, peer: str) -> BusReply:
    """Be reached by nobody."""
    raise AssertionError(f"reached by {peer!r} with {given.method}")


class Slow:
    """An entrance that answers when it is told to."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.calls = trio.Event(), trio.Event(), 0

    async def __call__(self, given: Envelope, peer: str) -> BusReply:
        """Answer with what came, in time."""
        self.calls += 1
        self.begun.set()
        await self.go_on.wait()
        return BusReply(result=given.body)


def make_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the bus's pings and tries quick."""
    for module in (tcp_link, tcp_peer, tcp_server):
        monkeypatch.setattr(module, "PING_SECONDS", 0.02)
    monkeypatch.setattr(tcp_link, "IDLE_PING_SECONDS", 0.05)
    monkeypatch.setattr(tcp_link, "SILENT_SECONDS_MAX", 0.2)
    monkeypatch.setattr(tcp_server, "CALLER_SILENT_SECONDS_MAX", 0.5)
    monkeypatch.setattr(tcp_client, "RESOLVE_SECONDS", 0.05)


def now() -> dt.datetime:
    """Return the time: certificates are judged by it."""
    return dt.datetime.now(dt.UTC)


def credentials_of(folder: Path, service: str, *, days: float = 1, at: dt.datetime | None = None) -> Credentials:
    """Issue a certificate of the CA in a folder, made at need, and read it."""
    authority.make_ca(folder, now())
    authority.issue(folder, service, at or now(), days)
    return read(folder / service)


def read(own: Path) -> Credentials:
    """Read a service's certificate from its folder."""
    return Credentials(own / authority.BUS_CA, own / authority.BUS_CERT, own / authority.BUS_KEY)


@asynccontextmanager
async def serving(server: BusServer) -> AsyncIterator[Address]:
    """Serve on a port of the kernel's choice; yield the address."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(server.serve, "127.0.0.1", 0))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def calling(peers: Mapping[str, Sequence[Address]], credentials: Credentials) -> AsyncIterator[TcpBus]:
    """Yield a TCP bus to these peers."""
    bus = TcpBus(peers, credentials)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run)
        yield bus
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_bus(server: BusServer, credentials: Credentials) -> AsyncIterator[TcpBus]:
    """Yield a bus to one server."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, calling({"keystore": [address]}, credentials) as bus:
            yield bus


@asynccontextmanager
async def raw(address: Address, credentials: Credentials) -> AsyncIterator[TlsStream]:
    """Yield a caller's stream of our own, its TLS done."""
    stream = TlsStream(await trio.open_tcp_stream(*address), credentials.client, name_of("keystore"))
    try:
        await stream.do_handshake()
        yield stream
    finally:
        await stream.aclose()


def as_local(entrance: Entrance) -> Callable[[Envelope], Awaitable[BusReply]]:
    """Return an entrance as a local bus calls it: by no peer."""
    return lambda envelope: entrance(envelope, "")


@asynccontextmanager
async def local_bus(folder: Path, entrances: Mapping[str, Entrance]) -> AsyncIterator[LocalBus]:
    """Yield a local bus to entrances by service name."""
    del folder
    bus = LocalBus()
    for service, entrance in entrances.items():
        bus.add(NUMBERS[service], as_local(entrance))
    yield bus


@asynccontextmanager
async def tcp_bus(folder: Path, entrances: Mapping[str, Entrance], *, caller: str = "gateway") -> AsyncIterator[TcpBus]:
    """Yield a TCP bus to entrances by service name, each behind a port of its own."""
    async with AsyncExitStack() as stack:
        peers = {}
        for service, entrance in entrances.items():
            server = BusServer(service, entrance, credentials_of(folder, service))
            peers[service] = [await stack.enter_async_context(serving(server))]
        yield await stack.enter_async_context(calling(peers, credentials_of(folder, caller)))


BUSES = {"local": local_bus, "tcp": tcp_bus}
