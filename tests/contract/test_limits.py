"""Limiters under contract: one process's own, and that of processes that share Redis."""

from __future__ import annotations

import tracemalloc
from contextlib import asynccontextmanager

import pytest
import trio

from qpqcore.bus import limits
from qpqcore.bus.limits import LocalLimiter, Rate, enforce, enforce_all, enforce_each, look
from qpqcore.bus.redis import limits as redis_limits
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.runtime.clock import now_ms

KEY = b"k" * 32
SLOW = Rate(10, 600, 3)
"""One a minute: none comes back while a test runs."""
FEW = Rate(10, 600, 5)
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


async def test_of_several_at_once_all_or_none_are_taken(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        assert limiter.take(b"k", FEW, now, 3) == 0
        waits = [limiter.take(b"k", FEW, now, 4) for _ in range(5)]
        assert limiter.take(b"k", FEW, now, 2) == 0  # what was refused was not taken
        assert limiter.take(b"k", FEW, now) > 0
        # Two of four were there: the wait is for the other two, however often it was asked.
        assert 119_000 < min(waits) <= max(waits) <= 120_001


async def test_who_waits_for_several_as_long_as_it_was_told_is_let_through(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        assert limiter.take(b"k", FEW, now, 5) == 0
        wait_ms = limiter.take(b"k", FEW, now, 4)
        assert 239_000 < wait_ms <= 240_001
        assert limiter.take(b"k", FEW, now + wait_ms - ON_ITS_WAY_MS, 4) > 0
        assert limiter.take(b"k", FEW, now + wait_ms, 4) == 0
        assert limiter.take(b"k", FEW, now + wait_ms) > 0


async def test_several_at_once_are_as_many_one_by_one(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        assert limiter.take(b"at once", FEW, now, 4) == 0
        assert [limiter.take(b"one by one", FEW, now) for _ in range(4)] == [0] * 4
        for count in (1, 2, 3):
            at_once, one_by_one = (limiter.wait_ms(key, FEW, now, count) for key in (b"at once", b"one by one"))
            assert (at_once > 0, abs(at_once - one_by_one) <= ON_ITS_WAY_MS) == (count > 1, True)


async def test_more_than_ever_come_at_once_wait_for_all_there_is_and_are_paid_for(open_limiter):
    """Else they were never let through; and for the price of the burst the rate would be multiplied."""
    async with open_limiter() as limiter:
        now = now_ms()
        assert limiter.take(b"k", FEW, now) == 0
        wait_ms = limiter.take(b"k", FEW, now, 8)
        assert 59_000 < wait_ms <= 60_001
        later = now + wait_ms
        assert limiter.take(b"k", FEW, later, 8) == 0
        assert 3 * 60_000 < limiter.take(b"k", FEW, later) <= 4 * 60_000 + 1


async def test_what_is_asked_for_without_taking_is_there_still(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        assert [limiter.wait_ms(b"k", FEW, now, 5) for _ in range(3)] == [0, 0, 0]
        assert limiter.take(b"k", FEW, now, 5) == 0
        assert 0 < limiter.wait_ms(b"k", FEW, now) <= 60_001


async def test_of_several_keys_that_a_process_decides_all_or_none_are_taken(open_limiter):
    async with open_limiter() as limiter:
        now = now_ms()
        enforce(limiter, b"full", FEW, now, 5)
        for takings in ([(b"free", FEW, 2), (b"full", FEW, 1)], [(b"full", FEW, 3), (b"free", FEW, 2)]):
            with pytest.raises(Refusal) as no:
                enforce_each(limiter, takings, now)
            told = (no.value.code, no.value.retry_after_ms > 59_000)
            assert told == (ErrorCode.RATE_LIMITED, True)
        enforce_each(limiter, [(b"free", FEW, 2), (b"other", FEW, 5)], now)
        enforce_each(limiter, [(b"free", FEW, 3)], now)
        enforce_each(limiter, [], now)
        assert limiter.refused == {b"f": 2}
        with pytest.raises(Refusal):
            enforce(limiter, b"free", FEW, now, 1)


async def test_whoever_chooses_keys_of_one_kind_pushes_out_none_of_another(open_limiter, monkeypatch):
    monkeypatch.setattr(limits, "KEYS_MAX", 50)
    async with open_limiter() as limiter:
        now = now_ms()
        for number in range(10):
            assert limiter.take(b"v%d" % number, FEW, now, 5) == 0
        for number in range(200):
            assert limiter.take(b"s%d" % number, FEW, now) == 0
        assert all(limiter.take(b"v%d" % number, FEW, now) > 0 for number in range(10))
        # Within a kind the one unused for longest goes.
        assert (limiter.wait_ms(b"s199", FEW, now, 5) > 0, limiter.wait_ms(b"s0", FEW, now, 5)) == (True, 0)


async def test_long_keys_are_told_apart_and_take_no_more_room_than_short_ones(open_limiter):
    async with open_limiter() as limiter:
        now, long = now_ms(), b"k" * 100_000
        tracemalloc.start()
        try:
            for number in range(200):
                assert limiter.take(long + b"%d" % number, SLOW, now, 3) == 0
            kept_bytes = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert kept_bytes < 1_000_000
        for number in range(200):
            assert limiter.take(long + b"%d" % number, SLOW, now) > 0
        assert await limiter.take_all([(long + b"0", SLOW)], now) > 0
        assert await limiter.take_all([(long + b"another", SLOW)], now) == 0


async def test_what_was_looked_at_is_paid_for_whatever_is_there(open_limiter):
    """Many look before the first of them pays: the rate holds all the same."""
    async with open_limiter() as limiter:
        now = now_ms()
        for _ in range(8):
            look(limiter, b"k", FEW, now)
        for _ in range(8):
            limiter.pay(b"k", FEW, now)
        with pytest.raises(Refusal) as no:
            look(limiter, b"k", FEW, now)
        assert no.value.code is ErrorCode.RATE_LIMITED
        assert 3 * 60_000 < no.value.retry_after_ms <= 4 * 60_000 + 1
        assert limiter.refused == {b"k": 1}
        assert limiter.take(b"k", FEW, now + no.value.retry_after_ms) == 0
