"""How a service asks another domain, through federation: one call, whose answer counts only if it can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qpqcore.api.federation import CallPeerParams
from qpqcore.model.call import CallContext
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqcore.api.federation import FederationInternalApi
    from qpqcore.model.call import Caller

T = TypeVar("T")


async def ask_peer(
    federation: FederationInternalApi | None, asker: Caller, call: CallContext, domain: str, method: int, params: Any,
    result: type[T],
) -> T:  # fmt: skip
    """Call one of federation's methods, by its number, at another domain; within `call`'s deadline, under its key.

    Refusal: the peer's; `unavailable` where federation or the domain is away, or the answer cannot be read.
    """
    if federation is None:
        raise Refusal(ErrorCode.UNAVAILABLE, "federation is away")
    context = CallContext(
        caller=asker, deadline_s=call.deadline_s, traceparent=call.traceparent, now_ms=call.now_ms,
        idempotency_key=call.idempotency_key,
    )  # fmt: skip
    answer = await federation.call_peer(
        context, CallPeerParams(domain=domain, method=method, params=params.to_bytes())
    )  # fmt: skip
    try:
        value: T = result.from_bytes(answer.result)  # type: ignore[attr-defined]  # every generated struct has it
    except Refusal as exc:
        raise Refusal(ErrorCode.UNAVAILABLE, "another domain's answer cannot be read") from exc
    return value
