"""What a service does beside its calls: again and again, whatever happens to one round.

A full disk or a busy neighbour must not end the process: the round is logged and the next one comes soon. What waits for it
may be people's: a message that is in its channel's log and not in all mailboxes yet gets there by delivery's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()

AGAIN_SECONDS_MIN, AGAIN_SECONDS_MAX = 0.5, 5.0
"""Between a round that was refused and the next one, ever longer: a database that is away refuses at once, and costs little."""


async def repeat(service: str, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`, then wait, for ever. A `Refusal` ends a round; anything else is a fault and is raised."""
    said: ErrorCode | None = None
    again_seconds = AGAIN_SECONDS_MIN
    while True:
        try:
            await work()
        except Refusal as no:
            if no.code is not said:
                log.warning("background_work_waits", service=service, code=no.code.name)
            said = no.code
            await trio.sleep(min(again_seconds, seconds))
            again_seconds = min(2 * again_seconds, AGAIN_SECONDS_MAX)
        else:
            said, again_seconds = None, AGAIN_SECONDS_MIN
            await trio.sleep(seconds)
