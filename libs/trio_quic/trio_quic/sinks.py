"""What an endpoint tells the owner of a stream: each kind of stream takes the events that concern it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import ConnectionClosed
    from .events import ViolationName


class StreamSink:
    """Takes a stream's events; all but `on_closed` default to nothing."""

    __slots__ = ()

    def on_frame(self, frame: bytes, fin: bool) -> None:
        """A whole frame; `fin`: the last."""

    def on_violation(self, violation: ViolationName) -> None:
        """A frame that will not come."""

    def on_fin(self) -> None:
        """The stream ended between two frames."""

    def on_readable(self) -> None:
        """A raw stream has something."""

    def on_writable(self) -> None:
        """The stream takes bytes again."""

    def on_reset(self, code: int) -> None:
        """The peer gave up its sending half."""

    def on_stopped(self, code: int) -> None:
        """The peer will read no more."""

    def on_closed(self, closed: ConnectionClosed) -> None:
        """The connection is over."""
        raise NotImplementedError
