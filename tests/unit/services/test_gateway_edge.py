"""The gateway on an in-memory network: strangers that cost more than they may, and what a log-in changes."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from qpqclient.transport import frame_of
from qpqcore.api.auth import LoginFinishParams, LoginStartParams
from qpqcore.api.delivery import FetchParams, FetchResult, FetchWaitParams
from qpqcore.api.gateway import HealthParams, SubscribeParams
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Call, Reply
from qpqcore.bus.admission import WAIT_MS_MIN, WINDOW_MIN
from qpqcore.bus.local import LocalBus
from qpqcore.bus.notices import LocalNotices, mailbox_topic
from qpqcore.crypto.assertion import AssertionIssuer
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode
from qpqcore.wire.envelope import BusReply
from qpqgateway.config import Config
from qpqgateway.main import ALPN, quic_configuration, serve
from qpqgateway.peer import WINDOW_BYTES, Peers
from qpqgateway.service import Gateway
from trio_quic import ClientTls, ConnectionClosed, Limits, QuicConfiguration, ServerTls, codes, open_quic_connection
from trio_quic.testing import Certificates, MemoryLink


@asynccontextmanager
async def edge(engine, bus=None, notices=None, **settings):
    """A gateway without services, and a way to connect."""
    config = Config(host="10.0.0.1", engine=engine, **settings)
    server = Certificates().server
    gateway = Gateway(
        config,
        bus or LocalBus(),
        version="0",
        own_assertion=bytes,
        external_sender=(b"", b""),
        notices=notices or LocalNotices(),
        clock_ms=lambda: 0,
    )
    configuration = quic_configuration(config, ServerTls(chain_pem=server.chain_pem, key_pem=server.key_pem))
    client = QuicConfiguration(alpn=(ALPN,), client=ClientTls(first_use=True), limits=Limits(keepalive_ms=25_000))
    async with MemoryLink.running() as link, trio.open_nursery() as nursery:
        endpoint = await nursery.start(partial(serve, gateway, config, configuration, transport_factory=link.bind))
        endpoint.gateway = gateway
        yield endpoint, partial(open_quic_connection, *endpoint.address, client, transport_factory=link.bind)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("engine", ["native", "aioquic"])
async def test_a_stranger_whose_calls_are_refused_again_and_again_is_closed(engine, autojump_clock):
    frame = Call(method=60_000).to_bytes()
    answered = []
    async with edge(engine) as (endpoint, connect), connect() as bystander, connect() as stranger:

        async def call():
            with trio.CancelScope():
                try:
                    answered.append(Reply.from_bytes(await stranger.call(frame)).code)
                except ConnectionClosed as closed:
                    assert closed.code == codes.FLOOD

        async with trio.open_nursery() as nursery:
            for _ in range(2 * Limits().cancels_per_second_max):
                nursery.start_soon(call)
        assert stranger.closed is not None
        assert Limits().cancels_per_second_max <= len(answered) < 2 * Limits().cancels_per_second_max
        assert set(answered) == {ErrorCode.UNKNOWN_METHOD}
        assert endpoint.counters()["floods_of_cancels"] == 1
        assert Reply.from_bytes(await bystander.call(frame_of(HealthParams()))).code == ErrorCode.OK


async def test_calls_in_all_are_bounded(autojump_clock):
    frame = frame_of(LoginStartParams(name="alice"))
    go, waiting = trio.Event(), []

    class Bus:
        async def call(self, envelope):
            waiting.append(envelope)
            await go.wait()
            return BusReply()

    codes_of = []
    async with edge("native", Bus(), calls_max=5) as (endpoint, connect), connect() as one, connect() as other:

        async def call(connection):
            codes_of.append(Reply.from_bytes(await connection.call(frame)).code)

        async with trio.open_nursery() as nursery:
            for connection in (one, one, one, other, other):
                nursery.start_soon(call, connection)
            await trio.testing.wait_all_tasks_blocked()
            await trio.sleep(1)
            await call(other)
            assert (codes_of, len(waiting)) == ([ErrorCode.OVERLOADED], 5)
            go.set()
        await call(one)
        assert codes_of == [ErrorCode.OVERLOADED, *[ErrorCode.OK] * 6]


async def test_past_its_window_the_edge_refuses_at_once_and_goes_on_answering(autojump_clock):
    """A processor that is behind: each call that is let in finds that it has waited too long for its turn."""
    frame, poll = frame_of(LoginStartParams(name="alice")), frame_of(FetchWaitParams(wait_ms=WAIT_MS_MIN))
    go, waiting, codes_of = trio.Event(), [], []

    class Bus:
        async def call(self, envelope):
            waiting.append(METHODS[envelope.method].name)
            await go.wait()
            return BusReply()

    async with edge("native", Bus()) as (endpoint, connect), AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connect()) for _ in range(4)]
        admission = endpoint.gateway.admission
        admission.window = float(WINDOW_MIN)

        async def call(connection, frame):
            reply = Reply.from_bytes(await connection.call(frame))
            codes_of.append((reply.code, reply.retry_after_ms))

        async with trio.open_nursery() as nursery:
            for connection in connections:
                for _ in range(20):
                    nursery.start_soon(call, connection, frame)
            await trio.sleep(0.05)
            assert waiting == ["loginStart"] * (WINDOW_MIN // 2)  # a stranger's half
            assert codes_of == [(ErrorCode.OVERLOADED, 1_000)] * (80 - WINDOW_MIN // 2)
            assert Reply.from_bytes(await connections[0].call(frame_of(HealthParams()))).code == ErrorCode.OK
            # Who only waits is no work: without a session it is refused for that alone.
            assert Reply.from_bytes(await connections[0].call(poll)).code == ErrorCode.UNAUTHENTICATED
            go.set()
        assert (admission.working, admission.strangers) == (0, 0)
        assert admission.shed == 80 - WINDOW_MIN // 2
        await trio.sleep(1)
        await call(connections[0], frame)
        assert codes_of[-1] == (ErrorCode.OK, 0)


async def test_who_logs_in_leaves_as_the_stranger_that_came(autojump_clock):
    """Else each log-in would take a place of theirs for ever."""
    caller = Caller(CallerKind.ACCOUNT, account=b"a", device=b"d", session=b"s")
    seen = []

    class Bus:
        async def call(self, envelope):
            seen.append((admission.working, admission.strangers))
            return BusReply(assertion=AssertionIssuer({1: bytes(32)}, "auth").issue(caller, 0))

    async with edge("native", Bus()) as (endpoint, connect), connect() as connection:
        admission = endpoint.gateway.admission
        for params in (LoginFinishParams(), FetchParams()):
            await connection.call(frame_of(params))
        assert [working for working, _ in seen if working] == [1] * len(seen)
        assert (seen[0], seen[-1]) == ((1, 1), (1, 0))
        assert (admission.working, admission.strangers) == (0, 0)


class Forgetful(LocalNotices):
    """Notices as a network carries them."""

    lossless = False


@pytest.mark.parametrize(("kind", "looks"), [(LocalNotices, 1), (Forgetful, 120)])
async def test_an_idle_subscription_looks_by_itself_only_where_notices_can_be_lost(kind, looks, autojump_clock):
    """Each look is a read, and every fifth minute a durable write; where none is needed an operator may have fewer."""
    caller = Caller(CallerKind.ACCOUNT, account=b"a", device=b"d", session=b"s")
    called = []
    seldom = {"look_again_lossless_seconds": 3_600.0}

    class Bus:
        async def call(self, envelope):
            name = METHODS[envelope.method].name
            called.append(name)
            if name == "fetch":
                return BusReply(result=FetchResult().to_bytes())
            return BusReply(assertion=AssertionIssuer({1: bytes(32)}, "auth").issue(caller, 0))

    notices = kind()
    async with edge("native", Bus(), notices, **seldom) as (_, connect), connect() as connection:
        await connection.call(frame_of(LoginFinishParams()))
        async with connection.open_call(frame_of(SubscribeParams())) as replies:
            assert Reply.from_bytes(await anext(replies)).code == ErrorCode.OK
            await trio.sleep(3_590)
            assert called.count("fetch") == looks
            # Whatever comes is looked at when it is told.
            notices.publish(mailbox_topic(b"d"))
            await trio.sleep(1)
            assert called.count("fetch") == looks + 1
            await trio.sleep(3_600)
            assert called.count("fetch") == (looks + 2 if looks == 1 else 2 * looks + 1)


async def test_a_connection_has_few_subscriptions(autojump_clock):
    caller = Caller(CallerKind.ACCOUNT, account=b"a", device=b"d", session=b"s")

    class Bus:
        async def call(self, envelope):
            logs_in = METHODS[envelope.method].name == "loginFinish"
            assertion = AssertionIssuer({1: bytes(32)}, "auth").issue(caller, 0) if logs_in else None
            return BusReply(assertion=assertion, result=b"" if logs_in else FetchResult().to_bytes())

    async with edge("native", Bus()) as (_, connect), connect() as connection, AsyncExitStack() as stack:
        await connection.call(frame_of(LoginFinishParams()))
        frame = frame_of(SubscribeParams())
        for _ in range(Config().subscriptions_max):
            replies = await stack.enter_async_context(connection.open_call(frame))
            assert Reply.from_bytes(await anext(replies)).code == ErrorCode.OK
        assert Reply.from_bytes(await connection.call(frame)).code == ErrorCode.OVERLOADED
        replies.give_up()
        await trio.sleep(1)
        async with connection.open_call(frame) as again:
            assert Reply.from_bytes(await anext(again)).code == ErrorCode.OK


async def test_a_stranger_has_a_small_window_and_a_device_that_is_logged_in_the_whole(autojump_clock):
    assert quic_configuration(Config(), ServerTls(chain_pem=b"", key_pem=b"")).limits.first_window_bytes == 1024 * 1024
    assert WINDOW_BYTES == 16 * 1024 * 1024

    class Connection:
        remote_address = ("10.0.0.2", 1)
        frame_bytes = window_bytes = 0

        def set_frame_limit(self, frame_bytes):
            self.frame_bytes = frame_bytes

        def set_window(self, window_bytes):
            self.window_bytes = window_bytes

    peers, connection = Peers(anonymous_frame_bytes=1, frame_bytes=2), Connection()
    peer = peers.add(connection)
    assert (connection.frame_bytes, connection.window_bytes, peers.is_known(connection)) == (1, 0, False)
    caller = Caller(CallerKind.ACCOUNT, account=b"a", device=b"d", session=b"s")
    peers.bind(peer, AssertionIssuer({1: bytes(32)}, "auth").issue(caller, 0))
    assert (connection.frame_bytes, connection.window_bytes, peers.is_known(connection)) == (2, WINDOW_BYTES, True)
    peers.bind(peer, b"")
    assert (connection.frame_bytes, peers.is_known(connection)) == (1, False)
