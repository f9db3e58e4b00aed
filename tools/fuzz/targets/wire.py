"""What crosses the wire and the bus: calls, replies, every method's parameters, envelopes, assertions."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from functools import cache
from typing import TYPE_CHECKING, Any

from qpqcore.api.delivery import EnqueueParams, FetchResult
from qpqcore.api.methods import METHODS, SERVICES
from qpqcore.api.rpc import Call, Reply
from qpqcore.crypto.assertion import AssertionIssuer, AssertionVerifier, read_claims
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import Refusal
from qpqcore.model.ids import AccountId, DeviceId
from qpqcore.wire.envelope import BusReply, Envelope
from tools.fuzz.target import Target, demand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW_MS = 1_800_000_000_000
KEY = b"k" * 32
SERVICE = 3
TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


def _round_trip(read: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        value = read(data)
        demand(read(value.to_bytes()) == value, "what was read is written differently")

    return run


# --- parameters and results of every method


@cache
def structs() -> tuple[type[Any], ...]:
    """Return every method's parameter and result struct, in the order of their names."""
    found = {kind for method in METHODS.values() for kind in (method.params, method.result)}
    return tuple(sorted(found, key=lambda kind: (kind.__module__, kind.__name__)))


def params(data: bytes) -> None:
    """Read as one method's parameters or result: the first two bytes say which, the rest is the message."""
    choice = structs()[int.from_bytes(data[:2], "big") % len(structs())]
    message = data[2:]
    value = choice.from_bytes(message)
    demand(choice.from_bytes(value.to_bytes()) == value, f"a {choice.__name__} is written differently than read")


def sample(kind: Any, depth: int = 0) -> Any:
    """Return a value of a field's type with everything in it set."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return sample(next(a for a in arguments if a is not types.NoneType), depth)
    if origin is tuple:
        return (sample(arguments[0], depth + 1),) * 2
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        values = {f.name: sample(hints[f.name], depth + 1) for f in dataclasses.fields(kind) if f.name != "which"}
        if "which" in hints:
            return _of_union(kind, values)
        return kind(**values)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    plain: dict[Any, Any] = {bytes: b"some bytes", str: "a text", int: 3, bool: True}
    return plain[kind]


def _of_union(kind: Any, values: dict[str, Any]) -> Any:
    """A union's struct carries one member: the first that can be written."""
    optional = [f.name for f in dataclasses.fields(kind) if f.default is None]
    chosen = optional[0] if optional else ""
    common = {name: value for name, value in values.items() if name not in optional or name == chosen}
    return kind(**common, which=chosen)


def _params_seeds() -> Iterator[tuple[str, bytes]]:
    for number, kind in enumerate(structs()):
        yield kind.__name__, number.to_bytes(2, "big") + sample(kind).to_bytes()


# --- calls, envelopes


def _call_seeds() -> Iterator[tuple[str, bytes]]:
    yield "empty", Call().to_bytes()
    body = EnqueueParams(channel=b"c" * 25, generation=1, epoch=2, payload=b"p" * 40).to_bytes()
    full = Call(method=0x301, deadline_ms=5_000, idempotency_key=b"i" * 16, traceparent=TRACE, params=body)
    yield "full", full.to_bytes()


def _reply_seeds() -> Iterator[tuple[str, bytes]]:
    yield "empty", Reply().to_bytes()
    yield "refusal", Reply(code=7, detail="too many calls", retry_after_ms=50).to_bytes()
    yield "result", Reply(result=FetchResult().to_bytes()).to_bytes()


def _envelope_seeds() -> Iterator[tuple[str, bytes]]:
    yield "least", Envelope(method=1, deadline_ms=0).to_bytes()
    full = Envelope(
        method=0x301, deadline_ms=5_000, assertion=_assertion(), idempotency_key=b"i" * 16, challenge=b"c" * 32,
        address="127.0.0.1", sender=b"s" * 40, traceparent=TRACE, body=b"body",
    )  # fmt: skip
    yield "full", full.to_bytes()


def _bus_reply_seeds() -> Iterator[tuple[str, bytes]]:
    yield "result", BusReply(result=b"result").to_bytes()
    yield "refusal", BusReply(code=4, detail="no", retry_after_ms=9, assertion=b"").to_bytes()


# --- assertions


def _assertion() -> bytes:
    caller = Caller(CallerKind.ACCOUNT, AccountId(b"a" * 16 + b"localhost"), DeviceId(b"d" * 16 + b"localhost"), b"s")
    return AssertionIssuer({SERVICE: KEY}, "auth").issue(caller, NOW_MS, gateway="gateway")


@cache
def _verifier() -> AssertionVerifier:
    return AssertionVerifier(SERVICE, {(kind, name): KEY for kind in CallerKind for name in SERVICES.values()})


def assertion(data: bytes) -> None:
    """Read an assertion as its carrier does, then check it as a service does: what is genuine reads the same."""
    claims = read_claims(data)
    caller = _verifier().verify(data, NOW_MS)
    demand(caller == claims.caller, "an assertion's carrier and its checker read different callers")


def _assertion_seeds() -> Iterator[tuple[str, bytes]]:
    yield "account", _assertion()
    service = Caller(CallerKind.SERVICE, name="delivery")
    yield "service", AssertionIssuer({1: KEY, SERVICE: KEY}, "delivery").issue(service, NOW_MS)


REFUSED = (Refusal,)
TARGETS = (
    Target(name="call", what="Call", run=_round_trip(Call.from_bytes), errors=REFUSED, native=True, seeds=_call_seeds),
    Target(
        name="reply", what="Reply", run=_round_trip(Reply.from_bytes), errors=REFUSED, native=True, seeds=_reply_seeds
    ),
    Target(
        name="params",
        what="parameters and results of every method",
        run=params,
        errors=REFUSED,
        native=True,
        seeds=_params_seeds,
    ),  # fmt: skip
    Target(
        name="envelope",
        what="the bus's Envelope",
        run=_round_trip(Envelope.from_bytes),
        errors=REFUSED,
        seeds=_envelope_seeds,
    ),
    Target(
        name="bus_reply",
        what="the bus's reply",
        run=_round_trip(BusReply.from_bytes),
        errors=REFUSED,
        seeds=_bus_reply_seeds,
    ),
    Target(name="assertion", what="assertions", run=assertion, errors=REFUSED, seeds=_assertion_seeds),
)
