"""Redis on its bad days: killed, emptied, hanging, full, not yet there. Nobody waits for it, and no wake-up or revocation is lost."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from qpqcore.bus.notices import REVOKED, REVOKED_DEVICE, REVOKED_SESSION, read_revocation, revocation, signal_topic
from qpqcore.runtime.clock import now_ms
from tests.support.redis import (
    AT_ONCE_SECONDS,
    DEVICE,
    PATIENCE_SECONDS,
    SLOW,
    TOPIC,
    next_of,
    opened,
    relay,
    two_processes,
    until_told,
    wait_away,
)
from tools.redis_server import redis_server

pytestmark = pytest.mark.usefixtures("patient")


async def test_killed_in_the_middle_those_who_wait_are_told_to_look_when_it_is_back(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        with two.notices.subscribe(TOPIC) as subscription:
            await two.notices.wait_heard(TOPIC)
            subscription.receive_nowait()
            own_redis.kill()
            await wait_away(two)
            with trio.fail_after(AT_ONCE_SECONDS):
                for _ in range(100):
                    one.notices.publish(TOPIC, b"while it is away")
            assert (one.away(), subscription.receive_nowait()) == (("redis",), [])
            own_redis.start()
            # Told by the subscription that is new, and by what the other process owed: both only say "look".
            assert set(await next_of(subscription)) == {(TOPIC, b"")}
            await two.notices.wait_heard(TOPIC)
            await one.notices.wait_up()
            one.notices.publish(TOPIC, b"after")
            assert set(await until_told(subscription, b"after")) <= {b""}
            assert one.away() == ()


async def test_what_was_told_while_the_other_alone_was_cut_off_is_looked_for(own_redis):
    async with (
        relay(own_redis.port) as way,
        two_processes(own_redis.url, f"redis://127.0.0.1:{way.port}") as (one, two),
    ):
        with two.notices.subscribe(TOPIC) as subscription:
            await two.notices.wait_heard(TOPIC)
            subscription.receive_nowait()
            way.cut()
            await wait_away(two)
            one.notices.publish(TOPIC, b"unheard")
            way.mend()
            assert await next_of(subscription) == [(TOPIC, b"")]


async def test_what_this_process_has_to_tell_while_cut_off_is_told_later(own_redis):
    async with (
        relay(own_redis.port) as way,
        two_processes(f"redis://127.0.0.1:{way.port}", own_redis.url) as (one, two),
    ):
        with two.notices.subscribe(TOPIC, signal_topic(DEVICE)) as subscription:
            await two.notices.wait_heard(TOPIC)
            subscription.receive_nowait()
            way.cut()
            await wait_away(one)
            one.notices.publish(TOPIC, b"whole")
            one.notices.publish(signal_topic(DEVICE), b"of no use later")
            assert one.notices.dropped == 1
            way.mend()
            assert await next_of(subscription) == [(TOPIC, b"")]


async def test_in_one_process_notices_do_not_need_it(own_redis):
    async with two_processes(own_redis.url) as (one, _):
        own_redis.kill()
        with one.notices.subscribe(TOPIC) as subscription:
            one.notices.publish(TOPIC, b"here")
            assert (TOPIC, b"here") in subscription.receive_nowait()
            assert one.notices.has_listener(TOPIC)


async def test_hanging_it_blocks_nobody_and_is_left(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        with two.notices.subscribe(TOPIC) as subscription:
            await two.notices.wait_heard(TOPIC)
            subscription.receive_nowait()
            own_redis.freeze()
            with trio.fail_after(AT_ONCE_SECONDS):
                for number in range(1_000):
                    one.notices.publish(TOPIC, b"%d" % number)
            await wait_away(one)
            own_redis.thaw()
            await one.notices.wait_up()
            await two.notices.wait_heard(TOPIC)
            one.notices.publish(TOPIC, b"after")
            await until_told(subscription, b"after")


async def test_away_at_the_start_it_is_found_when_it_comes(tmp_path):
    with redis_server(tmp_path, started=False) as server, trio.fail_after(PATIENCE_SECONDS):
        async with opened(server.url) as one, opened(server.url) as two:
            with two.notices.subscribe(TOPIC) as subscription:
                one.notices.publish(TOPIC, b"before there was anything")
                assert one.limiter.take(b"k", SLOW, 0) == 0
                assert await one.limiter.take_all([(b"k", SLOW)], 0) == 0
                server.start()
                assert (await next_of(subscription))[0] == (TOPIC, b"")
                await two.notices.wait_heard(TOPIC)
                await one.notices.wait_up()
                one.notices.publish(TOPIC, b"after")
                await until_told(subscription, b"after")


async def test_emptied_nothing_is_missed(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        with two.notices.subscribe(TOPIC) as subscription:
            await two.notices.wait_heard(TOPIC)
            subscription.receive_nowait()
            own_redis.command("FLUSHALL")
            one.notices.publish(TOPIC, b"after")
            assert await next_of(subscription) == [(TOPIC, b"after")]


async def test_what_others_put_into_it_is_not_heard(own_redis):
    async with two_processes(own_redis.url) as (one, two), opened(own_redis.url, b"x" * 32) as foreign:
        await foreign.notices.wait_up()
        with two.notices.subscribe(TOPIC) as subscription:
            await two.notices.wait_heard(TOPIC)
            subscription.receive_nowait()
            channel = one.notices._seal.split(TOPIC)[0]
            for poison in (b"", b"x", b"\0" * 24, b"\0" * 500):
                assert own_redis.command("PUBLISH", channel, poison) == 1
            foreign.notices.publish(TOPIC, b"of another key")
            sealed = one.notices._seal.seal(channel, b"s", b"payload")
            assert own_redis.command("PUBLISH", channel, sealed[:-1] + b"X") == 1
            while two.notices.foreign < 6:
                one.notices.publish(TOPIC, b"ours")
                await next_of(subscription)
            assert two.notices.foreign == 6


async def test_two_domains_on_one_server_do_not_hear_each_other(redis):
    with trio.fail_after(PATIENCE_SECONDS):
        async with opened(redis.url) as one, opened(redis.url, domain="b") as two:
            await one.notices.wait_up()
            with two.notices.subscribe(TOPIC) as subscription:
                await two.notices.wait_heard(TOPIC)
                subscription.receive_nowait()
                one.notices.publish(TOPIC, b"of a")
                two.notices.publish(TOPIC, b"of b")
                assert await next_of(subscription) == [(TOPIC, b"of b")]
            assert two.notices.foreign == 0


async def test_a_process_listens_to_what_it_has_waiters_for_alone(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        with two.notices.subscribe(TOPIC, signal_topic(DEVICE)):
            await two.notices.wait_heard(TOPIC)
            assert (one.notices.channels, two.notices.channels) == (0, 1)
            channel = one.notices._seal.split(TOPIC)[0]
            assert own_redis.command("PUBSUB", "CHANNELS") == [channel]
            assert own_redis.command("PUBSUB", "NUMSUB", channel) == [channel, 1]


# --- revocations


async def test_who_begins_to_listen_learns_what_was_revoked_before(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        with one.notices.subscribe(REVOKED) as own:
            one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))
            assert own.receive_nowait() == [(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))]
            while not own_redis.command("KEYS", "*revoked*"):
                await trio.testing.wait_all_tasks_blocked(0.01)
        for _ in range(2):  # the second time the subscription still stands
            with two.notices.subscribe(REVOKED) as subscription:
                assert (REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5)) in await next_of(subscription)


async def test_who_was_cut_off_learns_what_was_revoked_meanwhile(own_redis):
    async with (
        relay(own_redis.port) as way,
        two_processes(own_redis.url, f"redis://127.0.0.1:{way.port}") as (one, two),
    ):
        with two.notices.subscribe(REVOKED) as subscription:
            await two.notices.wait_heard(REVOKED)
            way.cut()
            await wait_away(two)
            told = [revocation(REVOKED_SESSION, b"%02d" % n, n) for n in range(100)]
            for payload in told:
                one.notices.publish(REVOKED, payload)
            while own_redis.command("ZCARD", one.notices._revoked) != 100:
                await trio.testing.wait_all_tasks_blocked(0.01)
            way.mend()
            heard = set()
            while heard != set(told):
                heard |= {payload for _, payload in await next_of(subscription)}


async def test_what_was_revoked_while_it_was_away_is_told_when_it_is_back(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        with two.notices.subscribe(REVOKED) as subscription:
            await two.notices.wait_heard(REVOKED)
            own_redis.kill()
            await wait_away(one)
            one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))
            own_redis.start()
            await until_told(subscription, revocation(REVOKED_DEVICE, DEVICE, 5))


async def test_what_it_forgets_by_a_restart_is_told_again(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))
        while not own_redis.command("KEYS", "*revoked*"):
            await trio.testing.wait_all_tasks_blocked(0.01)
        own_redis.restart()
        with two.notices.subscribe(REVOKED) as subscription:
            await until_told(subscription, revocation(REVOKED_DEVICE, DEVICE, 5))


async def test_full_it_tells_revocations_all_the_same(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        with two.notices.subscribe(REVOKED, TOPIC) as subscription:
            await two.notices.wait_heard(REVOKED, TOPIC)
            subscription.receive_nowait()
            assert own_redis.command("CONFIG", "SET", "maxmemory", "1") == "OK"
            one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))
            assert await next_of(subscription) == [(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))]
            one.notices.publish(TOPIC, b"x")
            assert await next_of(subscription) == [(TOPIC, b"x")]
            assert await one.limiter.take_all([(b"k", SLOW)], now_ms()) == 0
            assert (one.limiter.alone, one.away()) == (1, ())
            assert read_revocation(revocation(REVOKED_DEVICE, DEVICE, 5)) == (REVOKED_DEVICE, DEVICE, 5)
