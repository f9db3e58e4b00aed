"""The contract of gateway: its messages, methods and Protocol.

Generated from schemas/gateway.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.api.delivery import Entry
from qpqcore.model.method import CallerClass, Method
from qpqcore.wire.message import decode, schema, structs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqcore.model.call import CallContext

_file = schema("gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthParams:
    """`HealthParams` of schemas/gateway.capnp."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        del m

    @classmethod
    def read(cls, m: Any) -> HealthParams:
        """Read from a message."""
        return cls()

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.HealthParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> HealthParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.HealthParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthResult:
    """`HealthResult` of schemas/gateway.capnp."""

    status: str = ""
    """'ok', or the names of the services that are away"""
    version: str = ""
    uptime_ms: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.status:
            m.status = self.status
        if self.version:
            m.version = self.version
        m.uptimeMs = self.uptime_ms

    @classmethod
    def read(cls, m: Any) -> HealthResult:
        """Read from a message."""
        return cls(
            status=m.status,
            version=m.version,
            uptime_ms=m.uptimeMs,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.HealthResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> HealthResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.HealthResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloParams:
    """`HelloParams` of schemas/gateway.capnp."""

    client_version: str = ""
    protocol: int = 0
    """1"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.client_version:
            m.clientVersion = self.client_version
        m.protocol = self.protocol

    @classmethod
    def read(cls, m: Any) -> HelloParams:
        """Read from a message."""
        return cls(
            client_version=m.clientVersion,
            protocol=m.protocol,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.HelloParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> HelloParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.HelloParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.protocol = self.protocol
        if self.server_version:
            m.serverVersion = self.server_version
        if self.oldest_client:
            m.oldestClient = self.oldest_client
        if self.domain:
            m.domain = self.domain
        if self.challenge:
            m.challenge = self.challenge
        m.nowMs = self.now_ms
        m.frameBytesMax = self.frame_bytes_max
        m.handshakeBytesMax = self.handshake_bytes_max
        m.blobBytesMax = self.blob_bytes_max
        m.blobChunkBytes = self.blob_chunk_bytes
        if self.external_sender_credential:
            m.externalSenderCredential = self.external_sender_credential
        if self.external_sender_key:
            m.externalSenderKey = self.external_sender_key
        if self.registration:
            m.registration = self.registration

    @classmethod
    def read(cls, m: Any) -> HelloResult:
        """Read from a message."""
        return cls(
            protocol=m.protocol,
            server_version=m.serverVersion,
            oldest_client=m.oldestClient,
            domain=m.domain,
            challenge=m.challenge,
            now_ms=m.nowMs,
            frame_bytes_max=m.frameBytesMax,
            handshake_bytes_max=m.handshakeBytesMax,
            blob_bytes_max=m.blobBytesMax,
            blob_chunk_bytes=m.blobChunkBytes,
            external_sender_credential=m.externalSenderCredential,
            external_sender_key=m.externalSenderKey,
            registration=m.registration,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.HelloResult.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> HelloResult:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.HelloResult, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeParams:
    """`SubscribeParams` of schemas/gateway.capnp."""

    after: int = 0
    """mailbox number; entries above it are sent"""
    max_entries: int = 0
    """in one event; 0: the server's choice"""

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.after = self.after
        m.maxEntries = self.max_entries

    @classmethod
    def read(cls, m: Any) -> SubscribeParams:
        """Read from a message."""
        return cls(
            after=m.after,
            max_entries=m.maxEntries,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubscribeParams.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeParams:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubscribeParams, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """The set member of the union, by its name in the schema."""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.which == "entries":
            items = m.init("entries", len(self.entries or ()))
            for i, item in enumerate(self.entries or ()):
                item.write(items[i])
        elif self.which == "signal":
            assert self.signal is not None
            self.signal.write(m.init("signal"))
        elif self.which == "lowStock":
            assert self.low_stock is not None
            self.low_stock.write(m.init("lowStock"))
        elif self.which == "goingAway":
            m.goingAway = self.going_away
        elif self.which == "ready":
            m.ready = self.ready

    @classmethod
    def read(cls, m: Any) -> SubscribeEvent:
        """Read from a message."""
        which = str(m.which())
        return cls(
            entries=tuple([Entry.read(x) for x in structs(m.entries)]) if which == "entries" else None,
            signal=SubscribeEventSignal.read(m.signal) if which == "signal" else None,
            low_stock=SubscribeEventLowStock.read(m.lowStock) if which == "lowStock" else None,
            going_away=m.goingAway if which == "goingAway" else None,
            ready=m.ready if which == "ready" else None,
            which=which,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubscribeEvent.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeEvent:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubscribeEvent, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeEventSignal:
    """`SubscribeEvent.Signal` of schemas/gateway.capnp."""

    channel: bytes = b""
    generation: int = 0
    epoch: int = 0
    payload: bytes = b""

    def write(self, m: Any) -> None:
        """Write into a message."""
        if self.channel:
            m.channel = self.channel
        m.generation = self.generation
        m.epoch = self.epoch
        if self.payload:
            m.payload = self.payload

    @classmethod
    def read(cls, m: Any) -> SubscribeEventSignal:
        """Read from a message."""
        return cls(
            channel=m.channel,
            generation=m.generation,
            epoch=m.epoch,
            payload=m.payload,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubscribeEvent.Signal.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeEventSignal:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubscribeEvent.Signal, data, cls.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeEventLowStock:
    """`SubscribeEvent.LowStock` of schemas/gateway.capnp."""

    suite: int = 0
    left: int = 0

    def write(self, m: Any) -> None:
        """Write into a message."""
        m.suite = self.suite
        m.left = self.left

    @classmethod
    def read(cls, m: Any) -> SubscribeEventLowStock:
        """Read from a message."""
        return cls(
            suite=m.suite,
            left=m.left,
        )

    def to_bytes(self) -> bytes:
        """Encode as one message."""
        message = _file.SubscribeEvent.LowStock.new_message()
        self.write(message)
        data: bytes = message.to_bytes()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> SubscribeEventLowStock:
        """Decode one message; Refusal(malformed)."""
        return decode(_file.SubscribeEvent.LowStock, data, cls.read)


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
