"""`make demo` is honest: it passes as it is, and its checker sees each kind of planted fault."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.demo.checker import Sent, Shown, calls_in_flight, check, plant

ROOT = Path(__file__).parent.parent.parent


def test_the_demo_loses_and_doubles_nothing():
    done = subprocess.run([sys.executable, "-m", "tools.demo"], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    totals = re.search(r"lost (\d+), doubled (\d+); .*kills with calls in flight (\d+)", done.stdout)
    assert totals
    assert totals.groups() == ("0", "0", "3")


def history():
    sent = [Sent(str(n), "c", "alice", f"text {n}", "p", n, n + 0.5) for n in range(6)]
    shown = [Shown(m.ident, "c", "alice", m.text) for m in sent]
    return sent, {"alice": list(shown), "bob": list(shown)}, {("p", "c"): frozenset({"alice", "bob"})}


def test_a_faultless_history_is_clean():
    verdict = check(*history())
    assert verdict.clean
    assert (verdict.sent, verdict.received, verdict.lost, verdict.doubled) == (6, 6, 0, 0)


@pytest.mark.parametrize("fault", ["drop", "double", "swap"])
def test_a_planted_fault_is_found(fault):
    sent, transcripts, audience = history()
    plant(fault, transcripts)
    assert not check(sent, transcripts, audience).clean


def test_an_invented_a_changed_and_a_leaked_message_are_found():
    sent, transcripts, audience = history()
    transcripts["bob"].append(Shown("x", "c", "alice", "never sent"))
    assert not check(sent, transcripts, audience).clean
    sent, transcripts, audience = history()
    transcripts["bob"][0] = Shown("0", "c", "alice", "another text")
    assert not check(sent, transcripts, audience).clean
    sent, transcripts, audience = history()
    assert not check(sent, transcripts, {("p", "c"): frozenset({"alice"})}).clean


def test_calls_in_flight_are_those_begun_and_not_accepted():
    sent, _, _ = history()
    assert calls_in_flight(sent, 2.25) == 1
    assert calls_in_flight(sent, 2.75) == 0


HEARS_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""What a shell starts behind itself (CI, `make test &`) ignores SIGINT, and so does all that it starts."""


@pytest.mark.parametrize("module", ["tools.demo", "tools.domains"])
def test_ctrl_c_ends_a_play_in_a_line(module):
    with subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, "-m", module], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as play:  # fmt: skip
        assert play.stdout is not None
        next(line for line in play.stdout if "│" in line)  # somebody sees something: all processes run
        os.killpg(play.pid, signal.SIGINT)  # as a terminal does: to everybody in front
        _, errors = play.communicate(timeout=60)
    assert (play.returncode, errors) == (130, "\nbroken off\n")
