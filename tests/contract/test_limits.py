"""Limiters under contract: one process's own, and that of processes that share Redis."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from qpqcore.bus.limits import LocalLimiter, Rate, enforce, enforce_all
from qpqcore.bus.redis import limits as redis_limits
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.runtime.clock import now_ms

KEY = b"k" * 32
SLOW = Rate(10, 600, 3)
"""One a minute: none comes back while a test runs."""
PATIENCE_SECONDS = 20
ON_ITS_WAY_MS = 20
"""Redis counts from when it is asked, a process from when it began to ask: by that it may take a wait for shorter than it is."""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine is slow, not away."""
    monkeypatch.setattr(redis_limits, "ANSWER_SECONDS", PATIENCE_SECONDS)


@pytest.fixture(params=["local", "redis"])
def open_limiter(request, redis):
    """Return a context manager: `async with open_limiter() as limiter`."""

    @asynccontextmanager
    async def opened():
        with trio.fail_after(PATIENCE_SECONDS):
            if request.param == "local":
                yield LocalLimiter()
                return
            async with open_redis(parse(redis.url), key=KEY, domain="a") as parts:
                await parts.notices.wait_up()
                yield parts.limiter
                assert parts.limiter.alone == 0

    return opened


async def test_a_burst_is_let_through_then_refused_with_the_time_to_wait(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        assert [limiter.take(b"k", SLOW, now) for _ in range(3)] == [0, 0, 0]
        assert 59_000 < limiter.take(b"k", SLOW, now) <= 60_001


async def test_so_it_is_where_all_processes_decide_together(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        assert [await limiter.take_all([(b"k", SLOW)], now) for _ in range(3)] == [0, 0, 0]
        assert 59_000 < await limiter.take_all([(b"k", SLOW)], now) <= 60_001


async def test_what_was_refused_was_not_taken(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        for _ in range(3):
            await limiter.take_all([(b"k", SLOW)], now)
        waits = [await limiter.take_all([(b"k", SLOW)], now) for _ in range(5)]
        assert max(waits) <= 60_001
        later = now + max(waits)
        assert limiter.take(b"k", SLOW, later) == 0
        assert limiter.take(b"k", SLOW, later) > 0


async def test_of_several_keys_all_or_none_are_taken(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        for _ in range(3):
            assert await limiter.take_all([(b"full", SLOW)], now) == 0
        assert await limiter.take_all([(b"free", SLOW), (b"full", SLOW)], now) > 0
        assert [await limiter.take_all([(b"free", SLOW)], now) for _ in range(3)] == [0, 0, 0]


async def test_keys_do_not_know_each_other(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        for key in (b"a", b"b", b"c"):
            assert [await limiter.take_all([(key, SLOW)], now) for _ in range(3)] == [0, 0, 0]
            assert [limiter.take(b"x" + key, SLOW, now) for _ in range(3)] == [0, 0, 0]


async def test_who_waits_as_long_as_it_was_told_is_let_through(open_limiter):
    rate = Rate(50, 1, 2)
    async with open_limiter() as limiter:
        while (wait_ms := await limiter.take_all([(b"k", rate)], now_ms())) == 0:
            pass
        waited_ms = 0
        while wait_ms:  # what is tested is that this time is enough, by two clocks
            assert waited_ms == 0 or wait_ms <= ON_ITS_WAY_MS
            await trio.sleep(wait_ms / 1000)
            waited_ms += wait_ms
            wait_ms = await limiter.take_all([(b"k", rate)], now_ms())
        assert waited_ms <= 1000 / rate.count + 3 * ON_ITS_WAY_MS


async def test_an_idle_key_is_whole_again(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        for _ in range(3):
            assert limiter.take(b"k", SLOW, now) == 0
        assert [limiter.take(b"k", SLOW, now + 180_000) for _ in range(3)] == [0, 0, 0]
        assert limiter.take(b"k", SLOW, now + 180_000) > 0


async def test_a_refusal_says_when_to_come_back(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        for _ in range(3):
            enforce(limiter, b"k", SLOW, now)
            await enforce_all(limiter, [(b"s", SLOW)], now)
        with pytest.raises(Refusal) as no:
            enforce(limiter, b"k", SLOW, now)
        assert (no.value.code, no.value.retry_after_ms > 59_000) == (ErrorCode.RATE_LIMITED, True)
        with pytest.raises(Refusal) as no:
            await enforce_all(limiter, [(b"s", SLOW)], now)
        assert (no.value.code, no.value.retry_after_ms > 59_000) == (ErrorCode.RATE_LIMITED, True)
        await enforce_all(limiter, [], now)
