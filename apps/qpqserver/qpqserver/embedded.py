"""The embedded form: all services in one Trio process, on SQLCipher files in one folder, or on PostgreSQL."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import trio

import qpqnative
from qpqauth.config import Config as AuthConfig
from qpqauth.main import open_auth
from qpqblob.config import Config as BlobConfig
from qpqblob.main import open_blob
from qpqcore.bus.dispatch import Dispatcher
from qpqcore.bus.limits import Limiter, LocalLimiter
from qpqcore.bus.local import LocalBus
from qpqcore.bus.notices import LocalNotices, Notices
from qpqcore.config.settings import Settings, address_of, registration_of
from qpqcore.crypto.assertion import AssertionIssuer, AssertionVerifier
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.call import Caller, CallerKind
from qpqcore.net import certificates
from qpqcore.obs.metrics import Metrics
from qpqcore.runtime import clock, secrets
from qpqcore.store.database import OpenStore, open_database
from qpqdelivery.config import Config as DeliveryConfig
from qpqdelivery.main import open_delivery
from qpqfederation.service import Federation
from qpqgateway.config import Config as GatewayConfig
from qpqgateway.main import quic_configuration, serve
from qpqgateway.service import Gateway
from qpqkeystore.config import Config as KeystoreConfig
from qpqkeystore.main import open_keystore
from qpqserver.stores import Stores, beside, database_path
from trio_quic import ServerTls, TransportFactory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trio_quic import QuicEndpoint

__all__ = ["Embedded", "Surroundings", "beside", "certificate", "database_path", "open_embedded"]

VERSION = "0.1.0"
AUTH, KEYSTORE, DELIVERY, BLOB, FEDERATION = 1, 2, 3, 4, 5
SERVICES = (AUTH, KEYSTORE, DELIVERY, BLOB, FEDERATION)
EXTERNAL_SENDER_CREDENTIAL = b"qpq delivery v1"
TAG_BYTES_ROOM = 64 * 1024
"""What encryption adds to a file of the largest size."""


class Service(Protocol):
    """What has work of its own to do in the background."""

    async def run(self) -> None:
        """Do it, for ever."""


@dataclass
class Embedded:
    """A running server."""

    gateway: Gateway
    endpoint: QuicEndpoint
    metrics: Metrics
    spki_sha256: bytes
    made_certificate: bool
    away: Callable[[], str]
    """Which database is away, and why; empty: none is."""


class Keys:
    """Assertion keys of one process: one per service and kind of caller, drawn at every start."""

    def __init__(self) -> None:
        kinds = (CallerKind.ACCOUNT, CallerKind.PEER, CallerKind.SERVICE)
        self._keys = {n: {kind: secrets.random_key() for kind in kinds} for n in SERVICES}

    def issuer(self, kind: CallerKind, name: str) -> AssertionIssuer:
        """Return what may speak for callers of one kind."""
        return AssertionIssuer({n: keys[kind] for n, keys in self._keys.items()}, name)

    def verifier(self, service: int) -> AssertionVerifier:
        """Return what a service checks with."""
        return AssertionVerifier(service, self._keys[service])


def certificate(settings: Settings, data: Path) -> tuple[ServerTls, bytes, bool]:
    """Return the edge's certificate, its pin, and whether it was made just now."""
    cert = Path(settings.tls_cert) if settings.tls_cert else data / "server-cert.der"
    key = Path(settings.tls_key) if settings.tls_key else data / "server-key.der"
    made = settings.mode != "production" and certificates.ensure(
        cert, key, settings.federation_domain, datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    )
    chain = certificates.chain_pem(cert)
    return ServerTls(chain_pem=chain, key_pem=certificates.key_pem(key)), certificates.spki_sha256(chain), made


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a server takes from the machine that it runs on; a simulation brings its own."""

    clock_ms: Callable[[], int] = clock.now_ms
    notices: Notices = field(default_factory=LocalNotices)
    open_store: OpenStore = open_database
    limiter: Limiter = field(default_factory=LocalLimiter)
    transport_factory: TransportFactory | None = None
    quic_seed: bytes | None = None
    unix_time_s: int | None = None
    """Of QUIC alone, standing still (trio_quic's QuicConfiguration)."""


@asynccontextmanager
async def open_embedded(settings: Settings, around: Surroundings | None = None) -> AsyncIterator[Embedded]:
    """Start everything; the block runs while the server serves."""
    around = around or Surroundings()
    data = Path(settings.data_dir)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    tls, pin, made = certificate(settings, data)
    async with AsyncExitStack() as stack:
        stores = Stores(settings, around.open_store)
        gateway, bus_config = await _compose(stack, settings, data, around, stores)
        metrics, services, config = bus_config
        nursery = await stack.enter_async_context(trio.open_nursery())
        for service in services:
            nursery.start_soon(service.run)
        reset_key = secrets.kept(data / "secrets", "quic-reset", secrets.random_key)
        edge = quic_configuration(config, tls, reset_key)
        edge = replace(edge, seed=around.quic_seed, unix_time_s=around.unix_time_s)
        retry_secret = secrets.kept(data / "secrets", "quic-retry", secrets.random_key)
        endpoint = await nursery.start(
            partial(
                serve, gateway, config, edge, retry_secret=retry_secret, clock_ms=around.clock_ms,
                transport_factory=around.transport_factory,
            )
        )  # fmt: skip
        metrics.watch_quic(endpoint.counters)
        yield Embedded(gateway, endpoint, metrics, pin, made, stores.away)
        nursery.cancel_scope.cancel()


async def _compose(
    stack: AsyncExitStack, settings: Settings, data: Path, around: Surroundings, stores: Stores
) -> tuple[Gateway, tuple[Metrics, list[Service], GatewayConfig]]:
    domain = settings.federation_domain
    folder = data / "secrets"
    setup = secrets.kept(folder, "opaque-setup-1", lambda: qpqnative.OpaqueServerSetup.new().to_bytes())
    seed = secrets.kept(folder, "external-sender", secrets.random_key)
    sender = (EXTERNAL_SENDER_CREDENTIAL, *generate_key(seed))
    clock_ms, notices = around.clock_ms, around.notices
    limiter, keys, metrics = around.limiter, Keys(), Metrics()
    common: dict[str, Any] = {"notices": notices, "limiter": limiter, "clock_ms": clock_ms}
    enter = stack.enter_async_context

    keystore_config = KeystoreConfig(domain=domain)
    keystore = await enter(open_keystore(keystore_config, stores.of("keystore", keystore_config), **common))
    delivery_config = DeliveryConfig(domain=domain)
    delivery = await enter(
        open_delivery(
            delivery_config, stores.of("delivery", delivery_config), keystore=keystore, external_sender=sender, **common
        )
    )
    blob_config = BlobConfig(domain=domain, blob_bytes_max=settings.blob_bytes_max + TAG_BYTES_ROOM)
    blob = await enter(open_blob(blob_config, stores.of("blob", blob_config), limiter=limiter, clock_ms=clock_ms))
    auth_config = AuthConfig(
        domain=domain,
        registration=registration_of(settings),  # type: ignore[arg-type]  # checked with the settings
        registration_token=settings.auth_token,
    )
    auth = await enter(
        open_auth(
            auth_config,
            stores.of("auth", auth_config),
            setups={1: setup},
            state_key=secrets.kept(folder, "login-state", secrets.random_key),
            issuer=keys.issuer(CallerKind.ACCOUNT, "auth"),
            keystore=keystore,
            delivery=delivery,
            blob=blob,
            **common,
        )  # fmt: skip
    )
    keystore.bind(auth)
    bus = LocalBus()
    objects = {AUTH: auth, KEYSTORE: keystore, DELIVERY: delivery, BLOB: blob, FEDERATION: Federation()}
    for number, service in objects.items():
        bus.add(number, Dispatcher(number, service, keys.verifier(number), clock_ms=clock_ms))
    host, port = address_of(settings.listen)
    config = GatewayConfig(
        domain=domain, host=host, port=port, engine=settings.quic_engine,  # type: ignore[arg-type]  # checked with the settings
        registration=registration_of(settings), blob_bytes_max=settings.blob_bytes_max,
        connections_max=settings.connections_max, connections_per_address_max=settings.connections_per_address_max,
        handshakes_per_address_max=settings.handshakes_per_address_max,
        retry_from_half_open=settings.retry_from_half_open, held_total_bytes_max=settings.held_total_bytes_max,
    )  # fmt: skip
    own = keys.issuer(CallerKind.SERVICE, "gateway")
    gateway = Gateway(
        config, bus, version=VERSION, own_assertion=lambda: own.issue(Caller(CallerKind.SERVICE, name="gateway"), clock_ms()),
        external_sender=(sender[0], sender[2]), notices=notices, clock_ms=clock_ms, observer=metrics,
    )  # fmt: skip
    return gateway, (metrics, [auth, keystore, delivery, blob], config)
