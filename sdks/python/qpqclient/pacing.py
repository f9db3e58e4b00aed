"""When to try again: never all at once, and not before the server said."""

from __future__ import annotations

import random  # noqa: TID251 - jitter of back-off only; nothing secret depends on it
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from qpqclient.errors import Refused

BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 5.0
LATER_SECONDS_MIN = 0.1
"""Where the server names no time."""


def jitter() -> float:
    """Return a factor between 0.5 and 1.5."""
    return 0.5 + random.random()  # noqa: S311 - jitter


def share() -> float:
    """Return a number between 0 and 1."""
    return random.random()  # noqa: S311 - jitter


def later(no: Refused) -> float:
    """Return the seconds until a call that was refused for now may come again: what the server said, and up to as much again
    by chance. All that it refused in one moment would else come back in one moment.
    """
    return max(no.retry_after_ms / 1000, LATER_SECONDS_MIN) * (1 + share())


async def pause(seconds: float) -> None:
    """Wait, and no longer than `BACKOFF_SECONDS_MAX`, also where a server asked for more.

    That is for a server that has no time, and may have sooner. A rate is exact: `Connection.call` waits as long as it says.
    """
    await trio.sleep(min(max(seconds, 0.0), BACKOFF_SECONDS_MAX))
