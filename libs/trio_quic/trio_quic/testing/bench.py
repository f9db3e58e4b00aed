"""A server on an in-memory link and a way to reach it: what tests of anything over trio_quic begin with."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from trio_quic.configuration import ClientTls, EngineName, Limits, QuicConfiguration, ServerTls
from trio_quic.serve import open_quic_connection, serve_quic

from .certificates import Certificate, CertificateAuthority, self_signed
from .link import MemoryLink, Script, prompt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trio_quic.calls import IncomingCall
    from trio_quic.connection import QuicConnection
    from trio_quic.endpoint import QuicEndpoint

ALPN: Final = (b"test/1",)
HOST: Final = "10.0.0.1"
PORT: Final = 7000
NAME: Final = "server.test"
_NO_LIMITS_OF_ITS_OWN: Final = Limits()


@dataclass
class Certificates:
    """One of each kind the tests need; elliptic ones where aioquic takes nothing else."""

    server: Certificate = field(default_factory=lambda: self_signed(NAME, HOST, "127.0.0.1", "::1", "localhost"))
    other: Certificate = field(default_factory=lambda: self_signed(NAME))
    authority: CertificateAuthority = field(default_factory=lambda: CertificateAuthority(elliptic=True))
    rogue: CertificateAuthority = field(default_factory=lambda: CertificateAuthority("rogue", elliptic=True))


def echo(call: IncomingCall) -> None:
    """Answers inline."""
    call.reply(call.frame)


@dataclass
class Bench:
    """A server on a link, and what is needed to reach it."""

    link: MemoryLink
    endpoint: QuicEndpoint
    configuration: QuicConfiguration
    client_engine: EngineName
    client: QuicConfiguration
    server_connections: list[QuicConnection]
    closed: list[QuicConnection]
    faults: list[Exception]
    nursery: trio.Nursery
    server_scope: trio.CancelScope

    @asynccontextmanager
    async def connect(
        self, *, name: str = NAME, tls: ClientTls | None = None, limits: Limits | None = None, **options: Any
    ) -> AsyncIterator[QuicConnection]:
        """A client's connection."""
        configuration = self.client
        if tls is not None:
            configuration = replace(configuration, client=tls)
        if limits is not None:
            configuration = replace(configuration, limits=limits)
        options.setdefault("engine", self.client_engine)
        options.setdefault("configuration", configuration)
        configuration = options.pop("configuration")
        async with open_quic_connection(
            *self.endpoint.address, configuration, server_name=name, transport_factory=self.link.bind, **options
        ) as connection:
            yield connection


@asynccontextmanager
async def bench(
    certificates: Certificates,
    engines: EngineName | tuple[EngineName, EngineName],
    on_call: Callable[[IncomingCall], Any] | None = echo,
    *,
    server_tls: ServerTls | None = None,
    limits: Limits = _NO_LIMITS_OF_ITS_OWN,
    script: Script = prompt,
    reset_key: bytes | None = None,
    **options: Any,
) -> AsyncIterator[Bench]:
    """A running server on a link of its own; the clock should be a mock one."""
    server_engine, client_engine = (engines, engines) if isinstance(engines, str) else engines
    server = certificates.server
    tls = server_tls or ServerTls(chain_pem=server.chain_pem, key_pem=server.key_pem)
    configuration = QuicConfiguration(alpn=ALPN, server=tls, limits=limits, reset_key=reset_key)
    client = QuicConfiguration(alpn=ALPN, client=ClientTls(ca_pem=server.chain_pem))
    connections: list[QuicConnection] = []
    closed: list[QuicConnection] = []
    faults: list[Exception] = []
    async with MemoryLink.running(script) as link, trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        serve = partial(
            serve_quic,
            on_call,
            configuration,
            host=HOST,
            port=PORT,
            engine=server_engine,
            on_connection=connections.append,
            on_closed=closed.append,
            on_fault=faults.append,
            transport_factory=link.bind,
            **options,
        )
        endpoint = await nursery.start(_within, scope, serve)
        yield Bench(link, endpoint, configuration, client_engine, client, connections, closed, faults, nursery, scope)
        nursery.cancel_scope.cancel()


async def _within(scope: trio.CancelScope, serve: Callable[..., Any], *, task_status: Any) -> None:
    with scope:
        await serve(task_status=task_status)
