"""A Redis that is there and is none: full, without rights, of somebody else, answering nonsense. It is said, and harms nobody."""

from __future__ import annotations

from itertools import accumulate

import pytest
import structlog
import trio
import trio.testing

from qpqcore.bus.limits import Rate
from qpqcore.bus.notices import REVOKED, REVOKED_DEVICE, revocation
from qpqcore.bus.redis import soundness
from qpqcore.config.settings import Settings
from qpqcore.runtime.clock import now_ms
from qpqserver.embedded import open_embedded
from tests.support.redis import (
    DEVICE,
    PATIENCE_SECONDS,
    SLOW,
    TOPIC,
    liar,
    next_of,
    opened,
    two_processes,
    wait_wrong,
)

pytestmark = pytest.mark.usefixtures("patient")
REFUSES, NONSENSE, FOREIGN = (
    "redis refuses commands", "redis answers nonsense", "redis carries what our key has not sealed",
)  # fmt: skip
EVENTS = {"redis_unsound", "redis_sound"}
NONSENSES = {
    "a word": b"+OK\r\n", "nothing": b"_\r\n", "a number": b":-5\r\n", "no list": b"*0\r\n", "a map": b"%0\r\n",
    "words for numbers": b"*3\r\n+a\r\n+b\r\n+c\r\n", "yes": b"#t\r\n", "half a number": b",0.5\r\n",
    "refused, and nothing taken": b"*2\r\n:1\r\n:0\r\n", "refused for a century": b"*2\r\n:1\r\n:3153600000000000\r\n",
}  # fmt: skip


def sound_of(parts):
    """Return the metric's values."""
    return next(values for name, _, _, values in parts.readings() if name == "qpq_redis_sound")


def events_of(said):
    return [s["event"] for s in said if s["event"] in EVENTS]


