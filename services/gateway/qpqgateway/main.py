"""Composition root of the gateway: QUIC in front, the bus behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from trio_quic import Limits, QuicConfiguration, ServerTls, serve_quic

if TYPE_CHECKING:
    from qpqgateway.config import Config
    from qpqgateway.service import Gateway
    from trio_quic import QuicEndpoint, TransportFactory

ALPN = b"qpq/1"


def quic_configuration(config: Config, tls: ServerTls, reset_key: bytes | None = None) -> QuicConfiguration:
    """Return the edge's QUIC settings. A `reset_key` kept over restarts lets clients learn at once of a restart."""
    limits = Limits(
        frame_bytes_max=config.anonymous_frame_bytes_max,
        held_bytes_max=2 * config.handshake_bytes_max,
        connections_max=config.connections_max,
        connections_per_address_max=config.connections_per_address_max,
        handshakes_per_address_max=config.handshakes_per_address_max,
        retry_from_half_open=config.retry_from_half_open,
        held_total_bytes_max=config.held_total_bytes_max,
        first_window_bytes=config.anonymous_window_bytes,
        idle_ms=config.idle_ms,
    )
    return QuicConfiguration(alpn=(ALPN,), server=tls, limits=limits, reset_key=reset_key)


async def serve(
    gateway: Gateway,
    config: Config,
    edge: QuicConfiguration,
    *,
    transport_factory: TransportFactory | None = None,
    task_status: trio.TaskStatus[QuicEndpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; `task_status.started` gets the endpoint."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.run)
        await serve_quic(
            gateway.on_call,
            edge,
            host=config.host,
            port=config.port,
            engine=config.engine,
            on_connection=gateway.on_connection,
            on_closed=gateway.on_closed,
            transport_factory=transport_factory,
            task_status=task_status,
        )
        nursery.cancel_scope.cancel()
