"""Composition root of federation."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import trio

from qpqcore.net.certificates import CertificateUnreadable
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

log = structlog.get_logger()

RELOAD_SECONDS = 30.0
"""So often renewed certificates are looked for."""


class Running(Federation):
    """Federation with its edge and its workers: what `run` keeps going."""

    edge: Edge
    tls: ServerTls | None = None
    read_tls: Callable[[], tuple[ServerTls | None, ClientTls]]
    """Gives the certificates as they are now. CertificateUnreadable."""
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
            while True:
                await trio.sleep(RELOAD_SECONDS)
                self.reload()

    def reload(self) -> None:
        """Use renewed certificates for connections from now on; what cannot be read leaves the old ones in use."""
        try:
            server, client = self.read_tls()
            if server is None or server == self.tls or self.endpoint is None:
                return
            self.endpoint.set_certificate(server)
        except (CertificateUnreadable, ValueError) as exc:
            log.warning("federation_certificates_unreadable", reason=str(exc))
            return
        self.tls = server
        self.links.use(client)
        log.info("federation_certificates_reloaded")


@asynccontextmanager
async def open_federation(
    config: Config, *, read_tls: Callable[[], tuple[ServerTls | None, ClientTls]], notices: Notices, limiter: Limiter,
    clock_ms: Callable[[], int], version: str, resolver: Resolver | None = None,
    transport_factory: TransportFactory | None = None, **services: Any,
) -> AsyncIterator[Running]:  # fmt: skip
    """Make the service; `services` are delivery, keystore and blob. `read_tls` gives our certificates."""
    server, client = read_tls()
    counted = Counted(clock_ms)
    locator = Locator(config, resolver or SystemAddresses())
    links = Links(config, client, locator, counted, version, transport_factory)
    counted.up = lambda: {domain: peer.is_up for domain, peer in links.all.items()}
    outbox = Outbox(links, services["delivery"], notices, clock_ms)
    service = Running(config, links, outbox, limiter=limiter, version=version, **services)
    service.edge = Edge(config, service, links, limiter, clock_ms)
    service.read_tls = read_tls
    service.tls, service.transport_factory = (server if config.enabled else None), transport_factory
    yield service
