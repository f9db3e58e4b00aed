"""The TCP bus on bad days: certificates, versions, garbage, deaths. Typed answers within the deadline, and back without a hand."""

from __future__ import annotations

import ssl
import struct
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
import trio

from qpqcore.api.delivery import FetchWaitParams
from qpqcore.api.methods import METHODS
from qpqcore.bus import tcp_link, tcp_server
from qpqcore.bus.admission import WAIT_MS_MIN, Admission
from qpqcore.bus.tcp_server import BusServer
from qpqcore.model.errors import ErrorCode
from qpqcore.net.tls_stream import TlsStream
from qpqcore.wire.bus_frame import Away, Kind, frame, hello
from qpqcore.wire.envelope import BusReply, Envelope
from tests.support.buses import (
    DEADLINE_MS,
    PATIENCE_SECONDS,
    Slow,
    a_bus,
    calling,
    credentials_of,
    echo,
    envelope,
    make_impatient,
    never,
    raw,
    serving,
)


@pytest.fixture
def impatient(monkeypatch):
    """Make pings and tries quick."""
    make_impatient(monkeypatch)


# --- versions and garbage


def speaking(oldest, newest):
    return frame(Kind.HELLO, body=struct.pack("<HH", oldest, newest))


async def first_frame(stream):
    """Return the kind and body of what comes first, or None where nothing does."""
    data = b""
    while piece := await stream.receive():
        data += piece
        if len(data) >= 9 and len(data) >= 4 + int.from_bytes(data[:4], "little"):
            return data[4], data[9:]
    return None


@pytest.mark.parametrize(("oldest", "newest", "answer"), [(2, 9, Kind.GOAWAY), (0, 0, Kind.GOAWAY), (1, 9, Kind.HELLO)])
async def test_a_caller_of_another_version_is_told_so(tmp_path, oldest, newest, answer):
    server = BusServer("keystore", never, credentials_of(tmp_path, "keystore"))
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, raw(address, credentials_of(tmp_path, "gateway")) as stream:
            await stream.send(speaking(oldest, newest))
            kind, body = await first_frame(stream)
            assert kind == answer
            assert kind == Kind.HELLO or body[0] == Away.VERSION


@asynccontextmanager
async def a_callee_of_our_own(tmp_path, say, then=b""):
    """Yield the address of a server that says what it is told, and holds its tongue."""
    credentials = credentials_of(tmp_path, "keystore")

    async def answer(transport):
        stream = TlsStream(transport, credentials.server)
        await stream.do_handshake()
        await stream.receive()
        await stream.send(say)
        while await stream.receive():
            await stream.send(then)
        await stream.aclose()

    async def robust(transport):
        try:
            await answer(transport)
        except (ssl.SSLError, trio.BrokenResourceError):
            await trio.aclose_forcefully(transport)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, robust, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("said", [
    speaking(2, 9), b"HTTP/1.1 400 Bad Request\r\n\r\n", frame(Kind.REPLY, 1), b"\xff" * 64,
    hello() + frame(Kind.HELLO), hello() + b"\xff\xff\xff\xff", hello() + frame(99),
])  # fmt: skip
async def test_a_callee_that_speaks_otherwise_is_unavailable(tmp_path, said):
    own = credentials_of(tmp_path, "gateway")
    with trio.fail_after(PATIENCE_SECONDS):
        async with a_callee_of_our_own(tmp_path, said) as address, calling({"keystore": [address]}, own) as bus:
            begun_s = trio.current_time()
            assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE
            assert trio.current_time() - begun_s < DEADLINE_MS / 1000


async def test_a_callee_that_answers_nonsense_is_unavailable(tmp_path):
    own, then = credentials_of(tmp_path, "gateway"), frame(Kind.REPLY, 1, b"no reply")
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            a_callee_of_our_own(tmp_path, hello(), then) as address,
            calling({"keystore": [address]}, own) as bus,
        ):
            assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\n\r\n", frame(Kind.REQUEST, 1, b"before hello"), hello() + b"\xff" * 64, hello() + frame(99),
    hello() + frame(Kind.REPLY, 1, b"?"), hello() + frame(Kind.GOAWAY), b"\xff\xff\xff\x7f",
    hello() + frame(Kind.REQUEST, 1, envelope().to_bytes()) * 2,
])  # fmt: skip
async def test_a_caller_that_sends_garbage_is_cut_off_and_nobody_else(tmp_path, garbage):
    slow = Slow()
    server = BusServer("keystore", slow, credentials_of(tmp_path, "keystore"))
    own = credentials_of(tmp_path, "gateway")
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, calling({"keystore": [address]}, own) as bus, trio.open_nursery() as n:
            answers = []

            async def call():
                answers.append(await bus.call(envelope(b"of another")))

            n.start_soon(call)
            await slow.begun.wait()
            async with raw(address, own) as stream:
                await stream.send(garbage)
                with pytest.raises((ssl.SSLError, trio.BrokenResourceError)):
                    while await stream.receive():
                        pass
                    raise ssl.SSLError("the server ended")
            slow.go_on.set()
    assert [answer.result for answer in answers] == [b"of another"]


