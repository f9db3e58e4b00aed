"""The gateway's use cases: take a call, decide who may, pass it on; health, hello and subscribe itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import structlog
import trio

from qpqcore.api import gateway as api
from qpqcore.api.auth import RenewAssertionParams
from qpqcore.api.delivery import FetchParams
from qpqcore.api.rpc import Call, Reply
from qpqcore.bus.admission import FETCH_WAIT, RETRY_MS, TOO_MANY, Admission, idle_seconds, refusable
from qpqcore.bus.dispatch import check_caller
from qpqcore.bus.notices import REVOKED, WAKE_UP_LATENCY, mailbox_topic, read_revocation, signal_topic, stock_topic
from qpqcore.bus.stub import Stub
from qpqcore.model.call import CallContext
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.obs import traces
from qpqcore.obs.histogram import Histogram
from qpqcore.wire.envelope import BusReply, Envelope
from qpqgateway import rules
from qpqgateway.peer import ENDED, Peer, Peers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from qpqcore.bus.base import Bus
    from qpqcore.bus.notices import Notices, Subscription
    from qpqcore.model.method import Method
    from qpqcore.obs.metrics import Reading
    from qpqgateway.config import Config
    from trio_quic import IncomingCall, QuicConnection

log = structlog.get_logger()

CODE_NAMES = {int(code): code.name for code in ErrorCode}
DRAINING = b"draining"
SHED = Reply(code=int(TOO_MANY.code), detail=TOO_MANY.detail, retry_after_ms=TOO_MANY.retry_after_ms).to_bytes()
"""Made once: what is refused for want of time must cost none."""
HEALTH, HELLO, SUBSCRIBE = (m.number for m in api.METHODS)


class Observer(Protocol):
    """Counts what happens at the edge."""

    def call_finished(self, method: str, code: str, seconds: float) -> None:
        """A call was answered with `code` after `seconds`."""

    def connections(self, count: int) -> None:
        """So many connections are open."""


class NoObserver:
    """Counts nothing."""

    def call_finished(self, method: str, code: str, seconds: float) -> None:
        """Ignore."""

    def connections(self, count: int) -> None:
        """Ignore."""


class Gateway:
    """Answers QUIC calls; `on_call`, `on_connection` and `on_closed` are trio_quic's hooks."""

    def __init__(
        self, config: Config, bus: Bus, *, version: str, own_assertion: Callable[[], bytes], external_sender: tuple[bytes, bytes],
        notices: Notices, clock_ms: Callable[[], int], away: Callable[[], Sequence[str]] = tuple, observer: Observer | None = None,
        tracer: traces.Tracer | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self._bus = bus
        self._version = version
        self._external_sender = external_sender
        self._notices = notices
        self._clock_ms = clock_ms
        self._away = away
        self._observer = observer or NoObserver()
        self._tracer = tracer
        self._auth = Stub("auth", bus, own_assertion)
        self._delivery = Stub("delivery", bus)
        self._peers = Peers(
            anonymous_frame_bytes=config.anonymous_frame_bytes_max, frame_bytes=config.handshake_bytes_max
        )
        self._started_ms = clock_ms()
        self._draining = False
        self._forwarded = 0
        self.admission = Admission(
            "gateway", trio.current_time, delay_seconds=config.shed_delay_seconds,
            stay_seconds=config.shed_stay_seconds, idle=idle_seconds(),
        )  # fmt: skip
        self._wake_up_seconds = Histogram()
        self._polls: set[trio.CancelScope] = set()
        self._empty = trio.Event()

    def set_registration(self, registration: str) -> None:
        """Tell clients from now on that accounts are made so: open, token or closed."""
        self._config = replace(self._config, registration=registration)

    # --- connections

    def on_connection(self, connection: QuicConnection) -> None:
        """Begin with a connection."""
        self._peers.add(connection)
        self._observer.connections(len(self._peers.all))

    def on_closed(self, connection: QuicConnection) -> None:
        """Forget a connection."""
        self._peers.drop(connection)
        self._observer.connections(len(self._peers.all))
        if not self._peers.all:
            self._empty.set()
            self._empty = trio.Event()

    def readings(self) -> list[Reading]:
        """Return what the edge has open, as `qpqcore.obs.metrics` reads it."""
        peers = self._peers.all.values()
        return [
            ("qpq_connections_max", "Connections that there may be.", "", {"": self._config.connections_max}),
            (
                "qpq_connections_logged_in",
                "Of them those in a session.",
                "",
                {"": sum(bool(p.assertion) for p in peers)},
            ),
            (
                "qpq_subscriptions",
                "Mailboxes that are listened to.",
                "",
                {"": sum(len(p.subscriptions) for p in peers)},
            ),
            ("qpq_calls_in_flight", "Calls that a service works at.", "", {"": self._forwarded}),
            ("qpq_wakeup_latency_seconds", WAKE_UP_LATENCY, "waiter", {"subscribe": self._wake_up_seconds}),
            *self.admission.readings(),
        ]

    async def run(self) -> None:
        """End sessions as they are revoked, for ever."""
        with self._notices.subscribe(REVOKED) as notices:
            while True:
                await notices.wait()
                for _, payload in notices.receive_nowait():
                    self._peers.revoke(*read_revocation(payload))

    def begin_drain(self) -> None:
        """Tell all subscribers that this server goes away, and answer who polls; they reconnect elsewhere."""
        self._draining = True
        for poll in self._polls:
            poll.cancel()
        for peer in self._peers.all.values():
            for subscription in peer.subscriptions:
                subscription.put_nowait(DRAINING)

    async def wait_empty(self) -> None:
        """Wait until nobody is connected."""
        if self._peers.all:
            await self._empty.wait()

    # --- calls

    def on_call(self, incoming: IncomingCall) -> Coroutine[None, None, None] | None:
        """Answer a call at once, or return the coroutine that will."""
        started_s = trio.current_time()
        name = ""
        try:
            if incoming.violation is not None:
                raise rules.VIOLATIONS[incoming.violation]
            call = Call.from_bytes(incoming.frame)
            method = rules.method_of(call)
            name = method.name
            rules.check_frame(self._config, method, len(incoming.frame))
            rules.check_head(call)
            peer = self._peers.all[incoming.connection]
            check_caller(method, peer.caller)
            if method.number == SUBSCRIBE:
                return self._subscribe(incoming, peer, api.SubscribeParams.from_bytes(call.params))
            if method.number not in {HEALTH, HELLO}:
                return self._admit(incoming, peer, method, call, started_s)
            reply = Reply(result=self._own(method.number, peer, call.params))
        except Refusal as no:
            reply = self._refused(name, no)
        self._finish(incoming, name, reply, started_s)
        return None

    def _refused(self, name: str, no: Refusal) -> Reply:
        log.info("call_refused", method=name, code=no.code.name)
        return Reply(code=int(no.code), detail=no.detail, retry_after_ms=no.retry_after_ms)

    def _finish(self, incoming: IncomingCall, name: str, reply: Reply, started_s: float) -> None:
        incoming.reply(reply.to_bytes())
        if reply.code and reply.code not in rules.BLAMELESS and not self._peers.is_known(incoming.connection):
            incoming.connection.charge()
        self._observer.call_finished(name, CODE_NAMES[reply.code], trio.current_time() - started_s)

    def _own(self, number: int, peer: Peer, params: bytes) -> bytes:
        if number == HEALTH:
            api.HealthParams.from_bytes(params)
            away = self._away()
            uptime_ms = self._clock_ms() - self._started_ms
            status = ", ".join(away) + " away" if away else "ok"
            return api.HealthResult(status=status, version=self._version, uptime_ms=uptime_ms).to_bytes()
        hello = api.HelloParams.from_bytes(params)
        if hello.protocol != rules.PROTOCOL:
            raise Refusal(ErrorCode.VERSION_TOO_OLD, f"this server speaks protocol {rules.PROTOCOL}")
        c = self._config
        return api.HelloResult(
            protocol=rules.PROTOCOL, server_version=self._version, oldest_client=rules.OLDEST_CLIENT, domain=c.domain,
            challenge=peer.challenge, now_ms=self._clock_ms(), frame_bytes_max=c.frame_bytes_max,
            handshake_bytes_max=c.handshake_bytes_max, blob_bytes_max=c.blob_bytes_max,
            blob_chunk_bytes=c.blob_chunk_bytes, external_sender_credential=self._external_sender[0],
            external_sender_key=self._external_sender[1], registration=c.registration,
        ).to_bytes()  # fmt: skip

    def _admit(
        self, incoming: IncomingCall, peer: Peer, method: Method, call: Call, started_s: float
    ) -> Coroutine[None, None, None] | None:
        """Let a call in, or refuse it at once: no line in the log and no task, for there is no time."""
        counts, stranger, entered = refusable(method, call.params), not peer.assertion, None
        if self._forwarded < self._config.calls_max:
            entered = self.admission.enter(stranger=stranger) if counts else 0.0
        if entered is None:
            incoming.reply(SHED)
            self._observer.call_finished(method.name, TOO_MANY.code.name, trio.current_time() - started_s)
            return None
        self._forwarded += 1
        return self._forward(incoming, peer, method, call, started_s, entered if counts else None, stranger=stranger)

    async def _forward(
        self, incoming: IncomingCall, peer: Peer, method: Method, call: Call, started_s: float, entered: float | None,
        *, stranger: bool,
    ) -> None:  # fmt: skip
        if entered is not None:
            self.admission.begun(entered)
        try:
            if self._tracer is None:
                await self._pass(incoming, peer, method, call, started_s)
                return
            with traces.within(self._tracer.begin(f"gateway {method.name}", rules.trace_of(call))):
                await self._pass(incoming, peer, method, call, started_s)
        finally:
            self._forwarded -= 1
            if entered is not None:
                self.admission.left(stranger=stranger)  # also who is in a session by now

    async def _pass(self, incoming: IncomingCall, peer: Peer, method: Method, call: Call, started_s: float) -> None:
        try:
            await self._renew(peer)
            check_caller(method, peer.caller)
        except Refusal as no:
            self._finish(incoming, method.name, self._refused(method.name, no), started_s)
            return
        answer = await self._answer(
            Envelope(
                method=method.number,
                deadline_ms=rules.deadline_ms(self._config, call),
                assertion=peer.assertion,
                idempotency_key=call.idempotency_key,
                challenge=peer.challenge,
                address=peer.address,
                traceparent=rules.trace_of(call),
                body=call.params,
            )  # fmt: skip
        )
        if answer.assertion is not None and incoming.connection in self._peers.all:
            self._peers.bind(peer, answer.assertion)
        reply = Reply(
            code=answer.code, detail=answer.detail, retry_after_ms=answer.retry_after_ms, result=answer.result
        )
        if answer.code:
            log.info("call_refused", method=method.name, code=CODE_NAMES[answer.code])
        self._finish(incoming, method.name, reply, started_s)

    async def _answer(self, envelope: Envelope) -> BusReply:
        """Return a service's answer. A drain ends a long poll: the answer is what there is then."""
        if envelope.method != FETCH_WAIT:
            return await self._bus.call(envelope)
        with trio.CancelScope() as poll:
            self._polls.add(poll)
            if self._draining:
                poll.cancel()
            try:
                return await self._bus.call(envelope)
            finally:
                self._polls.discard(poll)
        return await self._bus.call(replace(envelope, body=rules.without_waiting(envelope.body)))

    async def _renew(self, peer: Peer) -> None:
        """Renew an assertion that ends soon; a session that is over ends here, and the caller is anonymous again."""
        if not peer.assertion or peer.expiry_ms - self._clock_ms() > self._config.renew_before_ms:
            return
        context = CallContext()
        session = peer.caller.session
        with trio.move_on_after(self._config.call_ms / 1000):
            try:
                await self._auth.renew_assertion(context, RenewAssertionParams(assertion=peer.assertion))
            except Refusal as no:
                if no.code is not ErrorCode.UNAUTHENTICATED:
                    raise
                if peer.caller.session == session:
                    self._peers.bind(peer, b"")
        if context.outcome.assertion and peer.caller.session == session:
            self._peers.bind(peer, context.outcome.assertion)

    # --- subscribe

    async def _subscribe(self, incoming: IncomingCall, peer: Peer, params: api.SubscribeParams) -> None:
        if len(peer.subscriptions) >= self._config.subscriptions_max:
            no = Refusal(ErrorCode.OVERLOADED, "too many subscriptions", retry_after_ms=RETRY_MS)
            self._finish(incoming, "subscribe", self._refused("subscribe", no), trio.current_time())
            return
        device = peer.caller.device
        topics = (mailbox_topic(device), signal_topic(device), stock_topic(device))
        code = ErrorCode.UNAVAILABLE
        with self._notices.subscribe(*topics) as notices:
            peer.subscriptions.add(notices)
            try:
                await self._stream(incoming, peer, params, notices)
            except Refusal as no:
                code = no.code
                await incoming.send(self._refused("subscribe", no).to_bytes())
            finally:
                peer.subscriptions.discard(notices)
        incoming.finish()
        self._observer.call_finished("subscribe", code.name, 0.0)

    async def _stream(
        self, incoming: IncomingCall, peer: Peer, params: api.SubscribeParams, notices: Subscription
    ) -> None:
        """Send what comes until the session ends, which is a Refusal.

        What follows what was sent last, and came whole with its notice, is sent as it is; else the mailbox is read.
        """
        mailbox = mailbox_topic(peer.caller.device)
        position, ready, look, untold = params.after, False, True, False
        if self._draining:
            notices.put_nowait(DRAINING)
        while True:
            told = []
            for topic, payload in notices.receive_nowait():
                if topic == mailbox:
                    told.append(payload)
                else:
                    await self._pass_on(incoming, peer, topic, payload)
            await self._renew(peer)
            if not peer.caller.device:
                raise Refusal(ErrorCode.UNAUTHENTICATED, "the session is over")
            entries, complete = rules.following(position, told)
            if not ready or look or not complete or 0 < params.max_entries < len(entries):
                page = await self._delivery.fetch(
                    CallContext(assertion=peer.assertion, address=peer.address),
                    FetchParams(after=position, max_entries=params.max_entries),
                )
                entries, look = page.entries, bool(page.entries) and page.entries[-1].number < page.last
                # Nothing stands between the last entry that is there and what comes next: the rest was acknowledged.
                position = max(position, page.entries[-1].number if look else page.last)
            else:
                position += len(entries)
            if entries:
                self._notices.wake_ups.fallback += untold
                untold = False
                if ready:
                    self._wake_up_seconds.observe(max(0, self._clock_ms() - entries[0].accepted_ms) / 1000)
                await self._send(incoming, api.SubscribeEvent(which="entries", entries=entries))
            if look:
                continue
            if not ready:
                ready = True
                await self._send(incoming, api.SubscribeEvent(which="ready", ready=page.last))
            with trio.move_on_after(rules.look_again_seconds(self._config, self._notices)) as scope:
                await notices.wait()
            look = untold = scope.cancelled_caught

    async def _pass_on(self, incoming: IncomingCall, peer: Peer, topic: bytes, payload: bytes) -> None:
        device = peer.caller.device
        if topic == ENDED:
            raise Refusal(ErrorCode.UNAUTHENTICATED, "the session is over")
        if topic == DRAINING:
            await self._send(incoming, api.SubscribeEvent(which="goingAway", going_away=self._config.going_away_ms))
        elif topic == signal_topic(device):
            signal = api.SubscribeEventSignal.from_bytes(payload)
            await self._send(incoming, api.SubscribeEvent(which="signal", signal=signal))
        elif topic == stock_topic(device):
            low = api.SubscribeEventLowStock.from_bytes(payload)
            await self._send(incoming, api.SubscribeEvent(which="lowStock", low_stock=low))

    @staticmethod
    async def _send(incoming: IncomingCall, event: api.SubscribeEvent) -> None:
        await incoming.send(Reply(result=event.to_bytes()).to_bytes())
