"""Histograms in plain lists, as Prometheus's own parser reads them; what is read from stores is read seldom."""

from __future__ import annotations

import trio
from prometheus_client.parser import text_string_to_metric_families

from qpqcore.obs.histogram import Histogram
from qpqcore.obs.metrics import WEIGH_SECONDS, WEIGH_SECONDS_MAX, Metrics
from qpqcore.runtime.health import REQUEST_SECONDS_MAX


def samples(metrics):
    found = {}
    for family in text_string_to_metric_families(metrics.page().decode()):
        for s in family.samples:
            found[s.name, *s.labels.values()] = s.value
    return found


def test_a_bound_is_part_of_its_bucket_and_buckets_hold_those_below():
    seen = Histogram((1, 2, 4))
    for value in (0, 1, 1.5, 4, 5):
        seen.observe(value)
    assert seen.buckets() == [("1", 2), ("2", 3), ("4", 4), ("+Inf", 5)]
    assert (seen.count, seen.sum) == (5, 11.5)


def test_what_several_call_by_one_name_is_one_family():
    metrics, one, other = Metrics(), Histogram((1,)), Histogram((1,))
    one.observe(0.5)
    metrics.watch(lambda: [("qpq_a", "A.", "store", {"x": 1}), ("qpq_h", "H.", "store", {"x": one})])
    metrics.watch(lambda: [("qpq_a", "A.", "store", {"y": 2}), ("qpq_h", "H.", "store", {"y": other})])
    assert metrics.page().count(b"# TYPE qpq_a ") == metrics.page().count(b"# TYPE qpq_h ") == 1
    found = samples(metrics)
    assert (found["qpq_a", "x"], found["qpq_a", "y"]) == (1, 2)
    assert (found["qpq_h_count", "x"], found["qpq_h_count", "y"]) == (1, 0)


async def test_stores_are_looked_at_seldom_and_one_that_hangs_or_fails_keeps_nothing_back(autojump_clock):
    metrics, looked = Metrics(), []

    async def hangs():
        looked.append("hangs")
        await trio.sleep_forever()

    async def fails():
        looked.append("fails")
        raise ConnectionError

    async def works():
        looked.append("works")

    for weigh in (hangs, fails, works):
        metrics.weigh_by(weigh)
    begun = trio.current_time()
    await metrics.weigh()
    assert trio.current_time() == begun + WEIGH_SECONDS_MAX < begun + REQUEST_SECONDS_MAX
    await metrics.weigh()
    assert sorted(looked) == ["fails", "hangs", "works"]
    await trio.sleep(WEIGH_SECONDS)
    await metrics.weigh()
    assert len(looked) == 6
