"""Frames of the TCP bus (docs/spec/wire.md#frames): pure bytes, no I/O.

1. A frame is `u32 length, u8 kind, u32 call`, then `length - 5` bytes; little-endian.
2. Both ends begin with a hello, which is small; nothing else is taken before it.
3. A length is judged as soon as its four bytes are there: what is too long is never gathered.
"""

from __future__ import annotations

import enum
import struct

from qpqcore.model.record import record

OLDEST_VERSION = NEWEST_VERSION = 1
"""Of the frames: two ends speak the newest that both know, so that a rolling upgrade can go one version at a time."""
FRAME_BYTES_MAX = 8 * 1024 * 1024 + 64 * 1024
"""The largest frame that the edge takes (8 MiB), and the envelope's head."""
ENVELOPE_BYTES_MAX = FRAME_BYTES_MAX - 16
"""And what stands before it."""
HELLO_BYTES_MAX = 256
CALL_MAX = 0xFFFF_FFFF
REASON_BYTES_MAX = 200

_HEAD = struct.Struct("<IBI")
_LENGTH = struct.Struct("<I")
_REST_BYTES = _HEAD.size - _LENGTH.size
_VERSIONS = struct.Struct("<HH")


class Kind(enum.IntEnum):
    """What a frame is."""

    HELLO = 0
    """u16 oldest and u16 newest version spoken."""
    REQUEST = 1
    """An Envelope."""
    REPLY = 2
    """A BusReply."""
    CANCEL = 3
    """Nothing: the caller does not wait any longer."""
    GOAWAY = 4
    """u8 reason (Away), then a sentence for logs."""
    PING = 5
    """u8: 0 asks, 1 answers."""


class Away(enum.IntEnum):
    """Why an end goes."""

    DRAINING = 0
    """No new calls; those in flight finish."""
    VERSION = 1
    FORBIDDEN = 2
    MALFORMED = 3


class FrameError(Exception):
    """The peer broke the protocol: the connection is over."""


@record
class Frame:
    """One frame."""

    kind: int
    call: int
    body: bytes


def frame(kind: Kind, call: int = 0, body: bytes = b"") -> bytes:
    """Encode one."""
    return _HEAD.pack(_REST_BYTES + len(body), kind, call) + body


def hello() -> bytes:
    """Encode what each end says first."""
    return frame(Kind.HELLO, body=_VERSIONS.pack(OLDEST_VERSION, NEWEST_VERSION))


def agreed_version(first: Frame) -> int:
    """Return the version to speak with the peer that said this hello, or 0 where there is none. FrameError."""
    if first.kind != Kind.HELLO or len(first.body) < _VERSIONS.size:
        raise FrameError("no hello")
    oldest, newest = _VERSIONS.unpack_from(first.body)
    common = min(newest, NEWEST_VERSION)
    return common if common >= max(oldest, OLDEST_VERSION) else 0


def goaway(reason: Away, text: str = "") -> bytes:
    """Encode a goodbye."""
    return frame(Kind.GOAWAY, body=bytes([reason]) + text.encode()[:REASON_BYTES_MAX])


class FrameReader:
    """Cuts a stream into frames. `bytes_max` is that of a hello until `widen`."""

    def __init__(self) -> None:
        self._bytes_max = HELLO_BYTES_MAX
        self._buffer = bytearray()
        self._wanted = 0

    def widen(self) -> None:
        """Take frames of every size from here on: the hello has come."""
        self._bytes_max = FRAME_BYTES_MAX

    def feed(self, data: bytes) -> list[Frame]:
        """Return what has become whole. FrameError."""
        buffer = self._buffer
        buffer += data
        have = len(buffer)
        if have < self._wanted:
            return []
        found, at, self._wanted = [], 0, 0
        with memoryview(buffer) as view:
            while have - at >= _LENGTH.size:
                length = _LENGTH.unpack_from(view, at)[0]
                if not _REST_BYTES <= length <= self._bytes_max:
                    raise FrameError(f"a frame of {length} bytes")
                end = at + _LENGTH.size + length
                if end > have:
                    self._wanted = end - at
                    break
                _, kind, call = _HEAD.unpack_from(view, at)
                found.append(Frame(kind=kind, call=call, body=bytes(view[at + _HEAD.size : end])))
                at = end
        del buffer[:at]
        return found
