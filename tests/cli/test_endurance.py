"""A short mixed load: everything arrives once and nothing is left behind; and what would be off is said."""

from __future__ import annotations

import pytest

from tools.endurance.__main__ import play
from tools.endurance.watch import Sample, Verdict

SECONDS = 6.0


async def test_a_short_load_arrives_and_leaves_nothing_behind(tmp_path):
    verdict = await play(tmp_path, SECONDS / 60, 1, "native", 1.0)
    assert [f for f in verdict.findings() if not f.startswith("memory")] == []  # it takes minutes until that is flat
    assert verdict.sent == verdict.arrived > 0
    assert len(verdict.samples) >= 2
    assert max(s.census["connections"] for s in verdict.samples) > 100
    assert max(s.census["calls"] for s in verdict.samples) > 100
    assert verdict.after["connections"] == verdict.after["calls"] == 0
    assert {"talk", "log-in", "poll left", "messages of the group"} <= verdict.count.keys()


def verdict_of(*memory_mib, **off):
    open_ = {"files": 40, "tasks": 10}
    samples = [Sample(10.0 * n, m, m / 2, 0.5, 100.0, 5.0, 20.0, open_) for n, m in enumerate(memory_mib, start=1)]
    parts = {"samples": samples, "before": open_, "after": dict(open_), "sent": 5, "arrived": 5}
    return Verdict(20.0, **(parts | off))


@pytest.mark.parametrize(
    ("verdict", "found"),
    [
        (verdict_of(100, 100, 110, 102, 103), []),
        (verdict_of(100, 100, 100, 105, 106), ["memory grew from 100.0 to 105.5 MiB"]),
        (verdict_of(100, 100, after={"files": 41, "tasks": 10}), ["files: 40 before, 41 after all have gone"]),
        (verdict_of(100, 100, lost=2, arrived=3), ["2 lost, 0 twice, 0 with one and not with another"]),
        (verdict_of(100, 100, twice=1), ["0 lost, 1 twice, 0 with one and not with another"]),
        (verdict_of(100, 100, unequal=1), ["0 lost, 0 twice, 1 with one and not with another"]),
        (verdict_of(100, 100, trouble={"file: not the same": 1}), ["file: not the same: 1"]),
    ],
)
def test_what_is_off_is_said(verdict, found):
    assert verdict.findings() == found
    assert len(verdict.lines()) == 5
