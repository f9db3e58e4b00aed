"""What a process made at its start is kept, and not looked through again."""

from __future__ import annotations

import gc
import weakref

import pytest

from qpqcore.runtime import memory


class Ring:
    """Refers to itself, so that only the collector finds it."""

    def __init__(self):
        self.own = self


@pytest.fixture
def unfrozen():
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("unfrozen")
def test_what_was_there_is_not_looked_through_and_what_was_garbage_is_gone():
    kept, gone = Ring(), weakref.ref(Ring())
    memory.settle()
    assert gone() is None
    assert not any(found is kept for found in gc.get_objects())
    later = Ring()
    assert any(found is later for found in gc.get_objects())
