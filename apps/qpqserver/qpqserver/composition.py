"""Each service put together from its settings, secrets, store and the others: the same in one process and in many.

A service cannot tell whether another one is an object of its process or a stub over the bus.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from qpqauth.config import Config as AuthConfig
from qpqauth.main import open_auth
from qpqauth.operator import Operator
from qpqblob.config import Config as BlobConfig
from qpqblob.main import open_blob
from qpqcore.api.delivery import ExternalSenderParams
from qpqcore.bus.limits import Limiter, LocalLimiter
from qpqcore.bus.notices import LocalNotices, Notices
from qpqcore.config.settings import Settings, address_of, registration_of
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.net import certificates
from qpqcore.runtime import clock
from qpqcore.store.database import OpenStore, open_database
from qpqdelivery.config import Config as DeliveryConfig
from qpqdelivery.main import open_delivery
from qpqfederation.main import open_federation
from qpqgateway.config import Config as GatewayConfig
from qpqgateway.main import quic_configuration, serve
from qpqgateway.service import Gateway
from qpqkeystore.config import Config as KeystoreConfig
from qpqkeystore.main import open_keystore
from qpqserver.peering import config_of as federation_config_of
from qpqserver.peering import resolver_of, tls_of
from qpqserver.reloading import EdgeCertificate
from qpqserver.secrecy import edge_files
from qpqserver.workers import handover_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from qpqcore.bus.base import Bus
    from qpqcore.obs.metrics import Metrics
    from qpqfederation.discovery import Resolver
    from qpqserver.keys import Keys
    from qpqserver.stores import Stores
    from qpqserver.tracing import Tracing
    from trio_quic import TransportFactory

VERSION = "0.1.0"
EXTERNAL_SENDER_CREDENTIAL = b"qpq delivery v1"
CERTIFICATE_ENDS = "When a certificate ends, in seconds since 1970."
SEGMENT_BYTES, TAG_BYTES = 64 * 1024, 16
"""What encryption adds to a file: a tag for each segment (docs/spec/content.md#files)."""


def sealed_bytes(file_bytes: int) -> int:
    """Return how large a file's ciphertext is."""
    return file_bytes + TAG_BYTES * max(1, -(-file_bytes // SEGMENT_BYTES))


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a server takes from the machine that it runs on; a simulation brings its own."""

    clock_ms: Callable[[], int] = clock.now_ms
    notices: Notices = field(default_factory=LocalNotices)
    open_store: OpenStore = open_database
    limiter: Limiter = field(default_factory=LocalLimiter)
    away: Callable[[], Sequence[str]] = tuple
    """Names of what is away, for `health`."""
    wrong: Callable[[], Sequence[str]] = tuple
    """What is wrong with what is there, a line each, for `/readyz`."""
    look_again_seconds: float = 30.0
    """So often those who wait look by themselves, where notices may be lost."""
    transport_factory: TransportFactory | None = None
    resolver: Resolver | None = None
    """What is asked where other domains are."""
    quic_seed: bytes | None = None
    unix_time_s: int | None = None
    """Of QUIC alone, standing still (trio_quic's QuicConfiguration)."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one service lives."""

    settings: Settings
    around: Surroundings
    keys: Keys
    secret: Callable[[str], bytes]
    """A secret by its name (qpqserver.secrecy)."""
    other: Callable[[str], Any]
    """Another service by its name: the object, or a stub."""
    stores: Stores
    metrics: Metrics
    """What shows the stores' numbers."""
    tracing: Tracing

    @property
    def common(self) -> dict[str, Any]:
        """What every service with a store takes."""
        return {"limiter": self.around.limiter, "clock_ms": self.around.clock_ms}

    @asynccontextmanager
    async def store(self, service: str, config: Any) -> AsyncIterator[Any]:
        """Open a service's store, and show its numbers."""
        async with self.stores.of(service, config) as opened:
            self.metrics.watch(lambda: opened.database.load.readings(service))
            yield opened


def edge_certificate(settings: Settings) -> tuple[EdgeCertificate, bool]:
    """Return the edge's certificate, and whether it was made just now."""
    cert, key = edge_files(settings)
    made = settings.mode != "production" and certificates.ensure(
        cert, key, settings.federation_domain, datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    )
    return EdgeCertificate(cert, key), made


@asynccontextmanager
async def keystore(place: Place) -> AsyncIterator[Any]:
    """Open the keystore."""
    settings = place.settings
    config = KeystoreConfig(domain=settings.federation_domain, federated=settings.federation_enabled)
    notices = place.around.notices
    async with open_keystore(config, place.store("keystore", config), notices=notices, **place.common) as service:
        service.bind(place.other("auth"))
        service.abroad.bind(place.other("federation"))
        yield service


@asynccontextmanager
async def delivery(place: Place) -> AsyncIterator[Any]:
    """Open delivery."""
    config = DeliveryConfig(
        domain=place.settings.federation_domain, federated=place.settings.federation_enabled,
        look_again_seconds=place.around.look_again_seconds,
    )  # fmt: skip
    sender = (EXTERNAL_SENDER_CREDENTIAL, *generate_key(place.secret("external-sender")))
    parts: dict[str, Any] = {
        "keystore": place.other("keystore"),
        "federation": place.other("federation"),
        "external_sender": sender,
        "notices": place.around.notices,
    }
    async with open_delivery(config, place.store("delivery", config), **parts, **place.common) as service:
        yield service


@asynccontextmanager
async def blob(place: Place) -> AsyncIterator[Any]:
    """Open blob."""
    config = BlobConfig(
        domain=place.settings.federation_domain,
        blob_bytes_max=sealed_bytes(place.settings.blob_bytes_max),
        federated=place.settings.federation_enabled,
    )
    async with open_blob(config, place.store("blob", config), **place.common) as service:
        service.bind(place.other("federation"))
        yield service


@asynccontextmanager
async def auth(place: Place) -> AsyncIterator[Any]:
    """Open auth."""
    settings = place.settings
    config = AuthConfig(
        domain=settings.federation_domain,
        registration=registration_of(settings),  # type: ignore[arg-type]  # checked with the settings
        registration_token=settings.auth_token,
    )
    parts: dict[str, Any] = {name: place.other(name) for name in ("keystore", "delivery", "blob")}
    parts |= {"setups": {1: place.secret("opaque-setup-1")}, "state_key": place.secret("login-state")}
    parts |= {"issuer": place.keys.issuer(CallerKind.ACCOUNT, "auth"), "notices": place.around.notices}
    async with open_auth(config, place.store("auth", config), **parts, **place.common) as service:
        yield service


@asynccontextmanager
async def federation(place: Place) -> AsyncIterator[Any]:
    """Open federation."""
    around = place.around
    config = federation_config_of(place.settings, around.look_again_seconds)
    parts: dict[str, Any] = {name: place.other(name) for name in ("delivery", "keystore", "blob")}
    opened = open_federation(
        config, read_tls=partial(tls_of, place.settings), notices=around.notices, version=VERSION,
        resolver=around.resolver or resolver_of(place.settings),
        **parts, **place.common,
    )  # fmt: skip
    async with opened as service:
        yield service


OPENERS: dict[str, Callable[[Place], AbstractAsyncContextManager[Any]]] = {
    "keystore": keystore,
    "delivery": delivery,
    "blob": blob,
    "auth": auth,
    "federation": federation,
}
"""The services behind the gateway."""


def operator_of(auth: Any, around: Surroundings) -> Operator:
    """Return what does the operator's acts in the process of auth."""
    return Operator(auth.store, notices=around.notices, clock_ms=around.clock_ms, run_jobs=auth.jobs.run)


def watch(metrics: Metrics, service: Any) -> None:
    """Show what a service counts."""
    counting = getattr(service, "counted", service)
    if hasattr(counting, "readings"):
        metrics.watch(counting.readings)
    if hasattr(counting, "weigh"):
        metrics.weigh_by(counting.weigh)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A gateway that can serve: see `serve_edge`."""

    gateway: Gateway
    config: GatewayConfig
    certificate: EdgeCertificate
    made_certificate: bool
    serve: Callable[..., Any]
    """`await nursery.start(edge.serve)` returns the endpoint."""


async def edge(place: Place, bus: Bus, metrics: Metrics, *, away: Callable[[], Sequence[str]] = tuple) -> Edge:
    """Put the gateway together. Refusal when delivery, whose public key clients are told, cannot be asked."""
    settings, around = place.settings, place.around
    shown, made = edge_certificate(settings)
    host, port = address_of(settings.listen)
    config = GatewayConfig(
        domain=settings.federation_domain, host=host, port=port, engine=settings.quic_engine,  # type: ignore[arg-type]  # checked with the settings
        registration=registration_of(settings), blob_bytes_max=settings.blob_bytes_max,
        connections_max=settings.connections_max, connections_per_address_max=settings.connections_per_address_max,
        handshakes_per_address_max=settings.handshakes_per_address_max,
        retry_from_half_open=settings.retry_from_half_open, held_total_bytes_max=settings.held_total_bytes_max,
        look_again_seconds=around.look_again_seconds, shed_delay_seconds=settings.shed_delay_us / 1_000_000,
        shed_stay_seconds=settings.shed_stay_ms / 1_000,
    )  # fmt: skip
    config = replace(
        config, workers=settings.workers, worker=max(settings.worker, 0),
        handover_dir=str(handover_folder(settings)),
    )  # fmt: skip
    asking = CallContext(caller=Caller(CallerKind.SERVICE, name="gateway"), now_ms=around.clock_ms())
    sender = await place.other("delivery").external_sender(asking, ExternalSenderParams())
    gateway = Gateway(
        config, place.tracing.bus(bus), version=VERSION, own_assertion=place.keys.own("gateway", around.clock_ms),
        external_sender=(sender.credential, sender.key), notices=around.notices, clock_ms=around.clock_ms,
        away=away, observer=metrics, tracer=place.tracing.tracer,
    )  # fmt: skip
    quic = quic_configuration(config, shown.tls, place.secret("quic-reset"))
    quic = replace(quic, seed=around.quic_seed, unix_time_s=around.unix_time_s)
    metrics.watch(gateway.readings)
    metrics.watch(lambda: [("qpq_certificate_ends_timestamp_seconds", CERTIFICATE_ENDS, "of", {"edge": shown.ends_s})])
    serving = partial(
        serve, gateway, config, quic, retry_secret=place.secret("quic-retry"), clock_ms=around.clock_ms,
        transport_factory=around.transport_factory,
    )  # fmt: skip
    return Edge(gateway=gateway, config=config, certificate=shown, made_certificate=made, serve=serving)
