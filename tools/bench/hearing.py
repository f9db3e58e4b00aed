"""A process that listens to Redis and nothing else, for the bench: told by lines what to do, it answers by lines of JSON.

listen N    listen to N topics; answers when all are confirmed
heard N     wait for N notices more; answers how long each was on its way, in microseconds
usage       answers what the process has used
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import structlog
import trio

from qpqcore.bus.notices import mailbox_topic
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis
from tools.bench.served import START_SECONDS_MAX, WARNING, Usage, _line, usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qpqcore.bus.notices import Subscription
    from qpqcore.bus.redis.parts import Parts

KEY = b"bench" + bytes(27)
DOMAIN = "bench"
LATE_SECONDS_MAX = 60


def topic(number: int) -> bytes:
    """Return the mailbox topic of one of the devices."""
    return mailbox_topic(b"device-%026d" % number)


class Hearing:
    """The process, as the measuring one sees it."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process

    async def ask(self, order: str) -> Any:
        """Send an order and return the answer."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(f"{order}\n".encode())
        return await _line(self._process)

    async def usage(self) -> Usage:
        """Ask what it has used."""
        return Usage(**await self.ask("usage"))


@asynccontextmanager
async def hearing(url: str) -> AsyncIterator[Hearing]:
    """Run such a process while the block runs."""
    command = [sys.executable, "-m", "tools.bench.hearing", url]
    process = await trio.lowlevel.open_process(command, stdin=PIPE, stdout=PIPE)
    try:
        with trio.fail_after(START_SECONDS_MAX):
            await _line(process)
        yield Hearing(process)
    finally:
        with trio.CancelScope(shield=True):
            assert process.stdin is not None
            await process.stdin.aclose()
            await process.wait()


# --- the process itself


async def _heard(subscriptions: list[Subscription], count: int) -> list[int]:
    """Wait for notices on any subscription; return the microseconds that each was on its way."""
    found: list[int] = []

    async def listen(subscription: Subscription, scope: trio.CancelScope) -> None:
        while True:
            await subscription.wait()
            now = time.monotonic_ns()
            found.extend((now - int.from_bytes(p[:8], "big")) // 1000 for _, p in subscription.receive_nowait() if p)
            if len(found) >= count:
                scope.cancel()

    with trio.move_on_after(LATE_SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            for subscription in subscriptions:
                nursery.start_soon(listen, subscription, nursery.cancel_scope)
    return found


class _Obeying:
    """What the process has open."""

    def __init__(self, parts: Parts, stack: AsyncExitStack) -> None:
        self._parts = parts
        self._stack = stack
        self._subscriptions: list[Subscription] = []

    async def obey(self, order: str, count: int) -> Any:
        """Do what a line says; return the answer."""
        if order == "listen":
            topics = [topic(number) for number in range(count)]
            self._subscriptions += [self._stack.enter_context(self._parts.notices.subscribe(t)) for t in topics]
            await self._parts.notices.wait_heard(*topics)
            for subscription in self._subscriptions:
                subscription.receive_nowait()
            return len(self._subscriptions)
        if order == "heard":
            return await _heard(self._subscriptions, count)
        return asdict(usage())


async def _run(url: str) -> None:
    async with open_redis(parse(url), key=KEY, domain=DOMAIN) as parts, AsyncExitStack() as stack:
        await parts.notices.wait_up()
        obeying = _Obeying(parts, stack)
        sys.stdout.write("null\n")
        sys.stdout.flush()
        async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as orders:
            async for chunk in orders:
                for line in bytes(chunk).decode().splitlines():  # who asks waits for the answer
                    order, _, count = line.partition(" ")
                    sys.stdout.write(json.dumps(await obeying.obey(order, int(count or 0))) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    trio.run(_run, sys.argv[1])
