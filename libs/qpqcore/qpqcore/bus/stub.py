"""A service seen over a bus: the same methods, so that a caller cannot tell it from the object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from qpqcore.api.methods import METHODS
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.envelope import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.bus.base import Bus
    from qpqcore.model.call import CallContext
    from qpqcore.model.method import Method

DEADLINE_MS_MAX = 60_000
"""For a caller that brings no deadline of its own."""


class Stub:
    """Every method of one service, called through a bus.

    `sender()` gives the calling service's own assertion; it travels beside the user's.
    """

    def __init__(self, service: str, bus: Bus, sender: Callable[[], bytes] = lambda: b"") -> None:
        self._bus = bus
        self._sender = sender
        self._methods = {m.attribute: m for m in METHODS.values() if m.service == service}

    def __getattr__(self, name: str) -> Any:
        method = self.__dict__.get("_methods", {}).get(name)
        if method is None:
            raise AttributeError(name)

        async def call(context: CallContext, params: Any) -> Any:
            return await self._call(method, context, params)

        return call

    async def _call(self, method: Method, context: CallContext, params: Any) -> Any:
        left_ms = (context.deadline_s - trio.current_time()) * 1000
        reply = await self._bus.call(
            Envelope(
                method=method.number,
                deadline_ms=max(0, int(min(left_ms, DEADLINE_MS_MAX))),
                assertion=context.assertion,
                idempotency_key=context.idempotency_key,
                challenge=context.challenge,
                address=context.address,
                sender=self._sender(),
                traceparent=context.traceparent,
                body=params.to_bytes(),
            )  # fmt: skip
        )
        if reply.code:
            raise Refusal(ErrorCode(reply.code), reply.detail, retry_after_ms=reply.retry_after_ms)
        context.outcome.assertion = reply.assertion
        return method.result.from_bytes(reply.result)  # type: ignore[attr-defined]  # every generated struct has it