@pytest.fixture
def quick(monkeypatch):
    """Let what is wrong be looked at more often, and be forgotten sooner."""
    monkeypatch.setattr(soundness, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(soundness, "HELD_SECONDS", 0.5)


@pytest.mark.usefixtures("quick")
async def test_full_it_is_said_once_though_nobody_logs_in_and_taken_back(own_redis):
    with structlog.testing.capture_logs() as said:
        async with two_processes(own_redis.url) as (one, _):
            assert sound_of(one) == {"commands": 1, "answers": 1, "seals": 1}
            own_redis.command("CONFIG", "SET", "maxmemory", "1")
            await wait_wrong(one, REFUSES)
            assert (one.away(), sound_of(one)) == ((), {"commands": 0, "answers": 1, "seals": 1})
            assert await one.limiter.take_all([(b"k", SLOW)], now_ms()) == 0
            assert one.limiter.alone == 1
            own_redis.command("CONFIG", "SET", "maxmemory", "0")
            await wait_wrong(one)
            assert sound_of(one) == {"commands": 1, "answers": 1, "seals": 1}
    ours = [s for s in said if s["event"] in EVENTS]
    # Both processes say it, each once a change: at any time, those that have said it and not taken it back are 0 to 2.
    # (On a machine that stands still for HELD_SECONDS between two probes a process may rightly say it again.)
    balance = list(accumulate(1 if s["event"] == "redis_unsound" else -1 for s in ours))
    assert set(balance) <= {0, 1, 2}
    assert balance[-1] <= 1
    first = ours[0]
    assert (first["check"], first["log_level"]) == ("commands", "warning")
    assert "maxmemory" in first["reason"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("right", ["-set", "-get"])
async def test_a_user_who_may_not_write_or_read_is_said(own_redis, right):
    assert own_redis.command("ACL", "SETUSER", "qpq", "on", ">secret", "~qpq/*", "&qpq/*", "+@all", right) == "OK"
    async with two_processes(f"redis://qpq:secret@127.0.0.1:{own_redis.port}") as (one, _):
        await wait_wrong(one, REFUSES)


@pytest.mark.usefixtures("quick")
async def test_what_somebody_else_publishes_is_said_once(own_redis):
    with structlog.testing.capture_logs() as said:
        async with two_processes(own_redis.url) as (_, two):
            with two.notices.subscribe(TOPIC):
                await two.notices.wait_heard(TOPIC)
                for _ in range(3):
                    own_redis.command("PUBLISH", two.notices._seal.split(TOPIC)[0], b"x" * 64)
                while two.notices.foreign < 3:
                    await two.soundness.changed.wait()
                assert two.wrong() == (FOREIGN,)
                await wait_wrong(two)
    assert events_of(said) == ["redis_unsound", "redis_sound"]


async def test_foreign_values_in_our_names_are_said_and_harm_nobody(own_redis):
    with trio.fail_after(PATIENCE_SECONDS):
        async with opened(own_redis.url) as one:
            await one.notices.wait_up()
            limit = one.notices._seal.common_limit_key(b"k")
            own_redis.command("RPUSH", limit, "a list")
            assert await one.limiter.take_all([(b"k", SLOW)], now_ms()) == 0
            assert (one.limiter.alone, one.wrong()) == (1, (REFUSES,))
            own_redis.command("ZADD", one.notices._revoked, "1", "not sealed by us")
            with one.notices.subscribe(REVOKED):
                await wait_wrong(one, REFUSES, FOREIGN)
            for value in ("nan", "inf", "-inf", "1e300", "nonsense", "-5"):
                own_redis.command("SET", limit, value)
                assert await one.limiter.take_all([(b"other", SLOW), (b"k", SLOW)], now_ms()) < 3_600_000


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("says", NONSENSES.values(), ids=NONSENSES.keys())
async def test_a_server_that_answers_nonsense_is_said_and_each_process_decides_for_itself(says):
    rate = Rate(10, 600, 1)
    with trio.fail_after(PATIENCE_SECONDS):
        async with liar(says) as server, opened(server.url) as one:
            await one.notices.wait_up()
            with one.notices.subscribe(TOPIC, REVOKED) as subscription:
                await one.notices.wait_heard(TOPIC, REVOKED)
                assert await one.limiter.take_all([(b"k", rate)], 0) == 0
                assert 0 < await one.limiter.take_all([(b"k", rate)], 0) <= 60_001
                one.limiter.take(b"l", rate, 0)  # told at once: a lump
                one.notices.publish(REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))
                one.notices.publish(TOPIC, b"here")
                while not server.asked >= {b"EVAL", b"EVALSHA", b"PUBLISH", b"SET", b"GET", b"ZRANGE"}:
                    await trio.testing.wait_all_tasks_blocked(0.01)
                while NONSENSE not in one.wrong():
                    await one.soundness.changed.wait()
                assert 0 < one.limiter.take(b"l", rate, 0) <= 60_001
                heard = await next_of(subscription)
                assert {(TOPIC, b"here"), (REVOKED, revocation(REVOKED_DEVICE, DEVICE, 5))} <= set(heard)


@pytest.mark.usefixtures("quick")
async def test_a_server_that_stores_and_gives_back_something_else_is_said():
    with trio.fail_after(PATIENCE_SECONDS):
        async with liar(b"$5\r\nother\r\n") as server, opened(server.url) as one:
            await wait_wrong(one, NONSENSE)


@pytest.mark.usefixtures("quick")
async def test_what_is_pushed_though_it_is_no_message_is_passed_over():
    async with liar(b">3\r\n+message\r\n:1\r\n:2\r\n+OK\r\n") as server, opened(server.url) as one:
        with trio.fail_after(PATIENCE_SECONDS), one.notices.subscribe(TOPIC):
            await wait_wrong(one, NONSENSE)


@pytest.mark.usefixtures("quick")
async def test_readyz_of_a_server_of_one_process_says_it(own_redis, tmp_path):
    own_redis.command("CONFIG", "SET", "maxmemory", "1")
    settings = Settings(
        mode="development", data_dir=str(tmp_path), listen="127.0.0.1:0", redis_url=own_redis.url, metrics_enabled=False
    )
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_embedded(settings) as server:
            while tuple(server.notes()) != (REFUSES,):  # at first it is not there yet
                await trio.testing.wait_all_tasks_blocked(0.01)
            assert server.away() == ""
            assert b'qpq_redis_sound{check="commands"} 0.0' in server.metrics.page()
