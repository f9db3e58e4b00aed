"""A group of a thousand people through the server: made, joined, added to, sent to, all by the SDK.

What each takes is what its user waits for: who joins has all names; who adds has applied the commit, while a member who is
online follows it; who sends has an answer to the last message. That answer comes before the mailboxes are filled, so when the
online member has the message is a figure of its own, and the server's CPU is counted until all mailboxes have it. CPU of the
clients is both clients' together. What the SDK says by itself after an invitation (the group's name) is sent before messages
are measured.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tools.bench.people import accounts, clients
from tools.bench.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import qpqclient
    from tools.bench.measure import Effort, Row
    from tools.bench.served import Served

MESSAGES = 20


class Watch:
    """Wall time, and CPU of this process and of the server, of one phase after another."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self.wall_s: dict[str, float] = {}
        self.client_s: dict[str, float] = {}
        self.server_s: dict[str, float] = {}

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """Measure the block; the server's CPU until nothing of it is left to do there."""
        used = (await self._server.usage()).cpu_s
        begun, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_s[name], self.client_s[name] = time.perf_counter() - begun, time.process_time() - cpu
        await self._server.filled()
        self.server_s[name] = (await self._server.usage()).cpu_s - used


async def large(root: Path, effort: Effort) -> list[Row]:
    """Measure one group, once: making its members takes minutes."""
    names = [f"member{number}" for number in range(effort.large_members - 2)]
    async with served(root / "server") as server:
        await accounts(root, server.where, [*names, "joiner", "newcomer"])
        watch = Watch(server)
        before = await server.usage()
        async with clients(root, server.where, "maker") as (maker,):
            async with watch.phase("create"):
                group = await maker.create_group("large", [*names, "joiner"])
            async with clients(root, server.where, "joiner") as (joiner,):
                async with watch.phase("join"):
                    await joiner.sync()
                conversation = joiner.conversation(group.id)
                assert len(conversation.members()) == effort.large_members
                async with watch.phase("add"):
                    await group.invite("newcomer")
                await maker.flush()
                await server.filled()
                begun = time.perf_counter()
                async with watch.phase("send"):
                    for number in range(MESSAGES):
                        await group.send(f"message {number}")
                    await maker.flush()
                await _has(joiner, conversation, f"message {MESSAGES - 1}")
                reached_s = time.perf_counter() - begun
                assert [m.text for m in conversation.history(MESSAGES)] == [f"message {n}" for n in range(MESSAGES)]
        after = await server.usage()
    each = {"create": 1, "join": 1, "add": 1, "send": MESSAGES}
    return [
        {
            "what": "large group", "members": effort.large_members, "create_s": watch.wall_s["create"],
            "join_s": watch.wall_s["join"], "add_ms": watch.wall_s["add"] * 1000,
            "send_ms": watch.wall_s["send"] * 1000 / MESSAGES, "reached_ms": reached_s * 1000 / MESSAGES,
            **{f"{name}_client_ms": watch.client_s[name] * 1000 / count for name, count in each.items()},
            **{f"{name}_server_ms": watch.server_s[name] * 1000 / count for name, count in each.items()},
            "server_cpu_s": after.cpu_s - before.cpu_s, "server_peak_mib": after.peak_kib / 1024,
        }
    ]  # fmt: skip


async def _has(client: qpqclient.Client, conversation: qpqclient.Conversation, text: str) -> None:
    """Wait until a client that follows has a message."""
    events = client.events()
    while not any(message.text == text for message in conversation.history(1)):
        await anext(events)
