"""Limits over all processes by way of Redis; on its bad days each process has its own."""

from __future__ import annotations

import re

import pytest
import trio
import trio.testing

from qpqcore.bus.limits import Rate
from qpqcore.bus.notices import REVOKED, REVOKED_DEVICE, revocation
from qpqcore.bus.redis import limits
from qpqcore.runtime.clock import now_ms
from tests.support.redis import AT_ONCE_SECONDS, DEVICE, SLOW, two_processes, wait_away

pytestmark = pytest.mark.usefixtures("patient")
ANSWER_SECONDS = limits.ANSWER_SECONDS


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


@pytest.mark.parametrize("at_once", [1, 40, 160])
async def test_quick_limits_are_learned_of(own_redis, at_once):
    """What one process let through is missing in the other, but for a sixteenth of a burst."""
    rate = Rate(1, 3_600, 160)
    async with two_processes(own_redis.url) as (one, two):
        now = now_ms()
        taken = 0
        while one.limiter.take(b"k", rate, now, at_once) == 0:
            taken += at_once
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
