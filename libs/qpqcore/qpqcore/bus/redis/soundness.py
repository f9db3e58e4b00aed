"""What is wrong with a Redis that is there: for `/readyz`, the page of metrics, and, once a change, the log.

1. Whoever meets something notes it. Besides, every server is asked each PROBE_SECONDS to keep a value and to give it back:
   one that is full shows so though nobody logs in.
2. A check that was failed counts as failed until nothing has failed it for HELD_SECONDS.
3. Nothing is decided by it: what is refused or makes no sense is treated as if Redis were away, where it is met.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING

import structlog
import trio
from coredis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)

from qpqcore.bus.redis.node import Away, Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.bus.redis.node import Node

log = structlog.get_logger()

PROBE_SECONDS = 5.0
"""As often as a connection is proven: two small commands."""
HELD_SECONDS = 30.0
"""Longer than the time between two probes, and than between two scrapes: nothing that was wrong is missed."""
KEPT_MS = 30_000
"""How long the value of a probe is kept: until the next one, and it ends by itself where there is none."""
REASON_CHARS_MAX = 200
"""Of what a server says that may be anybody's."""
ELSEWHERE = (AskError, TryAgainError, ClusterDownError, ReadOnlyError, BusyLoadingError, NoScriptError)
"""Refusals that belong to a cluster in motion, a change of the primary, or a restart."""


class Check(StrEnum):
    """What a Redis has to pass; the value is the label of `qpq_redis_sound`."""

    COMMANDS = "commands"
    ANSWERS = "answers"
    SEALS = "seals"


LINES = {
    Check.COMMANDS: "redis refuses commands",
    Check.ANSWERS: "redis answers nonsense",
    Check.SEALS: "redis carries what our key has not sealed",
}
"""What `/readyz` says where a check is failed."""


class Nonsense(Exception):
    """An answer that is none to what was asked."""

    def __init__(self, to: str, answer: object) -> None:
        super().__init__(f"to {to}: {type(answer).__name__}")


class Soundness:
    """The checks of one process; `run` ends what is over."""

    def __init__(self) -> None:
        self._until: dict[Check, float] = {}
        self.changed = trio.Event()
        """Set at the next thing that is noted or over."""

    def lines(self) -> tuple[str, ...]:
        """Return what is wrong."""
        return tuple(line for check, line in LINES.items() if check in self._until)

    def values(self) -> dict[str, int]:
        """Return for each check 1 if it is passed."""
        return {check.value: 0 if check in self._until else 1 for check in Check}

    def note(self, check: Check, reason: str) -> None:
        """Say that a check was failed."""
        if check not in self._until:
            log.warning("redis_unsound", check=check.value, reason=reason[:REASON_CHARS_MAX])
        self._until[check] = trio.current_time() + HELD_SECONDS
        self._change()

    def met(self, exc: Exception) -> None:
        """Note what a command came to, where it says something of the server."""
        if isinstance(exc, Nonsense):
            self.note(Check.ANSWERS, str(exc))
        elif isinstance(exc, RedisError) and not isinstance(exc, ELSEWHERE):
            self.note(Check.COMMANDS, str(exc))

    def _change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    async def run(self) -> None:
        """End what has not been met for a while, for ever."""
        while True:
            if not self._until:
                await self.changed.wait()
                continue
            await trio.sleep_until(min(self._until.values()))
            for check in [c for c, until in self._until.items() if until <= trio.current_time()]:
                del self._until[check]
                log.info("redis_sound", check=check.value)
                self._change()

    async def prove(self, node: Node, name: Callable[[], bytes | None], origin: bytes) -> None:
        """Have a server keep a value and give it back, again and again while it is up. `name`: of a key that it has."""
        for number in count():
            # First of all too: a cluster's server that has just started knows nothing of its part yet.
            await trio.sleep(PROBE_SECONDS)
            key, value = name(), origin + number.to_bytes(8, "big")
            if key is None:
                continue
            try:
                answers = await node.send([Command(b"SET", (key, value, b"PX", KEPT_MS)), Command(b"GET", (key,))])
            except Away:
                return  # the node ends this with its connections
            self._judge(value, *answers)

    def _judge(self, value: bytes, kept: object, given: object) -> None:
        for answer in (kept, given):
            if isinstance(answer, Exception):
                self.met(answer)
        if isinstance(kept, Exception) or isinstance(given, Exception):
            return
        # Nothing: it may have been emptied in between, or be so full that it threw the value out again.
        if kept != b"OK" or (given is not None and given != value):
            self.met(Nonsense("a value kept", given))
