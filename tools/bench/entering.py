"""Handshakes and log-ins, one after another: the server's CPU for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qpqnative
from qpqclient.transport import Trust, open_link
from qpqcore.api.auth import LoginFinishParams, LoginFinishResult, LoginStartParams, LoginStartResult
from tools.bench.measure import Effort, Row, medians
from tools.bench.people import PASSWORD, accounts
from tools.bench.served import served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from qpqclient.transport import Link
    from tools.bench.served import Served

NAME = "member"


async def entering(root: Path, effort: Effort) -> list[Row]:
    """Measure connections (handshake, `hello`, end), then log-ins over one connection."""
    async with served(root / "server") as server:
        await accounts(root, server.where, [NAME])

        async def connect() -> None:
            async with open_link(server.where, Trust(), accept=lambda _: True):
                pass

        async with open_link(server.where, Trust(), accept=lambda _: True) as link:
            return [
                await repeated(server, "handshake", connect, effort),
                await repeated(server, "log-in", lambda: log_in(link), effort),
            ]


async def repeated(server: Served, what: str, work: Callable[[], Awaitable[None]], effort: Effort) -> Row:
    """Measure some work."""
    await work()
    runs = []
    for _ in range(effort.repetitions):
        before = await server.usage()
        for _ in range(effort.entries):
            await work()
        runs.append({"server_cpu_ms": ((await server.usage()).cpu_s - before.cpu_s) * 1000 / effort.entries})
    return {"what": what, "times": effort.entries, **medians(runs)}


async def log_in(link: Link, name: str = NAME) -> None:
    """Go through OPAQUE."""
    opaque = qpqnative.OpaqueLogin()
    start = LoginStartParams(name=name, request=opaque.start(PASSWORD.encode()))
    started = await link.call(start, LoginStartResult)
    finalization = opaque.finish(PASSWORD.encode(), started.response)[0]
    await link.call(LoginFinishParams(state=started.state, finalization=finalization), LoginFinishResult)
