"""Who may call whom: read off the schema, the one table that the bus and the network's policies go by."""

from __future__ import annotations

from qpqcore.api.methods import METHODS, SERVICES
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.method import CallerClass, Method

EDGE = {CallerClass.PEER: "federation"}
"""Who brings the calls of strangers: the gateway those of clients, federation those of other domains."""


def _callers(service: str) -> frozenset[str]:
    found = set()
    for method in METHODS.values():
        if method.service == service and not method.streams and service != "gateway":
            found |= set(method.by) if method.internal else {EDGE.get(method.caller, "gateway")}
    return frozenset(found - {service})


MAY_CALL: dict[str, frozenset[str]] = {service: _callers(service) for service in SERVICES.values()}
"""For each service, which others open connections to it; the gateway is called by clients alone."""


def may_call_of(service: str) -> frozenset[str]:
    """Return the services that `service` calls."""
    return frozenset(callee for callee, callers in MAY_CALL.items() if service in callers)


def check_carrier(method: Method, caller: Caller, peer: str) -> None:
    """Refuse a call that its peer, named by its certificate, has no business to bring. Refusal(forbidden).

    A gateway brings no other domain's calls, federation none of accounts, and a service no other one's.
    """
    if method.internal:
        fits = caller.name == peer
    else:
        fits = peer == ("federation" if caller.kind is CallerKind.PEER else "gateway")
    if not fits:
        raise Refusal(ErrorCode.FORBIDDEN, f"{method.name} is not for {peer} to bring")
