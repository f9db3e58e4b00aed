"""JSON logs on stdout: one event name and key-values, never anything that names a person or a queue."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

FORBIDDEN_KEYS = frozenset(
    {"name", "username", "address", "ip", "account", "device", "channel", "blob", "token", "password", "key"}
)
"""Fields that are taken out whatever the caller meant."""
LINES_PER_SECOND_MAX = 50
"""Of one event: a call that is refused costs a stranger nothing, and must not fill the disk."""


def drop_identifying(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Remove fields that could identify somebody (a structlog processor)."""
    for key in FORBIDDEN_KEYS & event.keys():
        del event[key]
    return event


class LineLimit:
    """Lets so many lines of an event pass in a second; the next one says how many were left out (a processor)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, int]] = {}

    def __call__(self, _: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        """Pass it on, or raise structlog.DropEvent."""
        name, second = str(event.get("event")), int(self._clock())
        began, count = self._seen.get(name, (second, 0))
        if began != second:
            left_out, count = max(0, count - LINES_PER_SECOND_MAX), 0
            event |= {"left_out": left_out} if left_out else {}
        self._seen[name] = (second, count + 1)
        if count >= LINES_PER_SECOND_MAX:
            raise structlog.DropEvent
        return event


def set_up(level: str = "info", to: TextIO | None = None) -> None:
    """Send logs to stdout, or `to` another stream, as JSON from now on: a traceback has no variables, which may be secrets."""
    structlog.configure(
        processors=[
            LineLimit(),  # type: ignore[list-item]  # a MutableMapping is a dict here
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_identifying,  # type: ignore[list-item]  # a MutableMapping is a dict here
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(to or sys.stdout),
    )
