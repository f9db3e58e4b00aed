"""The DNS, asked through the system's resolvers (dnspython, under Trio)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.exception
import dns.rdata
import dns.rdatatype
import dns.resolver

from qpqfederation.discovery import Srv

if TYPE_CHECKING:
    from collections.abc import Sequence


LIFETIME_SECONDS = 3.0
"""Of one question with its repeats; a connection is to stand within four."""


class Dns:
    """Implements `qpqfederation.discovery.Resolver`. `servers`: addresses and a port in place of the system's resolvers."""

    def __init__(self, servers: tuple[tuple[str, ...], int] | None = None) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=servers is None)
        self._resolver.lifetime = LIFETIME_SECONDS
        self._resolver.cache = dns.resolver.LRUCache()
        if servers is not None:
            self._resolver.nameservers, self._resolver.port = list(servers[0]), servers[1]

    async def services(self, name: str) -> Sequence[Srv]:
        """Return a name's SRV records (RFC 2782)."""
        return [
            Srv(r.priority, r.weight, r.port, r.target.to_text(omit_final_dot=True).lower())  # type: ignore[attr-defined]  # an SRV's
            for r in await self._ask(name, dns.rdatatype.SRV)
        ]

    async def addresses(self, host: str) -> Sequence[str]:
        """Return a host's addresses, IPv6 first (RFC 6724 would mostly say so too)."""
        found = [*await self._ask(host, dns.rdatatype.AAAA), *await self._ask(host, dns.rdatatype.A)]
        return [r.address for r in found]  # type: ignore[attr-defined]  # an address record's

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> list[dns.rdata.Rdata]:
        """Return a name's records of a kind, none where there are none. OSError where it cannot be told."""
        try:
            answer = await self._resolver.resolve(name + ".", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.DNSException as exc:
            raise OSError(f"the DNS does not answer: {type(exc).__name__}") from exc
        return list(answer.rrset or ())
