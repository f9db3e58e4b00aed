"""The contract of gateway: its messages, methods and Protocol.

Generated from schemas/gateway.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.api.delivery import ENTRY_LAYOUT, Entry
from qpqcore.model.method import CallerClass, Method
from qpqcore.model.record import record
from qpqcore.wire.message import Layout, decode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqcore.model.call import CallContext

HEALTH_PARAMS_LAYOUT = Layout(0, 0, None, [])
HEALTH_RESULT_LAYOUT = Layout(1, 2, None, [("text", 0, None, None), ("text", 1, None, None), ("uint64", 0, None, None)])
HELLO_PARAMS_LAYOUT = Layout(1, 1, None, [("text", 0, None, None), ("uint16", 0, None, None)])
HELLO_RESULT_LAYOUT = Layout(
    4,
    7,
    None,
    [
        ("uint16", 0, None, None),
        ("text", 0, None, None),
        ("text", 1, None, None),
        ("text", 2, None, None),
        ("data", 3, None, None),
        ("uint64", 1, None, None),
        ("uint32", 1, None, None),
        ("uint32", 4, None, None),
        ("uint64", 3, None, None),
        ("uint32", 5, None, None),
        ("data", 4, None, None),
        ("data", 5, None, None),
        ("text", 6, None, None),
    ],
)
SUBSCRIBE_PARAMS_LAYOUT = Layout(2, 0, None, [("uint64", 0, None, None), ("uint16", 4, None, None)])
SUBSCRIBE_EVENT_SIGNAL_LAYOUT = Layout(
    2, 2, None, [("data", 0, None, None), ("uint32", 0, None, None), ("uint64", 1, None, None), ("data", 1, None, None)]
)
SUBSCRIBE_EVENT_LOW_STOCK_LAYOUT = Layout(1, 0, None, [("uint16", 0, None, None), ("uint32", 1, None, None)])
SUBSCRIBE_EVENT_LAYOUT = Layout(
    2,
    1,
    0,
    [
        ("list struct", 0, 0, ENTRY_LAYOUT),
        ("struct", 0, 1, SUBSCRIBE_EVENT_SIGNAL_LAYOUT),
        ("struct", 0, 2, SUBSCRIBE_EVENT_LOW_STOCK_LAYOUT),
        ("uint32", 1, 3, None),
        ("uint64", 1, 4, None),
    ],
)
SUBSCRIBE_EVENT_LAYOUT_MEMBERS = ("entries", "signal", "lowStock", "goingAway", "ready")


@record
class HealthParams:
    """`HealthParams` of schemas/gateway.capnp."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return ()

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> HealthParams:
        """Make one of what a message holds, in the order of its layout."""
        del v
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return HEALTH_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> HealthParams:
        """Decode one message; Refusal(malformed)."""
        return decode(HEALTH_PARAMS_LAYOUT, data, cls.from_values)


@record
class HealthResult:
    """`HealthResult` of schemas/gateway.capnp."""

    status: str = ""
    """'ok', or the names of the services that are away"""
    version: str = ""
    uptime_ms: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.status,
            self.version,
            self.uptime_ms,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> HealthResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            status=v[0],
            version=v[1],
            uptime_ms=v[2],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return HEALTH_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> HealthResult:
        """Decode one message; Refusal(malformed)."""
        return decode(HEALTH_RESULT_LAYOUT, data, cls.from_values)


@record
class HelloParams:
    """`HelloParams` of schemas/gateway.capnp."""

    client_version: str = ""
    protocol: int = 0
    """1"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.client_version,
            self.protocol,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> HelloParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            client_version=v[0],
            protocol=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return HELLO_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> HelloParams:
        """Decode one message; Refusal(malformed)."""
        return decode(HELLO_PARAMS_LAYOUT, data, cls.from_values)


@record
class HelloResult:
    """`HelloResult` of schemas/gateway.capnp."""

    protocol: int = 0
    server_version: str = ""
    oldest_client: str = ""
    domain: str = ""
    challenge: bytes = b""
    """32 random bytes, for the life of this connection: resume and loginFinish sign it"""
    now_ms: int = 0
    """the server's clock, milliseconds since 1970"""
    frame_bytes_max: int = 0
    handshake_bytes_max: int = 0
    blob_bytes_max: int = 0
    blob_chunk_bytes: int = 0
    external_sender_credential: bytes = b""
    """delivery's, for the external_senders extension of new groups"""
    external_sender_key: bytes = b""
    registration: str = ""
    """'open', 'token' or 'closed'"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.protocol,
            self.server_version,
            self.oldest_client,
            self.domain,
            self.challenge,
            self.now_ms,
            self.frame_bytes_max,
            self.handshake_bytes_max,
            self.blob_bytes_max,
            self.blob_chunk_bytes,
            self.external_sender_credential,
            self.external_sender_key,
            self.registration,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> HelloResult:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            protocol=v[0],
            server_version=v[1],
            oldest_client=v[2],
            domain=v[3],
            challenge=v[4],
            now_ms=v[5],
            frame_bytes_max=v[6],
            handshake_bytes_max=v[7],
            blob_bytes_max=v[8],
            blob_chunk_bytes=v[9],
            external_sender_credential=v[10],
            external_sender_key=v[11],
            registration=v[12],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return HELLO_RESULT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> HelloResult:
        """Decode one message; Refusal(malformed)."""
        return decode(HELLO_RESULT_LAYOUT, data, cls.from_values)


@record
class SubscribeParams:
    """`SubscribeParams` of schemas/gateway.capnp."""

    after: int = 0
    """mailbox number; entries above it are sent"""
    max_entries: int = 0
    """in one event; 0: the server's choice"""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.after,
            self.max_entries,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubscribeParams:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            after=v[0],
            max_entries=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBSCRIBE_PARAMS_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBSCRIBE_PARAMS_LAYOUT, data, cls.from_values)


