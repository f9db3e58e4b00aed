"""Files up and down through the SDK, encrypted and hashed at both ends."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from tools.bench.measure import Effort, Row, medians
from tools.bench.people import clients
from tools.bench.served import served

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1_000_000


async def blobs(root: Path, effort: Effort) -> list[Row]:
    """Measure one file in each direction."""
    runs = []
    async with served(root / "server") as server, clients(root, server.where, "alice", "bob") as (alice, bob):
        sent = await alice.dm("bob")
        await alice.flush()
        await bob.sync()
        for number in range(effort.repetitions):
            source = root / f"{number}.bin"
            source.write_bytes(secrets.token_bytes(effort.file_bytes))
            before, begun = await server.usage(), time.perf_counter()
            message = await sent.send_file(source)
            await alice.flush()
            up = time.perf_counter()
            await bob.sync()
            there = bob.conversation(sent.id)
            received = next(m for m in there.history(10) if m.id == message.id)
            down = time.perf_counter()
            await there.download(received, root / f"{number}.copy")
            ended = time.perf_counter()
            cpu_s = (await server.usage()).cpu_s - before.cpu_s
            assert (root / f"{number}.copy").read_bytes() == source.read_bytes()
            size = effort.file_bytes / MEGABYTE
            runs.append({
                "up_mb_s": size / (up - begun), "down_mb_s": size / (ended - down), "server_cpu_ms_a_mb": cpu_s * 1000 / size / 2,
            })  # fmt: skip
    return [{"what": "file", "megabytes": effort.file_bytes / MEGABYTE, **medians(runs)}]
