"""The two ways in: `serve_quic` accepts connections, `open_quic_connection` opens one."""

from __future__ import annotations

import random  # noqa: TID251 - which of equal servers; nothing secret depends on it
import socket as stdlib_socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from .addresses import Address, pack
from .endpoint import CallHandler, ConnectionHook, FaultHook, Hooks, QuicEndpoint, StreamHandler, log_fault
from .engine import make_engine
from .errors import ConnectFailed, HandshakeError, handshake_error
from .ports import TransportFactory, open_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .configuration import EngineName, QuicConfiguration
    from .connection import QuicConnection
    from .handover import Handover

NEXT_ADDRESS_AFTER_S: Final = 0.25
"""RFC 8305 section 5: how long the first address of a name has for itself before the next one is tried beside it."""


async def _resolve(host: str, port: int, flags: int = 0) -> list[Address]:
    """The name's UDP addresses, in the resolver's order. Raises OSError."""
    found = await trio.socket.getaddrinfo(host, port, type=stdlib_socket.SOCK_DGRAM, flags=flags)
    return list(dict.fromkeys((str(entry[4][0]), int(entry[4][1])) for entry in found))


def _spread(addresses: list[Address]) -> list[Address]:
    """The addresses in another order, each family's among themselves: a name's servers get their share each, also where the
    resolver sorts (RFC 6724 does). A single one stays and draws nothing.
    """
    v6 = [":" in address[0] for address in addresses]
    drawn = {kind: [a for a, is_v6 in zip(addresses, v6, strict=True) if is_v6 is kind] for kind in (True, False)}
    for some in drawn.values():
        if len(some) > 1:
            random.shuffle(some)
    return [drawn[is_v6].pop() for is_v6 in v6]


def _make_endpoint(
    configuration: QuicConfiguration,
    engine_name: EngineName,
    address: Address,
    hooks: Hooks,
    transport_factory: TransportFactory | None,
    handover: Handover | None = None,
) -> QuicEndpoint:
    engine = make_engine(engine_name, configuration, framed=hooks.on_stream is None)
    if handover is not None:
        engine.set_forwarding(handover.worker)
    port = open_port(engine, address, transport_factory, shared=handover is not None)
    return QuicEndpoint(engine, port, hooks, handover)


