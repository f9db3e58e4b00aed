"""The caller's end of the TCP bus: a connection to every replica of every service that is called, kept.

1. Names are resolved again and again: what has a new address is connected to; what has none any more is left to end.
2. A connection that is lost is made again: at once, then ever more slowly.
3. Of two replicas picked at random the less loaded one takes the call. Those of `TOGETHER` go to one replica for each account,
   the same from every process, and to another only while that one is away (rendezvous hashing).
4. A call waits for a connection that is being made; where the last try failed it is `unavailable` at once.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api.methods import METHODS, SERVICES
from qpqcore.bus.tcp_link import HANDSHAKE_SECONDS_MAX, LOST, Link
from qpqcore.bus.tcp_peer import AWAY, Peer
from qpqcore.crypto.assertion import read_claims
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.net.mutual_tls import name_of
from qpqcore.net.tls_stream import TlsStream
from qpqcore.wire.bus_frame import Away, FrameError, Kind, agreed_version, hello
from qpqcore.wire.envelope import BusReply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qpqcore.net.mutual_tls import Credentials
    from qpqcore.wire.envelope import Envelope

log = structlog.get_logger()

Address = tuple[str, int]

ADDRESSES_MAX = 64
"""Of one service: a caller keeps no more connections to it."""
RESOLVE_SECONDS = 5.0
BACKOFF_SECONDS = 0.05
BACKOFF_SECONDS_MAX = 2.0
LASTING_SECONDS = 1.0
"""Who takes connections and ends them at once is not asked again at once."""
PATIENCE_SECONDS = 2.0
"""A call waits so long for a connection that is being made."""
RETRY_MS = 1_000
TOGETHER = frozenset(number for number, method in METHODS.items() if method.name == "uploadBlob")
"""Calls that build on the account's last one, of which the replica that answered it knows most."""
LATE = BusReply(code=int(ErrorCode.DEADLINE_EXCEEDED), detail="the time for this call is over")


def account_of(envelope: Envelope) -> bytes:
    """Return the account that a call is made for, as its assertion says, unchecked; empty where there is none."""
    try:
        return read_claims(envelope.assertion).caller.account
    except Refusal:  # the service says so
        return b""


