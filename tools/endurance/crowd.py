"""All that is not the bulk: people with the SDK, files, changes of groups, guests, log-ins, long polls, who vanishes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import trio

import qpqclient
from qpqclient.transport import Link, Trust, open_link
from qpqcore.api.delivery import FetchResult, FetchWaitParams
from tools.bench.entering import log_in
from tools.bench.people import PASSWORD, STORE_KEY, clients

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from random import Random  # noqa: TID251 - the seeded dice of a load

PEOPLE: Final = ("ann", "ben", "cay")
IDLE: Final = 100
"""Clients that subscribe, stay for a while, go, and are replaced."""
IDLE_SECONDS: Final = (20, 90)
FILE_BYTES: Final = 1_000_000
WORDS_BYTES: Final = (1, 60, 60, 200, 2_000, 20_000)
POLL_SECONDS: Final = 0.5
"""After so long a caller of a poll of POLL_MS goes away."""
POLL_MS: Final = 30_000
ALL: Final = 1 << 30

TALK, FILE, CHANGE, COMING, GUEST, LOG_IN, POLL, VANISH = 1.0, 10.0, 12.0, 60.0, 20.0, 1.0, 2.0, 20.0
"""Seconds from one to the next."""


class Crowd:
    """Everybody; `count` says what they did, `trouble` what went wrong and is not retried by the SDK."""

    def __init__(self, root: Path, where: str, dice: Random, over: trio.Event) -> None:
        self._root, self._where, self._dice, self._over = root, where, dice, over
        self.count: Counter[str] = Counter()
        self.trouble: Counter[str] = Counter()
        self.unequal = 0
        """Messages of the group that one of those who were always in it has and another has not."""

    async def run(self) -> None:
        """Do everything until it is over; then compare what people have."""
        async with AsyncExitStack() as stack:
            ann, ben, cay = await stack.enter_async_context(clients(self._root / "people", self._where, *PEOPLE))
            group = (await ann.create_group("all", ["ben", "cay"])).id
            direct = (await ann.dm("ben")).id
            async with trio.open_nursery() as nursery:
                for client in (ann, ben):
                    nursery.start_soon(self._again, "talk", TALK, self._talk, client, group)
                    nursery.start_soon(self._again, "talk", TALK, self._talk, client, direct)
                nursery.start_soon(self._again, "file", FILE, self._file, ann, ben, direct)
                nursery.start_soon(self._again, "change", CHANGE, self._change, ben, group)
                nursery.start_soon(self._again, "go and come", COMING, self._go_and_come, ann, group)
                nursery.start_soon(self._again, "guest", GUEST, self._guest)
                nursery.start_soon(self._again, "log-in", LOG_IN, self._log_in)
                nursery.start_soon(self._again, "poll left", POLL, self._leave_a_poll, cay)
                nursery.start_soon(self._again, "vanished", VANISH, self._vanish)
                for _ in range(IDLE):
                    nursery.start_soon(self._again, "idle", 0.0, self._idle, cay)
            await self._compare(ann, ben, group)

    async def _again(self, what: str, every: float, work: Callable[..., Awaitable[None]], *to: object) -> None:
        while True:
            with trio.move_on_after(self._dice.uniform(0.5, 1.5) * every):
                await self._over.wait()
            if self._over.is_set():
                return
            try:
                await work(*to)
                self.count[what] += 1
            except qpqclient.QpqError as exc:
                self.trouble[f"{what}: {exc.name}"] += 1

    async def _talk(self, client: qpqclient.Client, ident: bytes) -> None:
        conversation = client.conversation(ident)
        with suppress(qpqclient.Refused):  # of the epoch before: nobody misses it
            await conversation.typing()
        sent = await conversation.send("x" * self._dice.choice(WORDS_BYTES))
        await client.wait_sent(sent.id)
        conversation.take_unshown()

    async def _file(self, sender: qpqclient.Client, receiver: qpqclient.Client, ident: bytes) -> None:
        source, copy = self._root / "file", self._root / "copy"
        source.write_bytes(self._dice.randbytes(FILE_BYTES))
        message = await sender.conversation(ident).send_file(source)
        await sender.flush()
        await receiver.sync()
        there = receiver.conversation(ident)
        received = there.message(message.id)
        if received is None:
            self.trouble["file: not there"] += 1
            return
        copy.unlink(missing_ok=True)
        if (await there.download(received, copy)).read_bytes() != source.read_bytes():
            self.trouble["file: not the same"] += 1

    async def _change(self, client: qpqclient.Client, ident: bytes) -> None:
        await client.conversation(ident).update_key()

    async def _go_and_come(self, client: qpqclient.Client, ident: bytes) -> None:
        conversation = client.conversation(ident)
        await conversation.remove("cay")
        await conversation.invite("cay")

    async def _guest(self) -> None:
        """Register, greet somebody, delete the account."""
        name = f"guest{self.count['guest']}-{self.trouble.total()}"
        folder = self._root / "guests" / name
        try:
            async with qpqclient.open_client(folder, server=self._where, store_key=STORE_KEY) as client:
                await client.register(name, PASSWORD)
                sent = await (await client.dm(PEOPLE[0])).send("hello")
                await client.wait_sent(sent.id)
                await client.delete_account()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _log_in(self) -> None:
        """Connect, go through OPAQUE, leave."""
        async with open_link(self._where, Trust(), accept=lambda _: True) as link:
            await log_in(link, PEOPLE[2])

    async def _leave_a_poll(self, client: qpqclient.Client) -> None:
        """Wait for mail on a connection of one's own, and give up before the answer."""
        async with self._session(client) as link:
            with trio.move_on_after(POLL_SECONDS):
                await link.call(FetchWaitParams(after=ALL, max_entries=1, wait_ms=POLL_MS), FetchResult)

    async def _vanish(self) -> None:
        """Let a process connect, and kill it: it says no goodbye."""
        command = [sys.executable, "-m", "tools.endurance.vanishing", self._where]
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            await process.stdout.receive_some(1)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()

    async def _idle(self, client: qpqclient.Client) -> None:
        """Subscribe and listen for a while."""
        async with self._session(client) as link, link.subscribe(ALL) as events:
            with trio.move_on_after(self._dice.uniform(*IDLE_SECONDS)) as stay:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._end, stay)
                    async for _ in events:
                        self.count["told while idle"] += 1

    async def _end(self, stay: trio.CancelScope) -> None:
        await self._over.wait()
        stay.cancel()

    @asynccontextmanager
    async def _session(self, client: qpqclient.Client) -> AsyncIterator[Link]:
        async with open_link(self._where, Trust(), accept=lambda _: True) as link:
            await client._core.account.resume(link)  # noqa: SLF001 - one more connection in the same session
            yield link

    async def _compare(self, one: qpqclient.Client, other: qpqclient.Client, group: bytes) -> None:
        for client in (one, other):
            await client.flush()
        have = []
        for client in (one, other):
            await client.sync()
            have.append({message.id for message in client.conversation(group).history(ALL)})
        self.count["messages of the group"] = len(have[0])
        self.unequal = len(have[0] ^ have[1])
