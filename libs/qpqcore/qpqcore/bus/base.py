"""The bus as its users see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from qpqcore.wire.envelope import BusReply, Envelope


class Bus(Protocol):
    """Carries an Envelope to the service that owns its method."""

    async def call(self, envelope: Envelope) -> BusReply:
        """Return the service's answer; never raises for anything that the service did.

        Cancelling the caller cancels the callee. A service that is not there is `unavailable`.
        """
