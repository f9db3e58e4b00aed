"""What an operator reads: the engine's counters beside the gateway's own."""

from __future__ import annotations

from qpqcore.obs.metrics import Metrics


def test_an_engines_counters_are_read_when_they_are_asked_for():
    metrics, counters = Metrics(), {"retries_sent": 1, "half_open": 7}
    metrics.watch_quic(lambda: counters)
    counters["retries_sent"] = 2
    page = metrics.page().decode()
    assert "# TYPE qpq_quic_retries_sent_total counter" in page
    assert "\nqpq_quic_retries_sent_total 2.0\n" in page
    assert "# TYPE qpq_quic_half_open gauge" in page
    assert "\nqpq_quic_half_open 7.0\n" in page
