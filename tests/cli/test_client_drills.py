"""The drills of a person's client in their small forms: real processes, killed, lied to and lost (`python -m tools.client_drills`)."""

from __future__ import annotations

from importlib import import_module

import pytest
import trio


@pytest.mark.parametrize("drill", ["files", "devices", "outbox"])
def test_a_drill_finds_nothing(tmp_path, drill):
    outcome = trio.run(import_module(f"tools.client_drills.{drill}").play, tmp_path, "small", lambda _: None)
    assert outcome.findings == []
    assert outcome.figures
