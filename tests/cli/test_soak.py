"""A short soak: real processes killed in a window of each family, and at any moment; the long one is `make soak`."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
import trio

from tools.soak import at_server, conductor, fuse, windows
from tools.soak.verdict import judge

SEED = 3


def test_a_death_in_each_kind_of_window_loses_doubles_forks_and_leaves_nothing(tmp_path):
    soak, ended = trio.run(conductor.run, tmp_path, SEED, 0)
    verdict = judge(soak, ended)
    print("\n".join(verdict.lines()))
    assert verdict.findings == []
    families = {w.family for w in windows.WINDOWS}
    of = {w.name: w.family for w in windows.WINDOWS}
    assert {of[name] for name in verdict.kills} == families
    assert (verdict.lost, verdict.doubled) == (0, 0)
    # Some 50 a scene; who is killed early says less, so only what a scene cannot do without is asked for.
    assert verdict.acknowledged > conductor.TRAFFIC_COUNT * len(families)
    assert verdict.in_flight.total() > len(families) // 2
    assert verdict.files >= 2
    assert verdict.gone == len(soak.guests) >= 1
    assert verdict.purged > 0


def test_a_long_soak_hits_every_window():
    for kills in (len(windows.WINDOWS), 200):
        drawn = windows.deck(kills, random.Random(SEED))
        assert len(drawn) == kills
        assert set(drawn) == set(windows.WINDOWS)
        assert sorted(w.name for scene in windows.scenes(drawn) for w in scene) == sorted(w.name for w in drawn)


@pytest.mark.parametrize(("skip", "passes"), [(0, 0), (2, 2)])
def test_a_fuse_kills_in_the_armed_window_and_says_so(tmp_path, skip, passes):
    fuse.arm(tmp_path, "here", skip, 1)
    script = (
        "import pathlib, sys; from tools.soak.fuse import Fuse\n"
        "fuse = Fuse(pathlib.Path(sys.argv[1]))\n"
        "for number in range(9): fuse.reach('elsewhere'); print(number, flush=True); fuse.reach('here')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == [b"%d" % n for n in range(passes + 1)]
    assert [window for _, window in fuse.hits(tmp_path)] == ["here"]


class Passed:
    """A fuse that counts."""

    def __init__(self):
        self.windows = []

    def reach(self, window):
        self.windows.append(window)


@pytest.mark.parametrize("more", ["", " RETURNING n"])
def test_a_purge_is_in_its_window_after_what_changed_something_and_only_then(more):
    with closing(sqlite3.connect(":memory:")) as plain:
        plain.execute("CREATE TABLE log (n)")
        plain.executemany("INSERT INTO log VALUES (?)", [(1,), (2,)])
        fuse = Passed()
        midway = at_server.Midway(plain, fuse)
        changed = midway.execute(f"UPDATE log SET n = 0 WHERE n < ?{more}", (3,))
        assert fuse.windows == [at_server.IN_PURGE]
        assert changed.fetchall() == ([(0,), (0,)] if more else [])
        midway.execute(f"UPDATE log SET n = 0 WHERE n = ?{more}", (3,))
        assert midway.execute("SELECT n FROM log").fetchall() == [(0,), (0,)]
        assert fuse.windows == [at_server.IN_PURGE]
