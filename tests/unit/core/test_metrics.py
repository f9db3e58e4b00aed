"""What /metrics says after calls: the client library's own reading of it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from qpqcore.obs.metrics import Metrics


def samples(metrics):
    families = text_string_to_metric_families(metrics.page().decode())
    return {
        (s.name, *(s.labels[k] for k in sorted(s.labels, reverse=True))): s.value
        for family in families
        for s in family.samples
    }


def test_calls_are_counted_by_method_and_code_and_timed_by_method():
    metrics = Metrics()
    for method, code, seconds in (
        ("health", "OK", 0.0005),
        ("health", "OK", 0.001),
        ("health", "OVERLOADED", 99.0),
        ("", "MALFORMED", 0.0),
    ):
        metrics.call_finished(method, code, seconds)
    metrics.connections(3)
    found = samples(metrics)
    assert found["qpq_calls_total", "health", "ok"] == 2
    assert found["qpq_calls_total", "health", "overloaded"] == 1
    assert found["qpq_calls_total", "unknown", "malformed"] == 1
    assert found["qpq_connections",] == 3
    # A bound is part of its bucket, and buckets hold those below.
    assert [
        found["qpq_call_duration_seconds_bucket", "health", bound] for bound in ("0.001", "0.0025", "60.0", "+Inf")
    ] == [2, 2, 2, 3]
    assert found["qpq_call_duration_seconds_count", "health"] == 3
    assert found["qpq_call_duration_seconds_sum", "health"] == 99.0015
    assert ("qpq_call_duration_seconds_count", "unknown") not in found


def test_nothing_is_there_before_the_first_call():
    assert samples(Metrics()) == {("qpq_connections",): 0}


def test_an_engines_counters_are_read_when_they_are_asked_for():
    metrics, counters = Metrics(), {"retries_sent": 1, "half_open": 7}
    metrics.watch_quic(lambda: counters)
    counters["retries_sent"] = 2
    page = metrics.page().decode()
    assert "# TYPE qpq_quic_retries_sent_total counter" in page
    assert "\nqpq_quic_retries_sent_total 2.0\n" in page
    assert "# TYPE qpq_quic_half_open gauge" in page
    assert "\nqpq_quic_half_open 7.0\n" in page
