"""Limits that many processes share, by GCRA in Redis's own time; without Redis each keeps its own, never open and never closed.

* `take` decides at once, from what this process knows. It tells Redis of takings in lumps of a sixteenth of the burst, and
  learns from the answer what the others have taken: n processes together let through the rate, and n/16 bursts beside it.
* `take_all` is decided in Redis, by one script for all its keys. What Redis refused is refused here until it is due.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
import trio
from coredis.exceptions import AskError, NoScriptError, RedisError

from qpqcore.bus.limits import LocalLimiter, Rate, Table, keep, name_of
from qpqcore.bus.redis.node import Away, Command
from qpqcore.bus.redis.soundness import Nonsense

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.bus.limits import Taking
    from qpqcore.bus.redis.node import Node
    from qpqcore.bus.redis.sealing import Seal
    from qpqcore.bus.redis.shards import Shards
    from qpqcore.bus.redis.soundness import Soundness

log = structlog.get_logger()

ANSWER_SECONDS = 0.25
"""A log-in waits so long for Redis; then this process decides alone."""
SHARE = 16
"""Of a burst: told at once. Less would ask Redis more often, more would let through more."""
LUMPS_MAX = 10_000
"""Keys whose takings wait to be told; past it they wait with their next one."""
BATCH_MAX = 128
US = 1_000_000

SCRIPT = b"""
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local due, refused = {}, 0
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local kept = tonumber(redis.call('GET', key) or 0) or 0
  due[i] = math.min(math.max(kept, now), now + 2 * burst * interval)
  if ARGV[1] == 'take' and due[i] - now > interval * (burst - 1) then refused = 1 end
end
for i, key in ipairs(KEYS) do
  if refused == 0 then
    local interval, burst, count = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
    due[i] = math.min(due[i] + interval * count, now + 2 * burst * interval)
    redis.call('SET', key, string.format('%.0f', due[i]), 'PX', math.ceil((due[i] - now) / 1000))
  end
  due[i] = math.ceil(due[i] - now)
