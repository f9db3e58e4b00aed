"""JSON logs on stdout: one event name and key-values, never anything that names a person or a queue."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

FORBIDDEN_KEYS = frozenset(
    {"name", "username", "address", "ip", "account", "device", "channel", "blob", "token", "password", "key"}
)
"""Fields that are taken out whatever the caller meant."""


def drop_identifying(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Remove fields that could identify somebody (a structlog processor)."""
    for key in FORBIDDEN_KEYS & event.keys():
        del event[key]
    return event


def set_up(level: str = "info") -> None:
    """Send logs to stdout as JSON from now on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_identifying,  # type: ignore[list-item]  # a MutableMapping is a dict here
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
