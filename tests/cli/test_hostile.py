"""`make hostile`: its table of attacks says what is there, and one attack plays to its end."""

from __future__ import annotations

from dataclasses import fields

import trio

from qpqauth.config import Config as AuthConfig
from tools.hostile.__main__ import PAGE, Row
from tools.hostile.attacks import ATTACKS
from tools.hostile.measure import measure
from tools.hostile.server import LIFTED
from trio_quic import Limits
from trio_quic.aio.counters import COUNTERS


def test_what_the_table_names_exists():
    limits = {f.name for f in fields(Limits)}
    assert LIFTED.keys() <= limits
    page = PAGE.read_text(encoding="utf-8")
    for attack in ATTACKS:
        assert set(attack.metrics) <= set(COUNTERS)
        assert attack.play.__doc__
        for word in attack.bound.replace(",", " ").split():
            if word.endswith("_max") or word.endswith("_ms") or word.endswith("_bytes"):
                assert word in limits
                assert f"`{word}`" in page
            if word.startswith("login_"):
                assert word in {f.name for f in fields(AuthConfig)}
        assert f"| {attack.name} | " in page


async def test_an_attack_is_measured_to_its_end(tmp_path):
    number = next(n for n, attack in enumerate(ATTACKS) if attack.name == "pings")
    with trio.fail_after(60):
        shipped = await measure(number, "SHIPPED", 2.0, tmp_path / "shipped")
    assert shipped.counters["floods_of_idle_frames"] > 0
    assert shipped.counters["faults"] == 0
    assert shipped.latencies_ms
    assert "floods_of_idle_frames" in Row(ATTACKS[number], shipped, shipped).line()
