"""The Envelope and its reply as bytes (docs/spec/wire.md#envelope): a fixed head, bodies passed through.

Little-endian. A body is never parsed here: what the client sent is what the service reads.
"""

from __future__ import annotations

import re
import struct

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.record import record

VERSION = 1
TRACE_FLAG = 1
KEY_BYTES = 16
TRACE_BYTES = 55
CHALLENGE_BYTES = 32

_HEAD = struct.Struct("<BBHI16s")
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_REPLY = struct.Struct("<BHIB")
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")


def method_of(data: bytes) -> int:
    """Return the method of an encoded Envelope, before anything else of it is looked at."""
    return int.from_bytes(data[2:4], "little")


def is_traceparent(text: str) -> bool:
    """Tell whether `text` is a version 00 traceparent (W3C Trace Context §3.2)."""
    return _TRACE.match(text) is not None


class _Cut(Exception):
    """The bytes end too early."""


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise _Cut
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def short(self) -> bytes:
        return self.take(self.take(1)[0])

    def medium(self) -> bytes:
        return self.take(_U16.unpack(self.take(2))[0])

    def long(self) -> bytes:
        return self.take(_U32.unpack(self.take(4))[0])

    def end(self) -> None:
        if self._at != len(self._data):
            raise _Cut


@record
class Envelope:
    """One call on its way to a service."""

    method: int
    deadline_ms: int
    """Time left, milliseconds."""
    assertion: bytes = b""
    idempotency_key: bytes = b""
    challenge: bytes = b""
    address: str = ""
    sender: bytes = b""
    """The assertion of the service that calls, where one does."""
    traceparent: str = ""
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """Encode head, parts and body."""
        flags = TRACE_FLAG if self.traceparent else 0
        key = self.idempotency_key or bytes(KEY_BYTES)
        address = self.address.encode()
        return b"".join((
            _HEAD.pack(VERSION, flags, self.method, self.deadline_ms, key),
            _U16.pack(len(self.assertion)), self.assertion,
            bytes([len(self.challenge)]), self.challenge,
            bytes([len(address)]), address,
            _U16.pack(len(self.sender)), self.sender,
            self.traceparent.encode() if flags else b"",
            _U32.pack(len(self.body)), self.body,
        ))  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Decode; Refusal(malformed)."""
        try:
            version, flags, method, deadline_ms, key = _HEAD.unpack_from(data)
            r = _Reader(data, _HEAD.size)
            assertion, challenge, address, sender = r.medium(), r.short(), r.short().decode(), r.medium()
            trace = r.take(TRACE_BYTES).decode() if flags & TRACE_FLAG else ""
            body = r.long()
            r.end()
        except (struct.error, _Cut, UnicodeDecodeError) as exc:
            raise Refusal(ErrorCode.MALFORMED, "not an envelope") from exc
        if version != VERSION or len(challenge) not in {0, CHALLENGE_BYTES} or (trace and not is_traceparent(trace)):
            raise Refusal(ErrorCode.MALFORMED, "not an envelope of this version")
        return cls(
            method=method, deadline_ms=deadline_ms, assertion=assertion,
            idempotency_key=b"" if key == bytes(KEY_BYTES) else key, challenge=challenge, address=address,
            sender=sender, traceparent=trace, body=body,
        )  # fmt: skip


@record
class BusReply:
    """The answer to an Envelope."""

    code: int = 0
    detail: str = ""
    retry_after_ms: int = 0
    assertion: bytes | None = None
    """A new assertion for the gateway alone; b"" ends the one it has."""
    result: bytes = b""

    @classmethod
    def refused(cls, no: Refusal) -> BusReply:
        """Return a refusal as an answer."""
        return cls(code=int(no.code), detail=no.detail, retry_after_ms=no.retry_after_ms)

    def to_bytes(self) -> bytes:
        """Encode."""
        detail = self.detail.encode()[:0xFFFF]
        assertion = self.assertion or b""
        return b"".join((
            _REPLY.pack(VERSION, self.code, self.retry_after_ms, self.assertion is not None),
            _U16.pack(len(assertion)), assertion, _U16.pack(len(detail)), detail,
            _U32.pack(len(self.result)), self.result,
        ))  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes) -> BusReply:
        """Decode; Refusal(malformed)."""
        try:
            version, code, retry_after_ms, has = _REPLY.unpack_from(data)
            r = _Reader(data, _REPLY.size)
            assertion, detail, result = r.medium(), r.medium().decode(errors="replace"), r.long()
            r.end()
        except (struct.error, _Cut) as exc:
            raise Refusal(ErrorCode.MALFORMED, "not a reply") from exc
        if version != VERSION:
            raise Refusal(ErrorCode.MALFORMED, "not a reply of this version")
        return cls(
            code=code, detail=detail, retry_after_ms=retry_after_ms,
            assertion=assertion if has else None, result=result,
        )  # fmt: skip
