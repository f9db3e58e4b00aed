"""What the edge decides by itself: pure functions over call heads, sizes, addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from qpqcore.api.delivery import Entry, FetchWaitParams
from qpqcore.api.methods import METHODS
from qpqcore.crypto.parts import u64
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.envelope import KEY_BYTES, is_traceparent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.api.rpc import Call
    from qpqcore.bus.notices import Notices
    from qpqcore.model.method import Method
    from qpqgateway.config import Config

PROTOCOL = 1
OLDEST_CLIENT = "0.1.0"
IPV6_PREFIX_BITS = 64

BLAMELESS = frozenset({ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL})
"""Answers that are not the caller's doing."""

RETRY_LABEL = b"qpq retry key 1"
RETRY_KEY_BYTES = 32
RETRY_KEY_MS = 600_000
"""One Retry key seals for so long; a token lives 15 s, so what somebody learns of a key is soon worth nothing."""
RETRY_STEP_MS = RETRY_KEY_MS // 2
"""Half of that time the key before is taken besides, the other half the one that comes: gateways whose clocks differ by less
than this, or a token's life, open each other's tokens. A client answers one Retry only, so none may meet a gateway that
cannot.
"""

VIOLATIONS = {
    "oversized": Refusal(ErrorCode.TOO_LARGE, "the frame is larger than this connection may send"),
    "truncated": Refusal(ErrorCode.MALFORMED, "the frame is cut short"),
    "late": Refusal(ErrorCode.DEADLINE_EXCEEDED, "the frame did not come in time"),
}


def method_of(call: Call) -> Method:
    """Return the method called; the edge knows no internal ones. Refusal(unknownMethod)."""
    method = METHODS.get(call.method)
    if method is None or method.internal:
        raise Refusal(ErrorCode.UNKNOWN_METHOD, "no such method")
    return method


def check_frame(config: Config, method: Method, frame_bytes: int) -> None:
    """Refuse a frame above its method's limit; past 2 MiB only methods that say so. Refusal(tooLarge)."""
    if frame_bytes > min(method.frame_bytes_max, config.handshake_bytes_max):
        raise Refusal(ErrorCode.TOO_LARGE, f"{method.name} takes at most {method.frame_bytes_max} bytes")


def check_head(call: Call) -> None:
    """Refuse a malformed idempotency key. Refusal(malformed)."""
    if call.idempotency_key and len(call.idempotency_key) != KEY_BYTES:
        raise Refusal(ErrorCode.MALFORMED, "an idempotency key has 16 bytes")


def following(position: int, told: Sequence[bytes]) -> tuple[tuple[Entry, ...], bool]:
    """Return the entries that follow a position without a hole, of those that notices told; and whether that is all."""
    found: list[Entry] = []
    complete = all(told)
    for entry in sorted((Entry.from_bytes(data) for data in told if data), key=lambda entry: entry.number):
        if entry.number == position + 1:
            found.append(entry)
            position += 1
        else:
            complete = complete and entry.number <= position
    return tuple(found), complete


def without_waiting(params: bytes) -> bytes:
    """Return fetchWait's parameters for an answer at once; what is malformed stays so, for delivery to refuse."""
    try:
        return replace(FetchWaitParams.from_bytes(params), wait_ms=0).to_bytes()
    except Refusal:
        return params


def deadline_ms(config: Config, call: Call) -> int:
    """Return how long the call may take. A fetchWait that brings no deadline has the time that it waits, and what is over."""
    return min(call.deadline_ms or _default_ms(config, call), config.call_ms_max)


def _default_ms(config: Config, call: Call) -> int:
    method = METHODS.get(call.method)
    if method is None or method.params is not FetchWaitParams:
        return config.call_ms
    try:
        return max(config.call_ms, FetchWaitParams.from_bytes(call.params).wait_ms + config.wait_over_ms)
    except Refusal:
        return config.call_ms


def retry_keys(secret: bytes, now_ms: int) -> tuple[bytes, bytes]:
    """Return the Retry key that seals now, and the other one that is taken: the same in all gateways with one secret."""
    slot, into_ms = divmod(now_ms, RETRY_KEY_MS)
    other = max(slot - 1, 0) if into_ms < RETRY_STEP_MS else slot + 1
    return _retry_key(secret, slot), _retry_key(secret, other)


def _retry_key(secret: bytes, slot: int) -> bytes:
    """RFC 5869 §2.3; the secret is random, so there is nothing to extract."""
    return HKDFExpand(SHA256(), RETRY_KEY_BYTES, RETRY_LABEL + u64(slot)).derive(secret)


def retry_keys_change_ms(now_ms: int) -> int:
    """Return how long the keys of now stay as they are."""
    return RETRY_STEP_MS - now_ms % RETRY_STEP_MS


def look_again_seconds(config: Config, notices: Notices) -> float:
    """Return how long a subscription waits for a notice before it looks by itself."""
    return config.look_again_lossless_seconds if notices.lossless else config.look_again_seconds


def trace_of(call: Call) -> str:
    """Return the call's trace context where it is well-formed."""
    return call.traceparent if is_traceparent(call.traceparent) else ""


def limit_address(host: str) -> str:
    """Return the address that limits count: an IPv4 address, or an IPv6 /64."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> IPV6_PREFIX_BITS << IPV6_PREFIX_BITS))
    return str(address)
