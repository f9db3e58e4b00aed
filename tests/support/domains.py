"""Several domains' servers on this machine, with one CA for all, and people of each."""

from __future__ import annotations

import atexit
import shutil
import socket
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from qpqclient import open_client
from qpqcore.config.settings import Settings
from qpqcore.net import authority
from qpqcore.runtime.clock import now_ms
from qpqserver.embedded import Surroundings
from tests.support import constellation
from tests.support.buses import now
from tools.demo.processes import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qpqclient import Client, Conversation

NAMES = ("a.example", "b.example", "c.example")
PASSWORD = "correct horse battery"
STORE_KEY = bytes(32)


@cache
def certified() -> Path:
    """Return a folder of a CA and of each domain's certificate, made once."""
    folder = Path(tempfile.mkdtemp(prefix="qpq-domains-"))
    atexit.register(partial(shutil.rmtree, folder, ignore_errors=True))
    authority.make_ca(folder, now())
    for domain in NAMES:
        authority.issue_domain(folder, domain, now())
    return folder


class Clock:
    """Everybody's wall clock, which can be put forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


class Domains:
    """Servers by their domains; each can be stopped and started again on the same folder and ports."""

    def __init__(self, folder: Path, names: tuple[str, ...] = NAMES[:2], **overrides: Any) -> None:
        self._folder = folder
        self._overrides = overrides
        self.names = names
        self.clock = Clock()
        self.ports = {name: free_port(socket.SOCK_DGRAM) for name in names}
        self.client_ports = {name: free_port(socket.SOCK_DGRAM) for name in names}
        self.servers: dict[str, Any] = {}
        self._asked: dict[str, trio.Event] = {}
        self._ended: dict[str, trio.Event] = {}
        self.nursery: trio.Nursery

    def settings(self, domain: str) -> Settings:
        """Return a domain's settings."""
        own = certified() / domain
        peers = ",".join(f"{name}=127.0.0.1:{port}" for name, port in self.ports.items() if name != domain)
        given = {
            "listen": f"127.0.0.1:{self.client_ports[domain]}", "data_dir": str(self._folder / domain),
            "federation_enabled": True, "federation_domain": domain, "federation_peers": peers,
            "federation_listen": f"127.0.0.1:{self.ports[domain]}",
            "federation_ca": str(own / authority.PEER_CA), "federation_cert": str(own / authority.PEER_CERT),
            "federation_key": str(own / authority.PEER_KEY),
        }  # fmt: skip
        return Settings(**given | self._overrides.get(domain, {}))

    async def start(self, domain: str) -> Any:
        """Start a domain's server."""
        self.servers[domain] = await self.nursery.start(self._serve, domain)
        return self.servers[domain]

    async def _serve(self, domain: str, *, task_status: trio.TaskStatus[Any]) -> None:
        """Run a server in a task of its own until it is asked to end."""
        self._ended[domain], self._asked[domain] = trio.Event(), trio.Event()
        async with constellation.open_server(self.settings(domain), Surroundings(clock_ms=self.clock)) as server:
            task_status.started(server)
            await self._asked[domain].wait()
        self._ended[domain].set()

    async def stop(self, domain: str) -> None:
        """Stop a domain's server."""
        self.servers.pop(domain)
        self._asked[domain].set()
        await self._ended[domain].wait()

    @asynccontextmanager
    async def person(self, name: str) -> AsyncIterator[Client]:
        """Open the client of name@domain, registered at the first time."""
        local, _, domain = name.partition("@")
        folder = self._folder / "people" / name
        server = f"127.0.0.1:{self.client_ports[domain]}"
        async with open_client(folder, server=server, store_key=STORE_KEY, now_ms=self.clock) as client:
            if not client.known:
                await client.register(local, PASSWORD)
            yield client


@asynccontextmanager
async def open_domains(folder: Path, names: tuple[str, ...] = NAMES[:2], **overrides: Any) -> AsyncIterator[Domains]:
    """Run the servers of some domains."""
    domains = Domains(folder, names, **overrides)
    async with trio.open_nursery() as domains.nursery:
        for name in names:
            await domains.start(name)
        yield domains
        domains.nursery.cancel_scope.cancel()


async def until(client: Client, condition: Callable[[], bool]) -> None:
    """Wait until something that events tell of is so."""
    events = client.events()
    while not condition():
        with trio.move_on_after(1.0):
            await anext(events)


def texts(conversation: Conversation) -> list[str]:
    """Return what is said in a conversation, as one device shows it."""
    return [m.text for m in conversation.history(1000)]


@dataclass
class Friends:
    """Three people of three domains and their group, as each has it; its home is Alice's."""

    alice: Client
    bob: Client
    carol: Client
    at_alice: Conversation
    at_bob: Conversation
    at_carol: Conversation

    @property
    def guests(self) -> tuple[tuple[Client, Conversation], ...]:
        """Those whose server is not the home, each with the group."""
        return ((self.bob, self.at_bob), (self.carol, self.at_carol))


@asynccontextmanager
async def open_friends(domains: Domains) -> AsyncIterator[Friends]:
    """Open Alice, Bob and Carol, each of one of three domains, and the group that Alice makes: all three are in it."""
    names = tuple(f"{name}@{domain}" for name, domain in zip(("alice", "bob", "carol"), NAMES, strict=True))
    async with AsyncExitStack() as stack:
        alice, bob, carol = [await stack.enter_async_context(domains.person(name)) for name in names]
        at_alice = await alice.create_group("friends", list(names[1:]))
        for guest in (bob, carol):
            await until(guest, lambda guest=guest: any(c.name == "friends" for c in guest.conversations()))
        yield Friends(alice, bob, carol, at_alice, bob.conversations()[0], carol.conversations()[0])
