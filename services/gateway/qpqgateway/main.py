"""Composition root of the gateway: QUIC in front, the bus behind."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from qpqcore.runtime.clock import now_ms
from qpqgateway import rules
from qpqgateway.jobs import rotate_retry_keys
from trio_quic import Handover, Limits, QuicConfiguration, ServerTls, serve_quic

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return QuicConfiguration(alpn=(ALPN,), server=tls, limits=limits, reset_key=reset_key, worker=config.worker)


async def serve(
    gateway: Gateway,
    config: Config,
    edge: QuicConfiguration,
    *,
    retry_secret: bytes = b"",
    clock_ms: Callable[[], int] = now_ms,
    transport_factory: TransportFactory | None = None,
    task_status: trio.TaskStatus[QuicEndpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; `task_status.started` gets the endpoint.

    Gateways with one `retry_secret` (32 bytes) take each other's Retry tokens, over restarts too; without one the key is
    the configuration's, and stays.
    """
    if retry_secret:
        edge = replace(edge, retry_key=rules.retry_keys(retry_secret, clock_ms())[0])
    handover = None
    if config.workers > 1:
        handover = Handover(Path(config.handover_dir), config.worker, config.workers)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.run)
        endpoint = await nursery.start(
            partial(
                serve_quic,
                gateway.on_call,
                edge,
                host=config.host,
                port=config.port,
                engine=config.engine,
                on_connection=gateway.on_connection,
                on_closed=gateway.on_closed,
                transport_factory=transport_factory,
                handover=handover,
            )
        )
        if retry_secret:
            nursery.start_soon(rotate_retry_keys, endpoint, retry_secret, clock_ms)
        task_status.started(endpoint)
