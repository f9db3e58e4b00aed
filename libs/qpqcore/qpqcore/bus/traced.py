"""The bus and a service's entrance where traces are wanted: spans around what goes through them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qpqcore.api.methods import METHODS
from qpqcore.model.errors import ErrorCode
from qpqcore.obs import traces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqcore.bus.base import Bus
    from qpqcore.wire.envelope import BusReply, Envelope

CODE = "qpq.code"


def _name(envelope: Envelope) -> str:
    method = METHODS.get(envelope.method)
    return method.name if method is not None else "unknown"


class TracedBus:
    """A bus whose calls are steps of the present span; what is not traced asks nobody to trace it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def call(self, envelope: Envelope) -> BusReply:
        """Call the service."""
        span = traces.step(f"bus {_name(envelope)}")
        if span is None:
            return await self._bus.call(replace(envelope, traceparent=traces.not_kept(envelope.traceparent)))
        with traces.within(span):
            reply = await self._bus.call(replace(envelope, traceparent=span.traceparent))
            span.note(CODE, ErrorCode(reply.code).name.lower())
            return reply


class TracedEntrance:
    """A service's entrance that goes on with its callers' traces."""

    def __init__(self, entrance: Callable[..., Awaitable[BusReply]], tracer: traces.Tracer, service: str) -> None:
        self._entrance = entrance
        self._tracer = tracer
        self._service = service

    async def __call__(self, envelope: Envelope, peer: str = "") -> BusReply:
        """Answer one call."""
        span = self._tracer.follow(f"{self._service} {_name(envelope)}", envelope.traceparent)
        with traces.within(span):
            reply = await self._entrance(envelope, peer)
            if span is not None:
                span.note(CODE, ErrorCode(reply.code).name.lower())
            return reply
