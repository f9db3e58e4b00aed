"""Who calls, and under which conditions: what a service learns beside the parameters."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from qpqcore.model.ids import AccountId, DeviceId
from qpqcore.model.record import record


class CallerKind(enum.IntEnum):
    """What a caller can prove to be. Numbers are wire format (docs/spec/wire.md#envelope)."""

    ANONYMOUS = 0
    ACCOUNT = 1
    """A session. `Caller.device` is empty until the session is bound to a device."""
    PEER = 2
    SERVICE = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified caller of a call: never the gateway's word (DESIGN.md 3)."""

    kind: CallerKind
    account: AccountId = AccountId(b"")
    device: DeviceId = DeviceId(b"")
    session: bytes = b""
    """SHA-256 of the session token; names the session without being it."""
    name: str = ""
    """The peer's domain, or the service's name."""


ANONYMOUS = Caller(CallerKind.ANONYMOUS)


@record
class CallContext:
    """What surrounds one call. `deadline_s` is on the callee's own clock (trio.current_time)."""

    caller: Caller = ANONYMOUS
    assertion: bytes = b""
    """The bytes that proved `caller`, to be passed on when acting for it."""
    deadline_s: float = float("inf")
    idempotency_key: bytes = b""
    traceparent: str = ""
    challenge: bytes = b""
    """32 random bytes of the client's connection, which its signatures bind to."""
    address: str = ""
    """The client's address for limits, IPv6 cut to its /64; never logged."""
    now_ms: int = 0
    """The service's wall clock when the call came in, milliseconds since 1970."""
    outcome: CallOutcome = field(default_factory=lambda: CallOutcome())


@dataclass(slots=True)
class CallOutcome:
    """What an answer carries beside its result, for the edge only: a new assertion."""

    assertion: bytes | None = None
    """Set by auth at log-in, resume and registerDevice; b"" at log-out."""
