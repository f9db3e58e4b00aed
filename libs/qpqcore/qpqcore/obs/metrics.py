"""The metrics of a server, `qpq_*` in base units, in a registry of their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


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

    def page(self) -> bytes:
        """Return the text of /metrics."""
        return generate_latest(self.registry)
