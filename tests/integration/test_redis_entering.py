"""How Redis is entered: addresses, passwords, rights, TLS. What it does not let in is away, and nothing else."""

from __future__ import annotations

import ssl

import pytest
import structlog
import trio
import trio.testing

from qpqcore.bus.notices import REVOKED, REVOKED_DEVICE, revocation
from qpqcore.bus.redis.address import parse
from qpqcore.config.settings import ConfigError
from tests.support.redis import DEVICE, PATIENCE_SECONDS, SLOW, TOPIC, next_of, opened, relay, two_processes, wait_away
from tools.redis_server import redis_server
from trio_quic.testing import CertificateAuthority

pytestmark = pytest.mark.usefixtures("patient")


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