async def test_a_malformed_envelope_is_answered(tmp_path):
    server = BusServer("keystore", never, credentials_of(tmp_path, "keystore"))
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, raw(address, credentials_of(tmp_path, "gateway")) as stream:
            await stream.send(hello())
            assert (await first_frame(stream))[0] == Kind.HELLO
            await stream.send(frame(Kind.REQUEST, 7, b"no envelope"))
            kind, body = await first_frame(stream)
            assert (kind, BusReply.from_bytes(body).code) == (Kind.REPLY, ErrorCode.MALFORMED)


# --- deaths


async def test_no_replica_is_unavailable_at_once(tmp_path):
    with trio.fail_after(PATIENCE_SECONDS):
        async with calling({"keystore": [("127.0.0.1", 1)]}, credentials_of(tmp_path, "gateway")) as bus:
            for _ in range(2):
                assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE


async def test_a_name_that_nobody_has_is_unavailable(tmp_path):
    with trio.fail_after(PATIENCE_SECONDS):
        async with calling({"keystore": [("nobody.invalid", 1)]}, credentials_of(tmp_path, "gateway")) as bus:
            assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE


async def test_calls_of_a_service_that_dies_fail_at_once_and_the_next_reach_the_one_that_comes(tmp_path, impatient):
    slow, codes, dying = Slow(), [], trio.CancelScope()
    credentials = credentials_of(tmp_path, "keystore")

    async def call():
        codes.append((await bus.call(envelope())).code)

    async def serve_until_killed(*, task_status):
        with dying:
            await BusServer("keystore", slow, credentials).serve("127.0.0.1", 0, task_status=task_status)

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            address = await nursery.start(serve_until_killed)
            async with calling({"keystore": [address]}, credentials_of(tmp_path, "gateway")) as bus:
                async with trio.open_nursery() as calls:
                    for _ in range(50):
                        calls.start_soon(call)
                    while slow.calls < 50:
                        await trio.sleep(0.01)
                    killed_s = trio.current_time()
                    dying.cancel()
                assert trio.current_time() - killed_s < 1
                assert codes == [ErrorCode.UNAVAILABLE] * 50
                await nursery.start(BusServer("keystore", echo, credentials).serve, *address)
                while bus.away():
                    await trio.sleep(0.01)
                assert (await bus.call(envelope(b"again"))).result == b"again"
            nursery.cancel_scope.cancel()


async def test_a_silent_callee_is_given_up(tmp_path, impatient):
    """Its machine is gone: nothing is refused, nothing answers."""
    own = credentials_of(tmp_path, "gateway")
    with trio.fail_after(PATIENCE_SECONDS):
        async with a_callee_of_our_own(tmp_path, hello()) as address, calling({"keystore": [address]}, own) as bus:
            assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE


async def test_a_silent_caller_is_given_up_and_its_calls_end(tmp_path, impatient):
    slow, ended = Slow(), trio.Event()

    async def waits(given, peer):
        try:
            return await slow(given, peer)
        finally:
            ended.set()

    server = BusServer("keystore", waits, credentials_of(tmp_path, "keystore"))
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, raw(address, credentials_of(tmp_path, "gateway")) as stream:
            await stream.send(hello())
            await first_frame(stream)
            await stream.send(frame(Kind.REQUEST, 1, envelope().to_bytes()))
            await ended.wait()


async def test_an_idle_connection_is_kept(tmp_path, impatient, monkeypatch):
    # Long enough for a machine that is busy, and less than what is waited.
    monkeypatch.setattr(tcp_link, "SILENT_SECONDS_MAX", 1.0)
    monkeypatch.setattr(tcp_server, "CALLER_SILENT_SECONDS_MAX", 1.0)
    server = BusServer("keystore", echo, credentials_of(tmp_path, "keystore"))
    async with a_bus(server, credentials_of(tmp_path, "gateway")) as bus:
        await bus.call(envelope())
        (peer,) = bus._replicas["keystore"]._ready
        heard_s = trio.current_time()
        while peer._link._heard_s < heard_s + 1.2:
            await trio.sleep(0.05)
        assert bus._replicas["keystore"]._ready == [peer]


