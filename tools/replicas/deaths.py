"""Who dies, and when: each replica by SIGKILL while calls to its service are in flight, PostgreSQL, Redis; all come back."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

import trio

import qpqclient
from qpqcore.api.auth import ListDevicesParams, ListDevicesResult
from qpqcore.api.blob import StatBlobParams, StatBlobResult
from qpqcore.api.delivery import PeekParams, PeekResult
from qpqcore.api.keystore import ResolveUserParams, ResolveUserResult
from qpqcore.model.ids import make_id
from tools.replicas.crowd import FAR
from tools.rolling.stage import BEHIND, Replica

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tools.replicas.crowd import Calls, Crowd
    from tools.rolling.stage import Stage

KILLS_EACH: Final = 3
"""Of each kind of process: every replica once, where there are three."""
PRESSING: Final = 12
"""Callers of the service whose turn it is: some four at each of three replicas."""
IN_FLIGHT_SECONDS_MAX: Final = 20
AWAY_SECONDS: Final = 0.5
"""Between a death and the start of who takes the place, as who supervises processes takes."""
DOWN_SECONDS: Final = 1.0
"""PostgreSQL and Redis stay away so long."""
LOOK_SECONDS: Final = 0.005
HERE: Final = "here.test"
"""Our own domain."""
PRESS: Final[dict[str, tuple[Any, Any]]] = {
    "auth": (ListDevicesParams(), ListDevicesResult),
    "keystore": (ResolveUserParams(name="person0"), ResolveUserResult),
    "delivery": (PeekParams(max_entries=1), PeekResult),
    "blob": (StatBlobParams(blob=make_id(bytes(32), HERE), secret=bytes(16)), StatBlobResult),
    "federation": (ResolveUserParams(name=f"somebody@{FAR}"), ResolveUserResult),
    "gateway": (PeekParams(max_entries=1), PeekResult),
}


@dataclass(frozen=True, slots=True)
class Death:
    """One that happened."""

    what: str
    at_s: float
    in_flight: int
    """Calls of clients to that service at that moment, or to all."""
    back_s: float
    """Until who died was ready again."""


def schedule(each: int) -> list[str | Replica]:
    """Return what is to happen, in order: in every round each kind of process, and something below them."""
    below = {
        0: ["redis flushed", "postgresql stopped"],
        1: ["redis flushed", "redis killed"],
        2: ["postgresql stopped"],
    }
    found: list[str | Replica] = []
    for turn in range(KILLS_EACH):
        found += [Replica(service, turn % each) for service in (*BEHIND, "gateway")]
        found += below.get(turn, [])
    return [*found, "redis flushed"]


class Deaths:
    """Lets it all happen, spread evenly over what is said."""

    def __init__(self, place: Stage, crowd: Crowd, calls: Calls, say: Callable[[str], None]) -> None:
        self._place, self._crowd, self._calls, self._say = place, crowd, calls, say
        self.happened: list[Death] = []
        self.raw_failed: dict[str, int] = {}
        """What callers saw who do not try again, by code."""

    async def run(self, what: Sequence[str | Replica], messages: int) -> None:
        """Let one after the other happen, when so many messages have been sent."""
        for number, one in enumerate(what, 1):
            await self._crowd.until_sent(messages * number // (len(what) + 1))
            service = one.service if isinstance(one, Replica) else "gateway"
            async with self._pressed(service):
                await self._in_flight(service)
                begun, in_flight = time.monotonic(), self._calls.in_flight(service)
                await (self._kill(one) if isinstance(one, Replica) else self._below(one))
            self.happened.append(Death(str(one), begun, in_flight, time.monotonic() - begun))
            self._say(f"{one}: {in_flight} calls in flight, back after {time.monotonic() - begun:.1f} s")

    async def _in_flight(self, service: str) -> None:
        with trio.fail_after(IN_FLIGHT_SECONDS_MAX):
            while not self._calls.in_flight(service):
                await trio.sleep(LOOK_SECONDS)

    async def _kill(self, one: Replica) -> None:
        self._place.kill(one)
        await trio.sleep(AWAY_SECONDS)
        self._place.start(one)
        await self._place.wait_ready(one)

    async def _below(self, what: str) -> None:
        run = trio.to_thread.run_sync
        if what == "postgresql stopped":
            await run(self._place.database.stop)  # `immediate`
            await trio.sleep(DOWN_SECONDS)
            await run(self._place.database.start)
        elif what == "redis killed":
            await run(self._place.redis.kill)
            await trio.sleep(DOWN_SECONDS)
            self._place.redis.start()  # here: it ends with the thread that started it
        else:
            await run(partial(self._place.redis.command, "FLUSHALL"))
        for one in self._place.everyone:
            await self._place.wait_ready(one)

    @asynccontextmanager
    async def _pressed(self, service: str) -> AsyncIterator[None]:
        """Have calls to a service in flight all the time."""
        clients = cycle(self._crowd.clients)
        async with trio.open_nursery() as nursery:
            for _ in range(PRESSING):
                nursery.start_soon(self._press, next(clients), *PRESS[service])
            yield
            nursery.cancel_scope.cancel()

    async def _press(self, client: qpqclient.Client, params: Any, result: Any) -> None:
        while True:
            try:
                await (await client._core.link()).call(params, result)  # noqa: SLF001 - once, without the SDK's second try
            except qpqclient.QpqError as exc:
                if exc.name != "notFound":
                    self.raw_failed[exc.name] = self.raw_failed.get(exc.name, 0) + 1
            await trio.sleep(LOOK_SECONDS)
