"""The embedded form: all services in one Trio process, on SQLCipher files in one folder."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.bus import limits
from qpqcore.bus.dispatch import Dispatcher
from qpqcore.bus.local import LocalBus
from qpqcore.obs.metrics import Metrics
from qpqcore.runtime import secrets
from qpqserver import secrecy
from qpqserver.composition import (
    OPENERS,
    VERSION,
    Place,
    Surroundings,
    edge,
    edge_certificate,
    operator_of,
    watch,
)
from qpqserver.keys import NUMBERS, Keys
from qpqserver.nearby import announced
from qpqserver.reloading import Reloading
from qpqserver.sharing import shared
from qpqserver.stores import Stores, beside, database_path
from qpqserver.tracing import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from qpqauth.operator import Operator
    from qpqcore.config.settings import Settings
    from qpqgateway.service import Gateway
    from trio_quic import QuicEndpoint

__all__ = ["VERSION", "Embedded", "Surroundings", "beside", "database_path", "edge_certificate", "open_embedded"]


@dataclass
class Embedded:
    """A running server."""

    gateway: Gateway
    endpoint: QuicEndpoint
    metrics: Metrics
    spki_sha256: bytes
    made_certificate: bool
    services: dict[str, Any]
    """Each by its name."""
    reloading: Reloading
    operator: Operator
    away: Callable[[], str]
    """Which database is away, and why; empty: none is."""
    notes: Callable[[], Sequence[str]]
    """What is wrong beside that, a line each, for `/readyz`."""


class Later:
    """A service of this process that is made after those who call it."""

    def __init__(self, services: dict[str, Any], name: str) -> None:
        self._services, self._name = services, name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._services[self._name], attribute)


@asynccontextmanager
async def open_embedded(settings: Settings, around: Surroundings | None = None) -> AsyncIterator[Embedded]:
    """Start everything; the block runs while the server serves."""
    around = around or Surroundings()
    data = Path(settings.data_dir)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    drawn: defaultdict[str, bytes] = defaultdict(secrets.random_key)
    """The assertion keys live as long as the process."""
    keys, services, bus, metrics = Keys(drawn.__getitem__), dict[str, Any](), LocalBus(), Metrics()

    def secret(name: str) -> bytes:
        folder = data if name == "db.key" else data / "secrets"
        return secrets.kept(folder, name, lambda: secrecy.make(name))

    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(shared(settings, secret, around, metrics))
        traced = await stack.enter_async_context(tracing(settings, "server", VERSION))
        place = Place(
            settings=settings, around=around, keys=keys, secret=secret, other=lambda name: Later(services, name),
            stores=Stores(settings, around.open_store), metrics=metrics, tracing=traced,
        )  # fmt: skip
        for name, opener in OPENERS.items():
            services[name] = await stack.enter_async_context(opener(place))
            watch(metrics, services[name])
            entrance = Dispatcher(NUMBERS[name], services[name], keys.verifier(name), clock_ms=around.clock_ms)
            bus.add(NUMBERS[name], traced.entrance(entrance, name))
        metrics.watch(lambda: limits.readings(around.limiter))
        front = await edge(place, bus, metrics, away=around.away)
        nursery = await stack.enter_async_context(trio.open_nursery())
        for service in services.values():
            if hasattr(service, "run"):
                nursery.start_soon(service.run)
        endpoint = await nursery.start(front.serve)
        metrics.watch_quic(endpoint.counters)
        reloading = Reloading(
            settings, edge=front.certificate, endpoint=endpoint, gateway=front.gateway,
            admissions=(front.gateway.admission,), auth=services["auth"],
        )  # fmt: skip
        nursery.start_soon(reloading.keep_looking)
        if settings.mdns_announce:
            pin = front.certificate.pin
            await stack.enter_async_context(announced(settings.federation_domain, endpoint.address, pin))
        yield Embedded(
            gateway=front.gateway, endpoint=endpoint, metrics=metrics, spki_sha256=front.certificate.pin,
            made_certificate=front.made_certificate, services=services, reloading=reloading,
            operator=operator_of(services["auth"], around), away=place.stores.away,
            notes=lambda: [*(f"{name} away" for name in around.away()), *around.wrong(), *place.stores.troubles()],
        )  # fmt: skip
        nursery.cancel_scope.cancel()
