"""Calls at two levels while everything is replaced: through the SDK, which tries again, and bare, which does not.

Each caller calls at its own steady rate and notes every answer; the longest time between two is the gap that it saw.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import trio

import qpqclient
from qpqclient.transport import Link, Trust, open_link
from qpqcore.api.auth import ListDevicesParams, ListDevicesResult
from qpqcore.api.delivery import PeekParams, PeekResult
from qpqcore.api.keystore import ResolveUserParams, ResolveUserResult
from qpqcore.model.errors import ErrorCode
from tools.bench.people import PASSWORD, STORE_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PEOPLE: Final = 4
"""Each talks to the next."""
PER_SECOND: Final = 50.0
"""Of one caller; there are as many callers of each level as people."""
WORDS_PER_SECOND: Final = 1.0
RECONNECT_SECONDS: Final = 0.05
"""A bare caller that has lost its connection, or was refused one, comes back after so long."""
ARRIVAL_SECONDS_MAX: Final = 60


@dataclass(slots=True)
class Seen:
    """What the callers of one level saw."""

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    longest_gap_s: float = 0.0
    slowest_s: float = 0.0


class Caller:
    """One caller's clock."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._last_s = time.perf_counter()

    def answered(self, begun_s: float) -> None:
        """Note an answer."""
        now_s = time.perf_counter()
        self._seen.answered += 1
        self._seen.longest_gap_s = max(self._seen.longest_gap_s, now_s - self._last_s)
        self._seen.slowest_s = max(self._seen.slowest_s, now_s - begun_s)
        self._last_s = now_s

    def failed(self, why: str) -> None:
        """Note a call that had no answer, or a refusal."""
        self._seen.failed[why] += 1


class Load:
    """Everybody who calls."""

    def __init__(self, where: str, clients: list[qpqclient.Client]) -> None:
        self.sdk, self.raw = Seen(), Seen()
        self.words: dict[tuple[int, bytes], list[str]] = {}
        """What was said, by who said it and where."""
        self.troubled: Counter[str] = Counter()
        """Errors that a user of the SDK would have seen."""
        self._where = where
        self._clients = clients
        self._over = trio.Event()

    async def run(self) -> None:
        """Call until it is over."""
        begun_s = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number, client in enumerate(self._clients):
                nursery.start_soon(self._through_sdk, client, number)
                nursery.start_soon(self._bare, client)
                nursery.start_soon(self._talk, number)
        self.seconds = time.perf_counter() - begun_s

    def end(self) -> None:
        """Let everybody finish what they do."""
        self._over.set()

    async def _tick(self, due_s: float) -> float:
        """Wait for the next moment of a steady rate; late is late, and nothing is made up for."""
        await trio.sleep(max(0.0, due_s - time.perf_counter()))
        return max(due_s, time.perf_counter() - 1) + 1 / PER_SECOND

    async def _through_sdk(self, client: qpqclient.Client, number: int) -> None:
        caller, due_s, turn = Caller(self.sdk), time.perf_counter(), number
        while not self._over.is_set():
            due_s, turn, begun_s = await self._tick(due_s), turn + 1, time.perf_counter()
            try:
                await client._core.call(*CALLS[turn % len(CALLS)])  # noqa: SLF001 - what the SDK's own calls go through
                caller.answered(begun_s)
            except qpqclient.QpqError as exc:
                caller.failed(exc.name)

    async def _bare(self, client: qpqclient.Client) -> None:
        """Call over a connection of one's own; what fails is not tried again."""
        caller, due_s, turn = Caller(self.raw), time.perf_counter(), 0
        while not self._over.is_set():
            try:
                async with open_link(self._where, Trust(), accept=lambda _: True) as link:
                    await client._core.account.resume(link)  # noqa: SLF001 - one more connection in the same session
                    while not self._over.is_set():
                        due_s, turn, begun_s = await self._tick(due_s), turn + 1, time.perf_counter()
                        if not await self._once(link, turn, caller, begun_s):
                            break
            except qpqclient.QpqError as exc:
                caller.failed(f"connecting: {exc.name}")
                await trio.sleep(RECONNECT_SECONDS)

    @staticmethod
    async def _once(link: Link, turn: int, caller: Caller, begun_s: float) -> bool:
        """Call once; tell whether the connection is good for another."""
        try:
            await link.call(*CALLS[turn % len(CALLS)])
        except qpqclient.Refused as no:
            caller.failed(no.name)
            return no.code is not ErrorCode.UNAUTHENTICATED
        except qpqclient.Unreachable as exc:
            caller.failed(type(exc).__name__)
            return False
        caller.answered(begun_s)
        return True

    async def _talk(self, number: int) -> None:
        client = self._clients[number]
        try:
            chat = await client.dm(f"person{(number + 1) % len(self._clients)}")
            said = self.words[number, chat.id] = []
            while not self._over.is_set():
                said.append(f"word {len(said)} of {number}")
                await chat.send(said[-1])
                await trio.sleep(1 / WORDS_PER_SECOND)
        except qpqclient.QpqError as exc:
            self.troubled[exc.name] += 1

    async def missing(self) -> int:
        """Return how many words are not with whom they were said to, or are there twice, or in another order."""
        wrong = 0
        for client in self._clients:
            await client.flush()
        for (number, ident), said in self.words.items():
            hearer = self._clients[(number + 1) % len(self._clients)]
            with trio.move_on_after(ARRIVAL_SECONDS_MAX):
                await hearer.sync()
            heard = [m.text for m in hearer.conversation(ident).history(len(said) * 4) if m.text in set(said)]
            wrong += heard != said
            wrong += abs(len(heard) - len(said))
        return wrong


PEEK: Final = (PeekParams(max_entries=1), PeekResult)
CALLS: Final[list[tuple[Any, Any]]] = [
    *5 * [PEEK, (ListDevicesParams(), ListDevicesResult)], PEEK, (ResolveUserParams(name="person0"), ResolveUserResult),
]  # fmt: skip
"""Delivery, auth and keystore in turn; enqueue and all else is what the SDK does of itself while people talk.

An account may resolve ten names a second: the last of twelve calls, at 100 a second of an account's two callers.
"""


@asynccontextmanager
async def people(root: Path, where: str) -> AsyncIterator[list[qpqclient.Client]]:
    """Make people with accounts while the block runs."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(PEOPLE):
            client = await stack.enter_async_context(
                qpqclient.open_client(root / str(number), server=where, store_key=STORE_KEY)
            )
            await client.register(f"person{number}", PASSWORD)
            found.append(client)
        yield found
