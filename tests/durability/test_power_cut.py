"""Power cuts: everything a store wrote is recorded, and what each cut would have left on the disk is opened and read.

A cut keeps what was synced, and of what was not: nothing, everything, a seeded choice of the writes or of their
sectors, half of the last one, one name or the other of what was renamed. Whatever was acknowledged before the cut must
be there, with the key that it is read with, and the database whole. With `synchronous=OFF` it is not.
"""

from __future__ import annotations

import random

import pytest

from tests.durability import disk
from tests.durability.cuts import compiled, judge, record

CUTS_MIN = 1_000


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("recorder"))


@pytest.mark.parametrize(("what", "count"), [("server", 400), ("large", 120), ("client", 250)])
def test_no_power_cut_takes_what_was_acknowledged(recorder, tmp_path, what, count):
    outcome = judge(what, tmp_path, record(recorder, tmp_path, what, count, "safe"))
    print(outcome.line())
    assert (outcome.lost, outcome.broken) == (0, 0)
    assert outcome.acknowledged == count
    assert outcome.cuts >= CUTS_MIN


@pytest.mark.parametrize(("what", "count"), [("server", 60), ("client", 60)])
def test_without_syncs_it_would(recorder, tmp_path, what, count):
    """What the test can see: the same store with `synchronous=OFF` loses what it acknowledged."""
    outcome = judge(what, tmp_path, record(recorder, tmp_path, what, count, "unsafe"))
    print(outcome.line())
    assert outcome.lost > 0


def test_no_power_cut_takes_a_secret_that_was_made(recorder, tmp_path):
    """Without the key that was made at the first start nothing can be read, and without the OPAQUE setup nobody logs in."""
    outcome = judge("secrets", tmp_path, record(recorder, tmp_path, "secrets", 40, "safe"))
    print(outcome.line())
    assert (outcome.lost, outcome.broken) == (0, 0)
    assert outcome.acknowledged == 40


def test_what_a_disk_may_leave():
    """The disk of this test: unsynced writes in any combination, sector by sector; names until the folder is synced."""
    now = disk.Disk()
    now.take("w", "part", 0, b"a" * 1024)
    assert now.after(disk.NOTHING) == {"part": b""}
    assert now.after(disk.EVERYTHING) == {"part": b"a" * 1024}
    assert now.after(disk.torn()) == {"part": b"a" * 512}
    now.take("s", "part", 0, b"")
    now.take("w", "part", 256, b"b" * 512)
    dice = random.Random(1)
    left = {now.after(disk.some_sectors(dice))["part"] for _ in range(50)}
    first, second = b"a" * 256 + b"b" * 256 + b"a" * 512, b"a" * 512 + b"b" * 256 + b"a" * 256
    assert left == {b"a" * 1024, first, second, now.after(disk.EVERYTHING)["part"]}
    now.take("r", "part", 0, b"/somewhere/whole")
    assert set(now.after(disk.NOTHING)) == {"part"}
    assert set(now.after(disk.EVERYTHING)) == {"whole"}
    now.take("s", "", 0, b"")
    assert set(now.after(disk.NOTHING)) == {"whole"}
    now.take("u", "whole", 0, b"")
    assert (set(now.after(disk.NOTHING)), set(now.after(disk.EVERYTHING))) == ({"whole"}, set())
    now.take("s", "", 0, b"")
    assert now.after(disk.NOTHING) == {}
