"""The engines of trio_quic as ends of the suite."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import trio
from aioquic.tls import Epoch

from trio_quic import (
    AlpnRefused,
    CertificateRefused,
    ClientCertificateRefused,
    ClientTls,
    ConnectionClosed,
    HandshakeError,
    QuicConfiguration,
    QuicConnection,
    ServerTls,
    open_quic_connection,
    serve_quic,
)

from .ends import RESET_KEY, ClientOptions, Exchange, Notes, Refused, ServerOptions
from .path import cut
from .streams import Answering, Asking, ended, pattern

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from trio_quic import EngineName

    from .path import MemoryPath, UdpPath

RETRY_ALWAYS = 0
WORDS = {AlpnRefused: "alpn", CertificateRefused: "certificate", ClientCertificateRefused: "client-certificate"}


def key_steps(connection: QuicConnection) -> int | None:
    """How often the keys have been updated, counted by two; None: the engine does not tell."""
    peers = getattr(connection.engine, "_peers", None)
    return None if peers is None else peers[connection.number].connection._cryptos[Epoch.ONE_RTT].key_phase


class OwnServer:
    """`serve_quic` with raw streams."""

    def __init__(
        self, engine: EngineName, path: MemoryPath | UdpPath, nursery: trio.Nursery, options: ServerOptions
    ) -> None:
        self._engine, self._path, self._nursery, self._options = engine, path, nursery, options
        self.notes = Notes()
        self._scope = trio.CancelScope()
        self._first_seen: object = None
        self.connection: QuicConnection | None = None

    async def live(self) -> None:
        self._scope = trio.CancelScope()
        host, port = self._path.listens
        serve = partial(
            serve_quic, None, self._configuration(), host=host, port=port, engine=self._engine,
            on_stream=Answering(self.notes).answer, on_connection=self._connected, on_closed=self._closed,
            transport_factory=self._path.factory,
        )  # fmt: skip
        endpoint = await self._nursery.start(self._within, self._scope, serve)
        self._path.aim(endpoint.address)

    @staticmethod
    async def _within(scope: trio.CancelScope, serve, *, task_status) -> None:
        with scope:
            await serve(task_status=task_status)

    def _configuration(self) -> QuicConfiguration:
        o = self._options
        limits = o.limits
        if o.retry:
            limits = replace(limits, retry_from_half_open=RETRY_ALWAYS)
        tls = ServerTls(
            chain_pem=o.certificate.chain_pem,
            key_pem=o.certificate.key_pem,
            client_ca_pem=o.client_ca_pem,
            client_names=(o.client_name,) if o.client_name else (),
        )
        alpn = tuple(protocol.encode() for protocol in o.alpn)
        return QuicConfiguration(alpn=alpn, server=tls, limits=limits, groups=o.groups, reset_key=RESET_KEY.encode())

    def _connected(self, connection: QuicConnection) -> None:
        self.connection = connection
        self._first_seen = connection.remote_address
        self.notes.add("connected")

    def _closed(self, connection: QuicConnection) -> None:
        assert connection.closed is not None
        self.notes.add(f"closed {ended(connection.closed)}")

    async def die(self) -> None:
        rule, self._path.rule = self._path.rule, cut
        self._scope.cancel()
        await self._path.silence()
        self._path.rule = rule

    def moved(self) -> bool:
        assert self.connection is not None
        return self.connection.remote_address != self._first_seen

    def step_keys(self) -> None:
        assert self.connection is not None
        self.connection.update_keys()

    def key_steps(self) -> int | None:
        assert self.connection is not None
        return key_steps(self.connection)


class OwnClient:
    """`open_quic_connection`."""

    def __init__(self, connection: QuicConnection, nursery: trio.Nursery) -> None:
        self._connection, self._nursery = connection, nursery
        self.notes = Notes()
        self.alpn = (connection.alpn or b"").decode()
        self.group = connection.group

    @classmethod
    async def connect(
        cls,
        engine: EngineName,
        path: MemoryPath | UdpPath,
        stack: AsyncExitStack,
        nursery: trio.Nursery,
        options: ClientOptions,
    ) -> OwnClient:
        """Connect. Raises Refused."""
        own = options.certificate
        tls = ClientTls(
            ca_pem=options.ca_pem, chain_pem=own.chain_pem if own else None, key_pem=own.key_pem if own else None
        )
        alpn = tuple(protocol.encode() for protocol in options.alpn)
        configuration = QuicConfiguration(alpn=alpn, client=tls, limits=options.limits, groups=options.groups)
        opening = open_quic_connection(
            *path.front, configuration, server_name=options.name, engine=engine, transport_factory=path.factory
        )
        try:
            connection = await stack.enter_async_context(opening)
        except HandshakeError as error:
            cause = error.__cause__
            words = WORDS.get(type(error)) or (ended(cause) if isinstance(cause, ConnectionClosed) else str(error))
            raise Refused(words) from error
        return cls(connection, nursery)

    def open(self, head: str, size: int = 0, how: str = "fin", code: int = 0) -> Exchange:
        exchange = Exchange()

        async def run() -> None:
            try:
                stream = await self._connection.open_stream()
            except ConnectionClosed as closed:
                exchange.sent = exchange.received = f"closed {ended(closed)}"
                exchange.over.set()
            else:
                await Asking(stream, exchange, how, code).run(head.encode() + b"\n" + pattern(size))

        self._nursery.start_soon(run)
        return exchange

    def go(self, exchange: Exchange) -> None:
        exchange.go.set()

    async def closed(self) -> str:
        return ended(await self._connection.wait_closed())

    def close(self, code: int) -> None:
        self._nursery.start_soon(self._connection.aclose, code)

    def step_keys(self) -> None:
        self._connection.update_keys()

    def key_steps(self) -> int | None:
        return key_steps(self._connection)
