"""The window of calls that are worked at: what narrows it, what widens it, what it never does."""

from __future__ import annotations

import math
import os
import threading
import time

import pytest
import trio
from structlog.testing import capture_logs

from qpqcore.api.delivery import FetchWaitParams
from qpqcore.api.methods import METHODS
from qpqcore.bus import admission
from qpqcore.bus.admission import (
    CALM_SECONDS,
    DELAY_SECONDS,
    INTERVAL_SECONDS,
    STAY_SECONDS,
    STRANGERS_KEPT,
    WAIT_MS_MIN,
    WINDOW_LEAST,
    WINDOW_MIN,
    WINDOW_START,
    Admission,
    Competition,
    idle_seconds,
    refusable,
)
from qpqcore.bus.cores import cores


class Clock:
    """A wall clock, and what the processor has done."""

    now_s = work_s = 0.0

    def __call__(self):
        return self.now_s

    def work(self):
        return self.work_s


@pytest.fixture
def clock():
    return Clock()


def admission_of(clock, **more):
    return Admission("gateway", clock, work=clock.work, **{"stay_seconds": 0.0} | more)


def interval(window, clock, calls, waited_s):
    """Offer calls at once, each of which waits for so much work; end the interval; return how many were let in."""
    let_in = [mark for mark in (window.enter() for _ in range(calls)) if mark is not None]
    clock.work_s += waited_s
    for mark in let_in:
        window.begun(mark)
        window.left()
    clock.now_s += INTERVAL_SECONDS
    return len(let_in)


def test_without_delay_the_window_grows_as_far_as_it_is_filled(clock):
    window = admission_of(clock)
    assert interval(window, clock, 10, 0.0) == 10
    assert interval(window, clock, 1_200, 0.0) == WINDOW_START  # what nobody filled stayed as it was
    assert interval(window, clock, 1_200, 0.0) == WINDOW_START * 9 // 8
    assert interval(window, clock, 1_200, 0.0) == 1_200
    assert window.shed == (1_200 - 1_024) + (1_200 - 1_152)


def test_a_standing_delay_narrows_the_window_to_what_keeps_it_short(clock):
    """Each call here takes a fixed time of the processor: what waits, waits for those before it."""
    window, each_s = admission_of(clock), 0.000_02
    for _ in range(50):
        let_in = interval(window, clock, 1_000, each_s * min(1_000, int(window.window)) / 2)
    assert let_in * each_s / 2 <= DELAY_SECONDS * (1 + 2 * admission.WIDER)
    assert let_in * each_s / 2 >= DELAY_SECONDS * admission.NARROWEST


def test_the_window_is_never_narrower_than_a_commit_is_shared_by_and_few_calls_never_narrow_it(clock):
    window = admission_of(clock, stay_seconds=STAY_SECONDS)
    for _ in range(50):
        interval(window, clock, WINDOW_MIN - 1, 10.0)
    assert window.window == WINDOW_START
    for _ in range(50):
        interval(window, clock, 2_000, 10.0)
    assert window.window == WINDOW_MIN
    assert interval(window, clock, 1_000, 0.0) == WINDOW_MIN


@pytest.mark.parametrize("stay_s", [0.02, 0.04])
def test_what_is_worked_off_in_a_stay_that_is_short_is_let_in_whatever_the_delay(clock, stay_s):
    """Each call has the processor for 0.2 ms, and those of one commit for 4 ms more, which they share."""
    window = admission_of(clock, stay_seconds=stay_s)
    for _ in range(100):
        marks = [mark for mark in (window.enter() for _ in range(WINDOW_START)) if mark is not None]
        count = len(marks)
        clock.work_s += 2 * DELAY_SECONDS
        in_an_interval = INTERVAL_SECONDS / (0.004 + count * 0.0002) * count
        for mark in (marks * (1 + int(in_an_interval / count)))[: int(in_an_interval)]:
            window.begun(mark)
        for _ in marks:
            window.left()
        clock.now_s += INTERVAL_SECONDS
    assert 0.004 + window.window * 0.0002 == pytest.approx(stay_s, rel=0.1)


def test_a_burst_within_an_interval_is_welcome(clock):
    window = admission_of(clock)
    for _ in range(WINDOW_START):
        mark = window.enter()
        clock.work_s += 10.0
        window.begun(mark)
    assert window.enter() is None
    for _ in range(WINDOW_START):
        window.left()
    assert window.enter() is not None


@pytest.mark.parametrize(("share", "narrows"), [(0.4, True), (0.6, False)])
def test_a_process_that_had_nothing_to_do_for_a_while_has_no_standing_queue(clock, share, narrows):
    """What waited came in one batch, after somebody else had the processor, or waits for a disk."""
    window = admission_of(clock, idle=lambda: clock.now_s * share)
    for _ in range(20):
        interval(window, clock, 1_000, 0.01)
    assert (window.window < WINDOW_START) is narrows
    assert window.delay_s == pytest.approx(0.01)


