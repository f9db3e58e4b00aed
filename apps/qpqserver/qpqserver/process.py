"""One service, or the gateway, as a process of its own: the bus to the others, its secrets, its end in order.

1. Who it may call it connects to; who may call it is served on `bus_listen`. Both ends show certificates.
2. It starts whatever else is away, and says what is: services need each other mutually, so none can wait for all.
3. Its end: no new calls, those in flight are answered, callers go elsewhere, then it leaves.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import trio

from qpqcore.bus import limits
from qpqcore.bus.admission import Admission, idle_seconds
from qpqcore.bus.allowed import may_call_of
from qpqcore.bus.dispatch import Dispatcher
from qpqcore.bus.notices import LocalNotices
from qpqcore.bus.stub import Stub
from qpqcore.bus.tcp_client import TcpBus
from qpqcore.bus.tcp_server import BusServer
from qpqcore.config.settings import ConfigError, Settings, address_of, peers_of, redis_url_of
from qpqcore.model.errors import Refusal
from qpqcore.net import authority
from qpqcore.net.certificates import CertificateUnreadable
from qpqcore.net.mutual_tls import Credentials
from qpqcore.obs.metrics import Metrics
from qpqcore.runtime.secrets import key_of
from qpqserver import secrecy
from qpqserver.composition import (
    CERTIFICATE_ENDS,
    OPENERS,
    VERSION,
    Edge,
    Place,
    Surroundings,
    edge,
    operator_of,
    watch,
)
from qpqserver.keys import NUMBERS, Keys
from qpqserver.reloading import LOOK_SECONDS, Reloading
from qpqserver.sharing import shared
from qpqserver.stores import Stores
from qpqserver.tracing import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from qpqauth.operator import Operator
    from qpqcore.obs.metrics import Reading
    from trio_quic import QuicEndpoint

log = structlog.get_logger()

ASK_SECONDS = 0.5
"""A gateway that starts asks delivery for what its clients have to be told so often."""
UNTOLD_SECONDS = 2.0
"""So often those who wait look by themselves where no process tells another: for development, each look is a read."""
DRAIN_SECONDS_MAX = 10.0
"""A service's calls in flight get so long at its end; a gateway's less (`EDGE_DRAIN_SECONDS_MAX`)."""
EDGE_DRAIN_SECONDS_MAX = 2.5
"""After the time in which clients were asked to go: with it an end takes less than 5 s."""


class OwnNotices(LocalNotices):
    """Notices that reach nobody but this process: the others look again by themselves."""

    lossless = False


@dataclass(kw_only=True)
class Process:
    """A running process."""

    name: str
    metrics: Metrics
    credentials: Credentials
    bus: TcpBus
    beside: Callable[[], Sequence[str]]
    """What is away that is no service."""
    wrong: Callable[[], Sequence[str]]
    """What is wrong with what is there, a line each."""
    stores: Stores
    service: Any = None
    """None at a gateway."""
    operator: Operator | None = None
    """Of auth's process alone."""
    server: BusServer | None = None
    address: tuple[str, int] | None = None
    """Of the bus, at a service."""
    front: Edge | None = None
    endpoint: QuicEndpoint | None = None
    reloading: Reloading | None = None
    """Once it serves."""

    def away(self) -> str:
        """Return why nothing can be done here at all, or ""."""
        if database := self.stores.away():
            return database
        away = self.bus.away()
        return "all other services are away" if self.front and set(away) == may_call_of(self.name) else ""

    def missing(self) -> list[str]:
        """Return who is away."""
        return [*self.bus.away(), *self.beside()]

    def notes(self) -> list[str]:
        """Return what is wrong elsewhere, a line each."""
        return [*(f"{name} away" for name in self.missing()), *self.wrong(), *self.stores.troubles()]

    def reload(self) -> None:
        """Read certificates again, the bus's and the edge's; what cannot be read leaves the old ones in use."""
        if self.reloading is not None:
            self.reloading.look()
        try:
            if self.credentials.reload():
                log.info("bus_certificates_reloaded")
        except CertificateUnreadable as exc:
            log.warning("bus_certificates_unreadable", reason=str(exc))

    async def drain(self) -> None:
        """End in order."""
        if self.front is not None and self.endpoint is not None:
            self.front.gateway.begin_drain()
            self.endpoint.refuse_new()
            with trio.move_on_after(self.front.config.going_away_ms / 1000):
                await self.front.gateway.wait_empty()
            with trio.move_on_after(EDGE_DRAIN_SECONDS_MAX):
                await self.endpoint.drain(reason=b"the server is going away")
        if self.server is not None:
            if hasattr(self.service, "begin_drain"):
                self.service.begin_drain()
            with trio.move_on_after(DRAIN_SECONDS_MAX):
                await self.server.drain()

    async def keep_reloading(self) -> None:
        """Take renewed certificates, for ever."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            self.reload()


def secrets_folder(settings: Settings) -> Path:
    """Return the folder of a process's secrets and certificate."""
    return Path(settings.secrets_dir) if settings.secrets_dir else Path(settings.data_dir) / "secrets"


def database_key(settings: Settings, folder: Path) -> bytes:
    """Return the key of SQLCipher files. SecretMissing."""
    return key_of(settings.db_key) if settings.db_key else secrecy.read(folder, "db.key")


def credentials_of(settings: Settings) -> Credentials:
    """Read the bus's certificates. CertificateUnreadable."""
    folder = secrets_folder(settings)
    return Credentials(
        Path(settings.bus_ca or folder / authority.BUS_CA),
        Path(settings.bus_cert or folder / authority.BUS_CERT),
        Path(settings.bus_key or folder / authority.BUS_KEY),
    )


