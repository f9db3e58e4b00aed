"""The one family of errors that may cross a service boundary.

A `Refusal` means "I understood you and the answer is no": its code is numbered in
schemas/errors.capnp and its detail is safe to show to the caller. Every other exception is a
fault: the bus reports it as `internal` and keeps its text here.
"""

from __future__ import annotations

from qpqcore.model.codes import EXIT_CODES, RETRYABLE, ErrorCode

__all__ = ["EXIT_CODES", "RETRYABLE", "ErrorCode", "Refusal"]


class Refusal(Exception):
    """Raised when a call is answered with no."""

    def __init__(self, code: ErrorCode, detail: str = "", *, retry_after_ms: int = 0) -> None:
        super().__init__(detail or code.name.lower().replace("_", " "))
        self.code = code
        self.retry_after_ms = retry_after_ms

    @property
    def detail(self) -> str:
        """A sentence that is safe to show."""
        return str(self.args[0])

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later, unchanged."""
        return self.code in RETRYABLE
