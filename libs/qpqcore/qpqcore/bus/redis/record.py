"""The revocations of the last minutes: told at once, and kept where who missed the telling reads them.

1. A revocation is told and put on record in one step; what Redis has not acknowledged is told again, for KEPT_SECONDS.
2. Redis may lose the record: whoever told a revocation within that time tells it again at each new connection.
3. Who begins to listen, or again, reads the record once its subscription is confirmed: nothing lies in between.
4. What still gets lost costs five minutes: assertions end by themselves, and auth's store does not renew them.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

import structlog
import trio
from coredis.exceptions import AskError

from qpqcore.bus.notices import REVOCATIONS_MAX
from qpqcore.bus.redis.node import Away, Command
from qpqcore.bus.redis.soundness import Nonsense

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.bus.redis.shards import Shards

log = structlog.get_logger()

KEPT_SECONDS = 600
"""Twice as long as an assertion lives: a gateway that was cut off for longer has no assertion left that matters."""
BATCH_MAX = 64
TELL = b"""
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local kept = ARGV[1] * 1000
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - kept)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
redis.call('PEXPIRE', KEYS[1], kept)
return redis.call(ARGV[4], KEYS[1], ARGV[2])
"""
"""KEYS: the record, which is also the channel's name. ARGV: seconds kept, sealed revocation, number kept, publish command."""


class Record:
    """What this process has revoked, and the record that all share."""

    def __init__(
        self, shards: Shards, channel: bytes, *, tell_anyway: Callable[[bytes], None], found: Callable[[bytes], None],
        met: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        self._shards = shards
        self._channel = channel
        self._tell_anyway = tell_anyway
        self._found = found
        self._met = met
        self._own: deque[tuple[float, bytes]] = deque(maxlen=REVOCATIONS_MAX)
        self._untold: deque[bytes] = deque(maxlen=REVOCATIONS_MAX)
        self._unread = False
        self._wake = trio.Event()
        self._told = trio.Event()

    async def wait_told(self) -> None:
        """Wait until nothing is left that Redis has not acknowledged."""
        while self._untold:
            await self._told.wait()

    def add(self, sealed: bytes) -> None:
        """Tell a revocation, and put it on record."""
        self._own.append((trio.current_time() + KEPT_SECONDS, sealed))
        self._untold.append(sealed)
        self._wake.set()

    def on_up(self) -> None:
        """A server is there again, or another one: it may know nothing."""
        now = trio.current_time()
        while self._own and self._own[0][0] <= now:
            self._own.popleft()
        self._untold = deque((sealed for _, sealed in self._own), maxlen=REVOCATIONS_MAX)
        self._wake.set()

    def go_on(self) -> None:
        """Try again what was left undone: its server may be another one now."""
        self._wake.set()

    def on_heard(self) -> None:
        """The subscription is confirmed: read what was told before."""
        self._unread = True
        self._wake.set()

    async def run(self) -> None:
        """Tell and read, for ever."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            try:
                await self._tell()
                if self._unread:
                    await self._read()
            except Away:
                pass  # the next on_up wakes this again

    async def _send(self, commands: list[Command]) -> list[Any]:
        node = self._shards.node_of(self._channel)
        if node is None:
            raise Away("no server has the record")
        answers = await node.send(commands)
        if any(isinstance(answer, AskError) for answer in answers):
            self._shards.look_again()
            raise Away("the record has moved")
        return answers

    async def _tell(self) -> None:
        publish = b"SPUBLISH" if self._shards.cluster else b"PUBLISH"
        while self._untold:
            batch = list(islice(self._untold, BATCH_MAX))
            answers = await self._send(
                [Command(b"EVAL", (TELL, 1, self._channel, KEPT_SECONDS, s, REVOCATIONS_MAX, publish)) for s in batch]
            )
            for sealed, answer in zip(batch, answers, strict=True):
                if self._untold and self._untold[0] is sealed:
                    self._untold.popleft()
                if type(answer) is not int:
                    # Out of memory, as it may be: telling needs none.
                    refused = answer if isinstance(answer, Exception) else Nonsense("a revocation", answer)
                    log.error("revocation_not_recorded", reason=str(refused))
                    self._met(refused)
                    self._tell_anyway(sealed)
            self._told.set()
            self._told = trio.Event()

    async def _read(self) -> None:
        (found,) = await self._send([Command(b"ZRANGE", (self._channel, 0, -1))])
        self._unread = False
        if not isinstance(found, list) or not all(isinstance(sealed, bytes) for sealed in found):
            refused = found if isinstance(found, Exception) else Nonsense("ZRANGE", found)
            log.error("revocations_not_read", reason=str(refused))
            self._met(refused)
            return
        for sealed in found:
            self._found(sealed)