def spin(seconds):
    """Use the processor for so long."""
    begun_s = time.thread_time()
    while time.thread_time() - begun_s < seconds:
        pass


async def test_what_there_was_to_do_is_told_apart_from_waiting():
    idle = idle_seconds()
    before_s, begun_s = idle(), time.perf_counter()
    await trio.to_thread.run_sync(time.thread_time)
    while time.perf_counter() - begun_s < 0.05:
        await trio.lowlevel.checkpoint()
    waited_s = idle() - before_s
    assert waited_s < 0.04
    await trio.to_thread.run_sync(threading.Event().wait, 0.05)
    assert idle() - before_s - waited_s > 0.03
    assert idle_seconds()() == pytest.approx(idle(), abs=0.01)


async def test_a_thread_that_works_is_something_to_do_on_the_only_core():
    """As a database's: the scheduler waits for it."""
    idle = idle_seconds(1.0)
    before_s, begun_s = idle(), time.perf_counter()
    await trio.to_thread.run_sync(spin, 0.2)
    took_s = time.perf_counter() - begun_s
    assert idle() - before_s < took_s - 0.15


async def test_a_thread_that_works_beside_the_scheduler_leaves_it_idle():
    """Its core is another: what the scheduler waits for could be done at once."""
    idle, alone = idle_seconds(4.0), idle_seconds(1.0)
    before_s = idle() - alone()
    await trio.to_thread.run_sync(spin, 0.2)
    assert idle() - alone() - before_s == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("cores", "threads", "competed"),
    [
        (1.0, 0.0, 0.0), (1.0, 0.25, 0.25), (1.0, 1.0, 1.0),
        (1.5, 0.25, 0.0), (1.5, 1.0, 0.5),
        (2.0, 1.0, 0.0), (2.0, 1.25, 0.25), (4.0, 1.0, 0.0), (4.0, 3.0, 0.0), (4.0, 4.0, 1.0),
    ],
)  # fmt: skip
def test_threads_take_the_schedulers_time_once_all_other_cores_are_at_work(cores, threads, competed):
    """As many threads as `threads` are at work all the time."""
    taken = Competition(cores, 100.0, 7.0)
    assert [taken.until(100.0 + s, 7.0 + threads * s) for s in (0.0, 1.0, 2.0)] == [0.0, competed, 2 * competed]


def test_what_was_free_in_one_interval_does_not_make_up_for_what_was_not_in_the_next():
    taken = Competition(2.0, 0.0, 0.0)
    assert [taken.until(*at) for at in ((10.0, 0.0), (11.0, 2.0), (12.0, 2.0), (13.0, 4.0))] == [0.0, 1.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("own", "quotas", "found"),
    [
        ("0::/\n", {}, None), ("0::/\n", {".": "max 100000\n"}, None), ("0::/\n", {".": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b": "max 100000\n", "a": "125000 100000\n"}, 1.25),
        ("0::/a/b\n", {"a/b": "110000 100000\n", "a": "125000 100000\n"}, 1.1),
        ("0::/a\n", {"a": "50000 100000\n"}, 1.0),  # less than a core is one
        ("0::/../x\n", {".": "150000 100000\n"}, 1.5), ("4:cpu:/x\n", {".": "150000 100000\n"}, None),
        ("0::/\n", {".": "nonsense"}, None), ("0::/\n", {".": "1 0"}, None), (None, {".": "150000 100000\n"}, None),
    ],
)  # fmt: skip
def test_a_containers_quota_is_as_good_as_fewer_cores(tmp_path, monkeypatch, own, quotas, found):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    groups, own_group = tmp_path / "groups", tmp_path / "own"
    for group, quota in quotas.items():
        (groups / group).mkdir(parents=True, exist_ok=True)
        (groups / group / "cpu.max").write_text(quota)
    if own is not None:
        own_group.write_text(own)
    assert cores(groups, own_group) == (found or 64.0)


def test_the_cores_are_those_that_this_process_may_run_on(monkeypatch):
    assert 1.0 <= cores() <= len(os.sched_getaffinity(0))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3})
    assert cores() == 1.0


