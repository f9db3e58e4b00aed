"""Who may call what: every method of the schema, as every kind of caller, over real QUIC.

The expected value of each cell comes from the schema's `$caller`, not from this file. Parameters are empty: a
caller who may call gets past the gate to a refusal of the parameters, one who may not gets the gate's.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

import qpqclient
from qpqclient.transport import Trust, open_link
from qpqcore.api import auth, delivery
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.bus.dispatch import Dispatcher
from qpqcore.crypto.assertion import AssertionIssuer, AssertionVerifier
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode
from qpqcore.model.method import CallerClass
from qpqcore.wire.envelope import Envelope

CLIENT_METHODS = [m for m in METHODS.values() if not m.internal and not m.streams]
NEEDS_SESSION = {CallerClass.ACCOUNT, CallerClass.DEVICE, CallerClass.MEMBER, CallerClass.OWNER}
GATE = {ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.UNKNOWN_METHOD}
DESTRUCTIVE = {"logout", "deleteAccount"}


async def raw(link, method, params=b"") -> ErrorCode:
    """Call a method by number with bytes of our own; return the code."""
    body = params or method.params().to_bytes()
    frame = Call(method=method.number, deadline_ms=5_000, params=body).to_bytes()
    return ErrorCode(Reply.from_bytes(await link._connection.call(frame)).code)


def expected(method, caller: str) -> set[ErrorCode]:
    """Return the gate's answers for a caller who may not call; empty: the gate lets through."""
    if method.caller is CallerClass.PEER:
        return {ErrorCode.FORBIDDEN}
    if caller in {"anonymous", "revoked", "expired"} and method.caller in NEEDS_SESSION:
        return {ErrorCode.UNAUTHENTICATED}
    if caller == "no device" and method.caller in NEEDS_SESSION - {CallerClass.ACCOUNT}:
        return {ErrorCode.FORBIDDEN}
    return set()


async def check_all(link, caller: str) -> int:
    """Check every cell of one caller; return how many."""
    cells = 0
    for method in CLIENT_METHODS:
        if method.name in DESTRUCTIVE and caller in {"device", "no device"}:
            continue
        code = await raw(link, method)
        allowed = expected(method, caller)
        if allowed:
            assert code in allowed, (method.name, caller, code)
        elif method.caller is not CallerClass.ANONYMOUS:
            assert code not in {ErrorCode.UNAUTHENTICATED, ErrorCode.UNKNOWN_METHOD}, (method.name, caller, code)
        cells += 1
    return cells


async def test_every_method_as_every_kind_of_caller(serving, tmp_path):
    cells = 0
    async with serving() as server, AsyncExitStack() as stack:
        alice = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "a", server=server.where, password="x")
        )
        await alice.register("alice", "secret")
        anonymous = await stack.enter_async_context(open_link(server.where, Trust(), accept=lambda _: True))
        cells += await check_all(anonymous, "anonymous")
        cells += await check_all(await alice._core.link(), "device")

        second = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "b", server=server.where, password="y")
        )
        await second.login("alice", "secret")
        link = await second._core.link()
        await alice.revoke_device(second.device)
        cells += await check_all(link, "revoked")

        third = await stack.enter_async_context(
            qpqclient.open_client(tmp_path / "c", server=server.where, password="z")
        )
        await third.login("alice", "secret")
        link = await third._core.link()
        await link.call(auth.LogoutParams(), auth.LogoutResult)
        cells += await check_all(link, "expired")
    assert cells == 4 * len(CLIENT_METHODS) - len(DESTRUCTIVE)


@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.internal], ids=lambda m: f"{m.service}.{m.name}")
async def test_the_edge_knows_no_internal_method(serving, method):
    async with serving() as server, open_link(server.where, Trust(), accept=lambda _: True) as link:
        assert await raw(link, method) is ErrorCode.UNKNOWN_METHOD


class Everything:
    """A service that answers anything."""

    def __getattr__(self, name):
        async def answer(call, params):
            raise AssertionError(f"{name} was reached")

        return answer


@pytest.mark.parametrize("service", [1, 2, 3, 4])
async def test_a_service_believes_no_carrier(service):
    """No assertion, a forged one, another service's, an outdated one, and a service's key used for an account."""
    keys = {CallerKind.ACCOUNT: b"a" * 32, CallerKind.SERVICE: b"s" * 32}
    entrance = Dispatcher(service, Everything(), AssertionVerifier(service, keys), clock_ms=lambda: 10_000_000_000)
    account = Caller(CallerKind.ACCOUNT, b"x" * 16 + b"localhost", b"y" * 16 + b"localhost", b"s" * 32)
    good = AssertionIssuer({service: b"a" * 32}, "auth")
    rogue = {
        "none": b"",
        "forged": AssertionIssuer({service: b"f" * 32}, "auth").issue(account, 10_000_000_000),
        "another service's": AssertionIssuer({service + 1: b"a" * 32}, "auth").issue(account, 10_000_000_000),
        "outdated": good.issue(account, 10_000_000_000 - 3_600_000),
        "by a service's key": AssertionIssuer({service: b"s" * 32}, "gateway").issue(account, 10_000_000_000),
        "cut short": good.issue(account, 10_000_000_000)[:-1],
        "one bit changed": bytes(
            [*good.issue(account, 10_000_000_000)[:20], 1, *good.issue(account, 10_000_000_000)[21:]]
        ),
    }
    for method in METHODS.values():
        if method.service != {1: "auth", 2: "keystore", 3: "delivery", 4: "blob"}[service]:
            continue
        if method.caller is CallerClass.ANONYMOUS:
            continue
        for name, assertion in rogue.items():
            reply = await entrance(
                Envelope(method=method.number, deadline_ms=1_000, assertion=assertion, body=method.params().to_bytes())
            )
            assert reply.code in GATE, (method.name, name, reply)


async def test_others_mailboxes_channels_and_blobs_are_closed(serving, tmp_path):
    async with serving() as server, AsyncExitStack() as stack:
        clients = []
        for name in ("alice", "bob", "eve"):
            client = await stack.enter_async_context(
                qpqclient.open_client(tmp_path / name, server=server.where, password="x")
            )
            await client.register(name, "secret")
            clients.append(client)
        alice, bob, eve = clients
        direct = await alice.dm("bob")
        await direct.send("private")
        await alice.flush()
        for params, result in (
            (delivery.FetchGroupInfoParams(channel=direct.id), delivery.FetchGroupInfoResult),
            (delivery.FetchTreeParams(channel=direct.id, tree_hash=b"x" * 32), delivery.FetchTreeResult),
            (delivery.SignalParams(channel=direct.id, generation=1, epoch=1, payload=b"x"), delivery.SignalResult),
        ):
            with pytest.raises(qpqclient.Refused) as refused:
                await eve._core.call(params, result)
            assert refused.value.code is ErrorCode.NOT_MEMBER
        found = await eve._core.call(delivery.FetchParams(), delivery.FetchResult)
        assert found.entries == ()
        assert (await eve._core.call(delivery.ListChannelsParams(), delivery.ListChannelsResult)).channels == ()
        rows = alice._core.store.rows("SELECT 1")
        assert rows
