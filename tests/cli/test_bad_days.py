"""What the drills of bad days and of replicas judge by; they themselves are `make bad-days` and `make replicas-drill`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle import history as h
from tools.bad_days.__main__ import Row
from tools.bad_days.days import DAYS
from tools.bad_days.revoked import Revoked
from tools.bad_days.watch import moved
from tools.replicas.deaths import KILLS_EACH, Death, schedule
from tools.replicas.verdict import judge
from tools.rolling.stage import BEHIND, Replica

GOOD = Row("a day", ("`unavailable` (Peek)",), 10.0, 3.0, 0, (), ("`qpq_ready` 0",), ("`database_away`",))
A, B, CHANNEL, IDENT = "a" * 32, "b" * 32, b"channel", b"ident"
DIED = (Death("auth-0", 1.0, 4, 2.0), Death("auth-1", 2.0, 3, 2.0), Death("redis flushed", 3.0, 1, 0.0))


@pytest.mark.parametrize(("by", "holds"), [
    ({}, True), ({"slowest_s": 20.0}, False), ({"back_s": None}, False), ({"lost": 1}, False),
])  # fmt: skip
def test_a_day_holds_if_answers_came_in_time_all_came_back_and_nothing_is_lost(by, holds):
    assert replace(GOOD, **by).holds is holds


def test_a_row_says_what_was_seen():
    assert GOOD.line() == "| a day | `unavailable` (Peek) | 10.0 | 3.0 | 0 | - | `qpq_ready` 0 | `database_away` |"
    assert "| never |" in replace(GOOD, back_s=None).line()


def test_every_day_of_the_law_is_played():
    names = " / ".join(day.name for day in DAYS)
    for word in (
        "PostgreSQL is down when services start", "in the middle", "slow", "full", "Redis is down when services start",
        "Redis hangs", "Redis is full", "failover", "another CA", "expired", "no bus certificate", "older version", "no replica",
        "clock", "poisoned", "cut off from one service",
    ):  # fmt: skip
        assert word in names
    assert len({day.name for day in DAYS}) == len(DAYS)


def test_metrics_that_tell_are_gauges_that_fell_and_refusals_that_were_counted():
    before = {"a": {"qpq_ready": 1.0, 'qpq_store_up{store="auth"}': 1.0, 'qpq_calls_total{code="unavailable"}': 2.0}}
    after = {"a": {"qpq_ready": 0.0, 'qpq_store_up{store="auth"}': 1.0, 'qpq_calls_total{code="unavailable"}': 3.0}}
    assert moved(before, after) == ["`qpq_ready` 0", '`qpq_calls_total{code="unavailable"}`']
    assert moved(before, before) == []


def test_a_device_that_is_served_for_a_second_after_it_was_revoked_is_one_too_many():
    assert Revoked((0.1, 0.9)).holds
    assert not Revoked((0.1, 1.1)).holds
    assert "2 times: median 900 ms, longest 900 ms" in Revoked((0.1, 0.9)).line()


def test_every_replica_of_every_kind_dies_once_and_what_is_below_them():
    plan = schedule(3)
    killed = [one for one in plan if isinstance(one, Replica)]
    assert sorted(map(str, killed)) == sorted(f"{s}-{n}" for s in (*BEHIND, "gateway") for n in range(KILLS_EACH))
    assert plan.count("postgresql stopped") == 2
    assert "redis flushed" in plan


def told(*more, twice=False, shows=True):
    """A message of A that the server took; B is handed it and shows it."""
    took = h.Took(B, 1, "MESSAGE", CHANNEL, 1, 1, 7, b"payload")
    shown = h.Shown(B, CHANNEL, IDENT, "alice", "text", "received", 7)
    return [
        *(h.Entered(each, CHANNEL, 1, 1, b"same", (A, B)) for each in (A, B)),
        h.Queued(A, CHANNEL, IDENT, "alice", "text"), h.Answered(A, CHANNEL, 1, 1, IDENT, b"payload", 7, 0), took,
        h.Shown(A, CHANNEL, IDENT, "alice", "text", "sent", 7), *[shown] * (shows + twice), *more, h.Finished(0, (A, B)),
    ]  # fmt: skip


@pytest.mark.parametrize(("noted", "commits", "found"), [
    (told(), 1, (0, 0, 0)),
    (told(shows=False), 1, (1, 0, 0)),
    (told(twice=True), 1, (0, 1, 0)),
    (told(h.Entered(B, CHANNEL, 1, 1, b"another", (A, B))), 1, (0, 0, 1)),
    (told(), 2, (0, 0, 1)),
])  # fmt: skip
def test_what_is_lost_doubled_or_forked_is_counted(noted, commits, found):
    verdict = judge(noted, 2, DIED, (5, commits))
    assert (verdict.sent, verdict.acknowledged, verdict.received) == (1, 1, 1)
    assert (verdict.lost, verdict.doubled, verdict.forked) == found
    assert bool(verdict.findings) is any(found)
    assert verdict.lines()[0].startswith("auth           2 times, in flight 4, 3; back after 2.0, 2.0 s")


def test_a_death_with_nothing_in_flight_is_no_proof():
    verdict = judge(told(), 2, [*DIED, Death("blob-0", 4.0, 0, 1.0)], (5, 1))
    assert verdict.findings == ["blob-0: no call was in flight"]
