"""One connection to a server: pinned, greeted, with calls that return results or raise typed errors."""

from __future__ import annotations

import re
import secrets
import socket
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import trio
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from qpqclient.errors import AddressInvalid, KeyChanged, Refused, ServerBroke, Unreachable
from qpqclient.pacing import later, pause
from qpqcore.api import gateway
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import is_domain
from trio_quic import (
    CertificateRefused,
    ClientTls,
    HandshakeError,
    Limits,
    QuicConfiguration,
    QuicError,
    StreamReset,
    codes,
    open_quic_connection,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
    from pathlib import Path

    from trio_quic import EngineName, QuicConnection, ReplyStream, TransportFactory

T = TypeVar("T")

ALPN = b"qpq/1"
CLIENT_VERSION = "0.1.0"
PROTOCOL = 1
PORT_DEFAULT = 7000
PORT_MAX = 65_535
HOST = re.compile(r"[^\s/@\[\]]{1,255}")
NO_ADDRESS = f"{{!r}} is no server's address: host, host:port or [v6]:port, with a port from 1 to {PORT_MAX}"
PORT = re.compile(r"[0-9]{1,5}")
CONNECT_MS_MAX = 5_000
CALL_MS = 30_000
OVERLOADED_TRIES_MAX = 8
"""Of one call among several that belong together; with the pauses, some 10 s."""
FRAME_BYTES_MAX = 9 * 1024 * 1024
"""A reply: an X-Wing tree of 1,000 leaves has 1.4 MB, the law allows 8 MiB."""
NUMBER_MAX = (1 << 63) - 1
KEEPALIVE_MS = 25_000
"""A connection nothing is heard on is pinged so often. Most middleboxes keep a UDP flow for 30 s (RFC 9000 §10.1.2, though
RFC 4787 REQ-5 asks for two minutes), and each ping costs the device's radio and the server.
"""
PROBE_MS = 2_000
SILENCE_MS = 6_000
"""While somebody waits for an answer a silent server is pinged after PROBE_MS, and a server that was pinged is pinged again
every PROBE_MS and given up once it has been silent for SILENCE_MS; QUIC itself does not tell that it has died.
"""
IDLE_KEEPALIVES = 3
"""After the time of so many pings in which nothing was heard, a connection is over."""

BY_PARAMS = {m.params: m for m in METHODS.values() if not m.internal and m.service != "federation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How datagrams travel: through the machine's UDP sockets, or as a simulation has it; and what keeps a path open."""

    transport_factory: TransportFactory | None = None
    seed: Callable[[], bytes | None] = lambda: None
    """Of each connection's own randomness (trio_quic's QuicConfiguration)."""
    unix_time_s: int | None = None
    keepalive_ms: int = KEEPALIVE_MS
    """Less where the network forgets sooner, or where a device must notice sooner that the server started anew."""


MACHINE = Network()


@dataclass(frozen=True, slots=True)
class Trust:
    """How the server is judged: a CA, or the pinned SHA-256 of its key; neither: take and report it (first use)."""

    ca_pem: bytes | None = None
    pin: bytes | None = None


def address_of(server: str) -> tuple[str, int]:
    """Split "host", "host:port" or "[v6]:port". AddressInvalid."""
    if server.startswith("["):
        host, closed, rest = server[1:].partition("]")
        port = (rest.removeprefix(":") if rest else str(PORT_DEFAULT)) if closed else ""
    else:
        host, colon, port = server.rpartition(":")
        if not colon or ":" in host:
            host, port = server, str(PORT_DEFAULT)
    if not (_is_host(host) and PORT.fullmatch(port) and 0 < int(port) <= PORT_MAX):
        raise AddressInvalid(NO_ADDRESS.format(server))
    return host, int(port)


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")  # as the name service is asked: no label is empty, or longer than 63
    except UnicodeError:
        return False
    return HOST.fullmatch(host) is not None


def read_ca(path: Path) -> bytes:
    """Return a CA or server certificate as PEM, from PEM or DER."""
    data = path.read_bytes()
    if b"-----BEGIN" in data:
        return data
    return x509.load_der_x509_certificate(data).public_bytes(serialization.Encoding.PEM)


class GoingAway(Unreachable):
    """The server takes no calls any more on this connection: it goes away, and the call was not begun."""


class Link:
    """An open connection that has been greeted."""

    def __init__(self, connection: QuicConnection, hello: gateway.HelloResult) -> None:
        self._connection = connection
        self.hello = hello
        self._calls = 0
        self._settled = trio.Event()

    @property
    def spki_sha256(self) -> bytes:
        """The server's key, as it is pinned."""
        return self._connection.peer_spki_sha256 or b""

    async def call(self, params: Any, result: type[T], *, key: bytes = b"", deadline_ms: int = CALL_MS) -> T:
        """Call the method that takes `params`; Refused, Unreachable."""
        frame = frame_of(params, key, deadline_ms)
        self._begun()
        try:
            with trio.fail_after(deadline_ms / 1000 + 5):
                reply = decoded(Reply, await self._connection.call(frame))
        except StreamReset as exc:
            if exc.code == codes.DRAINING:
                raise GoingAway("the server is going away") from exc
            raise Refused(Refusal(ErrorCode.INTERNAL, "the server could not answer")) from exc
        except (QuicError, trio.TooSlowError) as exc:
            self._connection.close()
            raise Unreachable("the connection to the server is gone") from exc
        finally:
            self._ended()
        return decoded(result, _checked(reply))

    def _begun(self) -> None:
        self._calls += 1

    def _ended(self) -> None:
        self._calls -= 1
        if not self._calls:
            self._settled.set()
            self._settled = trio.Event()

    @contextmanager
    def held(self) -> Iterator[Link]:
        """Keep `wait_settled` waiting; the link that is yielded makes a call again that the server had no time for."""
        self._begun()
        try:
            yield _HeldLink(self._connection, self.hello)
        finally:
            self._ended()

    async def wait_settled(self) -> None:
        """Wait until no call waits for its answer, and nobody holds the link."""
        if self._calls:
            await self._settled.wait()

    @asynccontextmanager
    async def subscribe(self, after: int) -> AsyncIterator[AsyncIterator[gateway.SubscribeEvent]]:
        """Open the push stream; iterate inside the block."""
        frame = frame_of(gateway.SubscribeParams(after=after), deadline_ms=0)
        async with self._connection.open_call(frame) as replies, aclosing(_events(replies)) as events:
            yield events

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()

    async def wait_closed(self) -> None:
        """Wait until the connection is over."""
        await self._connection.wait_closed()


class _HeldLink(Link):
    """A link for calls that belong together."""

    async def call(self, params: Any, result: type[T], *, key: bytes = b"", deadline_ms: int = CALL_MS) -> T:
        for attempt in range(OVERLOADED_TRIES_MAX):
            try:
                return await super().call(params, result, key=key, deadline_ms=deadline_ms)
            except Refused as no:
                if no.code is not ErrorCode.OVERLOADED or attempt == OVERLOADED_TRIES_MAX - 1:
                    raise
                await pause(later(no))
        raise AssertionError  # the last try returns or raises


async def _events(replies: ReplyStream) -> AsyncGenerator[gateway.SubscribeEvent, None]:
    try:
        async for frame in replies:
            yield decoded(gateway.SubscribeEvent, _checked(decoded(Reply, frame)))
    except StreamReset as exc:
        if exc.code == codes.DRAINING:
            raise GoingAway("the server is going away") from exc
        raise Unreachable("the connection to the server is gone") from exc
    except QuicError as exc:
        raise Unreachable("the connection to the server is gone") from exc


def frame_of(params: Any, key: bytes = b"", deadline_ms: int = CALL_MS) -> bytes:
    """Return the frame of a call of the method that takes `params`."""
    method = BY_PARAMS[type(params)]
    return Call(method=method.number, deadline_ms=deadline_ms, idempotency_key=key, params=params.to_bytes()).to_bytes()


def decoded(kind: type[T], data: bytes) -> T:
    """Decode what the server sent; ServerBroke when it is nothing that this client can keep."""
    try:
        value: T = kind.from_bytes(data)  # type: ignore[attr-defined]  # every generated struct has it
    except Refusal as exc:
        raise ServerBroke("the server's answer cannot be read") from exc
    if not _fits(value):
        raise ServerBroke("the server names a number that cannot be")
    return value


def _fits(value: object) -> bool:
    """Tell whether each number in an answer can be stored: SQLite's have 63 bits, the wire's 64."""
    if isinstance(value, int):
        return value <= NUMBER_MAX
    if isinstance(value, tuple):
        return all(map(_fits, value))
    names = getattr(value, "__slots__", ())
    return all(_fits(getattr(value, name)) for name in names) if is_dataclass(value) else True


def _checked(reply: Reply) -> bytes:
    if reply.code:
        try:
            code = ErrorCode(reply.code)
        except ValueError:
            code = ErrorCode.INTERNAL
        raise Refused(Refusal(code, reply.detail, retry_after_ms=reply.retry_after_ms))
    return reply.result


def new_key() -> bytes:
    """Return an idempotency key."""
    return secrets.token_bytes(16)


@asynccontextmanager
async def open_link(
    server: str, trust: Trust, *, engine: EngineName = "native", accept: Callable[[bytes], bool] = bool,
    network: Network = MACHINE,
) -> AsyncIterator[Link]:  # fmt: skip
    """Connect and greet; KeyChanged, Unreachable. `accept` judges a key seen for the first time."""
    host, port = address_of(server)
    pins = (trust.pin,) if trust.pin else ()
    tls = ClientTls(ca_pem=trust.ca_pem, pins_sha256=pins, first_use=not (trust.ca_pem or pins))
    limits = Limits(
        frame_bytes_max=FRAME_BYTES_MAX, held_bytes_max=2 * FRAME_BYTES_MAX, keepalive_ms=network.keepalive_ms,
        probe_ms=PROBE_MS, silence_ms=SILENCE_MS, handshake_ms=CONNECT_MS_MAX,
        idle_ms=IDLE_KEEPALIVES * network.keepalive_ms,
    )  # fmt: skip
    configuration = QuicConfiguration(
        alpn=(ALPN,), client=tls, limits=limits, seed=network.seed(), unix_time_s=network.unix_time_s
    )
    try:
        async with open_quic_connection(
            host, port, configuration, engine=engine, transport_factory=network.transport_factory
        ) as connection:
            if tls.first_use and not accept(connection.peer_spki_sha256 or b""):
                raise KeyChanged(f"the key of {server} was not accepted")
            link = Link(connection, gateway.HelloResult())
            link.hello = await link.call(
                gateway.HelloParams(client_version=CLIENT_VERSION, protocol=PROTOCOL), gateway.HelloResult
            )
            if not is_domain(link.hello.domain):
                raise ServerBroke("the server names no domain")
            yield link
    except CertificateRefused as exc:
        shown = exc.spki_sha256.hex() if exc.spki_sha256 else "none"
        known = trust.pin.hex() if trust.pin else "one that the given CA has signed"
        raise KeyChanged(
            f"the server {server} shows another key than the one known: nothing was sent. "
            f"SHA-256 of the key shown: {shown}; known: {known}"
        ) from exc
    except (HandshakeError, OSError) as exc:
        if isinstance(exc.__cause__, UnicodeError):
            raise AddressInvalid(NO_ADDRESS.format(server)) from exc
        why = "is the server running, and does the network let UDP through?"
        if isinstance(exc.__cause__, socket.gaierror):
            why = f"no address was found for {host} ({exc.__cause__.strerror})"
        raise Unreachable(f"no answer from {server}: {why}") from exc


@dataclass(frozen=True, slots=True)
class PingAnswer:
    """What a server says of itself."""

    domain: str
    server_version: str
    status: str
    round_trip_s: float


async def ping(server: str, *, ca_cert: Path | None = None, engine: EngineName = "native") -> PingAnswer:
    """Ask a server how it is; needs no account. Unreachable, KeyChanged."""
    trust = Trust(ca_pem=read_ca(ca_cert) if ca_cert else None)
    async with open_link(server, trust, engine=engine, accept=lambda _: True) as link:
        begun_s = trio.current_time()
        health = await link.call(gateway.HealthParams(), gateway.HealthResult)
        return PingAnswer(link.hello.domain, health.version, health.status, trio.current_time() - begun_s)
