"""Traces through OpenTelemetry's SDK: spans go out by OTLP over HTTP, from a thread, out of a queue that has an end.

A collector that is away costs spans, never a call: what the queue has no room for is dropped.
"""

from __future__ import annotations

import logging
import random  # noqa: TID251 - which calls are traced is no secret, and is decided for each call
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog
import trio
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qpqcore.obs.traces import Span

log = structlog.get_logger()

QUEUE_SPANS_MAX: Final = 2_048
"""Some 2 MB; more are dropped."""
BATCH_SPANS_MAX: Final = 512
BATCH_MS: Final = 2_000
EXPORT_SECONDS_MAX: Final = 5
SAMPLED: Final = "01"


class OtelSpan:
    """Implements `qpqcore.obs.traces.Span`."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        """Itself as the parent of others."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{SAMPLED}"

    def begin(self, name: str) -> Span:
        """Begin a step within it."""
        return OtelSpan(self._tracer, self._tracer.start_span(name, trace.set_span_in_context(self._span)))

    def note(self, name: str, value: str) -> None:
        """Note something about it."""
        self._span.set_attribute(name, value)

    def end(self) -> None:
        """It is over."""
        self._span.end()


class OtelTracer:
    """Implements `qpqcore.obs.traces.Tracer`."""

    def __init__(self, tracer: trace.Tracer, ratio: float) -> None:
        self._tracer = tracer
        self._ratio = ratio

    def begin(self, name: str, traceparent: str) -> Span | None:
        """Begin a client's call, or leave it out."""
        if random.random() >= self._ratio:  # noqa: S311 - as above
            return None
        return self._start(name, traceparent)

    def follow(self, name: str, traceparent: str) -> Span | None:
        """Go on with another process's trace, where that one keeps it."""
        return self._start(name, traceparent) if traceparent.endswith(SAMPLED) else None

    def _start(self, name: str, traceparent: str) -> Span:
        context = None
        if traceparent:
            _, trace_id, span_id, _ = traceparent.split("-")
            parent = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True)
            context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        return OtelSpan(self._tracer, self._tracer.start_span(name, context, kind=trace.SpanKind.SERVER))


class _ToOurLog(logging.Handler):
    """What the SDK says becomes a line of ours, without its text, which has addresses in it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it."""
        log.warning("traces_not_exported", logger=record.name)


@asynccontextmanager
async def open_tracer(service: str, version: str, endpoint: str, ratio: float) -> AsyncIterator[OtelTracer]:
    """Trace a share (0 to 1) of what begins here, and whatever began elsewhere; what is left is sent at the end."""
    said = logging.getLogger("opentelemetry")
    said.handlers, said.propagate = [_ToOurLog()], False
    resource = Resource({"service.name": f"qpq-{service}", "service.version": version})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS_MAX)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter, max_queue_size=QUEUE_SPANS_MAX, max_export_batch_size=BATCH_SPANS_MAX,
            schedule_delay_millis=BATCH_MS,
        )
    )  # fmt: skip
    try:
        yield OtelTracer(provider.get_tracer("qpq"), ratio)
    finally:
        with trio.CancelScope(shield=True):  # bounded by the exporter's time
            await trio.to_thread.run_sync(provider.shutdown)
