"""What a service does beside its calls: again and again, whatever happens to one round.

A full disk or a busy neighbour must not end the process: the round is logged and the next one tries again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio

from qpqcore.model.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()


async def repeat(service: str, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`, then wait, for ever. A `Refusal` ends a round; anything else is a fault and is raised."""
    while True:
        try:
            await work()
        except Refusal as no:
            log.warning("background_work_waits", service=service, code=no.code.name)
        await trio.sleep(seconds)