def bus_of(settings: Settings, name: str, credentials: Credentials) -> TcpBus:
    """Return the bus to whom a service calls. ConfigError where an address is missing."""
    known = peers_of(settings)
    # A server that talks to no other domain needs no federation.
    called = may_call_of(name) - (set() if settings.federation_enabled else {"federation"} - known.keys())
    if missing := sorted(called - known.keys()):
        raise ConfigError(f"{name} calls {', '.join(missing)}: bus_peers has no address of it")
    return TcpBus({service: known[service] for service in sorted(called)}, credentials)


@asynccontextmanager
async def open_process(
    settings: Settings,
    name: str,
    around: Surroundings | None = None,
    *,
    metrics: Metrics | None = None,
    on_made: Callable[[Process], None] = lambda _: None,
) -> AsyncIterator[Process]:
    """Start a service, or the gateway; the block runs while it serves. `on_made` gets it before it can.

    ConfigError, SecretMissing, CertificateUnreadable, DatabaseError, OSError.
    """
    if around is None:
        untold = Surroundings(notices=OwnNotices(), look_again_seconds=UNTOLD_SECONDS)
        around = Surroundings() if redis_url_of(settings) else untold
    folder, credentials = secrets_folder(settings), credentials_of(settings)
    Path(settings.data_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
    bus, metrics = bus_of(settings, name, credentials), metrics or Metrics()
    keys = Keys(lambda key: secrecy.read(folder, key))
    own = keys.own(name, around.clock_ms)
    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(
            shared(settings, lambda secret: secrecy.read(folder, secret), around, metrics)
        )
        traced = await stack.enter_async_context(tracing(settings, name, VERSION))
        place = Place(
            settings=settings, around=around, keys=keys,
            secret=lambda secret: secrecy.read(folder, secret), other=lambda other: Stub(other, traced.bus(bus), own),
            stores=Stores(settings, around.open_store, lambda: database_key(settings, folder)),
            metrics=metrics, tracing=traced,
        )  # fmt: skip
        process = Process(
            name=name, metrics=metrics, credentials=credentials, bus=bus, beside=around.away, wrong=around.wrong,
            stores=place.stores,
        )  # fmt: skip
        metrics.watch(lambda: readings(process))
        metrics.watch(lambda: limits.readings(around.limiter))
        on_made(process)
        if name != "gateway":
            process.service = await stack.enter_async_context(OPENERS[name](place))
            watch(metrics, process.service)
        if name == "auth":
            process.operator = operator_of(process.service, around)
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(bus.run)
        nursery.start_soon(process.keep_reloading)
        if name == "gateway":
            await _open_edge(process, place, nursery)
        else:
            await _open_service(process, place, nursery)
        yield process
        nursery.cancel_scope.cancel()


async def _open_service(process: Process, place: Place, nursery: trio.Nursery) -> None:
    name, settings = process.name, place.settings
    entrance = Dispatcher(
        NUMBERS[name], process.service, place.keys.verifier(name), clock_ms=place.around.clock_ms,
        observer=process.metrics,
    )  # fmt: skip
    entrance = place.tracing.entrance(entrance, name)
    admission = Admission(
        name, trio.current_time, delay_seconds=settings.shed_delay_us / 1_000_000,
        stay_seconds=settings.shed_stay_ms / 1_000, idle=idle_seconds(),
    )  # fmt: skip
    process.metrics.watch(admission.readings)
    process.server = BusServer(
        name, entrance, process.credentials, calls_max=settings.bus_calls_max, admission=admission
    )
    process.address = await nursery.start(process.server.serve, *address_of(settings.bus_listen))
    auth = process.service if name == "auth" else None
    process.reloading = Reloading(settings, admissions=(admission,), auth=auth)
    if hasattr(process.service, "run"):
        nursery.start_soon(process.service.run)


async def _open_edge(process: Process, place: Place, nursery: trio.Nursery) -> None:
    while process.front is None:
        try:
            process.front = await edge(place, process.bus, process.metrics, away=process.missing)
        except Refusal as no:
            log.warning("gateway_waits", code=no.code.name)
            await trio.sleep(ASK_SECONDS)
    process.endpoint = await nursery.start(process.front.serve)
    process.metrics.watch_quic(process.endpoint.counters)
    gateway = process.front.gateway
    process.reloading = Reloading(
        place.settings, edge=process.front.certificate, endpoint=process.endpoint, gateway=gateway,
        admissions=(gateway.admission,),
    )  # fmt: skip


def readings(process: Process) -> list[Reading]:
    """Return the bus's numbers, for `Metrics.watch`."""
    found, server = process.bus.statistics(), process.server
    in_flight = {process.name: server.calls} if server is not None else {}
    overloaded = {process.name: server.overloaded} if server is not None else {}
    ends = process.credentials.not_after_s
    return [
        ("qpq_bus_replicas", "Replicas that this process is connected to.", "service", {s: n for s, n, _ in found}),
        ("qpq_bus_calls_waiting", "Calls that this process waits for.", "service", {s: n for s, _, n in found}),
        ("qpq_bus_calls_in_flight", "Calls that this process answers.", "service", in_flight),
        ("qpq_bus_overloaded_total", "Calls refused because too many were in flight.", "service", overloaded),
        ("qpq_certificate_ends_timestamp_seconds", CERTIFICATE_ENDS, "of", {"bus": ends}),
    ]
