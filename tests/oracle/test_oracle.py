"""The oracle is tested by what it has to find: faults planted one at a time, and a story without any."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from typing import get_args

import pytest
import structlog

from tests.oracle import history as h
from tests.oracle.history import KINDS, from_line, to_line
from tests.oracle.plants import PLANTS
from tests.oracle.rules import RULES, check
from tests.oracle.scenario import play_story
from tools.simulation import base
from trio_quic import EngineName


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return base.build(tmp_path_factory.mktemp("oracle") / "base")


@pytest.fixture
def engine(request):
    """Of the stories: `--quic-engine`."""
    return request.config.getoption("--quic-engine")


@pytest.fixture
def quiet():
    """Planted faults make much noise."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()


def test_a_story_without_a_fault_breaks_no_rule(world, engine, tmp_path, quiet):
    findings, noted = play_story(world, tmp_path / "run", engine=engine)
    assert findings == []
    seen = Counter(type(n).__name__ for n in noted)
    # Everything that the rules judge happens in it; `Started` is for processes that die between two instructions.
    assert set(KINDS) - set(seen) <= {"Given", "Waits", "Restored", "Sighted", "Broke", "Started"}
    assert {t.kind for t in noted if isinstance(t, h.Took)} >= {"MESSAGE", "COMMIT", "PROPOSAL", "WELCOME", "GAP"}


def test_there_are_enough_plants_and_each_has_its_own_name():
    assert len(PLANTS) >= 100
    assert len({p.name for p in PLANTS}) == len(PLANTS)
    assert {p.expected for p in PLANTS} <= set(RULES)
    assert {p.name.partition(":")[0] for p in PLANTS} == {
        "store",
        "fetch",
        "delivery",
        "keystore",
        "gateway",
        "bus",
        "client",
    }


@pytest.mark.parametrize("plant", PLANTS, ids=lambda p: p.name)
def test_a_planted_fault_is_found_and_named(plant, world, engine, tmp_path, quiet):
    findings, _ = play_story(world, tmp_path / "run", plant.switch, engine)
    assert plant.expected in {f.rule for f in findings}


@pytest.mark.parametrize(
    ("started", "found"), [((), True), ((2,), True), ((2, 3), False), ((2, 3, 9), False), ((1, 4), True)]
)
def test_a_hole_in_a_mailbox_is_explained_by_starts_behind_each_missing_entry_alone(started, found):
    took = [h.Took("d", n, "MESSAGE", b"c", 1, 1, n, bytes([n])) for n in (1, 4)]
    findings = check([took[0], *(h.Started("d", position) for position in started), took[1]])
    assert [f.rule for f in findings] == (["mailbox"] if found else [])


def test_a_history_can_be_written_down_and_read_back(world, engine, tmp_path, quiet):
    _, noted = play_story(world, tmp_path / "run", engine=engine)
    again = [from_line(to_line(n)) for n in noted]
    assert again == noted
    assert check(again) == []


def simulate(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tools.simulation", *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONHASHSEED": "0"}, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("engine", get_args(EngineName))
def test_a_seed_plays_alike_in_two_processes(engine):
    first, second = (simulate("--seed", "7", "--steps", "30", "--engine", engine) for _ in range(2))
    assert first.returncode == 0, first.stdout
    trace = [word for word in first.stdout.split() if len(word) == 64]
    assert len(trace) == 1
    assert trace[0] in second.stdout


@pytest.mark.parametrize(("engine", "count"), [("native", 12), ("aioquic", 4)])
def test_a_handful_of_seeds_is_clean(engine, count):
    done = simulate("--seeds", f"1-{count}", "--engine", engine)
    assert done.returncode == 0, done.stdout
    assert f"{count} of {count} seeds" in done.stdout
    assert "findings: none" in done.stdout
