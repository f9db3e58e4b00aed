"""Everything an endpoint is configured with: certificates, trust, limits. All frozen, checked when made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["native", "aioquic"]

STREAM_NUMBER_MAX = 1 << 60
"""RFC 9000 section 4.6."""
DATAGRAM_BYTES_MIN = 1200
"""RFC 9000 section 14: the least every QUIC path carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of an endpoint, so that what one peer can cost is a number.

    One connection can hold, at most: `connection_window_bytes` unread, `held_bytes_max` in frames that are partly here
    or with the application, `held_bytes_max` plus one reply waiting to be sent, and `send_window_bytes` sent and not
    yet acknowledged. All together hold `held_total_bytes_max` in frames and waiting replies, and a frame each.

    What QUIC allows once and an attacker does for ever is counted by the second: a connection that does more of it is
    closed with `codes.FLOOD`, and so is one of an address whose connections do more together.
    """

    frame_bytes_max: int = 64 * 1024
    """A larger frame is a violation ("oversized"), seen from its length alone. `QuicConnection.set_frame_limit` changes
    it per peer.
    """
    held_bytes_max: int = 8 * 1024 * 1024
    """Frames of one connection that are partly here or not answered yet; past it the peer waits. One frame always fits.
    """
    held_total_bytes_max: int = 512 * 1024 * 1024
    """The same over all connections, replies that wait to be sent included; past it each connection has one frame at a
    time, and a reply that would have to wait is reset with NO_ROOM.
    """
    streams_max: int = 100
    """Streams a peer has in flight on one connection; past it the peer waits."""
    connections_max: int = 10_000
    """Past it new peers are refused."""
    connections_per_address_max: int = 256
    """The same for one IPv4 address or one IPv6 /64. From half of it on, a new peer has to prove its address by a
    Retry.
    """
    handshakes_per_address_max: int = 1_000
    """Handshakes taken from one such address in 10 s, half of them without proof of it; past it new peers are refused.
    """
    half_open_max: int = 2_000
    """Handshakes running at once; past it first packets are ignored and come again."""
    retry_from_half_open: int = 200
    """From so many running handshakes on, a new peer has to prove its address by a Retry first. 0: always."""
    handshake_ms: int = 10_000
    """A handshake that takes longer is given up."""
    handshake_bytes_max: int = 16 * 1024
    """Bytes of a handshake that wait for those before them."""
    frame_head_ms: int = 5_000
    """From a stream's beginning to the end of its first frame's length: else the frame is "late"."""
    frame_ms: int = 30_000
    """From a frame's length to its end: else the frame is "late"."""
    idle_ms: int = 60_000
    """A connection nothing is heard of for so long is over."""
    keepalive_ms: int = 0
    """A peer nothing is heard of for so long is pinged; 0: never."""
    probe_ms: int = 0
    """The same while a call that this side opened has no answer yet, and again and again while a ping has none; 0: never."""
    silence_ms: int = 0
    """A peer that owes the answer to such a ping is given up ("idle") when nothing was heard of it for so long, from the
    ping, or from the call, on; 0: after `idle_ms` only.
    """
    stream_window_bytes: int = 128 * 1024
    """What a peer may send on one stream before anything is read."""
    connection_window_bytes: int = 16 * 1024 * 1024
    """The same over all streams. It covers all stream windows together, else half-read frames would starve each other.
    """
    first_window_bytes: int = 0
    """What a peer begins with in place of `connection_window_bytes`, until `QuicConnection.set_window`; 0: no less. A
    stranger who fills stream windows that nobody can read from holds so much, and as much again in half frames.
    """
    send_window_bytes: int = 8 * 1024 * 1024
    """Sent and not acknowledged, over all streams; past it the sender waits."""
    cancels_per_second_max: int = 250
    """Streams a peer abandons or wants no answer of (RESET_STREAM, STOP_SENDING), and calls the application refused
    (`QuicConnection.charge`): each has cost a handler already.
    All calls in flight given up at once are 200.
    """
    paths_per_second_max: int = 100
    """Moves to another address, challenges, new and retired connection ids."""
    idle_frames_per_second_max: int = 1_000
    """Frames that bring nothing: pings, handshake bytes, "blocked" frames, acknowledgements and credit beyond two for
    each datagram sent, stream frames that bring next to nothing with a datagram full of them.
    """
    floods_per_address_factor: int = 8
    """One address may do so many times what one connection may, over 10 s."""
    stream_gaps_max: int = 500
    """Separate ranges that one stream, or the handshake, may have in waiting: each costs a search. The native engine
    has quinn-proto's own bound in its place, some 1,000 in proportion to the bytes.
    """
    datagram_bytes: int = 1350
    """Size of the UDP datagrams sent; not searched for, so choose what every path in use carries."""

    @property
    def beginning_window_bytes(self) -> int:
        """The window a peer begins with."""
        return self.first_window_bytes or self.connection_window_bytes

    @property
    def beginning_held_bytes(self) -> int:
        """The budget of frames a peer begins with."""
        return min(self.held_bytes_max, self.first_window_bytes or self.held_bytes_max)

    def __post_init__(self) -> None:
        """Raises ValueError for limits that cannot work."""
        for name in self.__slots__:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is negative")
        if self.connection_window_bytes < self.streams_max * self.stream_window_bytes:
            raise ValueError("connection_window_bytes does not cover streams_max * stream_window_bytes")
        if 0 < self.first_window_bytes < self.stream_window_bytes:
            raise ValueError("first_window_bytes does not cover one stream")
        if not DATAGRAM_BYTES_MIN <= self.datagram_bytes <= 65_527:
            raise ValueError("datagram_bytes is not in 1200..65527")
        if self.streams_max > STREAM_NUMBER_MAX:
            raise ValueError("streams_max is above QUIC's own limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """An accepting endpoint's certificate, and what it asks of clients."""

    chain_pem: bytes
    """The certificate, then its intermediates."""
    key_pem: bytes
    """Its private key."""
    client_ca_pem: bytes | None = None
    """Roots for client certificates, verified in the handshake. None: clients are not asked."""
    client_required: bool = True
    """Whether a client without certificate is refused; only read with `client_ca_pem`."""
    client_names: tuple[str, ...] = ()
    """Names (or addresses) of which a client's certificate must hold one; (): any will do. Only read with
    `client_ca_pem`.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """How an opening endpoint judges the server, and who it is itself. Pins go before roots, roots before first use.

    Whatever the way, the server proves that it has the certificate's private key.
    """

    ca_pem: bytes | None = None
    """Roots, or the server's self-signed certificate itself; chain, time and name are verified against them."""
    pins_sha256: tuple[bytes, ...] = ()
    """SHA-256 digests of public keys (SubjectPublicKeyInfo in DER): the server's must be among them, whoever signed its
    certificate.
    """
    first_use: bool = False
    """Take any key; the caller reads `peer_spki_sha256` and pins it for the next time."""
    chain_pem: bytes | None = None
    """The client's own certificate and its intermediates."""
    key_pem: bytes | None = None
    """Its private key."""

    def __post_init__(self) -> None:
        """Raises ValueError for a client that trusts nobody, for malformed pins, and for half a certificate."""
        if not (self.ca_pem or self.pins_sha256 or self.first_use):
            raise ValueError("a client needs ca_pem, pins_sha256 or first_use")
        if any(len(pin) != 32 for pin in self.pins_sha256):
            raise ValueError("a pin is not 32 bytes long")
        if (self.chain_pem is None) != (self.key_pem is None):
            raise ValueError("a client certificate needs both chain_pem and key_pem")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuicConfiguration:
    """What one endpoint is made of; with both `server` and `client` it accepts and opens connections on one socket."""

    alpn: tuple[bytes, ...]
    """Application protocols in order of preference; without a common one there is no connection."""
    server: ServerTls | None = None
    client: ClientTls | None = None
    limits: Limits = Limits()
    groups: tuple[str, ...] = ("X25519MLKEM768", "X25519")
    """Key exchange groups in order of preference: X25519MLKEM768, X25519, SECP256R1. The aioquic engine leaves out what
    it lacks.
    """
    seed: bytes | None = None
    """32 bytes that all randomness is drawn from: simulations only, never on a network."""
    retry_key: bytes | None = None
    """32 bytes that Retry tokens are sealed with; the same in every process that one client may be routed to. None:
    random. `QuicEndpoint.set_retry_keys` rotates them.
    """
    reset_key: bytes | None = None
    """32 bytes that stateless resets are made with (RFC 9000 §10.3). A server that keeps it over a restart answers its
    clients' next datagrams by telling them that their connections are gone; without it they find out by `silence_ms`
    or `idle_ms`. None: random. The
    aioquic engine neither sends nor understands stateless resets.
    """
    worker: int = 0
    """First byte of this endpoint's connection ids, so that a router can tell whose a datagram is."""
    unix_time_s: int | None = None
    """The wall clock's seconds for certificates and tokens, standing still: simulations only. None: the system's clock.
    The aioquic engine judges chains (not pins) by the system's clock all the same.
    """

    def __post_init__(self) -> None:
        """Raises ValueError for an endpoint that could do nothing."""
        if not self.alpn:
            raise ValueError("no application protocol")
        if self.server is None and self.client is None:
            raise ValueError("neither server nor client")
        for name in ("seed", "retry_key", "reset_key"):
            value = getattr(self, name)
            if value is not None and len(value) != 32:
                raise ValueError(f"{name} is not 32 bytes long")
        if not 0 <= self.worker <= 255:
            raise ValueError("worker is not in 0..255")
