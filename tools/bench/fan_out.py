"""Fan-out: one message into the mailboxes of a group's devices, which are away; the server's CPU for each copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqclient.transport import Trust, open_link
from qpqcore.api.delivery import EnqueueParams, EnqueueResult
from tools.bench.calls import ciphertexts
from tools.bench.measure import Effort, Row, in_flight, medians
from tools.bench.people import accounts, clients
from tools.bench.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qpqclient.transport import Link

WIDTH = 16


async def fan_out(root: Path, effort: Effort) -> list[Row]:
    """Measure groups of all sizes; the sender is a bare link in a member's session."""
    rows: list[Row] = []
    async with served(root / "server") as server:
        names = [f"member{number}" for number in range(max(effort.copies))]
        await accounts(root, server.where, names)
        async with open_link(server.where, Trust(), accept=lambda _: True) as link:
            made: dict[int, Iterator[EnqueueParams]] = {}
            async with clients(root, server.where, "maker") as (maker,):
                for copies in effort.copies:
                    group = await maker.create_group(f"of {copies}", names[:copies])
                    made[copies] = ciphertexts(maker, [group.id])
                    next(made[copies])
                await maker._core.account.resume(link)  # noqa: SLF001 - a second connection in the same session
            for copies, waiting in made.items():
                runs = []
                for _ in range(effort.repetitions):
                    before = await server.usage()
                    rate, _ = await in_flight([lambda w=waiting: send(link, w)], effort.fan_outs, WIDTH)  # type: ignore[misc]
                    await server.filled()
                    cpu_us = ((await server.usage()).cpu_s - before.cpu_s) * 1e6 / effort.fan_outs
                    runs.append({"per_second": rate, "server_cpu_us": cpu_us, "cpu_us_a_copy": cpu_us / copies})
                facts = {"what": "fan-out", "devices": copies, "messages": effort.fan_outs}
                rows.append(facts | medians(runs))
    return rows


async def send(link: Link, waiting: Iterator[EnqueueParams]) -> None:
    """Enqueue the next message."""
    await link.call(next(waiting), EnqueueResult)
