"""Redis on its bad days: killed, emptied, hanging, full, locked, not yet there. Nobody waits for it and nothing is lost."""

from __future__ import annotations

import re
import ssl
from contextlib import asynccontextmanager

import pytest
import structlog
import trio
import trio.testing

from qpqcore.bus.limits import Rate
from qpqcore.bus.notices import (
    REVOKED,
    REVOKED_DEVICE,
    REVOKED_SESSION,
    mailbox_topic,
    read_revocation,
    revocation,
    signal_topic,
)
from qpqcore.bus.redis import limits
from qpqcore.bus.redis.address import Address, parse
from qpqcore.bus.redis.parts import open_redis
from qpqcore.config.settings import ConfigError
from qpqcore.runtime.clock import now_ms
from tests.support.redis import relay
from tools.redis_server import redis_server
from trio_quic.testing import CertificateAuthority

KEY = b"k" * 32
DEVICE = b"d" * 20
TOPIC = mailbox_topic(DEVICE)
SLOW = Rate(10, 600, 3)
PATIENCE_SECONDS = 60
AT_ONCE_SECONDS = 0.5
"""What blocks nobody takes less, a busy machine included; what waits for Redis takes longer."""
ANSWER_SECONDS = limits.ANSWER_SECONDS


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine is slow, not away."""
    monkeypatch.setattr(limits, "ANSWER_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def own_redis(tmp_path):
    """A server that a test may harm."""
    with redis_server(tmp_path) as server:
        yield server


def opened(url: str | Address, key: bytes = KEY, domain: str = "a"):
    return open_redis(parse(url) if isinstance(url, str) else url, key=key, domain=domain)


@asynccontextmanager
async def two_processes(url, other_url=None):
    with trio.fail_after(PATIENCE_SECONDS):
        async with opened(url) as one, opened(other_url or url) as two:
            await one.notices.wait_up()
            await two.notices.wait_up()
            yield one, two


async def next_of(subscription):
    await subscription.wait()
    return subscription.receive_nowait()


async def until_told(subscription, payload):
    """Wait for a payload; return what came before it."""
    before = []
    while True:
        for _, told in await next_of(subscription):
            if told == payload:
                return before
            before.append(told)


async def wait_away(parts):
    while not parts.notices.shards.reason:
        await parts.notices._changed.wait()


# --- wake-ups


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


# --- entering


async def test_a_wrong_password_is_said_and_each_process_is_alone(tmp_path):
    with redis_server(tmp_path, password="right") as server, trio.fail_after(PATIENCE_SECONDS):
        async with opened(f"redis://:wrong@127.0.0.1:{server.port}") as one, opened(server.url) as two:
            await two.notices.wait_up()
            assert (one.away(), two.away()) == (("redis",), ())
            assert await one.limiter.take_all([(b"k", SLOW)], 0) == 0
            assert (one.limiter.alone, one.limiter.shared) == (1, 0)


async def test_a_user_of_its_own_needs_few_rights(own_redis):
    commands = ["+subscribe", "+unsubscribe", "+publish", "+eval", "+evalsha", "+cluster|slots", "+ping", "+hello"]
    commands += ["+time", "+get", "+set", "+zadd", "+zremrangebyscore", "+zremrangebyrank", "+pexpire", "+zrange"]
    assert own_redis.command("ACL", "SETUSER", "qpq", "on", ">secret", "~qpq/*", "&qpq/*", *commands) == "OK"
    async with two_processes(f"redis://qpq:secret@127.0.0.1:{own_redis.port}") as (one, two):
        with two.notices.subscribe(TOPIC, REVOKED) as subscription:
            await two.notices.wait_heard(TOPIC, REVOKED)
            subscription.receive_nowait()
            one.notices.publish(TOPIC, b"x")
            assert await next_of(subscription) == [(TOPIC, b"x")]
            one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))
            assert await next_of(subscription) == [(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))]
            assert await one.limiter.take_all([(b"k", SLOW)], 0) == 0
            assert one.limiter.shared == 1


async def test_a_user_who_may_not_subscribe_is_away_and_nothing_else(own_redis):
    assert own_redis.command("ACL", "SETUSER", "qpq", "on", ">secret", "~*", "+@all") == "OK"
    with trio.fail_after(PATIENCE_SECONDS):
        async with opened(f"redis://qpq:secret@127.0.0.1:{own_redis.port}") as one:
            await one.notices.wait_up()
            with one.notices.subscribe(TOPIC) as subscription:
                await wait_away(one)
                one.notices.publish(TOPIC, b"here")
                assert subscription.receive_nowait() == [(TOPIC, b"here")]


def tls_of(authority, name, folder):
    """Return what a server of that name shows."""
    certificate = authority.issue(name)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.chain_pem)
    key.write_bytes(certificate.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


async def test_tls_is_entered(own_redis, tmp_path):
    authority, ca = CertificateAuthority(), tmp_path / "ca.pem"
    ca.write_bytes(authority.root_pem)
    with trio.fail_after(PATIENCE_SECONDS):
        async with relay(own_redis.port, tls_of(authority, "localhost", tmp_path)) as way:
            async with opened(parse(f"rediss://localhost:{way.port}", ca)) as parts:
                await parts.notices.wait_up()
                assert await parts.limiter.take_all([(b"k", SLOW)], 0) == 0
                assert parts.limiter.shared == 1


@pytest.mark.parametrize(("name", "trusted"), [("localhost", False), ("elsewhere.example", True)])
async def test_tls_is_not_entered_by_another_authority_or_under_another_name(own_redis, tmp_path, name, trusted):
    authority, ca = CertificateAuthority(), tmp_path / "ca.pem"
    ca.write_bytes((authority if trusted else CertificateAuthority()).root_pem)
    with trio.fail_after(PATIENCE_SECONDS), structlog.testing.capture_logs() as said:
        async with relay(own_redis.port, tls_of(authority, name, tmp_path)) as way:
            async with opened(parse(f"rediss://localhost:{way.port}", ca)) as parts:
                assert await parts.limiter.take_all([(b"k", SLOW)], 0) == 0
                while not [s for s in said if s["event"] == "redis_away"]:
                    await trio.testing.wait_all_tasks_blocked(0.01)
                assert (parts.away(), parts.limiter.alone) == (("redis",), 1)
    assert "CERTIFICATE_VERIFY_FAILED" in next(s["reason"] for s in said if s["event"] == "redis_away")


@pytest.mark.parametrize(
    "url", ["", "http://x", "redis://", "redis://host:port", "redis://host/zero", "redis://a,,b", "rediss:/x"]
)
def test_an_address_that_is_none_is_refused_in_a_sentence(url):
    with pytest.raises(ConfigError, match="redis_url"):
        parse(url)


def test_an_address_is_read(tmp_path):
    a = parse("redis://us%40er:p%3A%2Fw@one,[::1]:7001,two:7002/3")
    assert a.servers == (("one", 6379), ("::1", 7001), ("two", 7002))
    assert (a.username, a.password, a.database, a.tls) == ("us@er", "p:/w", 3, None)
    assert "p:/w" not in repr(a)
    with pytest.raises(ConfigError, match="redis_ca"):
        parse("redis://x", tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match="redis_ca"):
        parse("rediss://x", tmp_path / "none.pem")


# --- limits


def scripts_in(stats):
    """Return how many scripts have been run."""
    found = re.findall(rb"cmdstat_eval(?:sha)?:calls=(\d+)", stats)
    return sum(map(int, found))


async def test_log_ins_are_limited_over_all_processes(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        now = now_ms()
        assert [await p.limiter.take_all([(b"k", SLOW)], now) for p in (one, two, one)] == [0, 0, 0]
        for parts in (one, two):
            assert 59_000 < await parts.limiter.take_all([(b"k", SLOW)], now) <= 60_001
        # What Redis has refused a process knows: no further question.
        asked = own_redis.command("INFO", "commandstats")
        assert await two.limiter.take_all([(b"k", SLOW)], now) > 0
        assert scripts_in(own_redis.command("INFO", "commandstats")) == scripts_in(asked) > 0


async def test_of_many_at_once_just_the_burst_is_let_through(own_redis):
    waits = []
    async with two_processes(own_redis.url) as processes, trio.open_nursery() as nursery:

        async def try_it(parts):
            waits.append(await parts.limiter.take_all([(b"k", SLOW)], now_ms()))

        for parts in processes * 25:
            nursery.start_soon(try_it, parts)
    assert sorted(waits)[:4].count(0) == 3
    assert waits.count(0) == 3


async def test_quick_limits_are_learned_of(own_redis):
    """What one process let through is missing in the other, but for a sixteenth of a burst."""
    rate = Rate(1, 3_600, 160)
    async with two_processes(own_redis.url) as (one, two):
        now = now_ms()
        taken = 0
        while one.limiter.take(b"k", rate, now) == 0:
            taken += 1
        assert taken == 160
        # Nine are not told yet, the tenth tells: then the others' takings are known.
        later = 0
        while two.limiter.take(b"k", rate, now) == 0:
            later += 1
            await trio.testing.wait_all_tasks_blocked(0.01)
        assert later <= 2 * 160 // 16


async def test_killed_each_process_has_its_own_limits_and_says_so(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        now = now_ms()
        for _ in range(3):
            assert await one.limiter.take_all([(b"k", SLOW)], now) == 0
        own_redis.kill()
        await wait_away(one)
        await wait_away(two)
        # Not open: this process knows what it let through. Not closed: the other has its own.
        assert await one.limiter.take_all([(b"k", SLOW)], now) > 0
        assert [await two.limiter.take_all([(b"k", SLOW)], now) for _ in range(3)] == [0, 0, 0]
        assert await two.limiter.take_all([(b"k", SLOW)], now) > 0
        assert (two.limiter.alone, two.limiter.shared) == (3, 0)
        own_redis.start()
        await two.notices.wait_up()
        assert await two.limiter.take_all([(b"other", SLOW)], now) == 0
        assert two.limiter.shared == 1


async def test_hanging_a_log_in_waits_a_quarter_of_a_second(own_redis, monkeypatch):
    assert ANSWER_SECONDS == 0.25
    monkeypatch.setattr(limits, "ANSWER_SECONDS", ANSWER_SECONDS)
    async with two_processes(own_redis.url) as (one, _):
        own_redis.freeze()
        begun = trio.current_time()
        assert await one.limiter.take_all([(b"k", SLOW)], now_ms()) == 0
        assert ANSWER_SECONDS <= trio.current_time() - begun < 10 * ANSWER_SECONDS
        assert one.limiter.alone == 1
        with trio.fail_after(AT_ONCE_SECONDS):
            for _ in range(100):
                one.limiter.take(b"quick", Rate(1_000, 1, 1_000), 0)
        own_redis.thaw()


async def test_a_caller_who_gives_up_does_not_disturb_the_others(own_redis):
    async with two_processes(own_redis.url) as (one, _):
        own_redis.freeze()
        with trio.move_on_after(0.01) as gives_up:
            await one.limiter.take_all([(b"k", SLOW)], now_ms())
        own_redis.thaw()
        assert gives_up.cancelled_caught
        assert await one.limiter.take_all([(b"other", SLOW)], now_ms()) == 0
        assert (one.limiter.shared, one.away()) == (1, ())


async def test_a_script_that_was_forgotten_is_sent_again(own_redis):
    rate = Rate(1, 3_600, 16)
    async with two_processes(own_redis.url) as (one, two):
        for _ in range(2):
            assert own_redis.command("SCRIPT", "FLUSH") == "OK"
            assert await one.limiter.take_all([(b"k", SLOW)], now_ms()) == 0
        assert await one.limiter.take_all([(b"k", SLOW)], now_ms()) == 0
        assert (one.limiter.shared, one.limiter.alone) == (3, 0)
        assert own_redis.command("SCRIPT", "FLUSH") == "OK"
        assert one.limiter.take(b"quick", rate, 0) == 0
        while not own_redis.command("KEYS", "*/l*"):
            await trio.testing.wait_all_tasks_blocked(0.01)


async def test_emptied_limits_begin_anew_but_what_a_process_has_seen(own_redis):
    async with two_processes(own_redis.url) as (one, two):
        now = now_ms()
        for _ in range(3):
            assert await one.limiter.take_all([(b"k", SLOW)], now) == 0
        own_redis.command("FLUSHALL")
        assert await one.limiter.take_all([(b"k", SLOW)], now) > 0
        assert await two.limiter.take_all([(b"k", SLOW)], now) == 0


async def test_nothing_in_it_names_anybody_and_all_of_it_ends(own_redis):
    async with two_processes(own_redis.url) as (one, _):
        await one.limiter.take_all([(b"nalice", SLOW), (b"a10.1.2.3", SLOW)], now_ms())
        one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))
        while len(keys := own_redis.command("KEYS", "*")) < 3:
            await trio.testing.wait_all_tasks_blocked(0.01)
        for key in keys:
            assert b"alice" not in key and b"10.1.2.3" not in key
            assert own_redis.command("PTTL", key) > 0


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
