"""`make bench` runs to its end and writes every row; what the figures are is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tools.bench import goals, page

PROJECT = Path(__file__).resolve().parents[2]
WIDTHS = (1, 32, 128, 256)
STEPS = ("create", "join", "add", "commit", "follow", "check", "send", "receive")


def test_a_quick_run_has_every_row(tmp_path):
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench", "--quick", "--json", file],
        cwd=PROJECT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_bytes())
    assert found["quick"] is True

    rows = {(row["what"], row["in_flight"]): row for row in found["calls"]}
    assert set(rows) == {(call, width) for call in ("health", "enqueue") for width in WIDTHS}
    costs = ("per_second", "cpu_us", "native_echo_us", "aioquic_echo_us", "lowest", "ratio", "highest")
    assert all(row[name] > 0 for row in rows.values() for name in costs)

    assert [row["in_flight"] for row in found["bus"]] == list(WIDTHS)
    assert all(row["caller_us"] > 0 and row["callee_us"] > 0 for row in found["bus"])
    (store,) = found["store"]
    assert 0 < store["share"]
    assert [(row["copies"], row["in_flight"]) for row in found["postgres"]] == [
        (c, w) for c in (1, 20) for w in (1, 32, 256)
    ]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in found["postgres"])
    (durable,) = found["messages"]
    assert durable["server_cpu_us"] > 0
    assert 0 < durable["p50_ms"] <= durable["p99_ms"]
    assert [row["devices"] for row in found["fan-out"]] == [3]
    assert [row["what"] for row in found["entering"]] == ["handshake", "log-in"]
    assert found["blobs"][0]["up_mb_s"] > 0
    assert found["restart"][0]["entries"] > 2_000
    redis = {row["what"]: row for row in found["redis"]}
    assert redis["idle topics"]["count"] == 20 and redis["take_all of two"]["p50_ms"] > 0
    for rate in (100, 2_000):
        assert redis[f"wake-up, {rate}/s"]["count"] > 0 and redis[f"wake-up, {rate}/s"]["p50_ms"] > 0
    (latency,) = found["latency"]
    assert 0 < latency["p50_ms"] <= latency["p99_ms"]
    assert [row["suite"] for row in found["groups"]] == ["1", "X-Wing"]
    for group in found["groups"]:
        assert all(group[f"{step}_ms"] > 0 for step in STEPS)
        assert min(group["message_bytes"], group["written_by_send"], group["written_by_receive"]) > 0
    (sdk,) = found["sdk"]
    assert sdk["create_ms"] > 0

    for row in (durable, latency, group, sdk):
        assert row["what"] in done.stdout

    again = subprocess.run(
        [sys.executable, "-m", "tools.bench", "--quick", "--part", "entering", "--json", tmp_path / "2", "--compare", file],
        cwd=PROJECT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert set(json.loads((tmp_path / "2").read_bytes())) == {"quick", "machine", "entering", "runs"}
    assert again.stdout.count("server_cpu_ms") == 1 + 2


def test_a_goal_is_met_or_missed_by_its_own_figure():
    rows = [{"what": "handshake", "server_cpu_ms": 0.5}, {"what": "log-in", "server_cpu_ms": 9.0}]
    entering = [line.split()[-2:] for line in goals.lines([{"entering": rows}])]
    assert entering == [["0.50", "met"], ["9.00", "MISSED"]]
    files = [line.split()[-2:] for line in goals.lines([{"blobs": [{"up_mb_s": 61.0, "down_mb_s": 59.0}]}])]
    assert files == [["61.00", "met"], ["59.00", "MISSED"]]


def test_of_several_runs_the_middle_counts_and_the_spread_is_told():
    runs = [{"blobs": [{"what": "file", "up_mb_s": up, "down_mb_s": 70.0}]} for up in (50.0, 61.0, 64.0)]
    (up, _) = goals.lines(runs)
    assert up.split()[-5:] == ["61.00", "met", "50.00", "to", "64.00"]
    assert goals.middle_of(runs) == {"blobs": [{"what": "file", "up_mb_s": 61.0, "down_mb_s": 70.0}]}


def test_the_page_has_a_place_for_the_figures():
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.count(page.BEGIN) == text.count(page.END) == 1
    runs = [
        {"blobs": [{"what": "file", "megabytes": 40.0, "up_mb_s": 61.0, "down_mb_s": 70.0, "server_cpu_ms_a_mb": 9.0}]}
    ]
    assert "| file up: MB/s | at least 60 | 61.00 | | met |" in page.measured(runs, goals.middle_of(runs))
