"""Where other domains come in: QUIC with mutual TLS. Who calls is what the connection's certificate names, and nothing else.

1. The handshake verifies the chain; the first call, `federationHealth`, says which of the certificate's names calls.
2. Until then nothing else is answered; afterwards the connection speaks for that domain alone.
3. Each domain has its own share of calls at once and by the second: one that floods is refused, and the others are not.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
import trio
from cryptography import x509

from qpqcore.api.rpc import Call, Reply
from qpqcore.bus.limits import enforce
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.envelope import is_traceparent
from qpqfederation import rules
from qpqfederation.links import ALPN, HEALTH
from qpqfederation.names import check_claim
from trio_quic import Limits, QuicConfiguration, ServerTls, serve_quic

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qpqcore.api.federation import FederationHealthParams
    from qpqcore.bus.limits import Limiter
    from qpqcore.model.method import Method
    from qpqfederation.config import Config
    from qpqfederation.links import Links
    from qpqfederation.service import Federation
    from trio_quic import IncomingCall, QuicConnection, QuicEndpoint, TransportFactory

log = structlog.get_logger()

OVERLOADED_RETRY_MS = 500
VIOLATIONS: Final = {
    "oversized": Refusal(ErrorCode.TOO_LARGE, "the call's frame is too large"),
    "late": Refusal(ErrorCode.DEADLINE_EXCEEDED, "the call did not come in time"),
    "truncated": Refusal(ErrorCode.MALFORMED, "the call ended before its time"),
}


class Edge:
    """Answers other domains' calls; `on_call` and the rest are trio_quic's hooks."""

    def __init__(
        self, config: Config, federation: Federation, links: Links, limiter: Limiter, clock_ms: Callable[[], int]
    ) -> None:
        self._config = config
        self._federation = federation
        self._links = links
        self._limiter = limiter
        self._clock_ms = clock_ms
        self._domains: dict[QuicConnection, str] = {}
        """Whom a connection speaks for; "": it has not said yet."""
        self._in_flight: Counter[str] = Counter()

    def on_connection(self, connection: QuicConnection) -> None:
        """Begin with a connection."""
        self._domains[connection] = ""
        connection.set_frame_limit(self._config.first_frame_bytes_max)

    def on_closed(self, connection: QuicConnection) -> None:
        """Forget a connection."""
        self._domains.pop(connection, None)

    def on_call(self, incoming: IncomingCall) -> Coroutine[None, None, None] | None:
        """Refuse a call at once, or return the coroutine that answers it."""
        peer = self._domains.get(incoming.connection, "")
        try:
            if incoming.violation is not None:
                raise VIOLATIONS[incoming.violation]
            call = Call.from_bytes(incoming.frame)
            method = rules.method_of(call.method)
            rules.check_head(call)
            if not peer and method.number != HEALTH:
                raise Refusal(ErrorCode.FORBIDDEN, "say which domain you are first")
            params: Any = method.params.from_bytes(call.params)  # type: ignore[attr-defined]  # every generated struct has it
            if method.number == HEALTH:
                peer = self._admit(incoming.connection, peer, params)
            if len(incoming.frame) > method.frame_bytes_max:
                raise Refusal(ErrorCode.TOO_LARGE, f"{method.name} takes at most {method.frame_bytes_max} bytes")
            enforce(self._limiter, b"w" + peer.encode(), self._config.calls_per_peer, self._clock_ms())
            if self._in_flight[peer] >= self._config.calls_per_peer_max:
                raise Refusal(ErrorCode.OVERLOADED, "too many calls at once", retry_after_ms=OVERLOADED_RETRY_MS)
        except Refusal as no:
            self._finish(incoming, peer, _refused(no))
            return None
        self._in_flight[peer] += 1  # here: what came with it in one datagram is judged before it is begun
        return self._answer(incoming, peer, method, call, params)

    def _admit(self, connection: QuicConnection, known: str, params: FederationHealthParams) -> str:
        """Return the domain that a connection speaks for from now on. Refusal(peerMismatch), Refusal(versionTooOld)."""
        if params.protocol != rules.PROTOCOL:
            raise Refusal(ErrorCode.VERSION_TOO_OLD, f"this server speaks protocol {rules.PROTOCOL} between domains")
        if known:
            if params.domain != known:
                raise Refusal(ErrorCode.PEER_MISMATCH, "a connection speaks for one domain")
            return known
        check_claim(params.domain, self._config.domain, names_of(connection.peer_certificates))
        if not self._links.knows(params.domain):
            raise Refusal(ErrorCode.FORBIDDEN, "this server does not talk to that domain")
        if sum(d == params.domain for d in self._domains.values()) >= self._config.connections_per_peer_max:
            raise Refusal(ErrorCode.OVERLOADED, "too many connections", retry_after_ms=OVERLOADED_RETRY_MS)
        self._domains[connection] = params.domain
        connection.set_frame_limit(self._config.frame_bytes_max)
        connection.set_window(self._config.window_bytes)
        self._links.to(params.domain).has_come()
        return params.domain

    async def _answer(self, incoming: IncomingCall, peer: str, method: Method, call: Call, params: Any) -> None:
        """Call the method; a Refusal goes back as itself, anything unexpected stays here."""
        seconds = min(call.deadline_ms or self._config.call_ms, self._config.call_ms) / 1000
        context = CallContext(
            caller=Caller(CallerKind.PEER, name=peer), deadline_s=trio.current_time() + seconds,
            idempotency_key=call.idempotency_key, now_ms=self._clock_ms(),
            traceparent=call.traceparent if is_traceparent(call.traceparent) else "",
        )  # fmt: skip
        try:
            with trio.fail_after(seconds):
                result: Any = await getattr(self._federation, method.attribute)(context, params)
            reply = Reply(result=result.to_bytes())
        except Refusal as no:
            reply = _refused(no)
        except trio.TooSlowError:
            reply = _refused(Refusal(ErrorCode.DEADLINE_EXCEEDED, "the time for this call is over"))
        except Exception:
            log.exception("peer_call_failed", method=method.name)
            reply = _refused(Refusal(ErrorCode.INTERNAL, "internal error"))
        finally:
            self._in_flight[peer] -= 1
            if not self._in_flight[peer]:
                del self._in_flight[peer]
        self._finish(incoming, peer, reply)

    def _finish(self, incoming: IncomingCall, peer: str, reply: Reply) -> None:
        incoming.reply(reply.to_bytes())
        code = ErrorCode(reply.code)
        if code is not ErrorCode.OK and not peer:
            incoming.connection.charge()
        if code in {ErrorCode.PEER_MISMATCH, ErrorCode.FORBIDDEN}:
            log.warning("peer_refused", peer=peer, code=code.name)
        self._links.counted.answered(peer, code)

    async def serve(
        self, tls: ServerTls, transport_factory: TransportFactory | None = None, *,
        task_status: trio.TaskStatus[QuicEndpoint] = trio.TASK_STATUS_IGNORED,
    ) -> None:  # fmt: skip
        """Serve until cancelled; `task_status.started` gets the endpoint."""
        c = self._config
        limits = Limits(
            frame_bytes_max=c.first_frame_bytes_max, held_bytes_max=2 * c.frame_bytes_max,
            connections_max=c.connections_max, connections_per_address_max=c.connections_per_address_max,
            connection_window_bytes=c.window_bytes, first_window_bytes=c.first_window_bytes,
        )  # fmt: skip
        configuration = QuicConfiguration(alpn=(ALPN,), server=tls, limits=limits)
        serving = partial(
            serve_quic, self.on_call, configuration, host=c.host, port=c.port, engine=c.engine,
            on_connection=self.on_connection, on_closed=self.on_closed, transport_factory=transport_factory,
        )  # fmt: skip
        await serving(task_status=task_status)


def names_of(certificates: list[bytes]) -> list[str]:
    """Return the DNS names of a peer's own certificate, as they stand in it; a damaged or nameless one has none."""
    try:
        leaf = x509.load_der_x509_certificate(certificates[0])
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return list(names.get_values_for_type(x509.DNSName))
    except (IndexError, ValueError, x509.ExtensionNotFound):
        return []


def _refused(no: Refusal) -> Reply:
    return Reply(code=int(no.code), detail=no.detail, retry_after_ms=no.retry_after_ms)
