"""Durable calls at a given rate over a few connections, each a message of its own, and what became of them."""

from __future__ import annotations

import math
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import TYPE_CHECKING

import trio

import qpqclient
from qpqclient.transport import Link, Trust, frame_of, open_link
from qpqcore.api.delivery import EnqueueParams
from qpqcore.api.rpc import Reply
from qpqcore.groups.policy import group_id
from qpqcore.model.errors import ErrorCode
from tools.bench.people import PASSWORD, STORE_KEY
from trio_quic import QuicError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from random import Random  # noqa: TID251 - the seeded dice of a load

CONNECTIONS = 12
"""In one device's session each; a connection carries 100 calls at once."""
PAIRS = 4
FIRST_GENERATION = 1
TAIL_BYTES = 16
"""The end of a message's ciphertext, which the server cannot read: other bytes make another message."""
MESSAGE_BYTES = 100
CLOSE_SECONDS = 0.002
"""From here on the next call's moment is looked out for, not slept to: a timer is late by up to a millisecond, and calls that are due
together come together, which no window of calls has room for that would have had it for them one by one.
"""


@dataclass(slots=True)
class Outcome:
    """What became of the calls of one phase."""

    offered: int = 0
    seconds: float = 0.0
    took_s: list[float] = field(default_factory=list)
    """Of those answered with a result, from the moment they were due."""
    in_time: int = 0
    """Of them those answered before the phase was over."""
    until_s: float = math.inf
    shed: int = 0
    failed: int = 0
    """Answered otherwise, or not at all."""
    late_s: float = 0.0
    """The most that the generator was behind."""

    @property
    def goodput(self) -> float:
        """Results a second, while calls were offered: what is answered behind that was late."""
        return self.in_time / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Return a percentile of the times of those answered with a result."""
        found = sorted(self.took_s)
        return found[min(int(len(found) * share), len(found) - 1)] * 1000 if found else float("inf")


class Sender:
    """One connection, and the frame of a message that is made another each time."""

    def __init__(self, link: Link, params: EnqueueParams) -> None:
        self.link = link
        self.params = params
        frame = frame_of(params)
        at = frame.index(params.payload) + len(params.payload) - TAIL_BYTES
        self._before, self._after = frame[:at], frame[at + TAIL_BYTES :]

    async def send(self, tail: bytes, due_s: float, into: Outcome) -> None:
        """Send one message; note what became of it."""
        try:
            reply = Reply.from_bytes(await self.link._connection.call(self._before + tail + self._after))  # noqa: SLF001 - the bare call
        except QuicError:
            into.failed += 1
            return
        if reply.code == ErrorCode.OK:
            now_s = time.perf_counter()
            into.took_s.append(now_s - due_s)
            into.in_time += now_s < into.until_s
        elif reply.code == ErrorCode.OVERLOADED:
            into.shed += 1
        else:
            into.failed += 1


@asynccontextmanager
async def senders(
    root: Path,
    where: str,
    pairs: int = PAIRS,
    connections: int = CONNECTIONS,
    at: Sequence[str] = (),
    called: str = "person",
) -> AsyncIterator[list[Sender]]:
    """Make people and their conversations, then connect as their devices; the clients themselves are away.

    The connections go to the addresses in `at` in turn, else all to `where`.
    """
    places = list(islice(cycle(at or (where,)), connections))
    async with AsyncExitStack() as stack:
        made: list[Sender] = []
        for pair in range(pairs):
            links = [
                await stack.enter_async_context(open_link(place, Trust(), accept=lambda _: True))
                for place in places[pair::pairs]
            ]
            params = await _conversation(root, where, f"{called}{pair}", links)
            made += [Sender(link, params) for link in links]
        yield made


async def _conversation(root: Path, where: str, called: str, links: list[Link]) -> EnqueueParams:
    """Make two people who talk, and let the links into the first one's session; return a message of theirs."""
    names = [f"{called}-{side}" for side in range(2)]
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(qpqclient.open_client(root / name, server=where, store_key=STORE_KEY))
            for name in names
        ]
        for name, client in zip(names, (one, two), strict=True):
            await client.register(name, PASSWORD)
        channel = (await one.dm(names[1])).id
        await two.sync()
        await one.sync()
        core = one._core  # noqa: SLF001 - a real PrivateMessage, apart from the client's own outbox
        group = core.groups.copy(group_id(channel, FIRST_GENERATION))
        for link in links:
            await core.account.resume(link)
        payload = group.encrypt(bytes(MESSAGE_BYTES))
        return EnqueueParams(channel=channel, generation=FIRST_GENERATION, epoch=group.epoch, payload=payload)


async def offer(to: list[Sender], per_second: float, seconds: float, dice: Random) -> Outcome:
    """Offer calls at random moments at a rate, and wait for all answers."""
    begun_s = time.perf_counter()
    outcome = Outcome(seconds=seconds, until_s=begun_s + seconds)
    due_s = begun_s + dice.expovariate(per_second)
    async with trio.open_nursery() as nursery:
        while due_s < begun_s + seconds:
            now_s = time.perf_counter()
            while due_s <= now_s and due_s < begun_s + seconds:
                outcome.late_s = max(outcome.late_s, now_s - due_s)
                sender = to[outcome.offered % len(to)]
                outcome.offered += 1
                nursery.start_soon(sender.send, dice.randbytes(TAIL_BYTES), due_s, outcome)
                due_s += dice.expovariate(per_second)
            if due_s - now_s > CLOSE_SECONDS:
                await trio.sleep(due_s - now_s - CLOSE_SECONDS)
            else:
                await trio.lowlevel.checkpoint()
    return outcome