end
return {refused, unpack(due)}
"""
"""KEYS: of the limits. ARGV: take or note; for each key microseconds a taking pays for, burst, takings. Answer: whether it was
refused, and for each key the microseconds until all of it is there again. A debt is at most two bursts: what many let through
before they knew of each other is paid back, and no mistake locks anybody out for longer.
"""
SCRIPT_SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()


class Lump(NamedTuple):
    """Takings of one key that Redis does not know of."""

    rate: Rate
    takings: int
    now_ms: int


def _triple(rate: Rate, count: int) -> tuple[float, int, int]:
    return rate.per_seconds * US / rate.count, rate.burst, count


def read_answer(answer: Any, rates: Sequence[Rate]) -> tuple[bool, list[int]]:
    """Return whether it was refused, and for each limit the microseconds until all of it is there again.

    Nonsense for what the script cannot have said: who listens to that is open, or closed for as long as somebody likes.
    """
    if not isinstance(answer, list) or [type(n) for n in answer] != [int] * (1 + len(rates)):
        raise Nonsense("the limits' script", answer)
    refused, *due_us = answer
    due = [(us, *_triple(rate, 1)) for us, rate in zip(due_us, rates, strict=True)]
    possible = all(0 <= us <= math.ceil(2 * burst * interval) for us, interval, burst, _ in due)
    grounds = any(us > interval * (burst - 1) for us, interval, burst, _ in due)
    if not possible or refused not in {0, 1} or (refused and not grounds):
        raise Nonsense("the limits' script", answer)
    return bool(refused), due_us


class RedisLimiter:
    """Implements `qpqcore.bus.limits.Limiter`; `run` tells Redis."""

    def __init__(self, shards: Shards, seal: Seal, soundness: Soundness) -> None:
        self._shards = shards
        self._seal = seal
        self._soundness = soundness
        self._local = LocalLimiter()
        self._counts: Table[int] = Table()
        self._lumps: dict[bytes, Lump] = {}
        self._wake = trio.Event()
        self.shared = 0
        """Takings that Redis decided."""
        self.alone = 0
        """Takings that it should have decided, and this process did."""
        self._is_alone = False
        self.refused: Counter[bytes] = Counter()

    def take(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Take `count`, or none; return 0, or the milliseconds until so many are there.

        Of more than a burst Redis is told a burst: beyond it this process alone keeps the debt.
        """
        wait_ms = self._local.take(key, rate, now_ms, count)
        if not wait_ms:
            self._count(key, rate, now_ms, count)
        return wait_ms

    def wait_ms(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> int:
        """Return what `take` would, and take nothing."""
        return self._local.wait_ms(key, rate, now_ms, count)

    def pay(self, key: bytes, rate: Rate, now_ms: int, count: int = 1) -> None:
        """Take `count`, whatever is there."""
        self._local.pay(key, rate, now_ms, count)
        self._count(key, rate, now_ms, count)

    def _count(self, key: bytes, rate: Rate, now_ms: int, taken: int) -> None:
        key = name_of(key)
        count, lump = self._counts.of(key).pop(key, 0) + taken, self._lumps.get(key)
        if lump is not None:
            self._lumps[key] = Lump(rate, min(lump.takings + count, rate.burst), now_ms)
        elif count * SHARE >= rate.burst and len(self._lumps) < LUMPS_MAX:
            self._lumps[key] = Lump(rate, min(count, rate.burst), now_ms)
            self._wake.set()
        else:
            keep(self._counts.of(key), key, count)

    async def take_all(self, takings: Sequence[Taking], now_ms: int) -> int:
        """Take one of each key, or of none; return 0, or the milliseconds to wait."""
        wait_ms = self._local.wait_all_ms(takings, now_ms)
        if wait_ms:
            return wait_ms
        try:
            refused, due_us = read_answer(await self._ask(takings), [rate for _, rate in takings])
        except (Away, RedisError, Nonsense) as exc:
            self._soundness.met(exc)
            self._say(alone=True, reason=str(exc))
            self.alone += 1
            return self._local.take_all_nowait(takings, now_ms)
        self._say(alone=False, reason="")
        self.shared += 1
        for (key, _), us in zip(takings, due_us, strict=True):
            self._local.learn(key, now_ms + us / 1000)
        return max(1, self._local.wait_all_ms(takings, now_ms)) if refused else 0

    async def _ask(self, takings: Sequence[Taking]) -> Any:
        keys = [self._seal.common_limit_key(key) for key, _ in takings]
        node = self._shards.node_of(keys[0])
        if node is None:
            raise Away("no server has the limits")
        arguments = [len(keys), *keys, b"take"]
        for _, rate in takings:
            arguments += _triple(rate, 1)
        try:
            return await node.ask(b"EVALSHA", SCRIPT_SHA, *arguments, seconds=ANSWER_SECONDS)
        except NoScriptError:
            return await node.ask(b"EVAL", SCRIPT, *arguments, seconds=ANSWER_SECONDS)
        except AskError:
            self._shards.look_again()
            raise

    def _say(self, *, alone: bool, reason: str) -> None:
        if alone != self._is_alone:
            self._is_alone = alone
            log.warning("limits_are_each_process_own" if alone else "limits_are_shared", reason=reason)

    async def run(self) -> None:
        """Tell Redis of lumps and learn from its answers, for ever."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            lumps, self._lumps = self._lumps, {}
            of_nodes: dict[Node, list[tuple[bytes, Lump]]] = {}
            for key, lump in lumps.items():
                node = self._shards.node_of(self._seal.limit_key(key))
                if node is not None and node.up:
                    of_nodes.setdefault(node, []).append((key, lump))
            async with trio.open_nursery() as nursery:
                for node, own in of_nodes.items():
                    nursery.start_soon(self._tell, node, own)

    async def _tell(self, node: Node, lumps: list[tuple[bytes, Lump]]) -> None:
        try:
            for first in range(0, len(lumps), BATCH_MAX):
                await self._tell_some(node, lumps[first : first + BATCH_MAX])
        except Away:
            pass  # whether they were counted is not known: at most a sixteenth of each burst was not

    async def _tell_some(self, node: Node, lumps: list[tuple[bytes, Lump]]) -> None:
        answers = await node.send([self._note(b"EVALSHA", SCRIPT_SHA, key, lump) for key, lump in lumps])
        unknown = [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            again = await node.send([self._note(b"EVAL", SCRIPT, *lumps[i]) for i in unknown])
            for i, answer in zip(unknown, again, strict=True):
                answers[i] = answer
        for (key, lump), answer in zip(lumps, answers, strict=True):
            try:
                if isinstance(answer, Exception):
                    raise answer
                due_us = read_answer(answer, [lump.rate])[1][0]
                self._local.learn(key, lump.now_ms + due_us / 1000)
            except AskError:
                self._shards.look_again()
            except (RedisError, Nonsense) as exc:
                self._soundness.met(exc)

    def _note(self, command: bytes, script: bytes, key: bytes, lump: Lump) -> Command:
        return Command(command, (script, 1, self._seal.limit_key(key), b"note", *_triple(lump.rate, lump.takings)))
