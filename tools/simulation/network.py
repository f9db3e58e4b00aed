"""The network: one link of datagrams in memory, hosts that may be cut off, and weather."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random  # noqa: TID251 - the simulation's dice

    from trio_quic import DatagramTransport
    from trio_quic.addresses import Address
    from trio_quic.testing import MemoryLink


@dataclass(frozen=True, slots=True)
class Weather:
    """What becomes of a datagram."""

    delay_s: float = 0.01
    jitter_s: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0


FAIR = Weather()


class Host:
    """One process's place on the network."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self.alive = True
        """False: nothing leaves, nothing comes in, for ever."""
        self.cut_off = False

    def bind(self, address: Address) -> DatagramTransport:
        """Make a socket: trio_quic's `TransportFactory`."""
        transport = self._net.link.bind(address)
        self._net.owners[transport.address] = self
        return transport


class Net:
    """Carries datagrams between hosts; counts what it did."""

    def __init__(self, dice: Random, link: MemoryLink) -> None:
        self._dice = dice
        self.link = link
        link.script = self._fate
        self.owners: dict[Address, Host] = {}
        self.weather = FAIR
        self.lost = self.doubled = 0

    def host(self) -> Host:
        """Return a new place."""
        return Host(self)

    def _reachable(self, address: Address) -> bool:
        owner = self.owners.get(address)
        return owner is not None and owner.alive and not owner.cut_off

    def _fate(self, number: int, source: Address, destination: Address, data: bytes) -> Sequence[float]:
        del number, data
        weather, dice = self.weather, self._dice
        if not self._reachable(source) or not self._reachable(destination) or dice.random() < weather.loss:
            self.lost += 1
            return ()
        copies = 1 + (dice.random() < weather.duplication)
        self.doubled += copies - 1
        return [weather.delay_s + dice.random() * weather.jitter_s for _ in range(copies)]
