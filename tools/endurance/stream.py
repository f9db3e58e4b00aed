"""The bulk of the load: messages between bare devices at a steady rate, each checked off when it arrives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import trio

from qpqcore.api.delivery import AckParams, AckResult, EnqueueResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qpqclient.transport import Link
    from qpqcore.api.delivery import EnqueueParams, Entry

WAITING_MAX = 256
"""Calls in flight; behind, the stream waits, and is slower than asked."""
BEHIND_SECONDS_MAX = 1.0
"""What the machine held up for longer is not made up for: that would be a flood, not half a load."""
ARRIVAL_SECONDS_MAX = 30
"""What is not there so long after the last was sent is lost."""

Place = tuple[bytes, int]
"""Channel and log number."""


class Stream:
    """Devices that send to each other, read what is pushed to them, and acknowledge it."""

    def __init__(self, links: Sequence[Link], waiting: Sequence[Iterator[EnqueueParams]]) -> None:
        self._ways = list(zip(links, waiting, strict=True))
        self._flying: dict[Place, float] = {}
        """Acknowledged and not arrived: when it was sent."""
        self._early: dict[Place, float] = {}
        """Arrived and not acknowledged: when."""
        self._last: dict[tuple[int, bytes], int] = {}
        """(device, channel) -> the last log number seen there."""
        self._all_here = trio.Event()
        self.latencies_ms: list[float] = []
        """Of what arrived since `taken`."""
        self.sent = self.arrived = self.twice = 0

    @property
    def missing(self) -> int:
        """How many have been acknowledged and have not arrived."""
        return len(self._flying)

    def taken(self) -> list[float]:
        """Return the latencies so far, and begin anew."""
        found, self.latencies_ms = self.latencies_ms, []
        return sorted(found)

    async def read(self, number: int, *, task_status: trio.TaskStatus[None]) -> None:
        """Read one device's mailbox for ever."""
        link = self._ways[number][0]
        async with link.subscribe(0) as events:
            async for event in events:
                if event.which == "ready":
                    task_status.started()
                if event.entries:
                    for entry in event.entries:
                        self._arrives(number, entry)
                    await link.call(AckParams(up_to=event.entries[-1].number), AckResult)

    def _arrives(self, device: int, entry: Entry) -> None:
        if entry.log_number <= self._last.get((device, entry.channel), 0):
            self.twice += 1
            return
        self._last[device, entry.channel] = entry.log_number
        self.arrived += 1
        place = (entry.channel, entry.log_number)
        begun = self._flying.pop(place, None)
        if begun is None:
            self._early[place] = time.perf_counter()
        else:
            self.latencies_ms.append((time.perf_counter() - begun) * 1000)
        if not self._flying:
            self._all_here.set()

    async def _send(self, number: int) -> None:
        link, waiting = self._ways[number % len(self._ways)]
        params, begun = next(waiting), time.perf_counter()
        place = (params.channel, (await link.call(params, EnqueueResult)).log_number)
        self.sent += 1
        arrived = self._early.pop(place, None)
        if arrived is None:
            self._flying[place] = begun
        else:
            self.latencies_ms.append((arrived - begun) * 1000)

    async def flat_out(self, width: int, seconds: float) -> float:
        """Send with so many in flight; return messages a second, arrival included."""
        begun, before = time.perf_counter(), self.arrived

        async def worker(number: int) -> None:
            while time.perf_counter() < begun + seconds:
                await self._send(number)

        async with trio.open_nursery() as nursery:
            for number in range(width):
                nursery.start_soon(worker, number)
        await self.wait()
        return (self.arrived - before) / (time.perf_counter() - begun)

    async def paced(self, per_second: float, over: trio.Event) -> None:
        """Send at a steady rate until it is over."""
        limit = trio.CapacityLimiter(WAITING_MAX)
        begun, number = time.perf_counter(), 0

        async def one(turn: int) -> None:
            try:
                await self._send(turn)
            finally:
                limit.release_on_behalf_of(turn)

        async with trio.open_nursery() as nursery:
            while not over.is_set():
                behind = time.perf_counter() - begun - number / per_second
                begun += behind if behind > BEHIND_SECONDS_MAX else 0.0
                await trio.sleep(max(0.0, -behind))
                await limit.acquire_on_behalf_of(number)
                nursery.start_soon(one, number)
                number += 1

    async def wait(self) -> None:
        """Wait until all that was sent has arrived, or is lost."""
        with trio.move_on_after(ARRIVAL_SECONDS_MAX):
            while self._flying:
                self._all_here = trio.Event()
                await self._all_here.wait()
