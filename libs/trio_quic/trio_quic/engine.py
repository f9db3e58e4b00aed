"""The `Engine` protocol: QUIC without I/O, one engine per UDP socket, and the choice between the two engines.

Datagrams and times go in, events, datagrams and the next deadline come out. Times are integer microseconds since the
engine was made, given by the caller and never going back; deadlines are rounded up. Addresses are packed
(`trio_quic.addresses`). A request to a connection or stream that is gone does nothing, or answers GONE: peers may
always be quicker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .configuration import EngineName, QuicConfiguration, ServerTls
    from .events import Event

BLOCKED: Final = -1
"""Wait for AVAILABLE (streams) or WRITABLE (frames)."""
GONE: Final = -2
"""The connection or the stream is over."""
REFUSED: Final = -3
"""A reply was more than the connection's budget allows to wait: its stream was reset with NO_ROOM."""

Datagram = tuple[bytes, int, bytes, int]
"""(packed address, ECN bits, bytes, segment bytes): with a segment size above 0 the bytes are several datagrams (GRO).
"""
Transmit = tuple[bytes, bytes, int]
"""(packed address, bytes, segment bytes): likewise (GSO)."""


class Engine(Protocol):
    """One endpoint's connections."""

    # --- datagrams, time, events

    def receive(self, batch: Sequence[Datagram], now_us: int) -> None:
        """Takes datagrams in."""

    def poll(self) -> list[Event]:
        """Takes the events out, in order."""

    def transmit(self, now_us: int) -> list[Transmit]:
        """Takes out all datagrams there are to send."""

    def next_timeout(self) -> int | None:
        """When `handle_timeout` is due."""

    def handle_timeout(self, now_us: int) -> None:
        """Does what is due."""

    # --- connections

    def connect(self, address: bytes, server_name: str, now_us: int) -> int:
        """Starts a connection and returns its number; CONNECTED or CLOSED follows. Raises ValueError for a bad name or
        address.
        """

    def close(self, connection: int, code: int, reason: bytes, now_us: int) -> None:
        """Closes at once: what has not been sent is not sent any more."""

    def update_keys(self, connection: int) -> None:
        """Goes on to the next traffic keys (RFC 9001 section 6); does nothing before the handshake is confirmed, and
        while the last step is not.
        """

    def watch_idle(self, connection: int) -> None:
        """Asks for one IDLE event, once all that was sent is acknowledged."""

    def set_frame_limit(self, connection: int, bytes_max: int) -> None:
        """The largest frame taken from this peer from now on."""

    def set_window(self, connection: int, window_bytes: int) -> None:
        """What this peer may send over all its streams before anything is read, from now on."""

    def charge(self, connection: int) -> None:
        """The application refused a call of this peer: it counts like a cancelled one."""

    # --- framed streams: one frame of a stream is with the application at a time

    def call(self, connection: int, frame: bytes) -> int:
        """Opens a stream, sends a frame and ends it: the stream's number, BLOCKED or GONE."""

    def open(self, connection: int, framed: bool) -> int:
        """Opens a stream: its number, BLOCKED or GONE."""

    def reply(self, connection: int, stream: int, frame: bytes) -> int:
        """Sends a frame and ends the stream without waiting: 0, GONE or REFUSED. Gives the request's budget back."""

    def send(self, connection: int, stream: int, frame: bytes) -> int:
        """Sends one frame of several: 0, GONE, or BLOCKED until the one before is on its way."""

    def finish(self, connection: int, stream: int) -> None:
        """Ends the sending half after what waits on it, and gives the request's budget back."""

    def consumed(self, connection: int, stream: int) -> None:
        """The frame was used: the next one may come."""

    # --- raw streams

    def raw(self, connection: int, stream: int) -> None:
        """Makes a framed stream a raw one, from the end of its last frame on."""

    def read(self, connection: int, stream: int, bytes_max: int) -> tuple[bytes, bool] | None:
        """Bytes and whether the end has come; the peer gets credit for exactly these. None: reset (RESET follows) or
        gone.
        """

    def write(self, connection: int, stream: int, data: bytes, fin: bool) -> int:
        """Bytes taken, or GONE. Fewer than given: WRITABLE follows. The end is only taken with the last byte."""

    def reset(self, connection: int, stream: int, code: int) -> None:
        """Gives up the sending half."""

    def stop_sending(self, connection: int, stream: int, code: int) -> None:
        """Reads no more of a stream."""

    # --- facts

    def peer_certificates(self, connection: int) -> list[bytes] | None:
        """The peer's chain in DER, leaf first."""

    def peer_spki_sha256(self, connection: int) -> bytes | None:
        """SHA-256 of the peer's SubjectPublicKeyInfo."""

    def refused_spki_sha256(self) -> bytes | None:
        """The same of the server key refused last."""

    def export_keying_material(self, connection: int, label: bytes, context: bytes, length: int) -> bytes:
        """RFC 8446 section 7.5: equal on both ends. Raises RuntimeError before the handshake is done."""

    def handshake(self, connection: int) -> tuple[bytes | None, str | None, str] | None:
        """(application protocol, server name asked for (on the server), key exchange group)."""

    def remote_address(self, connection: int) -> bytes | None:
        """Where the peer is now, packed."""

    def stats(self, connection: int) -> dict[str, int] | None:
        """Figures of one connection."""

    def counters(self) -> dict[str, int]:
        """What the engine has counted, and its connections now."""

    # --- the endpoint as a whole

    def set_certificate(self, tls: ServerTls) -> None:
        """Uses another certificate for connections accepted from now on. Raises ValueError if it cannot be used."""

    def set_accepting(self, accepting: bool) -> None:
        """Whether new peers are taken."""

    def set_retry(self, from_half_open: int) -> None:
        """From how many running handshakes on a Retry is asked for; 0: always."""

    def set_retry_keys(self, current: bytes, also: bytes | None = None) -> None:
        """Seals Retry tokens with `current` from now on, and takes those of `also` besides, until they expire. Both are
        32 bytes.
        """

    def set_forwarding(self, worker: int | None) -> None:
        """Hands out datagrams whose connection id bears another worker's number, as FOREIGN, instead of dropping them;
        None: drops them.
        """


class SocketEngine(Engine, Protocol):
    """An engine that can do its socket's system calls itself, a batch at a time."""

    def bind(self, address: bytes, reuse_port: bool = False) -> bytes:
        """Binds a UDP socket and returns its address, packed. Raises OSError."""

    def unbind(self) -> None:
        """Closes the socket."""

    def fileno(self) -> int:
        """Its descriptor."""

    def poll_socket(self, now_us: int) -> list[Event]:
        """Takes in what has arrived, and the events out."""

    def doze(self, now_us: int) -> None:
        """Waits, in a thread of its own, and works off what brings no event; returns with the first that does, with an
        earlier deadline than `next_timeout` said, and when roused.
        """

    def rouse(self) -> None:
        """Ends `doze`, or the next one."""

    def flush_socket(self, now_us: int) -> bool:
        """Sends what there is; False: go on when the socket is writable."""


def make_engine(name: EngineName, configuration: QuicConfiguration, *, framed: bool = True) -> Engine:
    """A new engine. `framed`: streams that peers open carry frames, else bytes. Raises ValueError for unusable
    settings.
    """
    # Imported here: each engine costs a tenth of a second to load, and only one is wanted.
    if name == "native":
        from ._native import NativeEngine

        return NativeEngine(configuration, framed)
    from .aio.engine import AioquicEngine

    return AioquicEngine(configuration, framed)
