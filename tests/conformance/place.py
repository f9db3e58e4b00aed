"""Where one case is played: a server, a path, clients, and certificates."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import trio

from trio_quic.testing import Certificate, CertificateAuthority

from .ends import CLASSIC_GROUPS, NAME, Client, ClientOptions, Server, ServerOptions
from .foreign import ForeignClient, ForeignServer, Program
from .own import OwnClient, OwnServer
from .path import MemoryPath, UdpPath

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OWN = ("native", "aioquic")
CLIENT_NAME = "alice.test"


@dataclass
class Papers:
    """Certificates of every kind that a case needs; elliptic, which all implementations take."""

    authority: CertificateAuthority = field(default_factory=lambda: CertificateAuthority(elliptic=True))
    rogue: CertificateAuthority = field(default_factory=lambda: CertificateAuthority("rogue", elliptic=True))

    def __post_init__(self) -> None:
        self.server = self.authority.issue(NAME, "127.0.0.1", elliptic=True)

    def of_server(self, kind: str) -> Certificate:
        """A server's certificate: good, rogue, expired, or another's."""
        return {
            "rogue": lambda: self.rogue.issue(NAME, elliptic=True),
            "expired": lambda: self.authority.issue(NAME, expired=True, elliptic=True),
            "name": lambda: self.authority.issue("elsewhere.test", elliptic=True),
        }[kind]()

    def of_client(self, kind: str) -> Certificate | None:
        """A client's certificate: good, rogue, expired, for servers, another's, or none."""
        return {
            "good": lambda: self.authority.issue(CLIENT_NAME, client=True, elliptic=True),
            "rogue": lambda: self.rogue.issue(CLIENT_NAME, client=True, elliptic=True),
            "expired": lambda: self.authority.issue(CLIENT_NAME, client=True, expired=True, elliptic=True),
            "usage": lambda: self.authority.issue(CLIENT_NAME, elliptic=True),
            "name": lambda: self.authority.issue("bob.test", client=True, elliptic=True),
            "empty": lambda: None,
        }[kind]()


@cache
def papers() -> Papers:
    """One set for all cases: keys take time."""
    return Papers()


@dataclass
class Place:
    """One case's surroundings."""

    server_kind: str
    client_kind: str
    path: MemoryPath | UdpPath
    papers: Papers
    server: Server
    _nursery: trio.Nursery
    _stack: AsyncExitStack

    async def connect(self, **options) -> Client:
        """A client's connection. Raises Refused."""
        options.setdefault("ca_pem", self.papers.authority.root_pem)
        if self.server_kind == "aioquic":
            # It cannot ask for another share than the client chose to send: the case of the second hello.
            options.setdefault("groups", CLASSIC_GROUPS)
        wanted = ClientOptions(**options)
        if self.client_kind in OWN:
            return await OwnClient.connect(self.client_kind, self.path, self._stack, self._nursery, wanted)
        return await ForeignClient.connect(self.client_kind, self.path, self._stack, self._nursery, wanted)


@dataclass
class Stage:
    """Opens places for one pair."""

    server_kind: str
    client_kind: str

    @asynccontextmanager
    async def open(self, *, real: bool = False, **options) -> AsyncIterator[Place]:
        """A running server, and a path to it; `real`: of sockets, whoever the ends are."""
        made = papers()
        options.setdefault("certificate", made.server)
        wanted = ServerOptions(**options)
        if self.server_kind == "aioquic" and "groups" not in options:
            # s2n-tls begins with a share of this one.
            wanted.groups = (*CLASSIC_GROUPS, "SECP256R1")
        own = not real and {self.server_kind, self.client_kind} <= set(OWN)
        async with (
            (MemoryPath() if own else UdpPath()).running() as path,
            AsyncExitStack() as around,
            trio.open_nursery() as nursery,
        ):
            if self.server_kind in OWN:
                server: Server = OwnServer(self.server_kind, path, nursery, wanted)
            else:
                server = ForeignServer(Program(self.server_kind, around), path, nursery, wanted)
            await server.live()
            async with AsyncExitStack() as stack:
                yield Place(self.server_kind, self.client_kind, path, made, server, nursery, stack)
                nursery.cancel_scope.cancel()
