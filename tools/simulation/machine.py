"""The machine that a simulation runs on: a clock that jumps, dice from a seed, threads that run at once.

Keys made inside mls-rs and opaque-ke come from those libraries' own generators; nothing decides by their bytes, and
no trace holds them.
"""

from __future__ import annotations

import gc
import random  # noqa: TID251 - the simulation's dice, seeded
import secrets
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import trio
import trio.testing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

BEGIN_S = 1_767_225_600
"""2026-01-01: the simulated clocks' beginning."""


async def _at_once(work: Callable[..., Any], *arguments: Any, **_options: Any) -> Any:
    """Run what would be a thread's work; the simulation has one thread."""
    await trio.lowlevel.checkpoint()
    return work(*arguments)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let everything that is drawn in Python come from the seed."""
    dice = random.Random(f"secrets {seed}")  # noqa: S311 - a simulation
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(secrets, "token_bytes", lambda count=32: dice.randbytes(count)))
        stack.enter_context(mock.patch.object(trio.to_thread, "run_sync", _at_once))
        # Trio shuffles what it runs next, so that nobody relies on an order: here it shuffles alike each time.
        stack.enter_context(mock.patch.object(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True))
        trio._core._run._r.seed(seed)
        random.seed(seed)
        gc.collect()
        gc.disable()
        stack.callback(gc.enable)
        yield


def run(seed: int, play: Callable[[], Awaitable[Any]]) -> Any:
    """Run an async function on the simulated machine; return what it returns."""
    with _seeded(seed):
        return trio.run(play, clock=trio.testing.MockClock(autojump_threshold=0), strict_exception_groups=True)


class Clock:
    """The wall clock of the simulated world; each process may have a skew of its own."""

    def __init__(self) -> None:
        self._jumped_ms = 0

    def now_ms(self) -> int:
        """Return milliseconds since 1970, as the world has them."""
        return BEGIN_S * 1000 + self._jumped_ms + int(trio.current_time() * 1000)

    def jump(self, seconds: int) -> None:
        """Let time pass at once: all machines were off."""
        self._jumped_ms += seconds * 1000
