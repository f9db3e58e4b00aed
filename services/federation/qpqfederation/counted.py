"""What an operator sees of federation, peer by peer (docs/operate/monitoring.md)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qpqcore.model.errors import ErrorCode
from qpqcore.obs.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qpqcore.api.delivery import Box
    from qpqcore.obs.metrics import Reading

PEERS_SHOWN_MAX = 200
"""Each is a series of each metric; those of more peers are counted together, as `others`."""
OTHERS = "others"


class Counted:
    """Counts calls to and from other domains, and what waits for them."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._out: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._in: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._seconds: dict[str, Histogram] = {}
        self._boxes: Sequence[Box] = ()
        self.up: Callable[[], Mapping[str, bool]] = dict

    def _shown(self, peer: str) -> str:
        if peer not in self._seconds:
            if len(self._seconds) >= PEERS_SHOWN_MAX:
                peer = OTHERS
            self._seconds.setdefault(peer, Histogram())
        return peer

    def called(self, peer: str, code: ErrorCode, seconds: float) -> None:
        """Count a call to a peer."""
        peer = self._shown(peer)
        self._out[peer] += 1
        self._failed[peer] += code is ErrorCode.UNAVAILABLE
        self._seconds[peer].observe(seconds)

    def answered(self, peer: str, code: ErrorCode) -> None:
        """Count a call of a peer; one that has not said who it is counts as nobody's."""
        peer = self._shown(peer) if peer else "unknown"
        self._in[peer] += 1
        self._refused[peer] += code is not ErrorCode.OK

    def delivered(self, peer: str, entries: int) -> None:
        """Count what a peer has taken."""
        self._delivered[self._shown(peer)] += entries

    def taken(self, peer: str, entries: int) -> None:
        """Count what a peer has brought."""
        self._taken[self._shown(peer)] += entries

    def note_boxes(self, boxes: Sequence[Box]) -> None:
        """Note how full the boxes are."""
        self._boxes = boxes[:PEERS_SHOWN_MAX]

    def readings(self) -> list[Reading]:
        """Return everything as `qpqcore.obs.metrics` reads it."""
        now_ms = self._clock_ms()
        ages = {b.domain: max(0, now_ms - b.oldest_ms) / 1000 if b.oldest_ms else 0.0 for b in self._boxes}
        return [
            ("qpq_federation_up", "Whether there is a connection to a peer.", "peer", dict(list(self.up().items())[:PEERS_SHOWN_MAX])),
            ("qpq_federation_calls_total", "Calls to a peer.", "peer", dict(self._out)),
            ("qpq_federation_unreachable_total", "Calls to a peer that could not be made.", "peer", dict(self._failed)),
            ("qpq_federation_call_seconds", "Time a peer takes to answer.", "peer", dict(self._seconds)),
            ("qpq_federation_answered_total", "Calls of a peer.", "peer", dict(self._in)),
            ("qpq_federation_refused_total", "Calls of a peer that were refused.", "peer", dict(self._refused)),
            ("qpq_federation_delivered_total", "Entries that a peer has taken.", "peer", dict(self._delivered)),
            ("qpq_federation_taken_total", "Entries that a peer has brought.", "peer", dict(self._taken)),
            ("qpq_federation_box_entries", "Entries that wait for a peer.", "peer", {b.domain: b.entries for b in self._boxes}),
            ("qpq_federation_box_bytes", "Payload that waits for a peer.", "peer", {b.domain: b.held_bytes for b in self._boxes}),
            ("qpq_federation_box_oldest_seconds", "Age of the oldest of them.", "peer", ages),
        ]  # fmt: skip
