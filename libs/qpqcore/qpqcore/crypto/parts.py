"""Reads and writes the byte strings of docs/spec: big-endian numbers, `vec()`, signed strings."""

from __future__ import annotations

U8_MAX = 0xFF
VEC_BYTES_MAX = 1 << 20
"""No part of an identity structure comes near it."""


class Malformed(ValueError):
    """The bytes do not have the form that the specification gives them."""


def u8(value: int) -> bytes:
    """Encode one byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Encode two bytes, big-endian."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Encode four bytes, big-endian."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Encode eight bytes, big-endian."""
    return value.to_bytes(8, "big")


def vec(data: bytes) -> bytes:
    """Encode `u32` length and the bytes."""
    return u32(len(data)) + data


def signed_string(label: str, *parts: bytes | int | str) -> bytes:
    """Return what is signed: label, a zero byte, then each part as a vec (docs/spec/identity.md#signatures)."""
    out = [label.encode("ascii"), b"\0"]
    for part in parts:
        if isinstance(part, int):
            out.append(vec(u64(part)))
        else:
            out.append(vec(part.encode() if isinstance(part, str) else part))
    return b"".join(out)


class Reader:
    """Takes parts off the front of a byte string; Malformed when there is less than asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return exactly `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise Malformed("cut short")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def number(self, width: int) -> int:
        """Return a big-endian number of `width` bytes."""
        return int.from_bytes(self.take(width), "big")

    def vec(self) -> bytes:
        """Return a vec's bytes."""
        length = self.number(4)
        if length > VEC_BYTES_MAX:
            raise Malformed("a part is too long")
        return self.take(length)

    def version(self, wanted: int) -> None:
        """Demand a version byte."""
        if self.number(1) != wanted:
            raise Malformed("unknown version")

    def end(self) -> None:
        """Demand that nothing is left."""
        if self._at != len(self._data):
            raise Malformed("bytes left over")

    @property
    def consumed(self) -> bytes:
        """What has been taken so far."""
        return self._data[: self._at]
