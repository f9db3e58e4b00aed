"""The SDK's log: Python's own `logging` under the name `qpqclient`, as a library should.

Nothing is printed until the application asks for it: standard output is the application's.
"""

from __future__ import annotations

import logging

import structlog

_logger = logging.getLogger("qpqclient")
_logger.addHandler(logging.NullHandler())

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    _logger,
    processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer(key_order=["event"])],
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
