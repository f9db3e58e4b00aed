"""What travels through Redis: sealed by a key that all processes share, so that Redis can tell them nothing of its own.

    channel   qpq/<domain>/ and the topic without its kind; in braces, so that a cluster keeps what belongs together
    message   origin (8) | MAC (16) | kind (1) | payload
    key       qpq/<domain>/l and 16 bytes of a MAC: no name and no address stands in Redis
    probe     qpq/<domain>/p/<origin>/<number>

Topics of a device differ in their kind alone, so one subscription hears all of them.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from qpqcore.bus.notices import MAILBOX, SIGNAL, STOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN_BYTES = 8
MAC_BYTES = 16
HEAD_BYTES = ORIGIN_BYTES + MAC_BYTES
OF_DEVICES = frozenset({MAILBOX, SIGNAL, STOCK})
WHOLE = b"\0"
"""The kind of a topic that has none."""
PROBE_KEYS_MAX = 10_000
"""Tried until a server has one: of a thousand servers one in twenty thousand is left without."""


class Seal:
    """Names and seals for one process of one domain."""

    def __init__(self, key: bytes, domain: str) -> None:
        self._key = key
        self._prefix = b"qpq/" + domain.encode() + b"/"
        self.origin = secrets.token_bytes(ORIGIN_BYTES)
        """Of this process: what it hears of itself it has told itself already."""

    def split(self, topic: bytes) -> tuple[bytes, bytes]:
        """Return a topic's channel and kind."""
        kind = topic[:1]
        if kind in OF_DEVICES:
            return b"%sd{%s}" % (self._prefix, topic[1:]), kind
        return b"%st{%s}" % (self._prefix, topic), WHOLE

    def topic(self, channel: bytes, kind: bytes) -> bytes:
        """Return what `split` came from."""
        rest = channel[len(self._prefix) + 2 : -1]
        return rest if kind == WHOLE else kind + rest

    def limit_key(self, key: bytes) -> bytes:
        """Return the name of a limit's key."""
        return self._prefix + b"l" + hmac.digest(self._key, b"limit" + key, "sha256")[:MAC_BYTES]

    def common_limit_key(self, key: bytes) -> bytes:
        """Return the same for limits that are taken together: one server of a cluster has them all."""
        return self._prefix + b"{l}" + hmac.digest(self._key, b"limit" + key, "sha256")[:MAC_BYTES]

    def probe_keys(self) -> Iterator[bytes]:
        """Return names of keys of this process alone: in a cluster each server has some of them."""
        return (b"%sp/%s/%d" % (self._prefix, self.origin.hex().encode(), number) for number in range(PROBE_KEYS_MAX))

    def seal(self, channel: bytes, kind: bytes, payload: bytes) -> bytes:
        """Return a message."""
        return self.origin + self._mac(self.origin, channel, kind + payload) + kind + payload

    def opened(self, channel: bytes, data: bytes) -> tuple[bytes, bytes] | None:
        """Return a message's kind and payload; None for what is not ours to open."""
        origin, mac, rest = data[:ORIGIN_BYTES], data[ORIGIN_BYTES:HEAD_BYTES], data[HEAD_BYTES:]
        if not rest or not hmac.compare_digest(mac, self._mac(origin, channel, rest)):
            return None
        return rest[:1], rest[1:]

    def _mac(self, origin: bytes, channel: bytes, rest: bytes) -> bytes:
        return hmac.digest(self._key, origin + len(channel).to_bytes(2, "big") + channel + rest, "sha256")[:MAC_BYTES]
