"""A stream sealed in segments of 64 KiB, the last one shorter or as long.

AES-256-GCM, nonce `u64 number || u32 (1: the last)`, aad = SHA-256 of the head, which is all before the segments. So a segment
that was changed, moved, taken from another stream or cut off does not open. The key is of this one stream.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qpqcore.crypto.parts import u32, u64

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEGMENT_BYTES, TAG_BYTES = 64 * 1024, 16
SEALED_BYTES = SEGMENT_BYTES + TAG_BYTES


class SegmentBroken(Exception):
    """A segment was changed, or the stream was cut off, or the key is another one's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"segment {number}")
        self.number = number


class Sealer:
    """Seals one stream in the memory of two segments."""

    def __init__(self, key: bytes, head: bytes) -> None:
        self._key, self._aad = AESGCM(key), hashlib.sha256(head).digest()
        self._number, self._waiting = 0, bytearray()

    def add(self, data: bytes) -> Iterator[bytes]:
        """Take more of the stream; yield the segments that are full."""
        self._waiting += data
        while len(self._waiting) > SEGMENT_BYTES:
            segment = bytes(self._waiting[:SEGMENT_BYTES])
            del self._waiting[:SEGMENT_BYTES]
            yield self._seal(segment, last=False)

    def end(self) -> bytes:
        """Return what is left, as the last segment."""
        return self._seal(bytes(self._waiting), last=True)

    def _seal(self, segment: bytes, *, last: bool) -> bytes:
        sealed = self._key.encrypt(u64(self._number) + u32(last), segment, self._aad)
        self._number += 1
        return sealed


def opened(read: Callable[[int], bytes], key: bytes, head: bytes) -> Iterator[bytes]:
    """Yield the stream of the segments that `read` gives, as a file's does: fewer bytes at the end only. SegmentBroken."""
    aead, aad, number = AESGCM(key), hashlib.sha256(head).digest(), 0
    sealed = read(SEALED_BYTES)
    while True:
        following = read(SEALED_BYTES)
        try:
            yield aead.decrypt(u64(number) + u32(not following), sealed, aad)
        except (InvalidTag, ValueError) as exc:
            raise SegmentBroken(number) from exc
        if not following:
            return
        sealed, number = following, number + 1
