"""What every bus does, whatever carries it: the same tests on the local one and on the one over mutual TLS."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from qpqcore.api import blob, keystore
from qpqcore.bus.dispatch import Dispatcher
from qpqcore.bus.stub import Stub
from qpqcore.crypto.assertion import AssertionIssuer, AssertionVerifier
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.wire.envelope import BusReply, Envelope
from tests.support.buses import BUSES

METHOD = next(m for m in keystore.METHODS if m.name == "resolveUser").number
KEY = b"k" * 32
NOW_MS = 1_800_000_000_000
ALICE = Caller(CallerKind.ACCOUNT, b"a" * 16 + b"localhost", b"d" * 16 + b"localhost", b"s" * 32)
PATIENCE_SECONDS = 20


@pytest.fixture(params=BUSES)
def open_bus(request, tmp_path):
    """Return a context manager: `async with open_bus(keystore=entrance) as bus`."""

    @asynccontextmanager
    async def opened(**entrances):
        with trio.fail_after(PATIENCE_SECONDS):
            async with BUSES[request.param](tmp_path, entrances) as bus:
                yield bus

    return opened


class Service:
    """A keystore all of whose methods do what a test says."""

    def __init__(self, body):
        self._body = body

    def __getattr__(self, name):
        return self._body


def of(body):
    """Return the entrance of such a service."""
    keys = {(CallerKind.ACCOUNT, "auth"): KEY}
    return Dispatcher(2, Service(body), AssertionVerifier(2, keys), clock_ms=lambda: NOW_MS)


def envelope(name="bob", **more):
    assertion = AssertionIssuer({2: KEY}, "auth").issue(ALICE, NOW_MS)
    head = {"method": METHOD, "deadline_ms": 10_000, "assertion": assertion}
    return Envelope(**{**head, "body": keystore.ResolveUserParams(name=name).to_bytes(), **more})


async def test_an_envelope_and_its_reply_cross_whole(open_bus):
    came = []

    async def echo(given, peer=""):
        came.append(given)
        return BusReply(assertion=b"for the gateway", result=given.body)

    sent = envelope(
        body=bytes(range(256)), idempotency_key=b"i" * 16, challenge=b"c" * 32, address="192.0.2.1", sender=b"auth's",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )  # fmt: skip
    async with open_bus(keystore=echo) as bus:
        assert await bus.call(sent) == BusReply(assertion=b"for the gateway", result=bytes(range(256)))
    (given,) = came
    assert 0 < given.deadline_ms <= sent.deadline_ms
    for name in ("method", "assertion", "idempotency_key", "challenge", "address", "sender", "traceparent", "body"):
        assert getattr(given, name) == getattr(sent, name), name


@pytest.mark.parametrize("said", [None, b"", b"new"])
async def test_an_assertion_in_a_reply_is_none_empty_or_new(open_bus, said):
    async def answer(given, peer=""):
        return BusReply(assertion=said)

    async with open_bus(keystore=answer) as bus:
        assert (await bus.call(envelope())).assertion == said


async def test_a_stub_is_the_service(open_bus):
    async def resolve(call, params):
        assert call.caller == ALICE
        assert call.now_ms == NOW_MS
        assert call.address == "192.0.2.1"
        call.outcome.assertion = b"renewed"
        return keystore.ResolveUserResult(account=b"a", name=params.name, identity_key=b"i", device_list=b"d")

    async with open_bus(keystore=of(resolve)) as bus:
        context = CallContext(assertion=envelope().assertion, address="192.0.2.1")
        found = await Stub("keystore", bus).resolve_user(context, keystore.ResolveUserParams(name="bob"))
    assert (found.name, context.outcome.assertion) == ("bob", b"renewed")


async def test_a_refusal_crosses_as_itself(open_bus):
    async def refuse(call, params):
        raise Refusal(ErrorCode.RATE_LIMITED, "not so fast", retry_after_ms=1_234)

    async with open_bus(keystore=of(refuse)) as bus:
        reply = await bus.call(envelope())
        assert (reply.code, reply.detail, reply.retry_after_ms) == (ErrorCode.RATE_LIMITED, "not so fast", 1_234)
        with pytest.raises(Refusal) as no:
            context = CallContext(assertion=envelope().assertion)
            await Stub("keystore", bus).resolve_user(context, keystore.ResolveUserParams(name="bob"))
    assert (no.value.code, no.value.detail, no.value.retry_after_ms) == (ErrorCode.RATE_LIMITED, "not so fast", 1_234)


async def test_a_fault_is_internal_and_its_text_stays_inside(open_bus):
    async def break_down(call, params):
        raise RuntimeError("what nobody outside may read")

    async with open_bus(keystore=of(break_down)) as bus:
        assert await bus.call(envelope()) == BusReply(code=int(ErrorCode.INTERNAL), detail="internal error")


async def test_a_deadline_ends_caller_and_callee(open_bus):
    ended = trio.Event()

    async def sleep(call, params):
        if params.name == "a connection is there":
            raise Refusal(ErrorCode.NOT_FOUND)
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_bus(keystore=of(sleep)) as bus:
        assert (await bus.call(envelope("a connection is there"))).code == ErrorCode.NOT_FOUND
        begun_s = trio.current_time()
        assert (await bus.call(envelope(deadline_ms=100))).code == ErrorCode.DEADLINE_EXCEEDED
        assert trio.current_time() - begun_s >= 0.09
        await ended.wait()


async def test_a_call_without_time_left_is_late(open_bus):
    async def sleep(call, params):
        await trio.sleep_forever()

    async with open_bus(keystore=of(sleep)) as bus:
        assert (await bus.call(envelope(deadline_ms=0))).code == ErrorCode.DEADLINE_EXCEEDED


async def test_cancelling_the_caller_cancels_the_callee(open_bus):
    begun, ended = trio.Event(), trio.Event()

    async def sleep(call, params):
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_bus(keystore=of(sleep)) as bus, trio.open_nursery() as nursery:
        nursery.start_soon(bus.call, envelope())
        await begun.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await ended.wait()


async def test_many_calls_at_once_each_get_their_own_answer(open_bus):
    """Those that came first are answered last."""
    waiting = []

    async def in_reverse(given, peer=""):
        turn = trio.Event()
        waiting.append(turn)
        if len(waiting) == 500:
            waiting.pop().set()
        await turn.wait()
        if waiting:
            waiting.pop().set()
        return BusReply(result=given.body)

    async with open_bus(keystore=in_reverse) as bus:
        answers = {}

        async def call(number):
            answers[number] = (await bus.call(envelope(body=b"%d" % number))).result

        async with trio.open_nursery() as nursery:
            for number in range(500):
                nursery.start_soon(call, number)
    assert answers == {number: b"%d" % number for number in range(500)}


async def test_a_large_body_crosses_beside_small_ones(open_bus):
    async def echo(given, peer=""):
        return BusReply(result=given.body)

    large = bytes(range(256)) * 32_768  # 8 MiB
    async with open_bus(keystore=echo) as bus, trio.open_nursery() as nursery:

        async def call(body):
            assert (await bus.call(envelope(body=body))).result == body

        for body in (large, b"small", large, b"small too"):
            nursery.start_soon(call, body)


async def test_each_service_gets_its_own_calls(open_bus):
    def named(name):
        async def answer(given, peer=""):
            return BusReply(result=name)

        return answer

    async with open_bus(keystore=named(b"keystore"), blob=named(b"blob")) as bus:
        assert (await bus.call(envelope())).result == b"keystore"
        assert (await bus.call(envelope(method=blob.METHODS[0].number))).result == b"blob"


async def test_a_service_that_is_not_there_is_unavailable(open_bus):
    async with open_bus() as bus:
        assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE


async def test_what_is_not_this_services_is_no_method(open_bus):
    async def never(call, params):
        raise AssertionError("reached")

    async with open_bus(keystore=of(never)) as bus:
        assert (await bus.call(envelope(method=METHOD | 0x7F))).code == ErrorCode.UNKNOWN_METHOD
        assert (await bus.call(envelope(assertion=b""))).code == ErrorCode.UNAUTHENTICATED
