"""Settings of the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every field has a working default."""

    domain: str = "localhost"
    """The home domain served here."""

    host: str = "127.0.0.1"
    port: int = 7000

    workers: int = 1
    """Processes that serve this address together."""
    worker: int = 0
    """Which of them this one is."""
    handover_dir: str = ""
    """Folder of the sockets over which they hand each other datagrams; theirs alone (trio_quic's Handover)."""

    engine: Literal["native", "aioquic"] = "native"
    """Which QUIC engine of trio_quic."""

    registration: str = "open"
    """What hello tells about registration."""

    blob_bytes_max: int = 50 * 1024 * 1024
    """What hello tells about files."""

    blob_chunk_bytes: int = 256 * 1024
    """What hello tells about chunks."""

    anonymous_frame_bytes_max: int = 64 * 1024
    """A call's frame before log-in."""

    frame_bytes_max: int = 2 * 1024 * 1024
    """A call's frame after log-in."""

    handshake_bytes_max: int = 8 * 1024 * 1024
    """The largest frame that any method allows."""

    call_ms: int = 30_000
    """A call that brings no deadline has this one."""

    wait_over_ms: int = 5_000
    """A fetchWait without a deadline may last so much longer than it waits, and `call_ms` at least."""

    call_ms_max: int = 65_000
    """No call has a longer one; fetchWait lasts 60 s at most."""

    calls_max: int = 20_000
    """Calls with a service at once, over all connections; each is a task of some 10 KiB. Past it: `overloaded`."""

    shed_delay_seconds: float = 0.0005
    """The work before a ready call's turn, on average, from which on others are refused; 0: any (qpqcore.bus.admission)."""

    shed_stay_seconds: float = 0.025
    """A call's stay, on average, that refusing others is not to shorten any further (qpqcore.bus.admission)."""

    subscriptions_max: int = 4
    """Of one connection: each is told of every message."""

    renew_before_ms: int = 60_000
    """An assertion is renewed so long before its end."""

    look_again_seconds: float = 30.0
    """A subscription looks by itself so often, whatever the notices say, where they may be lost."""

    look_again_lossless_seconds: float = 900.0
    """The same where none is lost; each look is a read, and now and then a durable write that prolongs the session."""

    going_away_ms: int = 2_000
    """Within this time clients are asked to reconnect when the server drains, each at a moment of its own; as long a
    gateway goes on answering them.
    """

    connections_max: int = 10_000
    connections_per_address_max: int = 512
    """An office, or a test, behind one address."""

    handshakes_per_address_max: int = 1_000
    """In 10 s; its clients may all come back at once after a restart."""

    retry_from_half_open: int = 200
    """From so many handshakes at once on, addresses have to be proven; 0: always."""

    held_total_bytes_max: int = 512 * 1024 * 1024
    """Frames and waiting replies over all connections."""

    anonymous_window_bytes: int = 1024 * 1024
    """What a connection may send before log-in without anything being read: sixteen of the largest frames."""

    idle_ms: int = 60_000
    """A connection nothing is heard of for so long is over."""
