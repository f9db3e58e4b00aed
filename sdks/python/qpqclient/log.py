"""The SDK's log: Python's own `logging` under the name `qpqclient`, as a library should.

Nothing is printed until the application asks for it: standard output is the application's.
"""

from __future__ import annotations

import logging

_logger = logging.getLogger("qpqclient")
_logger.addHandler(logging.NullHandler())


class Log:
    """One event name and facts; never a name, an address or a text of anybody's."""

    def debug(self, event: str, **facts: object) -> None:
        """Write what only a developer wants to see."""
        self._write(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Write what happened."""
        self._write(logging.INFO, event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Write what somebody should look at."""
        self._write(logging.WARNING, event, facts)

    @staticmethod
    def _write(level: int, event: str, facts: dict[str, object]) -> None:
        if _logger.isEnabledFor(level):
            _logger.log(level, " ".join([event, *(f"{name}={value!r}" for name, value in facts.items())]))


log = Log()
