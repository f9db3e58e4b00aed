"""The people of the drill: they talk all the time, take KeyPackages of each other, and note what they were given."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio

import qpqclient
import qpqnative
from qpqclient.transport import new_key
from qpqcore.api.keystore import FetchKeyPackageParams, FetchKeyPackageResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PAUSE_SECONDS = 0.02
TAKE_SECONDS = 0.3


class Person:
    """Somebody with one device."""

    def __init__(self, name: str, client: qpqclient.Client) -> None:
        self.name, self.client = name, client
        self.password = f"secret of {name}"
        self.sent = 0
        self.refused = 0

    async def talk(self, conversation: bytes) -> None:
        """Say one thing after the other, for ever."""
        while True:
            try:
                await self.client.conversation(conversation).send(f"{self.name} {self.sent}")
                await self.client.flush()
            except qpqclient.QpqError:
                self.refused += 1
                await trio.sleep(TAKE_SECONDS)
            else:
                self.sent += 1
            await trio.sleep(PAUSE_SECONDS)


class Given:
    """Every one-time KeyPackage that was handed out, in both lives of the server."""

    def __init__(self) -> None:
        self.once: dict[bytes, int] = {}
        self.last_resort = 0

    async def take(self, by: Person, of: Person) -> None:
        """Take the KeyPackages of somebody's devices."""
        params = FetchKeyPackageParams(accounts=(of.client.account,), suites=(qpqnative.SUITE_1,))
        found = await by.client._core.call(params, FetchKeyPackageResult, key=new_key())  # noqa: SLF001 - below the SDK
        for keys in found.accounts:
            for package in keys.packages:
                if not package.key_package:
                    continue
                info = qpqnative.inspect_key_package(package.key_package, by.client._core.now_ms() // 1000)  # noqa: SLF001
                if info.last_resort:
                    self.last_resort += 1
                else:
                    self.once[info.reference] = self.once.get(info.reference, 0) + 1

    async def keep_taking(self, by: Person, of: Person) -> None:
        """Take them again and again."""
        while True:
            with suppress(qpqclient.QpqError):  # rate-limited, or the server is away
                await self.take(by, of)
            await trio.sleep(TAKE_SECONDS)

    @property
    def twice(self) -> int:
        """How many were handed out more than once."""
        return sum(count > 1 for count in self.once.values())


@asynccontextmanager
async def people(folder: Path, where: str, count: int) -> AsyncIterator[list[Person]]:
    """Register so many people; their clients run while the block does."""
    async with AsyncExitStack() as stack:
        found = []
        for index in range(count):
            name = f"person{index}"
            client = await stack.enter_async_context(
                qpqclient.open_client(folder / name, server=where, store_key=bytes([index + 1]) * 32)
            )
            person = Person(name, client)
            await client.register(name, person.password)
            found.append(person)
        yield found
