"""A group of a thousand people through the server: made, joined, added to, sent to, all by the SDK."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tools.bench.people import accounts, clients
from tools.bench.served import served

if TYPE_CHECKING:
    from pathlib import Path

    from tools.bench.measure import Effort, Row

MESSAGES = 20


async def large(root: Path, effort: Effort) -> list[Row]:
    """Measure one group, once: making its members takes minutes."""
    names = [f"member{number}" for number in range(effort.large_members - 2)]
    async with served(root / "server") as server:
        await accounts(root, server.where, [*names, "joiner", "newcomer"])
        before = await server.usage()
        async with clients(root, server.where, "maker") as (maker,):
            begun = time.perf_counter()
            group = await maker.create_group("large", [*names, "joiner"])
            created = time.perf_counter()
            async with clients(root, server.where, "joiner") as (joiner,):
                opened = time.perf_counter()
                await joiner.sync()
                joined = time.perf_counter()
                assert len(joiner.conversation(group.id).members()) == effort.large_members
                adding = time.perf_counter()
                await group.invite("newcomer")
                added = time.perf_counter()
                for number in range(MESSAGES):
                    await group.send(f"message {number}")
                await maker.flush()
                sent = time.perf_counter()
                await joiner.sync()
                texts = [m.text for m in joiner.conversation(group.id).history(MESSAGES)]
                assert texts == [f"message {number}" for number in range(MESSAGES)]
        after = await server.usage()
    return [
        {
            "what": "large group", "members": effort.large_members, "create_s": created - begun, "join_s": joined - opened,
            "add_ms": (added - adding) * 1000, "send_ms": (sent - added) * 1000 / MESSAGES,
            "server_cpu_s": after.cpu_s - before.cpu_s, "server_peak_mib": after.peak_kib / 1024,
        }
    ]  # fmt: skip
