"""The embedded form's bus: the service is in this process, and a call is a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.model.errors import ErrorCode
from qpqcore.wire.envelope import BusReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqcore.wire.envelope import Envelope


class LocalBus:
    """Hands an Envelope to the dispatcher of the service that owns its method."""

    def __init__(self) -> None:
        self._services: dict[int, Callable[[Envelope], Awaitable[BusReply]]] = {}

    def add(self, service: int, dispatcher: Callable[[Envelope], Awaitable[BusReply]]) -> None:
        """Register a service under its number."""
        self._services[service] = dispatcher

    async def call(self, envelope: Envelope) -> BusReply:
        """Call the service; `unavailable` when it is not there."""
        dispatcher = self._services.get(envelope.method >> 8)
        if dispatcher is None:
            return BusReply(code=int(ErrorCode.UNAVAILABLE), detail="this part of the server is away")
        return await dispatcher(envelope)
