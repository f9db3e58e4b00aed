"""The entrance of a service: an Envelope in, a reply out, nothing else escapes.

1. The method must be this service's, and its caller class must fit the verified caller: default deny.
2. The deadline is enforced here too; the parameters are decoded once, wholly.
3. A Refusal crosses as itself; anything unexpected becomes `internal` and its text stays here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import structlog
import trio

from qpqcore.api.methods import METHODS
from qpqcore.bus.allowed import check_carrier
from qpqcore.crypto.assertion import read_claims
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.method import CallerClass, Method
from qpqcore.wire.envelope import BusReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.crypto.assertion import AssertionVerifier
    from qpqcore.wire.envelope import Envelope

log = structlog.get_logger()

SAID_EVERY_MS = 60_000
"""Clocks that differ are said once in this time, not for each call."""
OF_DEVICES = frozenset({CallerClass.DEVICE, CallerClass.MEMBER, CallerClass.MEMBER_ACCOUNT, CallerClass.OWNER})


def may_call(method: Method, caller: Caller) -> bool:
    """Tell whether a caller of this kind may call the method at all.

    Of which channel or object a caller has to be, the service decides.
    """
    kind, needed = caller.kind, method.caller
    if needed in {CallerClass.ANONYMOUS, CallerClass.SENDER}:
        return kind in {CallerKind.ANONYMOUS, CallerKind.ACCOUNT, CallerKind.SERVICE}
    if needed is CallerClass.ACCOUNT:
        return kind is CallerKind.ACCOUNT
    if needed in OF_DEVICES:
        return kind is CallerKind.ACCOUNT and bool(caller.device)
    if needed is CallerClass.PEER:
        return kind is CallerKind.PEER
    return needed is CallerClass.SERVICE and kind is CallerKind.SERVICE and caller.name in method.by


def check_caller(method: Method, caller: Caller) -> None:
    """Refuse a caller who may not call: unauthenticated without a session, else forbidden."""
    if may_call(method, caller):
        return
    if caller.kind is CallerKind.ANONYMOUS and method.caller not in {
        CallerClass.PEER,
        CallerClass.SERVICE,
        CallerClass.NOBODY,
    }:
        raise Refusal(ErrorCode.UNAUTHENTICATED, "log in first")
    raise Refusal(ErrorCode.FORBIDDEN, f"{method.name} is not for this caller")


class Observer(Protocol):
    """Counts calls."""

    def call_finished(self, method: str, code: str, seconds: float) -> None:
        """A call was answered with `code` after `seconds`."""


class Dispatcher:
    """Answers Envelopes with the methods of one service object."""

    def __init__(
        self, service: int, target: object, verifier: AssertionVerifier, *, clock_ms: Callable[[], int],
        observer: Observer | None = None,
    ) -> None:  # fmt: skip
        self._observer = observer
        self._verifier = verifier
        self._clock_ms = clock_ms
        self._said_ms = -SAID_EVERY_MS
        self._methods = {
            number: (method, getattr(target, method.attribute))
            for number, method in METHODS.items()
            if number >> 8 == service and not method.streams
        }

    async def __call__(self, envelope: Envelope, peer: str = "") -> BusReply:
        """Answer one call. `peer`: the service whose certificate it came by; empty within one process."""
        if self._observer is None:
            return await self._judged(envelope, peer)
        begun_s = trio.current_time()
        reply = await self._judged(envelope, peer)
        name = self._methods[envelope.method][0].name if envelope.method in self._methods else ""
        self._observer.call_finished(name, ErrorCode(reply.code).name, trio.current_time() - begun_s)
        return reply

    async def _judged(self, envelope: Envelope, peer: str) -> BusReply:
        try:
            return await self._answer(envelope, peer)
        except Refusal as no:
            return BusReply.refused(no)
        except trio.TooSlowError:
            return BusReply(code=int(ErrorCode.DEADLINE_EXCEEDED), detail="the time for this call is over")
        except Exception:
            log.exception("call_failed", method=envelope.method)
            return BusReply(code=int(ErrorCode.INTERNAL), detail="internal error")

    def _verified(self, assertion: bytes, now_ms: int) -> Caller:
        try:
            return self._verifier.verify(assertion, now_ms)
        except Refusal as no:
            if no.code is ErrorCode.UNAVAILABLE and now_ms - self._said_ms >= SAID_EVERY_MS:
                self._said_ms = now_ms
                claims = read_claims(assertion)
                log.warning("clocks_differ", issuer=claims.issuer, late_seconds=(now_ms - claims.expiry_ms) // 1000)
            raise

    async def _answer(self, envelope: Envelope, peer: str) -> BusReply:
        found = self._methods.get(envelope.method)
        if found is None:
            raise Refusal(ErrorCode.UNKNOWN_METHOD)
        method, body = found
        now_ms = self._clock_ms()
        caller = self._verified(envelope.assertion or envelope.sender, now_ms)
        if method.internal:
            caller = self._verified(envelope.sender, now_ms)
        check_caller(method, caller)
        if peer:
            check_carrier(method, caller, peer)
        call = CallContext(
            caller=caller, assertion=envelope.assertion,
            deadline_s=trio.current_time() + envelope.deadline_ms / 1000,
            idempotency_key=envelope.idempotency_key, traceparent=envelope.traceparent,
            challenge=envelope.challenge, address=envelope.address, now_ms=now_ms,
        )  # fmt: skip
        params: Any = method.params.from_bytes(envelope.body)  # type: ignore[attr-defined]  # every generated struct has it
        with trio.fail_at(call.deadline_s):
            result: Any = await body(call, params)
        return BusReply(assertion=call.outcome.assertion, result=result.to_bytes())
