"""Signals that go to other domains: tried once, for a moment, and nobody waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.api import federation as fed
from qpqcore.api.delivery import Guest, SignalResult
from qpqcore.bus.abroad import ask_peer
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import Refusal
from qpqcore.model.ids import domain_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.api.delivery import SignalParams
    from qpqcore.model.call import CallContext as Call

log = structlog.get_logger()

SELF = Caller(CallerKind.SERVICE, name="delivery")
NUMBERS = {m.params: m.number for m in fed.METHODS if not m.internal}
WAITING_MAX = 256
"""Signals on their way, 2 KiB each at most; of more the newest are not sent."""
AT_ONCE_MAX = 16
"""Calls: a domain that is slow takes these for a second, and what comes meanwhile waits, or is not sent."""
SIGNAL_SECONDS_MAX = 2.0
"""Who typed so long ago has sent it."""


class Signals:
    """Carries signals up to homes and down to other domains' devices."""

    def __init__(self, federation: fed.FederationInternalApi | None) -> None:
        self._federation = federation
        self._put, self._waiting = trio.open_memory_channel[
            tuple[str, fed.RelaySignalParams | fed.DeliverSignalParams]
        ](WAITING_MAX)
        self.dropped = 0
        """For tests, and whoever looks with a debugger: signals promise nothing."""

    def up(self, call: Call, signal: SignalParams) -> None:
        """Let a channel's home know what a device of ours signals."""
        sender = Guest(account=call.caller.account, device=call.caller.device)
        self._send(domain_of(signal.channel), fed.RelaySignalParams(sender=sender, signal=signal))

    def down(self, domain: str, devices: Sequence[bytes], signal: SignalParams) -> None:
        """Let devices of another domain know what is signalled in a channel of ours."""
        self._send(domain, fed.DeliverSignalParams(targets=tuple(devices), signal=signal))

    def _send(self, domain: str, params: fed.RelaySignalParams | fed.DeliverSignalParams) -> None:
        try:
            self._put.send_nowait((domain, params))
        except trio.WouldBlock:
            self.dropped += 1

    async def run(self) -> None:
        """Send what comes, for ever."""
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE_MAX):
                nursery.start_soon(self._keep_sending)

    async def _keep_sending(self) -> None:
        async for domain, params in self._waiting:
            call = CallContext(caller=SELF, deadline_s=trio.current_time() + SIGNAL_SECONDS_MAX)
            method = NUMBERS[type(params)]
            try:
                with trio.move_on_after(SIGNAL_SECONDS_MAX):
                    await ask_peer(self._federation, SELF, call, domain, method, params, SignalResult)
            except Refusal as no:
                log.debug("signal_lost", peer=domain, code=no.code.name)
