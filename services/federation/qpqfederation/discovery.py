"""Where another domain's server is: as configured, else by DNS SRV; the address that was checked is the one connected to.

docs/spec/federation.md#discovery. RFC 2782 for the order of what is found.
"""

from __future__ import annotations

import socket as stdlib_socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import trio

from qpqcore.model.ids import is_peer_name
from qpqfederation import addresses
from qpqfederation.links import Away
from qpqfederation.names import is_discoverable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqfederation.config import Config

SERVICE = "_quicproquo._udp."
PLACES_MAX = 4
"""Addresses tried for one connection, which has four seconds."""
RECORDS_MAX = 16
"""SRV records looked at, and addresses of one target."""


@dataclass(frozen=True, slots=True, order=True)
class Srv:
    """One SRV record."""

    priority: int
    weight: int
    port: int
    target: str
    """A host name without the dot at its end; "": the service is decidedly not offered."""


class Resolver(Protocol):
    """What is asked of the DNS."""

    async def services(self, name: str) -> Sequence[Srv]:
        """Return a name's SRV records; none: there are none. OSError where it cannot be told."""

    async def addresses(self, host: str) -> Sequence[str]:
        """Return a host's addresses, as text. OSError."""


class SystemAddresses:
    """The machine's own look-up of addresses; knows no SRV records."""

    async def services(self, name: str) -> Sequence[Srv]:
        """Return none."""
        await trio.lowlevel.checkpoint()
        del name
        return ()

    async def addresses(self, host: str) -> Sequence[str]:
        """Return what the machine's resolver says."""
        found = await trio.socket.getaddrinfo(host, None, type=stdlib_socket.SOCK_DGRAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Locator:
    """Finds the address of a domain's server."""

    def __init__(self, config: Config, resolver: Resolver) -> None:
        self._config = config
        self._resolver = resolver

    async def locate(self, domain: str) -> list[tuple[str, int]]:
        """Return IP addresses and ports that may be connected to, in the order in which to try them: one or more. Away."""
        static = self._config.peers.get(domain)
        if static is not None:
            # The operator has written it down, and may mean a machine of his own network.
            return [(address, static[1]) for address in await self._addresses(static[0])][:PLACES_MAX]
        if not self._config.discovery or not is_discoverable(domain):
            raise Away("no address of this domain is known")
        found: list[tuple[str, int]] = []
        for record in await self._records(domain):
            try:
                there = await self._addresses(record.target)
            except Away:
                continue  # another target may have one
            usable = [a for a in there if self._config.private_addresses or addresses.is_public(a)]
            found += [(address, record.port) for address in usable]
            if len(found) >= PLACES_MAX:
                break
        if not found:
            raise Away("the domain has no address that may be connected to")
        return found[:PLACES_MAX]

    async def _records(self, domain: str) -> list[Srv]:
        try:
            found = list(await self._resolver.services(SERVICE + domain))
        except OSError as exc:
            raise Away("the DNS could not be asked") from exc
        usable = [r for r in found if is_peer_name(r.target) and 0 < r.port <= 0xFFFF]
        # The lowest priority first, of equal ones the heavier: a server or two, no farm to be balanced.
        return sorted(usable, key=lambda r: (r.priority, -r.weight, r.target, r.port))[:RECORDS_MAX]

    async def _addresses(self, host: str) -> Sequence[str]:
        if addresses.parse(host) is not None:
            return (host,)
        try:
            found = list(await self._resolver.addresses(host))[:RECORDS_MAX]
        except OSError as exc:
            raise Away("the host's address is not known") from exc
        if not found:
            raise Away("the host has no address")
        return found
