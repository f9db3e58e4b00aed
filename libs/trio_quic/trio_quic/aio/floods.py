"""Peers that cost more than they pay, counted as the native engine's `floods.rs` does, by connection and by address."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trio_quic.configuration import Limits

SECOND_US: Final = 1_000_000
CONNECTION_WINDOW_S: Final = 1
"""The time one connection's counts are compared over."""
ADDRESS_WINDOW_S: Final = 10
"""The time one address's counts are compared over; then all are forgotten, so that the table stays small."""
STREAM_FRAME_BYTES: Final = 32
"""A stream frame that brings less than this, with its share of headers, is one of many in a datagram: the smallest call
takes twice as much.
"""
ANSWERS_PER_DATAGRAM: Final = 2
"""Acknowledgements and credit that one datagram sent may bring back."""

REASONS: Final = {
    "floods_of_cancels": "too many cancelled or refused calls",
    "floods_of_paths": "too many path changes",
    "floods_of_idle_frames": "too many empty frames",
    "floods_by_address": "too many of them from this address",
}
"""By counter: what a peer is told."""


def _frames() -> dict[int, str]:
    kinds = {"cancels": (0x04, 0x05), "paths": (0x18, 0x19, 0x1A, 0x1B), "answers": (0x02, 0x03, *range(0x10, 0x14))}
    kinds |= {"idle": (0x01, 0x06, *range(0x14, 0x18)), "streams": tuple(range(0x08, 0x10))}
    return {frame: kind for kind, frames in kinds.items() for frame in frames}


KIND_OF_FRAME: Final = _frames()
"""By frame type (RFC 9000 section 19)."""


@dataclass(slots=True)
class Nuisance:
    """Amounts of each kind."""

    cancels: int = 0
    paths: int = 0
    idle: int = 0

    def minus(self, earlier: Nuisance) -> Nuisance:
        """What has come since."""
        return Nuisance(
            max(0, self.cancels - earlier.cancels),
            max(0, self.paths - earlier.paths),
            max(0, self.idle - earlier.idle),
        )

    def add(self, more: Nuisance) -> None:
        """Adds."""
        self.cancels += more.cancels
        self.paths += more.paths
        self.idle += more.idle

    def beyond(self, limits: Limits, seconds: int) -> str:
        """The counter of the kind of which there is more than `seconds` allow, or nothing."""
        if self.cancels > limits.cancels_per_second_max * seconds:
            return "floods_of_cancels"
        if self.paths > limits.paths_per_second_max * seconds:
            return "floods_of_paths"
        if self.idle > limits.idle_frames_per_second_max * seconds:
            return "floods_of_idle_frames"
        return ""


@dataclass(slots=True)
class Seen:
    """A connection's figures since it began; its owner counts."""

    cancels: int = 0
    paths: int = 0
    idle: int = 0
    answers: int = 0
    streams: int = 0
    bytes_received: int = 0
    datagrams_sent: int = 0

    def count(self, kind: str) -> None:
        """One frame."""
        setattr(self, kind, getattr(self, kind) + 1)

    def nuisance(self) -> Nuisance:
        """What of it is one, but for stream frames."""
        unasked = max(0, self.answers - ANSWERS_PER_DATAGRAM * self.datagrams_sent)
        return Nuisance(self.cancels, self.paths, self.idle + unasked)


@dataclass(slots=True)
class Meter:
    """One connection's count in the present second."""

    since_us: int
    start: Seen = field(default_factory=Seen)
    last: Seen = field(default_factory=Seen)
    charged: Nuisance = field(default_factory=Nuisance)
    """What of it the address has been charged with."""

    def done(self, seen: Seen, now_us: int) -> Nuisance:
        """What was done in this second; the next one begins when it is over."""
        if now_us - self.since_us >= CONNECTION_WINDOW_S * SECOND_US:
            self.since_us, self.start, self.charged = now_us, self.last, Nuisance()
        self.last = replace(seen)
        done = seen.nuisance().minus(self.start.nuisance())
        paid = (seen.bytes_received - self.start.bytes_received) // STREAM_FRAME_BYTES
        done.idle += max(0, seen.streams - self.start.streams - paid)
        return done


@dataclass(slots=True)
class Visits:
    """What one address has done in the present window."""

    handshakes: int = 0
    nuisance: Nuisance = field(default_factory=Nuisance)


class Visitors:
    """All addresses of the present window."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._since_us = 0
        self._sites: dict[bytes, Visits] = {}

    def at(self, site: bytes, now_us: int) -> Visits:
        """One address's."""
        if now_us - self._since_us >= ADDRESS_WINDOW_S * SECOND_US:
            self._since_us, self._sites = now_us, {}
        return self._sites.setdefault(site, Visits())

    def measure(self, site: bytes, meter: Meter, seen: Seen, now_us: int) -> str:
        """The counter of what a connection, or its address, does too much of, or nothing."""
        done = meter.done(seen, now_us)
        found = done.beyond(self._limits, CONNECTION_WINDOW_S)
        more = done.minus(meter.charged)
        if more.cancels or more.paths or more.idle:
            meter.charged = done
            of_site = self.at(site, now_us).nuisance
            of_site.add(more)
            if not found and of_site.beyond(self._limits, ADDRESS_WINDOW_S * self._limits.floods_per_address_factor):
                found = "floods_by_address"
        return found
