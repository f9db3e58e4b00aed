"""The people of the drill: many devices in this process, each seen by the oracle's recorder, in pairs and small groups."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import trio

import qpqclient
from qpqclient.transport import BY_PARAMS, Link
from qpqcore.api import delivery
from tests.oracle import history as h
from tests.oracle.recorder import Recorder
from tools.bench.people import PASSWORD, STORE_KEY
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

GROUP_PEOPLE: Final = 5
GROUP_SHARE: Final = 2
"""One message in so many goes to the group, the others to the neighbour."""
UPDATE_EVERY: Final = 20
"""So many messages of one member apart its keys are changed, in its group and its pair in turn."""
AT_ONCE_MAX: Final = 8
"""People who register, or found what they talk in, at a time."""
REGISTERED_MAX: Final = 25
"""From one address, before the limits have to be forgotten (qpqauth.config: 30 at a time, 60 an hour)."""
FAR: Final = "far.test"
"""A domain whose server never answers: who asks for somebody there has a call in flight at federation."""
RETRY_SECONDS: Final = 0.1
REST_SECONDS_MAX: Final = 600
LOOK_SECONDS: Final = 0.2


class Calls:
    """The calls of everybody, by service: what is in flight, and the longest that one took."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[str, float]] = {}
        self.longest_s = 0.0
        self.answered = 0
        self._numbers = count()
        around(Link, "call", self._noted)

    def in_flight(self, service: str) -> int:
        """Count the calls to a service that have begun and not ended; to a gateway: all."""
        return sum(service in ("gateway", of) for of, _ in self.open.values())

    def _noted(self, call: Any) -> Any:
        async def work(link: Link, params: Any, result: Any, **more: Any) -> Any:
            number, begun_s = next(self._numbers), time.monotonic()
            service = "federation" if f"@{FAR}" in getattr(params, "name", "") else BY_PARAMS[type(params)].service
            if isinstance(params, delivery.FetchWaitParams):
                return await call(link, params, result, **more)  # it waits for something to happen
            self.open[number] = service, begun_s
            try:
                return await call(link, params, result, **more)
            finally:
                del self.open[number]
                self.answered += 1
                self.longest_s = max(self.longest_s, time.monotonic() - begun_s)

        return work


