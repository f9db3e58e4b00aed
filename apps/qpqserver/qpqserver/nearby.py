"""Announces the server on the local network by multicast DNS, where that is wanted (docs/spec/federation.md#nearby)."""

from __future__ import annotations

import ipaddress
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
import trio

from qpqclient.nearby import DOMAIN, PIN, SERVICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = structlog.get_logger()

GOODBYE_SECONDS_MAX = 2.0
"""A network that is gone must not hold up the server's end."""


@asynccontextmanager
async def announced(domain: str, address: tuple[str, int], pin: bytes) -> AsyncIterator[None]:
    """Announce the server at its address while the block runs. A network without multicast is no reason not to serve."""
    try:
        net, info = await trio.to_thread.run_sync(_announce, domain, address, pin)
    except OSError as exc:
        log.warning("not_announced", reason=str(exc))
        yield
        return
    log.info("announced", service=SERVICE)
    try:
        yield
    finally:
        with trio.move_on_after(GOODBYE_SECONDS_MAX, shield=True):
            await trio.to_thread.run_sync(_leave, net, info, abandon_on_cancel=True)


def _announce(domain: str, address: tuple[str, int], pin: bytes) -> tuple[Any, Any]:
    """Register, and wait until nobody objects to the name."""
    from zeroconf import Error, InterfaceChoice, ServiceInfo, Zeroconf

    host, port = address
    here = ipaddress.ip_address(host)
    everywhere = here.is_unspecified
    net = Zeroconf(interfaces=InterfaceChoice.All if everywhere else [host])
    try:
        addresses = [a.packed for a in _own_addresses()] if everywhere else [here.packed]
        # The label has no dots, so that it is one; a second server of the same name gets a number.
        label = domain.replace(".", "-")
        info = ServiceInfo(
            SERVICE, f"{label}.{SERVICE}", port=port, addresses=addresses, server=f"{label}.local.",
            properties={DOMAIN: domain.encode(), PIN: pin.hex().encode()},
        )  # fmt: skip
        net.register_service(info, allow_name_change=True)
    except Error as exc:
        net.close()
        raise OSError(f"multicast DNS: {type(exc).__name__}") from exc
    except BaseException:
        net.close()
        raise
    return net, info


def _own_addresses() -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    import ifaddr

    found = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [a for a in map(ipaddress.ip_address, found) if not a.is_loopback]


def _leave(net: Any, info: Any) -> None:
    net.unregister_service(info)
    net.close()
