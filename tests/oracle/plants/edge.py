"""Faults of keystore, gateway and bus."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.api import keystore as keystore_api
from qpqcore.api.delivery import Entry
from qpqcore.bus.local import LocalBus
from qpqcore.bus.notices import REVOKED, LocalNotices
from qpqcore.crypto.identity import DeviceList
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.envelope import BusReply
from qpqdelivery.service import Delivery
from qpqgateway import rules as gateway_rules
from qpqgateway.peer import Peers
from qpqkeystore.service import Keystore
from tests.oracle.plants.base import ENQUEUE, patched

if TYPE_CHECKING:
    from collections.abc import Callable


@patched("keystore: two device lists of one version", "list_went_back", Keystore, "resolve_user")
def _(resolve):
    count = iter(range(10**6))

    async def bad(self, call, params):
        found = await resolve(self, call, params)
        if found.device_list and next(count) % 2:
            other = replace(DeviceList.from_bytes(found.device_list), signature=b"s" * 64)
            return replace(found, device_list=other.to_bytes())
        return found

    return bad


@patched("keystore: nobody is to be found", "stuck", Keystore, "resolve_user")
def _(resolve):
    async def bad(self, call, params):
        await trio.lowlevel.checkpoint()
        raise Refusal(ErrorCode.NOT_FOUND)

    return bad


@patched("keystore: somebody else's keys", "stuck", Keystore, "fetch_key_package")
def _(fetch):
    async def bad(self, call, params):
        found = await fetch(self, call, params)
        accounts = found.accounts
        if len(accounts) > 1:
            swapped = [replace(a, packages=b.packages) for a, b in zip(accounts, accounts[::-1], strict=True)]
            return keystore_api.FetchKeyPackageResult(accounts=tuple(swapped))
        return found

    return bad


@patched("gateway: a revocation does not end connections", "served_after", Peers, "revoke")
def _(revoke):
    return lambda self, *_: None


@patched("bus: a message is told with the one before it in its place", "lost", Delivery, "_taken")
def _(taken):
    before = {}

    def bad(self, message, accepted, arrivals):
        payload, before[message.channel] = before.get(message.channel, message.payload), message.payload
        return taken(self, replace(message, payload=payload), accepted, arrivals)

    return bad


@patched("gateway: what is told is passed on past a hole", "mailbox", gateway_rules, "following")
def _(following):
    def bad(position, told):
        entries = [Entry.from_bytes(data) for data in told if data]
        return tuple(sorted((e for e in entries if e.number > position), key=lambda e: e.number)), True

    return bad


@patched("bus: revocations are lost", "served_after", LocalNotices, "publish")
def _(publish):
    def bad(self, topic, payload=b""):
        if topic != REVOKED:
            publish(self, topic, payload)

    return bad


# --- the bus


def on_bus(name: str, expected: str) -> Callable[..., Any]:
    """Enter a fault of the bus: the decorated coroutine function is given the real call and the envelope."""
    return patched(name, expected, LocalBus, "call")


@on_bus("bus: answers are exchanged between calls of one method", "rewritten")
def _(call):
    last: dict[int, Any] = {}

    async def bad(self, envelope):
        reply = await call(self, envelope)
        if envelope.method == ENQUEUE and reply.code == 0:
            reply, last[ENQUEUE] = last.get(ENQUEUE, reply), reply
        return reply

    return bad


@on_bus("bus: somebody else's assertion is put in", "stuck")
def _(call):
    last = []

    async def bad(self, envelope):
        if envelope.assertion:
            last.append(envelope.assertion)
        if envelope.assertion and len(last) > 60 and len(last) % 3 == 0:
            envelope = replace(envelope, assertion=last[0])
        return await call(self, envelope)

    return bad


for method in ("fetch", "submitCommit", "fetchKeyPackage", "fetchTree", "ack"):

    def _make(name):
        from qpqcore.api.methods import METHODS

        number = next(n for n, m in METHODS.items() if m.name == name)

        def make(call):
            count = iter(range(10**6))

            async def bad(self, envelope):
                if envelope.method == number and next(count) > 2:
                    await trio.lowlevel.checkpoint()
                    return BusReply(code=int(ErrorCode.FORBIDDEN), detail="planted")
                return await call(self, envelope)

            return bad

        return make

    on_bus(f"bus: {method} is refused after a while", "stuck")(_make(method))
