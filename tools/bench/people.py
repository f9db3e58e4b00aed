"""People for a bench: accounts made through the server, and bare links in their sessions."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import trio

import qpqclient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

MAKING_AT_ONCE = 4
PASSWORD = "password"  # noqa: S105 - a bench's
STORE_KEY = b"k" * 32


async def accounts(root: Path, where: str, names: Sequence[str]) -> None:
    """Register people, each in a folder of the same name, and leave them away."""
    limit = trio.CapacityLimiter(MAKING_AT_ONCE)

    async def one(name: str) -> None:
        async with limit, qpqclient.open_client(root / name, server=where, store_key=STORE_KEY) as client:
            await client.register(name, PASSWORD)

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(one, name)


@asynccontextmanager
async def clients(root: Path, where: str, *names: str) -> AsyncIterator[list[qpqclient.Client]]:
    """Open clients; who has no account yet makes one."""
    async with AsyncExitStack() as stack:
        found = []
        for name in names:
            client = await stack.enter_async_context(
                qpqclient.open_client(root / name, server=where, store_key=STORE_KEY)
            )
            if not client.known:
                await client.register(name, PASSWORD)
            found.append(client)
        yield found
