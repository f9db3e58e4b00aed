"""Composition root of federation."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from qpqfederation.counted import Counted
from qpqfederation.discovery import Locator, Resolver, SystemAddresses
from qpqfederation.edge import Edge
from qpqfederation.links import Links
from qpqfederation.outbox import Outbox
from qpqfederation.service import Federation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qpqcore.bus.limits import Limiter
    from qpqcore.bus.notices import Notices
    from qpqfederation.config import Config
    from trio_quic import ClientTls, QuicEndpoint, ServerTls, TransportFactory


class Running(Federation):
    """Federation with its edge and its workers: what `run` keeps going."""

    edge: Edge
    links: Links
    outbox: Outbox
    tls: ServerTls | None = None
    transport_factory: TransportFactory | None = None
    endpoint: QuicEndpoint | None = None
    """Once it listens."""

    async def run(self) -> None:
        """Serve other domains and bring them what waits, for ever; nothing where federation is off."""
        if self.tls is None:
            return
        async with trio.open_nursery() as nursery:
            await nursery.start(self.links.run)
            self.endpoint = await nursery.start(partial(self.edge.serve, self.tls, self.transport_factory))
            nursery.start_soon(self.outbox.run)


@asynccontextmanager
async def open_federation(
    config: Config, *, server: ServerTls | None, client: ClientTls, notices: Notices, limiter: Limiter,
    clock_ms: Callable[[], int], version: str, resolver: Resolver | None = None,
    transport_factory: TransportFactory | None = None, **services: Any,
) -> AsyncIterator[Running]:  # fmt: skip
    """Make the service; `services` are delivery, keystore and blob. Without `server` it talks to nobody."""
    counted = Counted(clock_ms)
    locator = Locator(config, resolver or SystemAddresses())
    links = Links(config, client, locator, counted, version, transport_factory)
    counted.up = lambda: {domain: peer.is_up for domain, peer in links.all.items()}
    outbox = Outbox(links, services["delivery"], notices, clock_ms)
    service = Running(config, links, outbox, limiter=limiter, clock_ms=clock_ms, version=version, **services)
    service.links, service.outbox = links, outbox
    service.edge = Edge(config, service, links, limiter, clock_ms)
    service.tls, service.transport_factory = (server if config.enabled else None), transport_factory
    yield service
