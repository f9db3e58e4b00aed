"""A whole server beside Redis: people talk through its bad days, and what is revoked is cut off at every gateway."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
import trio
import trio.testing

from qpqclient.transport import frame_of
from qpqcore.api import auth, delivery, gateway
from qpqcore.api.auth import LoginFinishParams
from qpqcore.api.delivery import FetchResult
from qpqcore.api.gateway import SubscribeParams
from qpqcore.api.methods import METHODS
from qpqcore.api.rpc import Reply
from qpqcore.bus.notices import REVOKED, REVOKED_DEVICE, mailbox_topic, revocation
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis
from qpqcore.config.settings import ConfigError, Settings, redis_url_of
from qpqcore.crypto.assertion import AssertionIssuer
from qpqcore.model.call import Caller, CallerKind
from qpqcore.model.errors import ErrorCode
from qpqcore.runtime.clock import now_ms
from qpqcore.wire.envelope import BusReply
from qpqgateway.config import Config
from qpqgateway.main import ALPN, quic_configuration, serve
from qpqgateway.service import Gateway
from qpqserver.embedded import open_embedded
from tests.support import recipes
from tests.support.people import people, settle, texts
from tests.support.world import method_named, raw
from trio_quic import ClientTls, QuicConfiguration, ServerTls, open_quic_connection
from trio_quic.testing import Certificates, MemoryLink

KEY = b"k" * 32
PATIENCE_SECONDS = 60


async def code(link, params):
    name = type(params).__name__.removesuffix("Params")
    return (await raw(link, method_named(name[0].lower() + name[1:]).number, params.to_bytes()))[0]


async def test_people_talk_while_redis_is_killed_hangs_and_is_emptied(serving, own_redis, tmp_path):
    async with serving(redis_url=own_redis.url) as server, AsyncExitStack() as stack:
        alice, bob = await people(stack, server, tmp_path, "alice", "bob")
        direct, said = await alice.dm("bob"), []

        async def say(text):
            with trio.fail_after(5):  # an enqueue waits for no Redis
                await direct.send(text)
                await alice.flush()
            said.append(text)

        await say("with it")
        own_redis.command("FLUSHALL")
        await say("emptied")
        own_redis.freeze()
        await say("hanging")
        own_redis.thaw()
        own_redis.kill()
        await say("killed")
        async with people_of(server) as link:
            assert (await link(gateway.HealthParams())).status == "redis away"
        assert b"qpq_redis_up 0.0" in server.metrics.page()
        await settle(alice, bob)
        (theirs,) = bob.conversations()
        assert texts(theirs) == said
        own_redis.start()
        await say("back")
        await settle(alice, bob)
        assert texts(theirs) == said
        assert b'qpq_wakeups_total{path="local"}' in server.metrics.page()


@asynccontextmanager
async def people_of(server):
    """Return a way to call without a session."""
    from qpqclient.transport import BY_PARAMS, Trust, open_link

    async with open_link(server.where, Trust(), accept=lambda _: True) as link:

        async def call(params):
            return await link.call(params, BY_PARAMS[type(params)].result)

        yield call


async def test_a_log_in_is_finished_once_though_redis_forgets_all_in_between(open_world, own_redis):
    async with open_world(redis_url=own_redis.url) as w:
        finish, _ = await recipes.login(await w.anonymous(), "alice", "secret alice")
        assert await code(await w.anonymous(), finish) is ErrorCode.OK
        own_redis.command("FLUSHALL")
        assert await code(await w.anonymous(), finish) is ErrorCode.LOGIN_EXPIRED
        own_redis.kill()
        assert await code(await w.anonymous(), finish) is ErrorCode.LOGIN_EXPIRED


async def test_without_redis_log_ins_are_limited_all_the_same(open_world, own_redis):
    async with open_world(redis_url=own_redis.url) as w:
        own_redis.kill()
        link, codes = await w.anonymous(), []
        for _ in range(12):
            begin = auth.LoginStartParams(name="eve", request=b"nonsense")
            codes.append(await code(link, begin))
        assert codes == [ErrorCode.MALFORMED] * 10 + [ErrorCode.RATE_LIMITED] * 2


class Services:
    """A bus behind which everybody is Alice's device."""

    caller = Caller(CallerKind.ACCOUNT, account=b"a", device=b"device", session=b"s")

    async def call(self, envelope):
        logs_in = METHODS[envelope.method].name == "loginFinish"
        assertion = AssertionIssuer({1: bytes(32)}, "auth").issue(self.caller, now_ms()) if logs_in else None
        return BusReply(assertion=assertion, result=b"" if logs_in else FetchResult().to_bytes())


