"""A method as the schema describes it: number, who may call, limits."""

from __future__ import annotations

import enum
from dataclasses import dataclass

INTERNAL_BIT = 0x80
"""Set in the ordinal of service-to-service methods; the edge never takes them."""


class CallerClass(enum.StrEnum):
    """Who may call a method (schemas/annotations.capnp, `caller`)."""

    ANONYMOUS = "anonymous"
    ACCOUNT = "account"
    DEVICE = "device"
    MEMBER = "member"
    MEMBER_ACCOUNT = "memberAccount"
    SENDER = "sender"
    OWNER = "owner"
    PEER = "peer"
    SERVICE = "service"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the method table, generated from the schema."""

    number: int
    service: str
    name: str
    caller: CallerClass
    by: tuple[str, ...]
    """The services that may call a `service` method."""
    streams: bool
    idempotent: bool
    keyed: bool
    frame_bytes_max: int
    params: type
    result: type

    @property
    def internal(self) -> bool:
        """Whether only services of this domain may call it."""
        return bool(self.number & INTERNAL_BIT)

    @property
    def attribute(self) -> str:
        """The name of the Python method that serves it."""
        return "".join("_" + c.lower() if c.isupper() else c for c in self.name)