@record
class SubscribeEvent:
    """`SubscribeEvent` of schemas/gateway.capnp."""

    entries: tuple[Entry, ...] | None = None
    signal: SubscribeEventSignal | None = None
    low_stock: SubscribeEventLowStock | None = None
    going_away: int | None = None
    """reconnect within so many milliseconds"""
    ready: int | None = None
    """sent once, when all that lay in the mailbox has been sent: its last number"""
    which: str = ""
    """The set member of the union, by its name in the schema; its number if only a later schema has it."""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            None if self.entries is None else tuple([x.to_values() for x in self.entries]),
            None if self.signal is None else self.signal.to_values(),
            None if self.low_stock is None else self.low_stock.to_values(),
            self.going_away,
            self.ready,
            SUBSCRIBE_EVENT_LAYOUT_MEMBERS.index(self.which)
            if self.which in SUBSCRIBE_EVENT_LAYOUT_MEMBERS
            else int(self.which or 0),
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubscribeEvent:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            entries=None if v[0] is None else tuple([Entry.from_values(x) for x in v[0]]),
            signal=None if v[1] is None else SubscribeEventSignal.from_values(v[1]),
            low_stock=None if v[2] is None else SubscribeEventLowStock.from_values(v[2]),
            going_away=v[3],
            ready=v[4],
            which=SUBSCRIBE_EVENT_LAYOUT_MEMBERS[v[5]] if v[5] < len(SUBSCRIBE_EVENT_LAYOUT_MEMBERS) else str(v[5]),
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBSCRIBE_EVENT_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeEvent:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBSCRIBE_EVENT_LAYOUT, data, cls.from_values)


@record
class SubscribeEventSignal:
    """`SubscribeEvent.Signal` of schemas/gateway.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    payload: bytes = b""

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.channel,
            self.generation,
            self.epoch,
            self.payload,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubscribeEventSignal:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            channel=v[0],
            generation=v[1],
            epoch=v[2],
            payload=v[3],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBSCRIBE_EVENT_SIGNAL_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeEventSignal:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBSCRIBE_EVENT_SIGNAL_LAYOUT, data, cls.from_values)


@record
class SubscribeEventLowStock:
    """`SubscribeEvent.LowStock` of schemas/gateway.capnp."""

    suite: int = 0
    left: int = 0

    def to_values(self) -> tuple[Any, ...]:
        """Return what a message holds of it."""
        return (
            self.suite,
            self.left,
        )

    @classmethod
    def from_values(cls, v: tuple[Any, ...]) -> SubscribeEventLowStock:
        """Make one of what a message holds, in the order of its layout."""
        return cls(
            suite=v[0],
            left=v[1],
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        return SUBSCRIBE_EVENT_LOW_STOCK_LAYOUT.encode(self.to_values())

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeEventLowStock:
        """Decode one message; Refusal(malformed)."""
        return decode(SUBSCRIBE_EVENT_LOW_STOCK_LAYOUT, data, cls.from_values)


class GatewayApi(Protocol):
    """What Gateway offers; each method may refuse."""

    async def health(self, call: CallContext, params: HealthParams) -> HealthResult:
        """Is the server there, and are the services behind it."""

    async def hello(self, call: CallContext, params: HelloParams) -> HelloResult:
        """Versions, limits and this connection's challenge; the first call of every client."""

    async def subscribe(
        self, call: CallContext, params: SubscribeParams, send: Callable[[SubscribeEvent], Awaitable[None]]
    ) -> None:
        """The device's mailbox as it fills, signals, low stock of KeyPackages, and the server's
        going away."""


METHODS: tuple[Method, ...] = (
    Method(
        number=0x0000,
        service="gateway",
        name="health",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=HealthParams,
        result=HealthResult,
    ),
    Method(
        number=0x0001,
        service="gateway",
        name="hello",
        caller=CallerClass("anonymous"),
        by=(),
        streams=False,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=HelloParams,
        result=HelloResult,
    ),
    Method(
        number=0x0002,
        service="gateway",
        name="subscribe",
        caller=CallerClass("device"),
        by=(),
        streams=True,
        idempotent=True,
        keyed=False,
        frame_bytes_max=2097152,
        params=SubscribeParams,
        result=SubscribeEvent,
    ),
)
