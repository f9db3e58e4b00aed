"""The contract of rpc: its messages.

Generated from schemas/rpc.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qpqcore.wire.message import decode, schema

_file = schema("rpc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`Call` of schemas/rpc.capnp."""

    method: int = 0
    """service << 8 | ordinal"""
    deadline_ms: int = 0
    """time left; 0: the server's default"""
    idempotency_key: bytes = b""
    """empty or 16 bytes"""
    traceparent: str = ""
    """W3C trace context, or empty"""
    params: bytes = b""
    """a message of its own: the method's parameter struct"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.method = self.method
        m.deadlineMs = self.deadline_ms
        if self.idempotency_key:
            m.idempotencyKey = self.idempotency_key
        if self.traceparent:
            m.traceparent = self.traceparent
        if self.params:
            m.params = self.params

    @classmethod
    def read(cls, m: Any) -> Call:
        """Read from a message."""
        return cls(
            method=m.method,
            deadline_ms=m.deadlineMs,
            idempotency_key=m.idempotencyKey,
            traceparent=m.traceparent,
            params=m.params,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Call.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Call:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Call, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`Reply` of schemas/rpc.capnp."""

    code: int = 0
    """ErrorCode"""
    detail: str = ""
    """a sentence that is safe to show"""
    retry_after_ms: int = 0
    result: bytes = b""
    """a message of its own: the method's result struct"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.code = self.code
        if self.detail:
            m.detail = self.detail
        m.retryAfterMs = self.retry_after_ms
        if self.result:
            m.result = self.result

    @classmethod
    def read(cls, m: Any) -> Reply:
        """Read from a message."""
        return cls(
            code=m.code,
            detail=m.detail,
            retry_after_ms=m.retryAfterMs,
            result=m.result,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.Reply.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Reply:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.Reply, data, cls.read)
