"""Connections to other domains: one for each, made when it is wanted, greeted before anything else is said on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api.federation import METHODS, FederationHealthParams, FederationHealthResult
from qpqcore.api.rpc import Call, Reply
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import is_peer_name
from qpqfederation import rules
from qpqfederation.names import is_discoverable
from trio_quic import ClientTls, Limits, QuicConfiguration, QuicError, open_quic_connection

if TYPE_CHECKING:
    from qpqfederation.config import Config
    from qpqfederation.counted import Counted
    from qpqfederation.discovery import Locator
    from trio_quic import QuicConnection, TransportFactory

log = structlog.get_logger()

ALPN = b"qpq-federation/1"
HEALTH = next(m.number for m in METHODS if m.name == "federationHealth")
PROBE_MS = 2_000
SILENCE_MS = 6_000
"""As of clients: a peer that owes an answer and is silent so long is given up."""
ROOM_MS = 2_000
"""For the answer's way back, beside the time that the peer is given."""
PEERS_MAX = 10_000
"""Domains that connections are kept in mind of; of more the idle ones are forgotten, some 2 KiB each."""
FULL_RETRY_MS = 5_000
"""All of them have a connection or a worker: one ends about so often."""


class Away(Exception):
    """A peer cannot be reached, or is not who it should be; the text says why."""


UNREACHED = (QuicError, OSError, ValueError, Away, Refusal)
"""Nobody is there, or not who should be."""


class Peer:
    """One other domain."""

    def __init__(self, domain: str, links: Links) -> None:
        self.domain = domain
        self.came = trio.Event()
        """Set, and made anew, when the peer has come here by itself: it is worth a try."""
        self.health = FederationHealthResult()
        self.kept = False
        """Whether a worker brings it what waits for it: it is not forgotten then."""
        self._links = links
        self._connection: QuicConnection | None = None
        self._making = trio.Lock()
        self._not_before_s = 0.0
        self._pause_s = links.config.unreachable_seconds_min

    @property
    def is_up(self) -> bool:
        """Whether there is a connection to it."""
        return self._connection is not None and self._connection.closed is None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost if it is forgotten: it is made anew when it is wanted again."""
        return not (self.kept or self.is_up or self._making.locked())

    def has_come(self) -> None:
        """Note that the peer has come here."""
        self._not_before_s, self._pause_s = 0.0, self._links.config.unreachable_seconds_min
        self.came.set()
        self.came = trio.Event()

    async def call(self, method: int, params: bytes, *, deadline_s: float, key: bytes = b"", trace: str = "") -> bytes:
        """Call a method there; return its result. Refusal: the peer's, or `unavailable`."""
        links = self._links
        until_s = min(deadline_s, trio.current_time() + links.config.call_ms / 1000)
        begun_s = trio.current_time()
        code = ErrorCode.OK
        try:
            return await self._call(method, params, until_s, key, trace)
        except Refusal as no:
            code = no.code
            raise
        finally:
            links.counted.called(self.domain, code, trio.current_time() - begun_s)

    async def _call(self, method: int, params: bytes, until_s: float, key: bytes, trace: str) -> bytes:
        try:
            with trio.fail_at(until_s + ROOM_MS / 1000):
                connection = await self.connection()
                left_ms = max(1, int((until_s - trio.current_time()) * 1000))
                call = Call(method=method, deadline_ms=left_ms, idempotency_key=key, traceparent=trace, params=params)
                reply = Reply.from_bytes(await connection.call(call.to_bytes()))
        except (QuicError, trio.TooSlowError, Away) as exc:
            raise Refusal(ErrorCode.UNAVAILABLE, f"{self.domain} cannot be reached now") from exc
        except Refusal as exc:
            raise Refusal(ErrorCode.UNAVAILABLE, f"the answer of {self.domain} cannot be read") from exc
        if reply.code:
            raise rules.refusal_of(reply.code, reply.detail, reply.retry_after_ms)
        return reply.result

    async def connection(self) -> QuicConnection:
        """Return the connection, made now if there is none. Away."""
        async with self._making:
            if self._connection is not None and self._connection.closed is None:
                return self._connection
            if trio.current_time() < self._not_before_s:
                raise Away("it could not be reached a moment ago")
            try:
                with trio.fail_after(self._links.config.connect_seconds_max):
                    self._connection = await self._reach()
            except (*UNREACHED, trio.TooSlowError) as exc:
                self._not_before_s = trio.current_time() + self._pause_s
                self._pause_s = min(2 * self._pause_s, self._links.config.unreachable_seconds_max)
                log.info("peer_unreachable", peer=self.domain, reason=type(exc).__name__)
                raise Away(str(exc)) from exc
            self._pause_s = self._links.config.unreachable_seconds_min
            return self._connection

    async def greet(self, deadline_s: float) -> None:
        """Have a connection: `health` is then what the peer said of itself. Refusal(unavailable)."""
        try:
            with trio.fail_at(deadline_s):
                await self.connection()
        except (Away, trio.TooSlowError) as exc:
            raise Refusal(ErrorCode.UNAVAILABLE, f"{self.domain} cannot be reached now") from exc

    async def _reach(self) -> QuicConnection:
        """Connect to the first of the domain's places that is there, and it; each has its share of the time."""
        links, until_s = self._links, trio.current_effective_deadline()
        places = await links.locator.locate(self.domain)
        for left, place in zip(range(len(places), 0, -1), places, strict=True):
            try:
                with trio.fail_after((until_s - trio.current_time()) / left):
                    return await links.nursery.start(self._hold, place)  # type: ignore[no-any-return]  # trio's has no type
            except (*UNREACHED, trio.TooSlowError) as exc:
                if left == 1:
                    raise
                log.info("peer_place_unreachable", peer=self.domain, reason=type(exc).__name__)
        raise Away("the domain has no address")

    async def _hold(self, place: tuple[str, int], *, task_status: trio.TaskStatus[QuicConnection]) -> None:
        """Keep a connection from its greeting to its end."""
        links, (host, port) = self._links, place
        opened = open_quic_connection(
            host, port, links.configuration, server_name=self.domain, engine=links.config.engine,
            transport_factory=links.transport_factory,
        )  # fmt: skip
        is_started = False
        try:
            async with opened as connection:
                self.health = await self._greet(connection)
                is_started = True
                task_status.started(connection)
                await connection.wait_closed()
        except QuicError:
            if not is_started:
                raise

    async def _greet(self, connection: QuicConnection) -> FederationHealthResult:
        links = self._links
        params = FederationHealthParams(domain=links.config.domain, version=links.version, protocol=rules.PROTOCOL)
        call = Call(method=HEALTH, deadline_ms=links.config.call_ms, params=params.to_bytes())
        reply = Reply.from_bytes(await connection.call(call.to_bytes()))
        if reply.code:
            raise rules.refusal_of(reply.code, reply.detail, reply.retry_after_ms)
        health = FederationHealthResult.from_bytes(reply.result)
        if health.domain != self.domain or health.protocol != rules.PROTOCOL:
            raise Away("it says that it is another domain, or of another protocol")
        return health


