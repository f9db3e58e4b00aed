"""Servers nearby: those of the local network that announce themselves by multicast DNS (RFC 6762, RFC 6763).

Anybody on the network can announce anything: what is found is a suggestion, to be trusted no more than an address that
somebody shouts across the room. The server's key is judged when one connects, as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from qpqcore.model.ids import is_domain
from qpqcore.net.places import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICE = "_quicproquo._udp.local."
SERVERS_MAX = 100
"""Announcements looked at; a flood of them is cut off."""
DETAILS_MS_MAX = 3_000
"""Waited for one server's address."""
DOMAIN, PIN = b"domain", b"pin"
"""What stands beside an address: the domain, and the SHA-256 of the server's key in hexadecimal."""
PIN_CHARS = 64


@dataclass(frozen=True, slots=True, order=True)
class Nearby:
    """A server that says it is here."""

    domain: str
    server: str
    """Its address, as `open_client` takes it."""
    pin: str
    """What it says that its key is; "": it does not say."""


async def discover(seconds: float = 2.0, interfaces: Sequence[str] = ()) -> list[Nearby]:
    """Listen for so long, and return who is there. `interfaces`: addresses of those to listen at; none: all. OSError."""
    return await trio.to_thread.run_sync(_discover, seconds, tuple(interfaces), abandon_on_cancel=True)


def _discover(seconds: float, interfaces: tuple[str, ...]) -> list[Nearby]:
    import threading

    from zeroconf import InterfaceChoice, ServiceBrowser, Zeroconf

    names: dict[str, None] = {}
    enough = threading.Event()

    def heard(name: str, **_more: object) -> None:
        if len(names) < SERVERS_MAX:
            names[name] = None
        else:
            enough.set()

    with Zeroconf(interfaces=list(interfaces) or InterfaceChoice.All) as net:
        browser = ServiceBrowser(net, SERVICE, handlers=[heard])
        enough.wait(seconds)
        browser.cancel()
        found: set[Nearby] = set()
        for name in list(names):
            info = net.get_service_info(SERVICE, name, DETAILS_MS_MAX)
            if info is not None and info.port:
                found |= {
                    _nearby(address, info.port, info.properties)
                    for address in info.parsed_scoped_addresses()[:SERVERS_MAX]
                }
    return sorted(found)


def _nearby(address: str, port: int, properties: dict[bytes, bytes | None]) -> Nearby:
    """Return what is shown of an announcement: nothing that is not of its form."""
    domain = (properties.get(DOMAIN) or b"").decode("ascii", "replace")
    pin = (properties.get(PIN) or b"").decode("ascii", "replace").lower()
    is_pin = len(pin) == PIN_CHARS and all(c in "0123456789abcdef" for c in pin)
    return Nearby(domain if is_domain(domain) else "", place_of(address, port), pin if is_pin else "")
