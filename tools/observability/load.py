"""The load under which everything is looked at: people who talk, send files, log in, and bare calls to every service."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import trio

import qpqclient
from qpqclient.transport import Link, Trust, open_link
from qpqcore.api.blob import StatBlobParams, StatBlobResult
from qpqcore.api.delivery import FetchResult, FetchWaitParams
from qpqcore.api.keystore import FetchKeyPackageParams, FetchKeyPackageResult, ResolveUserParams, ResolveUserResult
from qpqcore.model.errors import Refusal
from tools.bench.entering import log_in
from tools.bench.people import accounts, clients

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

TROUBLE: Final = (qpqclient.QpqError, Refusal, OSError)
"""What a planted condition brings to who calls in it."""
FILE_BYTES: Final = 300_000
CALL_SECONDS_MAX: Final = 8
ALL: Final = 1 << 30
WAIT_MS: Final = 2_000
SUITE: Final = 1


class Load:
    """Runs until it is cancelled; Ann and Ben are there, Cay is away: what is sent to her waits."""

    def __init__(self, root: Path, where: str, people: list[qpqclient.Client]) -> None:
        self.where = where
        self.ann, self.ben = people
        self._root = root
        self.account = b""
        """Ben's."""

    async def run(self) -> None:
        """Put the load on."""
        to_ben, to_cay = (await self.ann.dm("ben")).id, (await self.ann.dm("cay")).id
        async with trio.open_nursery() as nursery:
            for every, work in (
                (0.2, lambda: self._talk(to_ben)), (0.5, lambda: self._talk(to_cay)), (4.0, lambda: self._file(to_ben)),
                (2.0, self._log_in), (0.3, self._ask), (0.1, self._poll),
            ):  # fmt: skip
                nursery.start_soon(self._again, every, work)

    @staticmethod
    async def _again(every: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            with suppress(*TROUBLE, trio.TooSlowError), trio.fail_after(CALL_SECONDS_MAX):
                await work()
            await trio.sleep(every)

    async def _talk(self, ident: bytes) -> None:
        await self.ann.conversation(ident).send("a few words")

    async def _file(self, ident: bytes) -> None:
        source, copy = self._root / "file", self._root / "copy"
        source.write_bytes(bytes(FILE_BYTES))
        sent = await self.ann.conversation(ident).send_file(source)
        await self.ben.sync()
        there = self.ben.conversation(ident)
        received = there.message(sent.id)
        if received is not None:
            copy.unlink(missing_ok=True)
            await there.download(received, copy)

    async def _log_in(self) -> None:
        async with open_link(self.where, Trust(), accept=lambda _: True) as link:
            await log_in(link, "ben")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Link]:
        """Open one more connection in Ann's session."""
        async with open_link(self.where, Trust(), accept=lambda _: True) as link:
            await self.ann._core.account.resume(link)  # noqa: SLF001 - one more connection in the same session
            yield link

    async def _ask(self) -> None:
        """Ask every service something; a blob that is not there is an answer too."""
        async with self.session() as link:
            found = await link.call(ResolveUserParams(name="ben"), ResolveUserResult)
            self.account = found.account
            with suppress(qpqclient.QpqError, Refusal):
                await link.call(StatBlobParams(blob=bytes(41), secret=bytes(16)), StatBlobResult)

    async def drain(self, link: Link) -> None:
        """Take a KeyPackage of Ben's."""
        params = FetchKeyPackageParams(accounts=(self.account,), suites=(SUITE,))
        await link.call(params, FetchKeyPackageResult)

    async def _poll(self) -> None:
        async with self.session() as link:
            await link.call(FetchWaitParams(after=0, max_entries=1, wait_ms=WAIT_MS), FetchResult)


@asynccontextmanager
async def load(root: Path, where: str) -> AsyncIterator[Load]:
    """Let the people in and put the load on while the block runs."""
    async with AsyncExitStack() as stack:
        await accounts(root / "people", where, ["cay"])
        people: Any = await stack.enter_async_context(clients(root / "people", where, "ann", "ben"))
        made = Load(root, where, people)
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()
