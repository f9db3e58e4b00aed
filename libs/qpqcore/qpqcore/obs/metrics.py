"""The metrics of a server, `qpq_*` in base units, in a registry of their own (docs/operate/monitoring.md).

Everything is counted in plain attributes and turned into Prometheus's families when they are asked for: a call costs a
look-up and three additions, where the client library's own counters take locks and look up labels (3 us a call).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import trio
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from qpqcore.obs.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from prometheus_client import Metric

log = structlog.get_logger()

WEIGH_SECONDS = 15.0
"""What has to be read from a store is read so often at most, however often we are scraped."""
WEIGH_SECONDS_MAX = 2.0
"""A store that takes longer to say what it holds is left alone: the numbers stay as they were."""


class _Calls(Collector):
    """Counts of calls by method and code, and their times by method; only the event loop's thread touches them."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.times: dict[str, Histogram] = {}

    def collect(self) -> Iterator[Metric]:
        """Return what was counted, as the registry wants it."""
        calls = CounterMetricFamily("qpq_calls", "Calls answered.", labels=("method", "code"))
        for (method, code), count in self.counts.items():
            calls.add_metric((method or "unknown", code.lower()), count)
        yield calls
        seconds = HistogramMetricFamily("qpq_call_duration_seconds", "Time to answer.", labels=("method",))
        for method, times in self.times.items():
            seconds.add_metric((method,), times.buckets(), times.sum)
        yield seconds


Reading = tuple[str, str, str, "Mapping[str, float | Histogram]"]
"""Name, help, label ("": none), values by the label's value. A name that ends in `_total` only grows."""
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
    """Numbers that others count, read when they are asked for; what several call by one name is one family."""

    def __init__(self) -> None:
        self.read: list[Callable[[], Iterable[Reading]]] = []

    def collect(self) -> Iterator[Metric]:
        """Yield each (a prometheus_client collector)."""
        families: dict[str, Metric] = {}
        for read in self.read:
            for reading in read():
                self._add(families, reading)
        yield from families.values()

    @staticmethod
    def _add(families: dict[str, Metric], reading: Reading) -> None:
        name, text, label, values = reading
        labels = (label,) if label else ()
        for of, value in values.items():
            family = families.get(name)
            if isinstance(value, Histogram):
                if family is None:
                    family = families[name] = HistogramMetricFamily(name, text, labels=labels)
                assert isinstance(family, HistogramMetricFamily)
                family.add_metric((of,) if label else (), value.buckets(), value.sum)
                continue
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            if family is None:
                family = families[name] = kind(name, text, labels=labels)
            assert isinstance(family, (CounterMetricFamily, GaugeMetricFamily))
            family.add_metric((of,) if label else (), value)


class Metrics:
    """Implements the gateway's Observer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = _Calls()
        self._readings = Readings()
        self._weighed: list[Callable[[], Awaitable[None]]] = []
        self._weighed_at = float("-inf")
        self.registry.register(self._calls)
        self.registry.register(self._readings)
        self._connections = Gauge("qpq_connections", "Open client connections.", registry=self.registry)

    def call_finished(self, method: str, code: str, seconds: float) -> None:
        """Count one answer."""
        counts = self._calls.counts
        counts[method, code] = counts.get((method, code), 0) + 1
        if method:
            times = self._calls.times.get(method)
            if times is None:
                times = self._calls.times[method] = Histogram()
            times.observe(seconds)

    def connections(self, count: int) -> None:
        """Note how many connections are open."""
        self._connections.set(count)

    def watch_quic(self, read: Callable[[], Mapping[str, int]]) -> None:
        """Show an engine's counters too."""
        self.registry.register(QuicCounters(read))

    def watch(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Show what somebody else counts."""
        self._readings.read.append(read)

    def watch_process(self) -> None:
        """Show memory, processor time and open files of this process (`process_*`)."""
        ProcessCollector(registry=self.registry)

    def weigh_by(self, weigh: Callable[[], Awaitable[None]]) -> None:
        """Have something read from a store before a page is made; what it finds, some `watch` shows."""
        self._weighed.append(weigh)

    async def weigh(self) -> None:
        """Read what has to be read, unless that was done a moment ago. Nobody who does not scrape pays for it."""
        if trio.current_time() - self._weighed_at < WEIGH_SECONDS:
            return
        self._weighed_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.deadline = trio.current_time() + WEIGH_SECONDS_MAX
            for weigh in self._weighed:
                nursery.start_soon(self._weigh_one, weigh)

    @staticmethod
    async def _weigh_one(weigh: Callable[[], Awaitable[None]]) -> None:
        try:
            await weigh()
        except Exception as exc:  # noqa: BLE001 - a store that is away is no reason to say nothing of the rest
            log.warning("weighing_failed", reason=type(exc).__name__)

    def page(self) -> bytes:
        """Return the text of /metrics."""
        return generate_latest(self.registry)
