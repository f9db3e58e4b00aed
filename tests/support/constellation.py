"""The server in either form: in one process, or each service behind TCP and certificates as if it had one of its own.

`pytest --bus tcp` plays the whole integration suite over the second. Notices and limits are shared, as Redis shares them.
"""

from __future__ import annotations

import atexit
import shutil
import socket
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qpqcore.net import authority
from qpqcore.runtime import secrets
from qpqserver import secrecy
from qpqserver.embedded import Surroundings, open_embedded
from qpqserver.process import Process, open_process
from tests.support.buses import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from qpqcore.config.settings import Settings
    from qpqcore.obs.metrics import Metrics
    from qpqgateway.service import Gateway
    from trio_quic import QuicEndpoint

BEHIND = ("keystore", "delivery", "blob", "auth", "federation")
chosen = "local"
"""Set by pytest's --bus."""


@cache
def deployment() -> Path:
    """Return a folder of certificates, made once for all tests of this process."""
    folder = Path(tempfile.mkdtemp(prefix="qpq-bus-"))
    atexit.register(partial(shutil.rmtree, folder, ignore_errors=True))
    authority.make_ca(folder, now())
    for service in (*BEHIND, "gateway"):
        authority.issue(folder, service, now())
    return folder


def settings_of(settings: Settings, name: str, listen: str, addresses: dict[str, list[str]]) -> Settings:
    """Return a process's settings: all have one folder of secrets, in which each finds its own."""
    own = deployment() / name
    return replace(
        settings, secrets_dir=str(Path(settings.data_dir) / "secrets"), bus_listen=listen,
        bus_peers=",".join(f"{service}={address}" for service, of in addresses.items() for address in of),
        bus_ca=str(own / authority.BUS_CA), bus_cert=str(own / authority.BUS_CERT), bus_key=str(own / authority.BUS_KEY),
    )  # fmt: skip


def keep_secrets(data: Path) -> None:
    """Make what is missing of all secrets in data/secrets."""
    key = secrets.kept(data, "db.key", secrets.random_key)
    secrets.kept(data / "secrets", "db.key", lambda: key)
    for service in (*BEHIND, "gateway"):
        for name in secrecy.needed(service):
            secrets.kept(data / "secrets", name, partial(secrecy.make, name))


@contextmanager
def kept_port() -> Iterator[int]:
    """Yield a TCP port that is ours to listen on, and nobody else's to be given, while the block runs.

    One that only was free a moment ago is given to others: each connection that this machine makes takes one.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as listeners do: both may have it
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]


@dataclass
class Constellation:
    """The parts of a server that tests look at: those of `Embedded`, and its processes."""

    gateway: Gateway
    endpoint: QuicEndpoint
    metrics: Metrics
    services: dict[str, Any]
    processes: dict[str, Process]
    """The first of each."""
    replicas: dict[str, list[Process]]
    addresses: dict[str, list[str]]
    """Where each listens on the bus: of services, not of people."""


@asynccontextmanager
async def open_constellation(
    settings: Settings, around: Surroundings | None = None, replicas: int = 1,
    clocks: Mapping[str, Callable[[], int]] = MappingProxyType({}),
) -> AsyncIterator[Constellation]:  # fmt: skip
    """Start every service as `qpq-server SERVICE` does, each with a bus of its own; what they share is `around`, or Redis.

    `clocks`: of services that have one of their own.
    """
    if around is None and not settings.redis_url:
        around = Surroundings()
    keep_secrets(Path(settings.data_dir))
    async with AsyncExitStack() as stack:
        names = (*BEHIND, "gateway")
        addresses = {name: [f"127.0.0.1:{stack.enter_context(kept_port())}" for _ in range(replicas)] for name in names}
        of: dict[str, list[Process]] = {name: [] for name in addresses}
        for name, own in addresses.items():
            here = replace(around, clock_ms=clocks[name]) if around is not None and name in clocks else around
            for address in own:
                opened = open_process(settings_of(settings, name, address, addresses), name, here)
                of[name].append(await stack.enter_async_context(opened))
        processes = {name: found[0] for name, found in of.items()}
        front = processes["gateway"]
        assert front.front is not None
        assert front.endpoint is not None
        services = {name: processes[name].service for name in BEHIND}
        yield Constellation(front.front.gateway, front.endpoint, front.metrics, services, processes, of, addresses)


FORMS: dict[str, Callable[..., AbstractAsyncContextManager[Any]]] = {"local": open_embedded, "tcp": open_constellation}


def open_server(settings: Settings, around: Surroundings | None = None) -> AbstractAsyncContextManager[Any]:
    """Start a server in the chosen form."""
    return FORMS[chosen](settings, around)
