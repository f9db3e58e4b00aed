"""A device is revoked at the first gateway; how long the third one serves it still."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

import qpqclient
from qpqclient.transport import Trust, open_link
from qpqcore.api.delivery import PeekParams, PeekResult
from tools.bench.people import PASSWORD, STORE_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tools.rolling.stage import Stage

SECONDS_MAX: Final = 1.0
LOOK_SECONDS: Final = 0.005
LOG_INS_MAX: Final = 8
"""Before the limits have to be forgotten: a name has ten at once (qpqauth.config)."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """How long each time."""

    took_s: tuple[float, ...]

    @property
    def holds(self) -> bool:
        """Whether each was within a second."""
        return max(self.took_s) < SECONDS_MAX

    def line(self) -> str:
        """Return it in one line."""
        ordered = sorted(self.took_s)
        return (
            f"Revoked at gateway 1, cut off at gateway 3, {len(ordered)} times: median {ordered[len(ordered) // 2] * 1000:.0f} ms, "
            f"longest {ordered[-1] * 1000:.0f} ms, from before the call."
        )


async def revoke(folder: Path, place: Stage, alice: qpqclient.Client, times: int) -> Revoked:
    """Let a second device log in at the last gateway and call, revoke it at the first, and see how long it is served."""
    took = []
    for number in range(times):
        if number % LOG_INS_MAX == 0:
            place.redis.command("FLUSHALL")
        own = folder / "lost" / str(number)
        async with qpqclient.open_client(own, server=f"{place.hosts[-1]}:{place.port}", store_key=STORE_KEY) as lost:
            await lost.login("alice", PASSWORD)
            async with open_link(f"{place.hosts[-1]}:{place.port}", Trust(), accept=lambda _: True) as link:
                await lost._core.account.resume(link)  # noqa: SLF001 - a bare connection: each call is one try
                took.append(await _once(alice, lost.device, link))
    return Revoked(tuple(took))


async def _once(alice: qpqclient.Client, device: bytes, link: qpqclient.transport.Link) -> float:
    begun, ended = time.monotonic(), 0.0
    async with trio.open_nursery() as nursery:
        await link.call(PeekParams(), PeekResult)
        nursery.start_soon(alice.revoke_device, device)
        while not ended:
            try:
                await link.call(PeekParams(), PeekResult)
            except qpqclient.Refused as no:
                if no.name not in {"unauthenticated", "notFound"}:
                    raise
                if no.name == "unauthenticated":  # else its mailbox has gone, and its session goes on
                    ended = time.monotonic()
            await trio.sleep(0 if ended else LOOK_SECONDS)
    return ended - begun
