"""Races and absences (tools.races), judged by the oracle; `make soak` plays them on a disk and larger."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import trio

from tools.races import away, crowd

MEMORY = Path("/dev/shm")
PATIENCE_SECONDS = 400
"""Of a busy machine; a quiet one needs a tenth of it."""


@pytest.fixture
def folder(tmp_path):
    """Return a folder in memory, where there is one: what is raced for here is not the disk."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="qpq-races-") as found:
        yield Path(found)


async def test_twenty_talk_while_twenty_change_the_group(folder):
    with trio.fail_after(PATIENCE_SECONDS):
        seen = await crowd.play(folder, senders=20, committers=20, messages=4)
    assert seen.findings == []
    assert seen.messages == 80
    assert seen.commits == seen.epochs == 20
    assert seen.refused >= 19
    assert seen.spread >= 4
    assert (seen.states, seen.members) == (1, 42)
    assert seen.readings > seen.messages * 39


async def test_two_thousand_signals_cost_a_device_that_is_away_nothing(folder):
    with trio.fail_after(PATIENCE_SECONDS):
        seen = await away.typing(folder, signals=2_000)
    assert seen.findings == []
    assert seen.heard == seen.signals == 2_000
    assert (seen.generations, seen.epochs) == (1, 0)
    assert seen.read


async def test_a_device_far_behind_catches_up_and_one_cut_off_comes_back(folder):
    with trio.fail_after(PATIENCE_SECONDS):
        seen = await away.behind(folder, messages=5_000, epochs=50)
    assert seen.findings == []
    assert (seen.messages, seen.epochs, seen.gaps) == (5_000, 50, 1)
    assert seen.in_order
    assert seen.together