def test_who_has_no_session_gets_half_of_it_and_the_others_all(clock):
    window = admission_of(clock)
    let_in = [window.enter(stranger=True) for _ in range(WINDOW_START)]
    assert let_in.count(None) == window.shed == WINDOW_START // 2
    beside = int(WINDOW_START * STRANGERS_KEPT)  # what is kept for strangers is no part of the others' room
    assert None not in [window.enter() for _ in range(WINDOW_START // 2 + beside)]
    assert window.enter() is None


@pytest.mark.parametrize("narrow", [WINDOW_MIN, WINDOW_START])
def test_sessions_at_work_leave_strangers_a_share(clock, narrow):
    window = admission_of(clock)
    window.window = float(narrow)
    assert [window.enter() is None for _ in range(narrow + 1)] == [False] * narrow + [True]
    kept = math.ceil(narrow * STRANGERS_KEPT)
    assert [window.enter(stranger=True) is None for _ in range(kept + 5)] == [False] * kept + [True] * 5
    assert window.enter() is None
    window.left(stranger=True)
    assert window.enter() is None  # that place is a stranger's
    assert window.enter(stranger=True) is not None
    window.left()
    assert window.enter(stranger=True) is None  # and this one is not
    assert window.enter() is not None
    assert (window.working, window.strangers) == (narrow + kept, kept)


@pytest.mark.parametrize("sessions", [0, 6, 11, 12])
def test_strangers_who_are_refused_widen_the_window_of_a_process_that_is_not_behind(clock, sessions):
    """They cannot fill it. After a burst it is narrow, and stayed so for as long as strangers were refused: for ever."""
    window = admission_of(clock)
    window.window = float(WINDOW_MIN)
    for _ in range(sessions):
        window.begun(window.enter())
    let_in = []
    while len(let_in) < 1_000:
        marks = [mark for mark in (window.enter(stranger=True) for _ in range(50)) if mark is not None]
        for mark in marks:
            window.begun(mark)
            window.left(stranger=True)
        let_in.append(len(marks))
        clock.now_s += INTERVAL_SECONDS
    assert set(let_in[30:]) == {50}
    assert window.shed == sum(50 - count for count in let_in)
    assert clock.now_s > CALM_SECONDS
    assert window.window == WINDOW_START


@pytest.mark.parametrize("first", ["strangers", "sessions"])
def test_past_capacity_strangers_push_nobody_out_who_has_a_session(clock, first):
    """Both knock faster than calls end, strangers before the others. Each call does twice the work that may be waited for."""
    window = admission_of(clock)
    at_work = {"strangers": 0, "sessions": 0}

    def knock(who, count):
        for _ in range(count):
            mark = window.enter(stranger=who == "strangers")
            if mark is not None:
                at_work[who] += 1
                clock.work_s += 2 * DELAY_SECONDS
                window.begun(mark)

    knock(first, 2 * WINDOW_START)
    for _ in range(30):
        for _ in range(100):
            for who in at_work:
                if at_work[who]:
                    at_work[who] -= 1
                    window.left(stranger=who == "strangers")
            knock("strangers", 3)
            knock("sessions", 3)
        clock.now_s += INTERVAL_SECONDS
    assert window.window == WINDOW_LEAST
    assert at_work == {"sessions": WINDOW_LEAST, "strangers": math.ceil(WINDOW_LEAST * STRANGERS_KEPT)}


@pytest.mark.parametrize(
    ("stay_s", "narrowest"), [(0.0, WINDOW_LEAST), (STAY_SECONDS / 2, WINDOW_MIN / 2), (STAY_SECONDS, WINDOW_MIN)]
)
def test_who_asks_for_a_shorter_stay_has_a_narrower_window(clock, stay_s, narrowest):
    window = admission_of(clock, stay_seconds=stay_s)
    for _ in range(5):
        interval(window, clock, 40, 10.0)
    assert window.window == narrowest


def test_with_a_delay_of_nothing_all_come_in(clock):
    window = admission_of(clock, delay_seconds=0)
    assert interval(window, clock, 5_000, 10.0) == 5_000
    assert interval(window, clock, 5_000, 10.0) == 5_000
    assert window.shed == 0


def test_it_says_when_it_began_and_when_it_is_over(clock):
    window = admission_of(clock)
    with capture_logs() as logs:
        for _ in range(100):
            interval(window, clock, 2_000, 0.1)
        assert [line["event"] for line in logs] == ["shedding_began"]
        assert window.window < WINDOW_START
        for _ in range(60):
            interval(window, clock, 1, 0.0)
        assert window.window == WINDOW_START
    assert [line["event"] for line in logs] == ["shedding_began", "shedding_ended"]
    values = {name: value for name, _, _, value in window.readings()}
    assert values["qpq_calls_shed_total"] == {"gateway": window.shed}
    assert values["qpq_turn_delay_seconds"] == {"gateway": 0.0}


def test_what_waits_and_what_was_admitted_already_is_not_shed():
    waits = FetchWaitParams(wait_ms=WAIT_MS_MIN).to_bytes()
    shed = {m.name for m in METHODS.values() if refusable(m, waits)}
    assert {"enqueue", "loginStart", "fetch", "ack"} <= shed
    assert "fetchWait" not in shed
    assert not shed & {m.name for m in METHODS.values() if m.internal}
    assert not refusable(None, b"")


@pytest.mark.parametrize(
    "params", [b"", b"nonsense", *(FetchWaitParams(wait_ms=ms).to_bytes() for ms in (0, 1, WAIT_MS_MIN - 1))]
)
def test_who_says_that_he_waits_and_hardly_does_is_shed_as_who_fetches(params):
    assert refusable(next(m for m in METHODS.values() if m.name == "fetchWait"), params)
