"""The metrics of a server, `qpq_*` in base units, in a registry of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import Metric

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

QUIC_GAUGES = frozenset({"connections", "half_open", "alarms"})
"""What of an engine's counters goes down again."""


class QuicCounters(Collector):
    """An engine's own counters, read when they are asked for: `qpq_quic_retries_sent_total` and so on."""

    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield each (a prometheus_client collector)."""
        for name, value in self._read().items():
            kind = GaugeMetricFamily if name in QUIC_GAUGES else CounterMetricFamily
            yield kind(f"qpq_quic_{name}", f"QUIC: {name.replace('_', ' ')}.", value=value)


class Metrics:
    """Implements the gateway's Observer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter("qpq_calls", "Calls answered.", ["method", "code"], registry=self.registry)
        self._seconds = Histogram(
            "qpq_call_duration_seconds", "Time to answer.", ["method"], buckets=BUCKETS_SECONDS, registry=self.registry
        )
        self._connections = Gauge("qpq_connections", "Open client connections.", registry=self.registry)

    def call_finished(self, method: str, code: str, seconds: float) -> None:
        """Count one answer."""
        self._calls.labels(method or "unknown", code.lower()).inc()
        if method:
            self._seconds.labels(method).observe(seconds)

    def connections(self, count: int) -> None:
        """Note how many connections are open."""
        self._connections.set(count)

    def watch_quic(self, read: Callable[[], Mapping[str, int]]) -> None:
        """Show an engine's counters too."""
        self.registry.register(QuicCounters(read))

    def page(self) -> bytes:
        """Return the text of /metrics."""
        return generate_latest(self.registry)
