"""The events an engine reports: tuples whose first element is one of these kinds, whose second is the connection's
number.

Streams and connections are numbers of the engine's own; addresses are packed (`trio_quic.addresses`).
"""

from __future__ import annotations

from typing import Any, Final, Literal

Event = tuple[Any, ...]
"""(kind, connection, ...), as listed at each kind."""

CONNECTED: Final = 1
"""(connection, packed address, is server): the handshake is done, and on a client the server has said so."""
FRAME: Final = 2
"""(connection, stream, bytes, fin): one whole frame."""
READABLE: Final = 3
"""(connection, stream): a raw stream has bytes, its end, or a reset to read."""
WRITABLE: Final = 4
"""(connection, stream): a stream that was full takes bytes again."""
CLOSED: Final = 5
"""(connection, close kind, code, reason text): nothing more comes of this connection."""
RESET: Final = 6
"""(connection, stream, code): the peer gave up its sending half."""
STOPPED: Final = 7
"""(connection, stream, code): the peer will read no more."""
OPENED: Final = 8
"""(connection, stream): the peer opened a raw stream."""
AVAILABLE: Final = 9
"""(connection,): streams can be opened again."""
PATH: Final = 10
"""(connection, packed address): the peer is at another address now."""
FIN: Final = 11
"""(connection, stream): a framed stream ended between two frames."""
FOREIGN: Final = 12
"""(worker, packed address, bytes): a datagram for another worker's connection; only when forwarding is on."""
VIOLATION: Final = 13
"""(connection, stream, number in VIOLATIONS): a frame that will not come; the stream still takes an answer."""
IDLE: Final = 14
"""(connection,): answer to `watch_idle`: all that was sent has been acknowledged."""

ViolationName = Literal["oversized", "truncated", "late"]
VIOLATIONS: Final[dict[int, ViolationName]] = {1: "oversized", 2: "truncated", 3: "late"}

CloseKind = Literal[
    "version", "transport", "peer_transport", "peer_application", "reset", "idle", "local", "fault", "handshake_late"
]
CLOSE_KINDS: Final[dict[int, CloseKind]] = {
    1: "version",
    2: "transport",
    3: "peer_transport",
    4: "peer_application",
    5: "reset",
    6: "idle",
    7: "local",
    8: "fault",
    9: "handshake_late",
}
CLOSE_NUMBERS: Final[dict[CloseKind, int]] = {kind: number for number, kind in CLOSE_KINDS.items()}
