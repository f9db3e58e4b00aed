"""What the drills of rolling upgrades and of overload judge by; they themselves are `make rolling` and `make overload`."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from qpqcore.store.migrations import migrations_of
from qpqserver.composition import VERSION
from tools.overload import play
from tools.overload.offering import Outcome
from tools.rolling.__main__ import verdict
from tools.rolling.stage import NEXT, plant

GOOD = play.Found(
    sustained_per_second=1_000, peak_per_second=1_050, unloaded_p50_ms=4, unloaded_p99_ms=8, unloaded_p99_after_ms=7, full_p99_ms=12,
    offered_per_second=2_000, goodput_per_second=980, shed=9_000, failed=0, capacity_after_per_second=990, admitted_p50_ms=8, admitted_p99_ms=15,
    resident_before_kib=100_000, resident_after_kib=101_000, recovery_s=0.5, generator_late_ms=3,
)  # fmt: skip


@pytest.mark.parametrize(("spoilt", "by"), [
    (None, {}),
    ("goodput", {"goodput_per_second": 900}),
    ("latency", {"admitted_p99_ms": 17}),
    ("memory", {"resident_after_kib": 120_000}),
    ("recovery", {"recovery_s": 6.0}),
    ("typed", {"failed": 1}),
])  # fmt: skip
def test_each_thing_that_overload_may_cost_is_judged(spoilt, by):
    assert [name for name, holds in replace(GOOD, **by).verdict().items() if not holds] == ([spoilt] if spoilt else [])


@pytest.mark.parametrize("capacity", [7, 250, 3_300])
async def test_the_search_finds_what_is_sustained(capacity):
    offered = []

    async def at(rate):
        offered.append(rate)
        done = min(int(rate), capacity)
        return Outcome(offered=int(rate), seconds=1.0, took_s=[0.01] * done, in_time=done, shed=int(rate) - done)

    best, rate, peak = await play.search(at)
    assert capacity / play.CLOSE - 1 <= rate <= capacity / play.SUSTAINED + 1
    assert peak == capacity
    assert best.offered == int(rate)
    assert len(offered) < 30


def test_what_is_late_or_refused_is_not_sustained():
    good = Outcome(offered=100, seconds=1.0, took_s=[0.01] * 100)
    assert play.is_sustained(good)
    assert not play.is_sustained(Outcome(offered=100, seconds=1.0, took_s=[0.01] * 96, shed=4))
    assert not play.is_sustained(Outcome(offered=100, seconds=1.0, took_s=[0.01] * 99, failed=1))
    assert not play.is_sustained(Outcome(offered=100, seconds=1.0, took_s=[0.01] * 97 + [0.3] * 3))


@pytest.mark.parametrize("contract", [False, True])
def test_the_next_version_has_another_number_and_steps_after_the_last(tmp_path, contract):
    known = len(migrations_of("qpqdelivery", "migrations_postgres"))
    folder = plant(tmp_path / "next", contract=contract)
    assert f'VERSION = "{NEXT}"' in (folder / "qpqserver" / "composition.py").read_text()
    assert NEXT != VERSION
    steps = sorted(path.name for path in (folder / "qpqdelivery" / "migrations_postgres").glob("*.sql"))
    planted = steps[known:]
    assert [int(name[:4]) for name in planted] == list(range(known + 1, known + 2 + contract))
    if contract:
        text = (folder / "qpqdelivery" / "migrations_postgres" / planted[1]).read_text()
        assert re.findall(r"^-- programs from: (\d+)$", text, re.M) == [str(known + 1)]


@pytest.mark.parametrize(("spoilt", "by"), [
    (None, {}),
    ("load", {"calls_per_second": 299.0}),
    ("sdk", {"sdk": {"failed": {"unreachable": 1}}}),
    ("sdk", {"errors_users_saw": {"unreachable": 1}}),
    ("words", {"words_lost_or_doubled": 1}),
    ("contracted", {"old_says": "serving"}),
])  # fmt: skip
def test_each_thing_that_an_upgrade_may_cost_is_judged(spoilt, by):
    found = {
        "calls_per_second": 320.0, "sdk": {"failed": {}}, "raw": {"failed": {"GoingAway": 3}}, "errors_users_saw": {},
        "words_lost_or_doubled": 0, "old_says": "qpq-server: schema qpq_delivery is at step 3: use the newer one",
    }  # fmt: skip
    assert [name for name, holds in verdict(found | by).items() if not holds] == ([spoilt] if spoilt else [])