class Replicas:
    """All there are of one service."""

    def __init__(self, service: str, names: Sequence[Address], credentials: Credentials) -> None:
        self.service = service
        self._names = names
        self._credentials = credentials
        self._ready: list[Peer] = []
        self._trying: set[Address] = set()
        self._addresses: set[Address] = set()
        self._kept: set[Address] = set()
        self._resolved = False
        self._changed = trio.Event()
        self._reason = ""

    @property
    def is_away(self) -> bool:
        """Whether no call could be made now."""
        return not self._ready

    def statistics(self) -> tuple[str, int, int]:
        """Return the service, how many replicas are connected to, and the calls in flight to them."""
        return self.service, len(self._ready), sum(peer.calls for peer in self._ready)

    def pick(self, caller: bytes = b"") -> Peer | None:
        """Return the caller's own replica, or the less loaded of two, or None where none is ready."""
        ready = self._ready
        if len(ready) < 2:
            return ready[0] if ready else None
        if caller:
            return max(ready, key=lambda peer: blake2b(caller + peer.place, digest_size=8).digest())
        one = secrets.randbelow(len(ready))
        other = secrets.randbelow(len(ready) - 1)
        return min(ready[one], ready[other + (other >= one)], key=lambda peer: peer.calls)

    async def wait(self, caller: bytes = b"") -> Peer | None:
        """Return one as soon as there is; None when none can be reached."""
        while True:
            if found := self.pick(caller):
                return found
            if self._resolved and not self._trying:
                return None
            await self._changed.wait()

    async def run(self) -> None:
        """Keep the connections, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._resolve()
                for address in self._addresses - self._kept:
                    self._kept.add(address)
                    self._trying.add(address)
                    nursery.start_soon(self._keep, address)
                self._resolved = True
                self._tell()
                await trio.sleep(RESOLVE_SECONDS)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _resolve(self) -> None:
        """Look all names up; one that cannot be looked up now leaves the others as they are."""
        found: dict[Address, None] = {}
        for host, port in self._names:
            try:
                answers = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
            except OSError as exc:
                self._say(f"{host}: {exc}")
                found |= dict.fromkeys(self._kept)
            else:
                found |= dict.fromkeys((str(a[4][0]), int(a[4][1])) for a in answers)
        self._addresses = set(sorted(found, key=lambda address: address not in self._kept)[:ADDRESSES_MAX])

    def _say(self, reason: str) -> None:
        """Log why a replica cannot be reached, once until that changes."""
        if reason != self._reason:
            self._reason = reason
            log.warning("bus_peer_away", service=self.service, reason=reason)

    async def _keep(self, address: Address) -> None:
        """Keep a connection to an address for as long as a name has it."""
        backoff_s = 0.0
        while address in self._addresses:
            self._trying.add(address)
            if await self._connect(address):
                backoff_s = 0.0
                continue
            self._trying.discard(address)
            self._tell()
            backoff_s = min(max(2 * backoff_s, BACKOFF_SECONDS), BACKOFF_SECONDS_MAX)
            # Not all callers at once: half of it is drawn.
            await trio.sleep(backoff_s * (1 + secrets.randbelow(1000) / 1000) / 2)
        self._trying.discard(address)
        self._kept.discard(address)

    async def _connect(self, address: Address) -> bool:
        """Connect, and stay until the connection ends; False where there was none, or none to speak of."""
        stream: TlsStream | None = None
        begun_s = trio.current_time()
        try:
            with trio.fail_after(HANDSHAKE_SECONDS_MAX):
                transport = await trio.open_tcp_stream(*address)
                stream = TlsStream(transport, self._credentials.client, name_of(self.service))
                link = await self._greet(stream)
            await self._stay(link, address)
        except (*LOST, trio.TooSlowError) as exc:
            self._say(str(exc) or type(exc).__name__)
            return False
        finally:
            if stream is not None:
                await stream.aclose()
        return trio.current_time() - begun_s >= LASTING_SECONDS

    async def _greet(self, stream: TlsStream) -> Link:
        await stream.do_handshake()
        link = Link(stream)
        await link.send_now(hello())
        first = await link.receive_first()
        if first.kind == Kind.GOAWAY:
            raise FrameError(f"sent away: {Away(first.body[0]).name}, {first.body[1:].decode(errors='replace')}")
        if not agreed_version(first):
            raise FrameError("no version in common")
        return link

    async def _stay(self, link: Link, address: Address) -> None:
        peer = Peer(self.service, link, self._ready.remove, place=repr(address).encode())
        self._ready.append(peer)
        self._trying.discard(address)
        self._reason = ""
        self._tell()
        await peer.run()


class TcpBus:
    """Implements `qpqcore.bus.base.Bus` over connections to other processes."""

    def __init__(self, peers: Mapping[str, Sequence[Address]], credentials: Credentials) -> None:
        self._replicas = {service: Replicas(service, names, credentials) for service, names in peers.items()}

    async def run(self) -> None:
        """Keep the connections, for ever."""
        async with trio.open_nursery() as nursery:
            for replicas in self._replicas.values():
                nursery.start_soon(replicas.run)

    def away(self) -> list[str]:
        """Return the services that no call could be made to now."""
        return [service for service, replicas in self._replicas.items() if replicas.is_away]

    def statistics(self) -> list[tuple[str, int, int]]:
        """Return each service, its replicas connected to, and the calls in flight to them."""
        return [replicas.statistics() for replicas in self._replicas.values()]

    async def call(self, envelope: Envelope) -> BusReply:
        """Call the service; `unavailable` when no replica can be reached."""
        replicas = self._replicas.get(SERVICES.get(envelope.method >> 8, ""))
        if replicas is None:
            return AWAY
        caller = account_of(envelope) if envelope.method in TOGETHER else b""
        end_s = trio.current_time() + envelope.deadline_ms / 1000
        with trio.move_on_at(end_s):
            peer = replicas.pick(caller)
            if peer is None:
                with trio.move_on_after(PATIENCE_SECONDS):
                    peer = await replicas.wait(caller)
                if peer is None:
                    return AWAY
                left_ms = int((end_s - trio.current_time()) * 1000)
                envelope = replace(envelope, deadline_ms=max(left_ms, 0))
            return await peer.call(envelope.to_bytes())
        return LATE
