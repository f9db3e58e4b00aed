"""A domain in the scaled form, of several federation processes; one of them at a time brings what waits for another domain."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from qpqcore.config.settings import Settings
from qpqcore.model.ids import box_of
from qpqserver.peering import config_of
from tests.support.postgres import rows_in
from tools.rolling.stage import DATABASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.rolling.stage import Replica, Stage

FEDERATION: Final = "federation"
COUNTS: Final = {"keystore": 1, "delivery": 1, "blob": 1, "auth": 1, "gateway": 1}
"""Beside federation, whose processes are the drill's subject."""
BOX = (
    "SELECT m.entries, m.acked, coalesce(l.holder, '') FROM mailboxes m LEFT JOIN box_leases l ON l.box = m.device "
    "WHERE m.device = ?"
)


@dataclass(frozen=True, slots=True)
class Box:
    """What waits for another domain, at one moment."""

    waiting: int
    """Entries that it is not known to have."""
    acked: int
    """The number up to which it has them."""
    holder: Replica | None
    """Whose lease it is, or was last."""


class ScaledDomain:
    """Implements `tools.demo.processes.Server`; the processes listen for other domains at `ports`, one each."""

    def __init__(self, place: Stage, settings: Mapping[str, str], ports: Sequence[int]) -> None:
        self.place = place
        self.address = f"{place.hosts[0]}:{place.port}"
        self.victims: Sequence[str] = ("all processes of the domain",)
        self.federations = [one for one in place.everyone if one.service == FEDERATION]
        place.more |= {f"QPQ_{name.upper()}": value for name, value in settings.items()}
        place.more["QPQ_FEDERATION_ENABLED"] = "true"
        for one, port in zip(self.federations, ports, strict=True):
            place.held.settings[one] = {"QPQ_FEDERATION_LISTEN": f"127.0.0.1:{port}"}
        self._holders = {holder_of(place, one): one for one in self.federations}

    async def start(self) -> None:
        """Start all processes; return once every one says that it is ready."""
        for one in self.place.everyone:
            self.place.start(one)
        for one in self.place.everyone:
            await self.place.wait_ready(one)

    async def kill(self) -> float:
        """SIGKILL to all; return the moment, in seconds of the monotonic clock."""
        moment = time.monotonic()
        self.place.end_all()
        await trio.lowlevel.checkpoint()
        return moment

    async def stop(self) -> int:
        """End all."""
        self.place.end_all()
        await trio.lowlevel.checkpoint()
        return 0

    async def box(self, domain: str) -> Box:
        """Look into the database how it stands with what is for another domain."""
        url = self.place.database.url(DATABASE)
        rows = await trio.to_thread.run_sync(partial(rows_in, url, "delivery", BOX, [box_of(domain)]))
        if not rows:
            return Box(0, 0, None)
        waiting, acked, holder = rows[0]
        return Box(waiting, acked, self._holders.get(bytes(holder)))


def holder_of(place: Stage, one: Replica) -> bytes:
    """Return by which name a federation process holds leases, the same after a restart."""
    return config_of(Settings(bus_listen=f"127.0.0.1:{place.bus_port(one)}")).holder