class Crowd:
    """Everybody; made by `crowd`."""

    def __init__(self, clients: list[qpqclient.Client], recorders: list[Recorder], noted: list[Any]) -> None:
        self.clients, self.recorders, self.noted = clients, recorders, noted
        self.sent = 0
        """Messages that somebody was told are on their way."""
        self.troubled: dict[str, int] = {}
        """Errors that a user of the SDK would have seen."""
        self._places: list[tuple[bytes, bytes]] = []
        self._more = trio.Event()

    async def found(self) -> None:
        """Let each pair of neighbours, and each five, have a conversation."""
        groups = [b""] * len(self.clients)
        pairs = [b""] * len(self.clients)
        limit = trio.CapacityLimiter(AT_ONCE_MAX)

        async def pair(first: int) -> None:
            async with limit:
                made = await self.clients[first].dm(self.clients[first + 1].name)
                pairs[first] = pairs[first + 1] = made.id

        async def group(first: int) -> None:
            members = range(first, min(first + GROUP_PEOPLE, len(self.clients)))
            async with limit:
                made = await self.clients[first].create_group(
                    f"group {first}", [self.clients[n].name for n in members[1:]]
                )
                for n in members:
                    groups[n] = made.id

        async with trio.open_nursery() as nursery:
            for first in range(0, len(self.clients), 2):
                nursery.start_soon(pair, first)
            for first in range(0, len(self.clients), GROUP_PEOPLE):
                nursery.start_soon(group, first)
        self._places = list(zip(pairs, groups, strict=True))
        await self.rest()

    async def talk(self, messages: int) -> None:
        """Let everybody send an equal part of so many messages, one after the other, and wait for each to be taken."""
        each = -(-messages // len(self.clients))
        async with trio.open_nursery() as nursery:
            for number in range(len(self.clients)):
                nursery.start_soon(self._talk, number, min(each, max(0, messages - number * each)))

    async def _talk(self, number: int, messages: int) -> None:
        client, recorder = self.clients[number], self.recorders[number]
        for turn in range(messages):
            place = self._places[number][turn % GROUP_SHARE]
            try:
                ident = await recorder.send(client.conversation(place), f"number {turn} of {client.name}")
                self.sent += 1
                self._more.set()
                self._more = trio.Event()
                await self._until_sent(client, ident)
                if turn % UPDATE_EVERY == UPDATE_EVERY - 1:
                    await client.conversation(self._places[number][turn // UPDATE_EVERY % 2]).update_key()
            except qpqclient.QpqError as exc:
                self.troubled[exc.name] = self.troubled.get(exc.name, 0) + 1

    @staticmethod
    async def _until_sent(client: qpqclient.Client, ident: bytes) -> None:
        """Wait as a person does: with a server that is away one goes on looking."""
        while True:
            try:
                await client.wait_sent(ident)
            except qpqclient.Unreachable:
                await trio.sleep(RETRY_SECONDS)
            else:
                return

    async def until_sent(self, messages: int) -> None:
        """Wait until so many are on their way."""
        while self.sent < messages:
            await self._more.wait()

    async def rest(self) -> list[str]:
        """Wait until everybody has sent and read everything; return who has not, after a long while."""
        waits: list[str] = []

        async def one(client: qpqclient.Client, recorder: Recorder) -> None:
            with trio.move_on_after(REST_SECONDS_MAX) as patience:
                await self._rest(client, recorder)
            if patience.cancelled_caught:
                waits.append(f"{client.name} does not finish: {recorder.unfinished()}")

        async with trio.open_nursery() as nursery:
            for client, recorder in zip(self.clients, self.recorders, strict=True):
                nursery.start_soon(one, client, recorder)
        return waits

    async def _rest(self, client: qpqclient.Client, recorder: Recorder) -> None:
        while True:
            try:
                await client.sync()
                box = await client._core.call(delivery.PeekParams(max_entries=1), delivery.PeekResult)  # noqa: SLF001
            except qpqclient.QpqError:
                await trio.sleep(RETRY_SECONDS)
                continue
            if not recorder.unfinished() and client._core.inbox.position >= box.last:  # noqa: SLF001 - as the recorder looks
                return
            await trio.sleep(LOOK_SECONDS)

    def history(self) -> list[Any]:
        """Return what every device saw, with what it shows at the end."""
        for recorder in self.recorders:
            recorder.snapshot()
        now_ms = max(client._core.server_now_ms() for client in self.clients)  # noqa: SLF001
        return [*self.noted, h.Finished(now_ms, tuple(r.device for r in self.recorders))]


@asynccontextmanager
async def crowd(root: Path, where: str, people: int, forget_limits: Callable[[], None]) -> AsyncIterator[Crowd]:
    """Make people with accounts; they stay while the block runs."""
    noted: list[Any] = []
    clients: list[qpqclient.Client] = []
    recorders: list[Recorder] = []
    async with AsyncExitStack() as stack:
        for number in range(people):
            opened = qpqclient.open_client(root / str(number), server=where, store_key=STORE_KEY)
            clients.append(await stack.enter_async_context(opened))
            recorders.append(Recorder(clients[-1], noted.append, now_s=time.monotonic))
        limit = trio.CapacityLimiter(AT_ONCE_MAX)

        async def register(number: int) -> None:
            async with limit:
                await clients[number].register(f"person{number}", PASSWORD)
                clients[number].set_setting("receipts.delivered", "off")  # else most of what is sent are receipts

        for first in range(0, people, REGISTERED_MAX):
            forget_limits()
            async with trio.open_nursery() as nursery:
                for number in range(first, min(first + REGISTERED_MAX, people)):
                    nursery.start_soon(register, number)
        made = Crowd(clients, recorders, noted)
        await made.found()
        yield made
