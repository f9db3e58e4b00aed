"""Settings of the keystore service."""

from __future__ import annotations

from dataclasses import dataclass

from qpqcore.bus.limits import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every field has a working default."""

    domain: str = "localhost"
    """The home domain served here."""

    federated: bool = False
    """Whether people of other domains are looked up through federation."""

    guest_list_ms: int = 20_000
    """A device list of another domain is asked for anew after so long: a revocation there counts here no later."""

    guest_lists_max: int = 20_000
    """Such lists kept in memory; some 300 bytes each."""

    looked_up_per_peer: Rate = Rate(20_000, 60, 20_000)
    """Accounts and devices that another domain may look up: it asks for all of its people."""

    suites: tuple[int, ...] = (1, 0xF04F)
    """The MLS cipher suites for which KeyPackages are taken (docs/spec/groups.md#suites)."""

    packages_per_call_max: int = 100
    """One-time KeyPackages in one upload."""

    packages_per_device_max: int = 100
    """One-time KeyPackages that may wait for one device and suite."""

    package_bytes_max: int = 16 * 1024
    """The largest KeyPackage taken; an X-Wing one has some 2.7 KB."""

    low_stock: int = 10
    """At this many left the owner is told."""

    accounts_per_fetch_max: int = 256
    """Accounts in one fetchKeyPackage, or resolveIdentities; below the bursts that they are taken of."""

    suites_per_fetch_max: int = 16
    """Suites named in one fetchKeyPackage; there are two."""

    devices_per_fetch_max: int = 1_024
    """Devices in one fetchHybridKeys."""

    endpoint_bytes_max: int = 1_024
    """A peer-to-peer address."""

    endpoint_seconds_max: int = 7 * 24 * 3_600
    """The longest life of an endpoint."""

    fetch_per_account: Rate = Rate(3_600, 3_600, 1_024)
    """Accounts whose packages one account may draw: a group of 1,000 at once, then one a second."""

    drained_per_pair: Rate = Rate(30, 3_600, 30)
    """How often one account may draw the same other account's packages: keeps its one-time stock from being emptied."""

    drained_per_peer: Rate = Rate(300, 3_600, 300)
    """The same for another domain, which has many accounts."""

    resolve_per_account: Rate = Rate(600, 60, 1_024)
    """Names that one account may look up: a group of 1,000 at once, then ten a second."""

    sweep_seconds: float = 600.0
    """How often what has expired is collected."""