class Links:
    """All other domains that we have to do with."""

    def __init__(
        self, config: Config, tls: ClientTls, locator: Locator, counted: Counted, version: str,
        transport_factory: TransportFactory | None = None,
    ) -> None:  # fmt: skip
        self.config = config
        self.locator = locator
        self.counted = counted
        self.version = version
        self.transport_factory = transport_factory
        self._nursery: trio.Nursery | None = None
        self.all: dict[str, Peer] = {}
        limits = Limits(
            frame_bytes_max=config.frame_bytes_max, held_bytes_max=2 * config.frame_bytes_max, probe_ms=PROBE_MS,
            silence_ms=SILENCE_MS, handshake_ms=int(config.connect_seconds_max * 1000),
        )  # fmt: skip
        self.configuration = QuicConfiguration(alpn=(ALPN,), client=tls, limits=limits)

    @property
    def nursery(self) -> trio.Nursery:
        """Where connections live. Away before `run`, and after."""
        if self._nursery is None:
            raise Away("federation is not running")
        return self._nursery

    def use(self, tls: ClientTls) -> None:
        """Show, and trust, other certificates from the next connection on."""
        self.configuration = replace(self.configuration, client=tls)

    def knows(self, domain: str) -> bool:
        """Tell whether a domain is one that we talk to."""
        if domain == self.config.domain or not is_peer_name(domain):
            return False
        return domain in self.config.peers or (self.config.discovery and is_discoverable(domain))

    def to(self, domain: str) -> Peer:
        """Return a domain to talk to. Refusal(notFound), Refusal(overloaded)."""
        peer = self.all.pop(domain, None)
        if peer is None:
            if not self.knows(domain):
                raise Refusal(ErrorCode.NOT_FOUND, "this server does not talk to that domain")
            if len(self.all) >= PEERS_MAX:
                self._forget_one()
            peer = Peer(domain, self)
        self.all[domain] = peer  # the last of them: who was not wanted for longest stands first
        return peer

    def _forget_one(self) -> None:
        """Forget the idle domain that was not wanted for longest: names that anybody made up must not fill the list."""
        idle = next((domain for domain, peer in self.all.items() if peer.is_idle), None)
        if idle is None:
            raise Refusal(ErrorCode.OVERLOADED, "too many domains at once", retry_after_ms=FULL_RETRY_MS)
        del self.all[idle]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold connections, for ever."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None
