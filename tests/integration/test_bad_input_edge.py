"""Bad input at the edge: frames, heads, encodings, sessions (docs/spec/wire.md)."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
import trio

from qpqcore.api import auth, delivery, gateway, keystore
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.crypto.assertion import AssertionIssuer
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode
from qpqcore.wire.envelope import Envelope
from tests.support import recipes
from tests.support.rows import Table, check
from tests.support.world import method_named, raw

table = Table()
row = table.row


async def sent_raw(link, data, *, end=True):
    """Send bytes on a stream of their own; return the code of the answer."""
    stream = await link._connection.open_stream()
    await stream.send_all(data)
    if end:
        # The frame is whole without it: the server may have answered by now, and want no more of the stream.
        with suppress(trio.BrokenResourceError):
            await stream.send_eof()
    answer = b""
    while piece := await stream.receive_some():
        answer += piece
    return ErrorCode(Reply.from_bytes(answer[4:]).code)


def framed(data):
    return struct.pack("<I", len(data)) + data


@row("a frame above 64 KiB before log-in", ErrorCode.TOO_LARGE)
async def oversized_anonymous(w):
    link = await w.anonymous()
    yield
    yield await sent_raw(link, struct.pack("<I", 64 * 1024 + 1), end=False)


@row("a frame above 8 MiB after log-in", ErrorCode.TOO_LARGE)
async def oversized(w):
    alice = await w.device("alice")
    yield
    yield await sent_raw(alice.link, struct.pack("<I", 8 * 1024 * 1024 + 1), end=False)


@row("a frame above 2 MiB for a method that takes no more", ErrorCode.TOO_LARGE)
async def oversized_for_its_method(w):
    alice = await w.device("alice")
    yield
    yield (await raw(alice.link, method_named("fetch").number, bytes(2 * 1024 * 1024)))[0]


@row("a frame cut short", ErrorCode.MALFORMED)
async def truncated(w):
    link = await w.anonymous()
    yield
    yield await sent_raw(link, framed(Call(method=0).to_bytes())[:-3])


@row("a head cut short", ErrorCode.MALFORMED)
async def truncated_head(w):
    link = await w.anonymous()
    yield
    yield await sent_raw(link, b"\x10\x00")


@row("a frame that is no Cap'n Proto", ErrorCode.MALFORMED)
async def no_message(w):
    link = await w.anonymous()
    yield
    yield await sent_raw(link, framed(b"\xff" * 64))


@row("parameters that are no Cap'n Proto", ErrorCode.MALFORMED)
async def no_parameters(w):
    alice = await w.device("alice")
    yield
    yield (await raw(alice.link, method_named("enqueue").number, b"\xff" * 64))[0]


@row("a list that claims 2^29 elements of no size", ErrorCode.MALFORMED)
async def bomb(w):
    alice = await w.device("alice")
    # BatchEnqueueParams is one pointer; an inline-composite list whose tag claims 2^29 structs of size 0.
    words = [
        struct.pack("<HHI", 0, 0, 3)[:8],
        struct.pack("<II", 0, 1 << 16),
        struct.pack("<II", 1, 7),
        struct.pack("<II", ((1 << 29) - 1) << 2, 0),
    ]
    yield
    yield (await raw(alice.link, method_named("batchEnqueue").number, b"".join(words)))[0]


@row("a message whose pointers go round in a circle", ErrorCode.MALFORMED)
async def circle(w):
    alice = await w.device("alice")
    params = struct.pack("<HHI", 0, 0, 2) + struct.pack("<iHH", 0, 0, 1) + struct.pack("<iHH", -2 << 2, 0, 1)
    yield
    yield (await raw(alice.link, method_named("batchEnqueue").number, params))[0]


@row("a method that does not exist", ErrorCode.UNKNOWN_METHOD)
async def unknown(w):
    link = await w.anonymous()
    yield
    yield (await raw(link, 0x0177, b""))[0]


@row("a method of the services among themselves", ErrorCode.UNKNOWN_METHOD)
async def internal_method(w):
    alice = await w.device("alice")
    number = next(n for n, m in METHODS.items() if m.name == "putDeviceList")
    yield
    yield (await raw(alice.link, number, b""))[0]


@row("a method of other domains' servers", ErrorCode.FORBIDDEN)
async def of_peers(w):
    alice = await w.device("alice")
    number = next(n for n, m in METHODS.items() if m.name == "relayEnqueue")
    yield
    yield (await raw(alice.link, number, b""))[0]


@row("an idempotency key of 15 bytes", ErrorCode.MALFORMED)
async def odd_key(w):
    alice = await w.device("alice")
    params = keystore.FetchKeyPackageParams(accounts=(alice.account.account,), suites=(1,))
    yield
    yield await alice.code(params, key=b"k" * 15)


@row("an idempotency key used for another request", ErrorCode.IDEMPOTENCY_MISMATCH)
async def key_again(w):
    bob, alice, eve = await w.device("bob"), await w.device("alice"), await w.device("eve")
    first = keystore.FetchKeyPackageParams(accounts=(alice.account.account,), suites=(1,))
    second = keystore.FetchKeyPackageParams(accounts=(eve.account.account,), suites=(1,))
    assert await bob.code(first, key=b"k" * 16) is ErrorCode.OK
    yield
    yield await bob.code(second, key=b"k" * 16)


@row("a client of a protocol that is not spoken here", ErrorCode.VERSION_TOO_OLD)
async def protocol(w):
    link = await w.anonymous()
    yield
    yield (await raw(link, method_named("hello").number, gateway.HelloParams(protocol=0).to_bytes()))[0]


@row("no session", ErrorCode.UNAUTHENTICATED)
async def no_session(w):
    link = await w.anonymous()
    yield
    yield (await raw(link, method_named("fetch").number, delivery.FetchParams().to_bytes()))[0]


@row("a session token that nobody was given", ErrorCode.UNAUTHENTICATED)
async def wrong_session(w):
    alice = await w.silent("alice")
    params = recipes.resumption(alice, alice.link)
    yield
    yield await alice.code(auth.ResumeParams(session=b"x" * 32, device=params.device, signature=params.signature))


@row("somebody else's device on one's own session", ErrorCode.UNAUTHENTICATED)
async def others_device(w):
    eve, alice = await w.silent("eve"), await w.device("alice")
    own = recipes.resumption(eve, eve.link)
    yield
    yield await eve.code(auth.ResumeParams(session=own.session, device=alice.id, signature=own.signature))


@row("a session resumed without the device's key", ErrorCode.SIGNATURE_INVALID)
async def stolen_token(w):
    alice = await w.silent("alice")
    params = recipes.resumption(alice, alice.link)
    yield
    yield await alice.code(auth.ResumeParams(session=params.session, device=params.device, signature=b"x" * 64))


@row("a call whose time is over", ErrorCode.DEADLINE_EXCEEDED)
async def deadline(w):
    bob = await w.device("bob")
    frame = Call(
        method=method_named("fetchWait").number,
        deadline_ms=1,
        params=delivery.FetchWaitParams(wait_ms=9_000).to_bytes(),
    )
    yield
    yield ErrorCode(Reply.from_bytes(await bob.link._connection.call(frame.to_bytes())).code)


@row("a service that is away", ErrorCode.UNAVAILABLE)
async def away(w):
    alice = await w.device("alice")
    w.take_away("keystore")
    yield
    yield await alice.code(keystore.ResolveUserParams(name="bob"))


@row("a fault inside: its text stays there", ErrorCode.INTERNAL)
async def fault(w):
    alice = await w.device("alice")
    entrance = w.entrance("keystore")
    method, _ = entrance._methods[method_named("resolveUser").number]

    async def broken(call, params):
        raise RuntimeError("what nobody outside may read")

    entrance._methods[method.number] = (method, broken)
    yield
    frame = Call(method=method.number, params=keystore.ResolveUserParams(name="bob").to_bytes()).to_bytes()
    answer = await alice.link._connection.call(frame)
    assert b"what nobody outside" not in answer
    yield ErrorCode(Reply.from_bytes(answer).code)


@pytest.mark.parametrize("bad", table.rows, ids=lambda r: r.what)
async def test_bad_input(open_world, bad):
    await check(bad, open_world)


async def test_assertions_are_judged_by_every_service(open_world):
    """An expired one, a forged one, and one of a peer: none reaches a method."""
    async with open_world() as w:
        now_ms = 10**12
        accounts = AssertionIssuer(dict.fromkeys(range(1, 6), b"f" * 32), "auth")
        caller = Caller(CallerKind.ACCOUNT, b"a" * 16 + b"localhost", b"d" * 16 + b"localhost", b"s" * 32)
        for method in METHODS.values():
            if (
                method.service in {"gateway", "federation"} or method.internal
            ):  # federation is not called by the gateway
                continue
            forged = accounts.issue(caller, now_ms)
            body = method.params().to_bytes()
            envelope = Envelope(method=method.number, deadline_ms=1_000, assertion=forged, body=body)
            assert (await w.server.gateway._bus.call(envelope)).code == ErrorCode.UNAUTHENTICATED
