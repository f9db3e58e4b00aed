"""Traces, as those see them who are traced: the span that the present task is in, and steps within it.

Nothing here knows OpenTelemetry (`qpqcore.obs.otel` does, and is imported only where traces are wanted). A span names a
method and its outcome, never a person or a queue; and no span follows a message past its mailbox, so that no trace joins
who sent to who received.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Span(Protocol):
    """Something that takes time, within a trace that is kept."""

    @property
    def traceparent(self) -> str:
        """Itself as the parent of others (W3C Trace Context §3.2)."""

    def begin(self, name: str) -> Span:
        """Begin a step within it."""

    def note(self, name: str, value: str) -> None:
        """Note something about it."""

    def end(self) -> None:
        """It is over."""


class Tracer(Protocol):
    """Decides what is traced."""

    def begin(self, name: str, traceparent: str) -> Span | None:
        """Begin a client's call, or leave it out: by lot. Whether the client asks for it counts nothing."""

    def follow(self, name: str, traceparent: str) -> Span | None:
        """Go on with another process's trace, where that one keeps it."""


CURRENT: ContextVar[Span | None] = ContextVar("qpq_span", default=None)
"""Where the present task is; None, and 50 ns to find out, wherever nothing is traced."""


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """Be in a span while the block runs, and end it."""
    if span is None:
        yield
        return
    token = CURRENT.set(span)
    try:
        yield
    except BaseException as exc:
        span.note("error.type", type(exc).__name__)
        raise
    finally:
        CURRENT.reset(token)
        span.end()


def step(name: str) -> Span | None:
    """Begin a step within the present span, for `within`; None where there is none."""
    parent = CURRENT.get()
    return None if parent is None else parent.begin(name)


def not_kept(traceparent: str) -> str:
    """Return a trace context that asks nobody to keep it: what the edge left out, nobody behind it keeps."""
    return traceparent[:-2] + "00" if traceparent else ""