async def serve_quic(
    on_call: CallHandler | None,
    configuration: QuicConfiguration,
    *,
    host: str,
    port: int,
    engine: EngineName = "native",
    on_connection: ConnectionHook | None = None,
    on_stream: StreamHandler | None = None,
    on_closed: ConnectionHook | None = None,
    on_fault: FaultHook = log_fault,
    transport_factory: TransportFactory | None = None,
    handover: Handover | None = None,
    task_status: trio.TaskStatus[QuicEndpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accepts connections on one UDP address until cancelled; `task_status.started` gets the `QuicEndpoint`.

    With a `handover` other processes serve the same address; its worker's number has to be the configuration's.

    With `on_call` streams carry frames, with `on_stream` they are raw; one of the two. An exception out of a handler
    resets its stream (HANDLER_FAULT), goes to `on_fault`, and touches nothing else. Raises OSError if the address
    cannot be bound, ValueError for a configuration without server or with both handlers.
    """
    if configuration.server is None:
        raise ValueError("the configuration has no server certificate")
    if (on_call is None) == (on_stream is None):
        raise ValueError("give on_call or on_stream")
    if handover is not None and handover.worker != configuration.worker:
        raise ValueError("the handover is another worker's")
    addresses = await _resolve(host, port, stdlib_socket.AI_PASSIVE)
    hooks = Hooks(
        on_call=on_call, on_stream=on_stream, on_connection=on_connection, on_closed=on_closed, on_fault=on_fault
    )
    endpoint = _make_endpoint(configuration, engine, addresses[0], hooks, transport_factory, handover)
    await endpoint.run(task_status=task_status)


class _Race:
    """Tries a name's addresses, each a little later than the one before, and keeps the first connection (RFC 8305)."""

    def __init__(
        self,
        nursery: trio.Nursery,
        configuration: QuicConfiguration,
        engine: EngineName,
        hooks: Hooks,
        transport_factory: TransportFactory | None,
    ) -> None:
        self._nursery = nursery
        self._configuration = configuration
        self._engine = engine
        self._hooks = hooks
        self._transport_factory = transport_factory
        self._errors: list[HandshakeError] = []
        self._winner: QuicConnection | None = None

    async def run(self, addresses: list[Address], server_name: str) -> QuicConnection:
        """The first connection. Raises the most telling HandshakeError when there is none."""
        async with trio.open_nursery() as attempts:
            for address in addresses:
                failed = trio.Event()
                attempts.start_soon(self._attempt, address, server_name, failed, attempts.cancel_scope)
                with trio.move_on_after(NEXT_ADDRESS_AFTER_S):
                    await failed.wait()
        if self._winner is not None:
            return self._winner
        # "Nobody there" at one address says less than a refusal at another.
        raise min(self._errors, key=lambda error: isinstance(error, ConnectFailed))

    async def _attempt(
        self, address: Address, server_name: str, failed: trio.Event, everyone: trio.CancelScope
    ) -> None:
        scope = trio.CancelScope()
        try:
            connection = await self._connect(address, server_name, scope)
        except HandshakeError as error:
            self._errors.append(error)
            scope.cancel()
            failed.set()
            return
        except BaseException:
            scope.cancel()
            raise
        if self._winner is None:
            self._winner = connection
            everyone.cancel()
        else:
            scope.cancel()

    async def _connect(self, address: Address, server_name: str, scope: trio.CancelScope) -> QuicConnection:
        any_port: Address = ("::" if ":" in address[0] else "0.0.0.0", 0)  # noqa: S104 - a client's own port
        try:
            endpoint = _make_endpoint(self._configuration, self._engine, any_port, self._hooks, self._transport_factory)
        except OSError as error:
            raise ConnectFailed(f"no socket: {error}") from error
        await self._nursery.start(_run_within, endpoint, scope)
        try:
            connection = endpoint.begin(pack(address), server_name)
        except ValueError as error:
            raise ConnectFailed(str(error)) from error
        await connection.established.wait()
        if connection.closed is not None:
            raise handshake_error(connection.closed, endpoint.engine.refused_spki_sha256()) from connection.closed
        return connection


async def _run_within(
    endpoint: QuicEndpoint,
    scope: trio.CancelScope,
    *,
    task_status: trio.TaskStatus[QuicEndpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    with scope:
        await endpoint.run(task_status=task_status)


@asynccontextmanager
async def open_quic_connection(
    host: str,
    port: int,
    configuration: QuicConfiguration,
    *,
    server_name: str | None = None,
    engine: EngineName = "native",
    on_call: CallHandler | None = None,
    on_stream: StreamHandler | None = None,
    on_fault: FaultHook = log_fault,
    transport_factory: TransportFactory | None = None,
) -> AsyncIterator[QuicConnection]:
    """A connection to the first address of `host` that answers, on a socket of its own; it is closed at the end of the
    block.

    `server_name` is what the certificate is checked against, by default `host`. Raises a HandshakeError:
    CertificateRefused, ClientCertificateRefused, AlpnRefused, or ConnectFailed; ValueError for a configuration without
    client.
    """
    if configuration.client is None:
        raise ValueError("the configuration has no client side")
    hooks = Hooks(on_call=on_call, on_stream=on_stream, on_fault=on_fault)
    try:
        addresses = _spread(await _resolve(host, port))
    except (OSError, UnicodeError) as error:  # the latter for what no name may be written in
        raise ConnectFailed(f"{host} does not resolve: {error}") from error
    # What leaves the block, or the handshake, must leave as itself and not inside the nursery's group.
    leaving: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            race = _Race(nursery, configuration, engine, hooks, transport_factory)
            connection = await race.run(addresses, server_name or host)
            yield connection
            await connection.aclose()
        except BaseException as error:  # noqa: BLE001 - raised again below
            leaving = error
        nursery.cancel_scope.cancel()
    if leaving is not None:
        raise leaving