# --- many, and the end of one


async def test_calls_past_the_cap_are_overloaded_and_the_others_are_answered(tmp_path):
    slow, answers = Slow(), []
    server = BusServer("keystore", slow, credentials_of(tmp_path, "keystore"), calls_max=3)
    async with a_bus(server, credentials_of(tmp_path, "gateway")) as bus, trio.open_nursery() as nursery:

        async def call():
            answers.append(await bus.call(envelope(b"answer")))
            if len(answers) == 7:
                slow.go_on.set()

        for _ in range(10):
            nursery.start_soon(call)
    assert [a.code for a in answers] == [ErrorCode.OVERLOADED] * 7 + [0] * 3
    assert all(a.retry_after_ms for a in answers[:7])


async def test_past_its_window_a_service_sheds_what_users_call_and_nothing_that_is_under_way(tmp_path):
    """What services call of each other belongs to a call that was let in; who only waits is no work."""
    slow, answers = Slow(), []
    admission = Admission("delivery", lambda: 0.0)  # no interval ends, and the window stays as it is
    admission.window = 3.0
    server = BusServer("delivery", slow, credentials_of(tmp_path, "delivery"), admission=admission)
    kinds = {name: next(m for m in METHODS.values() if m.name == name) for name in ("peek", "fetchWait")}
    inner = next(m for m in METHODS.values() if m.service == "delivery" and m.internal)
    waits, hardly = (FetchWaitParams(wait_ms=ms).to_bytes() for ms in (WAIT_MS_MIN, WAIT_MS_MIN - 1))
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(server))
        bus = await stack.enter_async_context(calling({"delivery": [address]}, credentials_of(tmp_path, "gateway")))
        async with trio.open_nursery() as nursery:

            async def call(method, body=b""):
                reply = await bus.call(Envelope(method=method.number, deadline_ms=60_000, body=body))
                answers.append((method.name, reply.code, reply.retry_after_ms))

            for method in (*[kinds["peek"]] * 5, inner):
                nursery.start_soon(call, method)
            nursery.start_soon(call, kinds["fetchWait"], waits)
            while slow.calls < 5 or len(answers) < 2:
                await trio.sleep(0.01)
            assert answers == [("peek", ErrorCode.OVERLOADED, 1_000)] * 2
            # A poll that waits for next to nothing is a fetch, and so is one that says nothing which can be read.
            for body in (hardly, b"?"):
                await call(kinds["fetchWait"], body)
            assert answers[2:] == [("fetchWait", ErrorCode.OVERLOADED, 1_000)] * 2
            assert (server.admission.shed, server.admission.working, server.calls) == (4, 3, 5)
            slow.go_on.set()
    assert sorted(name for name, code, _ in answers if not code) == sorted(["peek"] * 3 + ["fetchWait", inner.name])
    assert (server.admission.working, server.calls) == (0, 0)


async def test_what_is_queued_at_once_leaves_at_once(tmp_path, monkeypatch):
    sends = []
    send = TlsStream.send

    async def counted(self, data):
        sends.append(len(data))
        await send(self, data)

    server = BusServer("keystore", echo, credentials_of(tmp_path, "keystore"))
    async with a_bus(server, credentials_of(tmp_path, "gateway")) as bus:
        await bus.call(envelope())
        monkeypatch.setattr(TlsStream, "send", counted)
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(bus.call, envelope())
    assert len(sends) < 20


async def test_a_caller_that_does_not_read_is_not_read_from(tmp_path, monkeypatch):
    monkeypatch.setattr(tcp_link, "QUEUE_BYTES_MAX", 1024 * 1024)
    calls = 0

    async def large(given, peer):
        nonlocal calls
        calls += 1
        return BusReply(result=bytes(1024 * 1024))

    server = BusServer("keystore", large, credentials_of(tmp_path, "keystore"))
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, raw(address, credentials_of(tmp_path, "gateway")) as stream:
            await stream.send(hello())
            await first_frame(stream)
            with trio.move_on_after(1):
                for number in range(1_000_000):
                    await stream.send(frame(Kind.REQUEST, number, envelope(bytes(16_384)).to_bytes()))
            assert 0 < calls < 1_000
