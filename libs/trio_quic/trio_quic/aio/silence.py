"""Whether the peer is still there, by the same rules as the native engine's `silence.rs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from trio_quic.configuration import Limits

    from .floods import Seen
    from .peer import Peer

Step = Literal["ping", "give up"]
MILLISECOND_US: Final = 1_000
SILENT: Final = "no answer"
"""What a silent peer is told, should it live after all."""


class Watch:
    """One connection's watch over its peer: what is due, and the alarm that is set."""

    def __init__(self, limits: Limits, now_us: int) -> None:
        self._limits = limits
        self._heard, self._heard_at_us = 0, now_us
        self._unanswered = 0
        self._owed_since_us: int | None = None
        """None: since the datagrams that leave next."""
        self._pinged_at_us: int | None = None
        """The last ping of this silence."""
        self.armed_us: int | None = None
        """The alarm that is set; others that come up are stale."""

    def hear(self, seen: Seen, now_us: int) -> None:
        """After datagrams: acknowledgements and stream frames are signs of life."""
        heard = seen.answers + seen.streams
        if heard != self._heard:
            self._heard, self._heard_at_us, self._pinged_at_us = heard, now_us, None

    def _owe(self) -> None:
        if not self._unanswered and self._pinged_at_us is None:
            self._owed_since_us = None

    def called(self) -> None:
        """A call was opened; its time is that of the datagrams that leave next, since calls come without one."""
        self._owe()
        self._unanswered += 1

    def answered(self) -> None:
        """Its answer has begun, or is not wanted any more."""
        self._unanswered -= 1

    def pinged(self, now_us: int) -> None:
        """A ping is sent."""
        self._owe()
        self._pinged_at_us = now_us

    def _next(self, now_us: int) -> tuple[int, Step] | None:
        """What comes next and when, if nothing is heard until then."""
        limits = self._limits
        if self._owed_since_us is None:
            self._owed_since_us = now_us
        silent_since_us = max(self._heard_at_us, self._owed_since_us)
        probe_us = limits.probe_ms * MILLISECOND_US
        steps: list[tuple[int, Step]] = []
        if self._pinged_at_us is not None:
            if limits.silence_ms:
                steps.append((silent_since_us + limits.silence_ms * MILLISECOND_US, "give up"))
            if probe_us:
                steps.append((self._pinged_at_us + probe_us, "ping"))
        else:
            if limits.keepalive_ms:
                steps.append((self._heard_at_us + limits.keepalive_ms * MILLISECOND_US, "ping"))
            if probe_us and self._unanswered:
                steps.append((silent_since_us + probe_us, "ping"))
        return min(steps, default=None)

    def arm(self, now_us: int) -> int | None:
        """When to set an alarm for, unless one is set that comes first: the later one is found when that has come."""
        found = self._next(now_us)
        if found is None or (self.armed_us is not None and self.armed_us <= found[0]):
            return None
        self.armed_us = found[0]
        return found[0]

    def due(self, at_us: int, now_us: int) -> Step | None:
        """What to do at an alarm that has come."""
        if self.armed_us != at_us:
            return None
        self.armed_us = None
        found = self._next(now_us)
        return found[1] if found is not None and found[0] <= now_us else None


def silence_due(peer: Peer, at_us: int, now_us: int) -> None:
    """Does what is due at an alarm of the peer's watch."""
    step = None if peer.over else peer.watch.due(at_us, now_us)
    if step == "ping":
        peer.watch.pinged(now_us)
        peer.connection.send_ping(0)
    elif step == "give up":
        peer.connection.close(reason_phrase=SILENT)
        peer.end("idle", 0, SILENT)
