"""Settings of federation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from qpqcore.bus.limits import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every field has a working default."""

    domain: str = "localhost"
    """The domain that we speak for."""

    enabled: bool = False
    """Whether there is anybody to talk to."""

    host: str = "127.0.0.1"
    port: int = 7001

    engine: Literal["native", "aioquic"] = "native"
    """Which QUIC engine of trio_quic."""

    peers: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Where the servers of domains are that are known by configuration."""

    discovery: bool = False
    """Whether other domains are found by DNS, and may come; else only those of `peers` do."""

    private_addresses: bool = False
    """Whether domains found by DNS may be at loopback, private or link-local addresses."""

    frame_bytes_max: int = 8 * 1024 * 1024 + 64 * 1024
    """A call with a commit and its Welcomes, and who brings it."""

    first_frame_bytes_max: int = 4 * 1024
    """The first call, by which a peer says who it is."""

    window_bytes: int = 16 * 1024 * 1024
    """What a peer may send before anything is read."""

    first_window_bytes: int = 256 * 1024
    """The same before it has said who it is."""

    connections_max: int = 1_000
    connections_per_peer_max: int = 8
    """A domain may run several federation processes."""

    connections_per_address_max: int = 64

    calls_per_peer_max: int = 64
    """Calls of one domain that are answered at once; past it `overloaded`: the others keep their share."""

    calls_per_peer: Rate = Rate(2_000, 1, 4_000)
    """Calls of one domain."""

    entries_per_peer: Rate = Rate(5_000, 1, 20_000)
    """Entries that one domain may bring into mailboxes here."""

    call_ms: int = 20_000
    """A call to a peer, or of one, lasts so long at most."""

    connect_seconds_max: float = 4.0
    """From nothing to a greeted connection; the client's own call waits for it."""

    again_seconds_min: float = 0.5
    again_seconds_max: float = 60.0
    """Pauses between two tries to bring a peer what waits for it, doubled each time, half to one and a half of each."""

    unreachable_seconds_min: float = 0.5
    unreachable_seconds_max: float = 15.0
    """A peer that could not be reached is not tried again for so long, twice as long each time, unless it comes here by
    itself: callers are told at once.
    """

    holder: bytes = bytes(16)
    """Who this process is among those that bring what waits, the same after a restart."""

    lease_seconds: float = 45.0
    """Of several processes one brings what waits for a domain, and after its death another, so long later at most."""

    lease_left_seconds_min: float = 25.0
    """Nothing is sent with less left of it: a call takes 22 s at most (`call_ms`, and room for the answer)."""

    look_again_seconds: float = 30.0
    """So often boxes are looked at, whatever the notices say."""
