"""Every input kept in the repository, through its target: seeds, what runs have added, what once was a finding."""

from __future__ import annotations

import tracemalloc

import pytest

from tools.fuzz import corpus
from tools.fuzz.judge import Meter, judge
from tools.fuzz.table import TARGETS
from tools.fuzz.target import PYTHON_BYTES_BASE, PYTHON_FACTOR

KEPT_BYTES_MAX = 2 * 1024 * 1024
"""All inputs together: a clone stays small."""


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_kept_inputs_are_answered_in_time_and_space(target):
    inputs = corpus.inputs(target.name)
    assert inputs
    meter = Meter()
    for path in inputs:
        data = path.read_bytes()
        assert len(data) <= target.input_bytes_max, path
        judge(target, data, meter)


@pytest.mark.parametrize("target", [t for t in TARGETS.values() if not t.slow], ids=lambda t: t.name)
def test_what_python_allocates_is_bounded_by_the_inputs_length(target):
    inputs = [path.read_bytes() for path in corpus.inputs(target.name)]
    meter = Meter()
    for data in inputs:
        judge(target, data, meter)  # caches fill
    tracemalloc.start()
    try:
        for data in inputs:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            judge(target, data, meter)
            assert tracemalloc.get_traced_memory()[1] - before <= PYTHON_BYTES_BASE + PYTHON_FACTOR * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_real_messages_are_taken(target):
    """A seed that its target refuses would search from outside the door."""
    seeds = list(target.seeds())
    taken = [name for name, data in seeds if not judge(target, data, Meter()).answered]
    assert len(taken) * 2 > len(seeds)


def test_the_inputs_are_small_and_each_has_a_target():
    folders = [path for kind in ("corpus", "regressions") for path in (corpus.KEPT / kind).iterdir()]
    assert {path.name for path in folders} <= set(TARGETS)
    files = [path for folder in folders for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in files) < KEPT_BYTES_MAX
