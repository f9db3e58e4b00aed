"""Which addresses another domain may be at (docs/spec/federation.md#addresses). Pure.

A name that anybody can point anywhere must not lead us to our own machine or network; addresses that hide another one
are judged by that one, or refused.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in the last 32 bits. 64:ff9b:1::/48 (RFC 8215) is of local use."""
REFUSED = [
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7",
        "fe80::/10", "fec0::/10", "ff00::/8",
    )
]  # fmt: skip
"""IANA's special-purpose registries (RFC 6890 and what followed), multicast, site-local, IPv4-compatible."""


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address written the one usual way; None for any other: no zone, no octal, no short form, no blanks."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id else address


def is_public(text: str) -> bool:
    """Tell whether an address is of the open Internet, itself and what it hides."""
    address = parse(text)
    if address is None:
        return False
    inner = _inner(address)
    if inner is not None:
        return is_public(str(inner))
    return not any(address in network for network in REFUSED if network.version == address.version)


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for: mapped, 6to4, NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else None
