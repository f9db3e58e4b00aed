"""Decides what becomes of a new peer, as the native engine's `admission.rs` does, and makes and checks Retry tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from aioquic.quic.retry import QuicRetryTokenHandler
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from trio_quic.addresses import Address
    from trio_quic.configuration import Limits

RETRY_KEY_BYTES: Final = 32


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


class RetryTokens:
    """Tokens sealed with a key that several processes can share, and opened with that one or another."""

    def __init__(self, key: bytes | None) -> None:
        self._seals = QuicRetryTokenHandler()
        self._also: QuicRetryTokenHandler | None = None
        if key is not None:
            self.set_keys(key, None)

    def set_keys(self, current: bytes, also: bytes | None) -> None:
        """Seals with `current` from now on. Raises ValueError for keys that are not 32 bytes long."""
        if len(current) != RETRY_KEY_BYTES or (also is not None and len(also) != RETRY_KEY_BYTES):
            raise ValueError("a Retry key is not 32 bytes long")
        self._seals = _keyed(current)
        self._also = None if also is None else _keyed(also)

    def create(self, address: Address, original: bytes, source: bytes, unix_s: float) -> bytes:
        """A token for the peer at `address`, whose first id was `original`, and who is to send to `source` now."""
        return self._seals.create_token(
            address=address,
            original_destination_connection_id=original,
            retry_source_connection_id=source,
            now=unix_s,
        )

    def origin(self, address: Address, destination: bytes, token: bytes, unix_s: float) -> bytes | None:
        """The first id of a peer that brings back a good token; None: it is nobody's, another's, or too old."""
        for handler in (self._seals, self._also):
            if handler is None:
                continue
            try:
                return handler.validate_token(address=address, destination_cid=destination, token=token, now=unix_s)
            except ValueError:
                continue
        return None


def _keyed(key: bytes) -> QuicRetryTokenHandler:
    handler = QuicRetryTokenHandler()
    handler._aead = AESGCM(key)  # noqa: SLF001 - aioquic draws a key of its own and takes no other
    return handler
