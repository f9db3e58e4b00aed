"""Decides what becomes of a new peer, as the native engine's `admission.rs` does, and makes and checks Retry tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from aioquic.quic.retry import QuicRetryTokenHandler
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from trio_quic.configuration import Limits


class Verdict(Enum):
    """What to do with a new peer."""

    ACCEPT = auto()
    RETRY = auto()
    REFUSE = auto()
    LIMIT = auto()
    """Refused: too many of late."""
    IGNORE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The counts a verdict rests on; `validated`: it brought a Retry token."""

    validated: bool
    accepting: bool
    half_open: int
    connections: int
    of_site: int
    of_site_lately: int


def verdict(load: Load, limits: Limits, retry_from_half_open: int) -> Verdict:
    """Pure. Anyone can write any source address: unproven ones get half of an address's places at most."""
    if not load.accepting:
        return Verdict.REFUSE
    site_crowded = load.of_site >= -(-limits.connections_per_address_max // 2) or load.of_site_lately >= -(
        -limits.handshakes_per_address_max // 2
    )
    if not load.validated and (load.half_open >= retry_from_half_open or site_crowded):
        return Verdict.RETRY
    if load.of_site_lately >= limits.handshakes_per_address_max:
        return Verdict.LIMIT
    if load.half_open >= limits.half_open_max:
        return Verdict.IGNORE
    if load.connections >= limits.connections_max or load.of_site >= limits.connections_per_address_max:
        return Verdict.REFUSE
    return Verdict.ACCEPT


def site(packed_address: bytes) -> bytes:
    """What one "address" means for limits: an IPv4 address, or an IPv6 /64."""
    ip = packed_address[:-2]
    return ip if len(ip) == 4 else ip[:8]


class RetryTokens(QuicRetryTokenHandler):
    """Tokens sealed with a key that several processes can share."""

    def __init__(self, key: bytes | None) -> None:
        super().__init__()
        if key is not None:
            self._aead = AESGCM(key)
