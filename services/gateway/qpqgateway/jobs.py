"""What the gateway does by the clock: it goes on to the next Retry key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from qpqgateway import rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio_quic import QuicEndpoint

RETRY_LOOK_MS = 30_000
"""So often at least the wall clock is looked at, which may be set meanwhile: all gateways go by it."""


async def rotate_retry_keys(endpoint: QuicEndpoint, secret: bytes, clock_ms: Callable[[], int]) -> None:
    """Use the Retry keys of the time, for ever."""
    while True:
        now_ms = clock_ms()
        endpoint.set_retry_keys(*rules.retry_keys(secret, now_ms))
        await trio.sleep(min(rules.retry_keys_change_ms(now_ms), RETRY_LOOK_MS) / 1000)
