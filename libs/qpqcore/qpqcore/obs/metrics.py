"""The metrics of a server, `qpq_*` in base units, in a registry of their own.

Calls are counted in plain lists and turned into Prometheus's families when they are asked for: a call costs a look-up and
three additions, where the client library's own counters take locks and look up labels (3 us a call).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client import Metric

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BOUNDS = (*map(str, BUCKETS_SECONDS), "+Inf")


class _Times:
    """How long the calls of one method took."""

    def __init__(self) -> None:
        self.counts = [0] * len(BOUNDS)
        self.sum_seconds = 0.0


class _Calls(Collector):
    """Counts of calls by method and code, and their times by method; only the event loop's thread touches them."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.times: dict[str, _Times] = {}

    def collect(self) -> Iterator[Metric]:
        """Return what was counted, as the registry wants it."""
        calls = CounterMetricFamily("qpq_calls", "Calls answered.", labels=("method", "code"))
        for (method, code), count in self.counts.items():
            calls.add_metric((method or "unknown", code.lower()), count)
        yield calls
        seconds = HistogramMetricFamily("qpq_call_duration_seconds", "Time to answer.", labels=("method",))
        for method, times in self.times.items():
            total, buckets = 0, []
            for bound, count in zip(BOUNDS, times.counts, strict=True):
                total += count
                buckets.append((bound, total))
            seconds.add_metric((method,), buckets, times.sum_seconds)
        yield seconds


Reading = tuple[str, str, str, "Mapping[str, float]"]
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


class Readings(Collector):
    """Numbers that somebody else counts, read when they are asked for.

    `read` returns (name, help, label, values by the label's value); a name that ends in `_total` only grows.
    """

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield each (a prometheus_client collector)."""
        for name, text, label, values in self._read():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(name, text, labels=(label,) if label else ())
            for of, value in values.items():
                family.add_metric((of,) if label else (), value)
            yield family


class Metrics:
    """Implements the gateway's Observer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = _Calls()
        self.registry.register(self._calls)
        self._connections = Gauge("qpq_connections", "Open client connections.", registry=self.registry)

    def call_finished(self, method: str, code: str, seconds: float) -> None:
        """Count one answer."""
        counts = self._calls.counts
        counts[method, code] = counts.get((method, code), 0) + 1
        if method:
            times = self._calls.times.get(method)
            if times is None:
                times = self._calls.times[method] = _Times()
            times.counts[bisect_left(BUCKETS_SECONDS, seconds)] += 1
            times.sum_seconds += seconds

    def connections(self, count: int) -> None:
        """Note how many connections are open."""
        self._connections.set(count)

    def watch_quic(self, read: Callable[[], Mapping[str, int]]) -> None:
        """Show an engine's counters too."""
        self.registry.register(QuicCounters(read))

    def watch(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Show what somebody else counts."""
        self.registry.register(Readings(read))

    def page(self) -> bytes:
        """Return the text of /metrics."""
        return generate_latest(self.registry)
