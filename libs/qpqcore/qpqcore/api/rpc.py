"""The contract of rpc: its messages.

Generated from schemas/rpc.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from typing import Any

from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

CALL_LAYOUT = Layout(
    1,
    3,
    None,
    [
        ("uint16", 0, None, None),
        ("uint32", 1, None, None),
        ("data", 0, None, None),
        ("text", 1, None, None),
        ("data", 2, None, None),
    ],
)
REPLY_LAYOUT = Layout(
    1, 2, None, [("uint16", 0, None, None), ("text", 0, None, None), ("uint32", 1, None, None), ("data", 1, None, None)]
)


@record
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

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.method,
            self.deadline_ms,
            self.idempotency_key,
            self.traceparent,
            self.params,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Call:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            method=v[0],
            deadline_ms=v[1],
            idempotency_key=v[2],
            traceparent=v[3],
            params=v[4],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return CALL_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Call:
        """Decode one message; Refusal(malformed)."""
        return decode(CALL_LAYOUT, data, cls.from_values)


@record
class Reply:
    """`Reply` of schemas/rpc.capnp."""

    code: int = 0
    """ErrorCode"""
    detail: str = ""
    """a sentence that is safe to show"""
    retry_after_ms: int = 0
    result: bytes = b""
    """a message of its own: the method's result struct"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.code,
            self.detail,
            self.retry_after_ms,
            self.result,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> Reply:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            code=v[0],
            detail=v[1],
            retry_after_ms=v[2],
            result=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return REPLY_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> Reply:
        """Decode one message; Refusal(malformed)."""
        return decode(REPLY_LAYOUT, data, cls.from_values)
