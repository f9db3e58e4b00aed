"""A failing plan is made small, and what is printed plays the small plan again."""

from __future__ import annotations

import logging

import pytest
import structlog

from tests.oracle.plants import PLANTS
from tools.simulation import base, plan, play
from tools.simulation.shrink import from_text, shrink, to_text


@pytest.mark.parametrize("guilty", [{0}, {39}, {3, 17}, {5, 6, 7, 30}, set(range(40))])
def test_only_the_guilty_steps_are_left(guilty):
    whole = plan.make(1, 40)
    out = shrink(whole, lambda smaller: guilty <= {s.number for s in smaller.steps})
    assert {s.number for s in whole.without(out).steps} == guilty


def test_numbers_are_written_and_read_back():
    for numbers in (frozenset(), frozenset({0}), frozenset({0, 1, 2, 7, 9, 10}), frozenset(range(40))):
        assert from_text(to_text(numbers)) == numbers
    assert to_text(frozenset({0, 1, 2, 7, 9, 10})) == "0-2,7,9-10"


def test_a_real_finding_is_made_small(tmp_path):
    """A fault that is switched on in a whole run is still found, by the same rule, when most steps are left out."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        world = base.build(tmp_path / "base")
        planted = next(p for p in PLANTS if p.name == "store: a message leaves a hole in the mailbox")
        whole = plan.make(3, 12, 3)

        def fails(what):
            folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
            return planted.expected in {f.rule for f in play.run(what, world, folder, planted.switch).findings}

        assert fails(whole)
        small = whole.without(shrink(whole, fails))
        assert len(small.steps) < len(whole.steps)
        assert fails(small)
    finally:
        structlog.reset_defaults()
