"""`make bench` runs to its end and writes every row; what the figures are is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
WIDTHS = (1, 32, 256)
STEPS = ("create", "join", "add", "commit", "follow", "check", "send", "receive")


def test_a_quick_run_has_every_row(tmp_path):
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench", "--quick", "--json", file],
        cwd=PROJECT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_bytes())
    assert found["quick"] is True

    rows = {(row["beside"], row["what"], row["in_flight"]): row for row in found["calls"]}
    assert set(rows) == {
        (call, what, width) for call in ("health", "enqueue") for what in ("echo", call) for width in WIDTHS
    }
    for (call, _, width), row in rows.items():
        assert min(row[name] for name in ("per_second", "cpu_us", "ratio", "lowest", "highest")) > 0
        echo, own = rows[call, "echo", width], rows[call, call, width]
        assert all(echo[name] == own[name] for name in ("frame_bytes", "connections", "repetitions"))

    (latency,) = found["latency"]
    assert 0 < latency["p50_ms"] <= latency["p99_ms"]
    (group,) = found["groups"]
    assert all(group[f"{step}_ms"] > 0 for step in STEPS)
    assert min(group["message_bytes"], group["written_by_send"], group["written_by_receive"]) > 0
    (sdk,) = found["sdk"]
    assert sdk["create_ms"] > 0

    for row in (latency, group, sdk):
        assert row["what"] in done.stdout
