"""The drills of a person's client in their small forms: real processes, killed, lied to and lost (`python -m tools.client_drills`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 500


@pytest.mark.parametrize("drill", ["files", "devices", "outbox"])
def test_a_drill_finds_nothing(drill):
    done = subprocess.run(
        [sys.executable, "-m", "tools.client_drills", drill, "--size", "small"],
        cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"| {drill} | | all well |" in done.stdout