@asynccontextmanager
async def gateway_with(url):
    """One gateway, with a Redis connection of its own, and a subscribed connection to it."""
    config, server = Config(host="10.0.0.1"), Certificates().server
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(open_redis(parse(url), key=KEY, domain="d"))
        edge = Gateway(
            config, Services(), version="0", own_assertion=bytes, external_sender=(b"", b""), notices=parts.notices,
            clock_ms=now_ms, away=parts.away,
        )  # fmt: skip
        configuration = quic_configuration(config, ServerTls(chain_pem=server.chain_pem, key_pem=server.key_pem))
        client = QuicConfiguration(alpn=(ALPN,), client=ClientTls(first_use=True))
        link = await stack.enter_async_context(MemoryLink.running())
        nursery = await stack.enter_async_context(trio.open_nursery())
        endpoint = await nursery.start(partial(serve, edge, config, configuration, transport_factory=link.bind))
        connecting = open_quic_connection(*endpoint.address, client, transport_factory=link.bind)
        connection = await stack.enter_async_context(connecting)
        await connection.call(frame_of(LoginFinishParams()))
        replies = await stack.enter_async_context(connection.open_call(frame_of(SubscribeParams())))
        assert Reply.from_bytes(await anext(replies)).code == ErrorCode.OK  # ready
        await parts.notices.wait_heard(REVOKED, mailbox_topic(b"device"))
        yield replies
        nursery.cancel_scope.cancel()


async def test_a_device_is_cut_off_at_every_gateway_within_a_second(own_redis):
    with trio.fail_after(PATIENCE_SECONDS):
        async with AsyncExitStack() as stack:
            asks = [await stack.enter_async_context(gateway_with(own_redis.url)) for _ in range(3)]
            auths = await stack.enter_async_context(open_redis(parse(own_redis.url), key=KEY, domain="d"))
            await auths.notices.wait_up()
            auths.notices.publish(REVOKED, revocation(REVOKED_DEVICE, b"device", now_ms()))
            with trio.fail_after(1):
                for replies in asks:
                    assert Reply.from_bytes(await anext(replies)).code == ErrorCode.UNAUTHENTICATED


async def test_who_finds_something_by_looking_alone_is_counted(open_world, monkeypatch):
    async with open_world() as w:
        service, alice, bob = w.service("delivery"), await w.device("alice"), await w.device("bob")
        monkeypatch.setattr(service, "_config", replace(service._config, look_again_seconds=0.02))
        monkeypatch.setattr(service._notices, "publish", lambda topic, payload=b"": None)
        position = (await bob.call(delivery.FetchParams(), delivery.FetchResult)).last
        found = []
        async with trio.open_nursery() as nursery:

            async def wait():
                waiting = delivery.FetchWaitParams(after=position, wait_ms=30_000)
                found.extend((await bob.call(waiting, delivery.FetchResult)).entries)

            nursery.start_soon(wait)
            while not service._waiters:
                await trio.testing.wait_all_tasks_blocked(0.01)
            await trio.sleep(0.1)  # it has looked, and found nothing, again and again
            await alice.call(alice.message(w.direct), delivery.EnqueueResult)
        assert (len(found), service._notices.wake_ups.fallback) == (1, 1)
        assert b'qpq_wakeups_total{path="fallback"} 1.0' in w.server.metrics.page()


def test_the_address_may_lie_in_a_file(tmp_path):
    path = tmp_path / "url"
    path.write_text("redis://:secret@host\n")
    assert redis_url_of(Settings(redis_url_file=str(path))) == "redis://:secret@host"
    with pytest.raises(ConfigError, match="not both"):
        redis_url_of(Settings(redis_url="redis://x", redis_url_file=str(path)))
    with pytest.raises(ConfigError, match="redis_url_file"):
        redis_url_of(Settings(redis_url_file=str(tmp_path / "none")))


async def test_an_address_that_is_none_stops_the_server_in_a_sentence(tmp_path):
    settings = Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"), redis_url="host:6379")
    with pytest.raises(ConfigError, match="redis_url begins with redis://"):
        async with open_embedded(settings):
            pass
