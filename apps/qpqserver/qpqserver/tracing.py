"""Whether this process traces: OpenTelemetry is imported only where it does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from qpqcore.bus.traced import TracedBus, TracedEntrance
from qpqcore.config.settings import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qpqcore.bus.base import Bus
    from qpqcore.config.settings import Settings
    from qpqcore.obs.traces import Tracer


class Tracing:
    """Puts spans round the bus and the entrances of a process, or nothing at all."""

    def __init__(self, tracer: Tracer | None) -> None:
        self.tracer = tracer

    def bus(self, bus: Bus) -> Bus:
        """Return the bus that a caller uses."""
        return bus if self.tracer is None else TracedBus(bus)

    def entrance(self, entrance: Any, service: str) -> Any:
        """Return the entrance that the bus calls."""
        return entrance if self.tracer is None else TracedEntrance(entrance, self.tracer, service)


@asynccontextmanager
async def tracing(settings: Settings, process: str, version: str) -> AsyncIterator[Tracing]:
    """Trace while the block runs, where the settings say so. ConfigError where the packages for it are missing."""
    if not settings.trace_endpoint:
        yield Tracing(None)
        return
    try:
        from qpqcore.obs.otel import open_tracer
    except ImportError as exc:
        raise ConfigError("trace_endpoint needs OpenTelemetry: pip install 'qpqcore[traces]'") from exc
    async with open_tracer(process, version, settings.trace_endpoint, settings.trace_ratio) as tracer:
        yield Tracing(tracer)
