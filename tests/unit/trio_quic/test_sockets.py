"""Real UDP sockets: both address families, both engines, throughput of more than a socket buffer, names with several
addresses.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from trio_quic import ClientTls, Limits, QuicConfiguration, QuicEndpoint, ServerTls, open_quic_connection, serve_quic
from trio_quic.testing import ALPN, Certificates, echo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Engines = tuple[Any, Any]
LIMITS = Limits(frame_bytes_max=4_000_000)


@asynccontextmanager
async def served(certificates: Certificates, engine: Any, host: str) -> AsyncIterator[QuicEndpoint]:
    leaf = certificates.server
    configuration = QuicConfiguration(
        alpn=ALPN, server=ServerTls(chain_pem=leaf.chain_pem, key_pem=leaf.key_pem), limits=LIMITS
    )
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve_quic, echo, configuration, host=host, port=0, engine=engine))
        nursery.cancel_scope.cancel()


def client(certificates: Certificates) -> QuicConfiguration:
    return QuicConfiguration(alpn=ALPN, client=ClientTls(ca_pem=certificates.server.chain_pem), limits=LIMITS)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_families(engines: Engines, host: str, certificates: Certificates) -> None:
    server_engine, client_engine = engines
    with trio.fail_after(20):
        async with (
            served(certificates, server_engine, host) as endpoint,
            open_quic_connection(*endpoint.address, client(certificates), engine=client_engine) as connection,
        ):
            large = bytes(range(250)) * 12_000
            assert await connection.call(large) == large
            assert endpoint.connections[0].remote_address[0] == host
            assert connection.remote_address == endpoint.address


async def test_a_name_with_two_addresses_of_which_one_is_dead(engine: Any, certificates: Certificates) -> None:
    with trio.fail_after(20):
        async with (
            served(certificates, engine, "127.0.0.1") as endpoint,
            open_quic_connection("localhost", endpoint.address[1], client(certificates), engine=engine) as connection,
        ):
            assert await connection.call(b"x") == b"x"


async def test_clients_of_both_families_on_one_socket(engine: Any, certificates: Certificates) -> None:
    with trio.fail_after(20):
        async with served(certificates, engine, "::") as endpoint:
            for host in ("127.0.0.1", "::1"):
                async with open_quic_connection(
                    host, endpoint.address[1], client(certificates), engine=engine
                ) as connection:
                    assert await connection.call(b"x") == b"x"
                    assert endpoint.connections[-1].remote_address[0] == host


async def test_a_port_in_use(engine: Any, certificates: Certificates) -> None:
    async with served(certificates, engine, "127.0.0.1") as endpoint:
        configuration = QuicConfiguration(
            alpn=ALPN,
            server=ServerTls(chain_pem=certificates.server.chain_pem, key_pem=certificates.server.key_pem),
        )
        with pytest.raises(OSError, match="in use"):
            await serve_quic(echo, configuration, host="127.0.0.1", port=endpoint.address[1], engine=engine)
