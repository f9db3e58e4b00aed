"""Groups in step, of both suites."""

from __future__ import annotations

import pytest

from qpqnative import SUITE_1, SUITE_XWING
from qpqnative.testing.world import World


@pytest.fixture(params=[SUITE_1, SUITE_XWING], ids=["suite 1", "X-Wing"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture
def small() -> World:
    """For what does not depend on the suite."""
    return World(SUITE_1)
