"""UDP addresses: (host, port) for people, packed for engines: 4 or 16 bytes of IP and 2 of port, big endian."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

Address = tuple[str, int]
"""An IP address in text form and a port. IPv6 scope ids are not carried."""


def pack(address: Address) -> bytes:
    """Packs a numeric address; an IPv4 address mapped into IPv6 becomes the IPv4 address it is.

    Raises ValueError for anything but an IP address and a port.
    """
    host, port = address
    ip = ip_address(host.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return (mapped or ip).packed + port.to_bytes(2, "big")


def unpack(packed: bytes) -> Address:
    """The (host, port) of a packed address. Raises ValueError unless it has 6 or 18 bytes."""
    ip, port = packed[:-2], int.from_bytes(packed[-2:], "big")
    if len(ip) == 4:
        return str(IPv4Address(ip)), port
    if len(ip) == 16:
        return str(IPv6Address(ip)), port
    raise ValueError("a packed address has 6 or 18 bytes")
