"""The server, over QUIC on this machine, and the SDK's clients, each in a folder of its own and seen by the oracle."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from qpqclient.client import system_now_ms
from qpqcore.api import delivery
from qpqcore.config.settings import Settings
from qpqserver.embedded import Embedded, Surroundings, open_embedded
from tests.oracle import history as h
from tests.oracle.recorder import Recorder
from tests.oracle.rules import Finding, check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

STORE_KEY = b"k" * 32
LOOK_SECONDS = 0.2
"""How often a wait looks again when no event wakes it."""
DELIVERY = 3
REGISTRATION_MS = 60_000
"""What one registration pays of its address's rate (qpqauth.config)."""


class Stage:
    """One run; made by `open_stage`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.noted: list[Any] = []
        self.recorders: dict[str, Recorder] = {}
        self.ahead_ms = 0
        """How far the server's clock is ahead: the limits on rates go by it, and a run does not wait for them."""
        self.where = ""

    def now_ms(self) -> int:
        """Return the server's time."""
        return system_now_ms() + self.ahead_ms

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[qpqclient.Client]:
        """Open a person's client; the first time it is registered."""
        folder = self.root / name
        async with qpqclient.open_client(folder, server=self.where, store_key=STORE_KEY) as client:
            recorder = Recorder(client, self.noted.append)
            if not client.known:
                self.ahead_ms += REGISTRATION_MS
                await client.register(name, f"secret {name}")
            self.recorders[name] = recorder
            yield client

    async def until(self, reached: Callable[[], bool], client: qpqclient.Client) -> None:
        """Wait until something is so; a client's events wake the wait, and nobody is asked to do anything."""
        events = client.events()
        while not reached():
            with trio.move_on_after(LOOK_SECONDS):
                await anext(events)

    async def rest(self, clients: Sequence[qpqclient.Client]) -> None:
        """Wait until every client has sent and taken everything, and has nothing left to do."""
        for client in clients:
            recorder, core = self.recorders[client.name], client._core
            await self.until(lambda r=recorder: not r.unfinished(), client)  # type: ignore[misc]  # bound at once
            box = await core.call(delivery.PeekParams(max_entries=1), delivery.PeekResult)
            await self.until(lambda c=core, last=box.last: c.inbox.position >= last, client)  # type: ignore[misc]

    def judge(self, clients: Sequence[qpqclient.Client]) -> list[Finding]:
        """Let the oracle read the history, with what these clients show at the end."""
        for client in clients:
            self.recorders[client.name].snapshot()
        active = tuple(self.recorders[c.name].device for c in clients)
        return check([*self.noted, h.Finished(self.now_ms(), active)])


@asynccontextmanager
async def open_stage(root: Path, *, mailbox_entries_max: int = 0) -> AsyncIterator[Stage]:
    """Start the server; `mailbox_entries_max`: other than its default."""
    stage = Stage(root)
    settings = Settings(listen="127.0.0.1:0", data_dir=str(root / "server"))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(open_embedded(settings, Surroundings(clock_ms=stage.now_ms)))
        stage.where = f"127.0.0.1:{server.endpoint.address[1]}"
        if mailbox_entries_max:
            _shrink_mailboxes(server, mailbox_entries_max)
        yield stage


def _shrink_mailboxes(server: Embedded, entries_max: int) -> None:
    entrance = server.gateway._bus._services[DELIVERY]  # type: ignore[attr-defined]
    store = next(iter(entrance._methods.values()))[1].__self__._store
    store._bounds = replace(store._bounds, mailbox_entries_max=entries_max)
