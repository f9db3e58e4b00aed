"""Which limits a call spends, and when: first the caller's own, the channel's once it is known who comes.

A channel's id is no secret: whoever has it, or had it as a member, spends nothing of what its members share. Each of these
has at most half of that, so that none stops the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.bus.limits import enforce, look

if TYPE_CHECKING:
    from qpqcore.api.delivery import EnqueueParams
    from qpqcore.bus.limits import Limiter
    from qpqcore.model.call import CallContext
    from qpqdelivery.config import Config


class Limits:
    """Spends them. All ids have been checked: they become keys. Each method: Refusal(rateLimited)."""

    def __init__(self, config: Config, limiter: Limiter) -> None:
        self._config = config
        self._limiter = limiter

    def offered(self, call: CallContext, channel: bytes) -> None:
        """Spend what the caller's account has of its own, for a commit, a proposal or a reset."""
        key, rate = b"m" + _both(call.caller.account, channel), self._config.handshake_per_account
        enforce(self._limiter, key, rate, call.now_ms)

    def offered_by_member(self, call: CallContext, channel: bytes) -> None:
        """Spend what the channel's members share for these."""
        enforce(self._limiter, b"h" + channel, self._config.handshake_per_channel, call.now_ms)

    def message(self, call: CallContext, channel: bytes) -> None:
        """Spend what the calling device and its account have of their own, for a message, unless the channel has had too many."""
        look(self._limiter, b"q" + channel, self._config.enqueue_per_channel, call.now_ms)
        account, device = call.caller.account, call.caller.device
        enforce(self._limiter, b"e" + device, self._config.enqueue_per_device, call.now_ms)
        enforce(self._limiter, b"k" + _both(account, channel), self._config.enqueue_per_account, call.now_ms)

    def look_sealed(self, call: CallContext, channel: bytes) -> None:
        """Spend nothing: refuse a message of nobody, before its signature is looked at, where the channel has had too many."""
        look(self._limiter, b"q" + channel, self._config.enqueue_per_channel, call.now_ms)

    def sealed(self, call: CallContext, params: EnqueueParams) -> None:
        """Spend, for a message whose signature holds, what those have who know its epoch's write key.

        Who was removed knows those of earlier epochs, and spends nothing of the present one's.
        """
        key = b"s%d/%d/%s" % (params.generation, params.epoch, params.channel)
        enforce(self._limiter, key, self._config.enqueue_sealed, call.now_ms)

    def taken(self, channel: bytes, now_ms: int) -> None:
        """Spend what the channel's members share, for a message that is in its log: only now is it known that one sent it.

        Of a call that was cancelled before it was known, nothing: it has spent its sender's own.
        """
        self._limiter.pay(b"q" + channel, self._config.enqueue_per_channel, now_ms)


def _both(account: bytes, channel: bytes) -> bytes:
    """Return a key of two ids: a domain has no zero byte."""
    return account + b"\0" + channel
