"""What rules read: a history, sorted; and what they say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from tests.oracle import history as h

if TYPE_CHECKING:
    from collections.abc import Sequence

K = TypeVar("K")

Epoch = tuple[bytes, int, int]
"""Channel, generation, epoch."""
TIMER_SLACK_MS = 5_000
"""How exactly a device knows the server's clock, by which messages vanish."""
SETTLING_S = 1.0
"""A device that is cut off may be served for so long (docs/operate/guarantees.md)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise."""

    rule: str
    what: str


@dataclass(slots=True)
class Facts:
    """A history, sorted for the rules."""

    noted: Sequence[Any]
    by_kind: dict[type, list[Any]] = field(default_factory=lambda: defaultdict(list))
    members: dict[Epoch, frozenset[str]] = field(default_factory=dict)
    epochs_at: dict[tuple[bytes, int], list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """(channel, generation) -> (log number, the epoch that begins there), in order."""
    cut_off: frozenset[str] = frozenset()
    """Devices that somebody asked to cut off: nothing is owed to them."""
    surely_out: frozenset[str] = frozenset()
    """Those of them of which the server said that it is done."""
    restored: frozenset[str] = frozenset()
    taken: frozenset[tuple[str, bytes, int]] = frozenset()
    """Device, channel, log number: messages that were handed over."""
    was_in: frozenset[tuple[str, bytes, int, int]] = frozenset()
    """Device, channel, generation, epoch: what a device entered."""
    behind_gaps: dict[str, int] = field(default_factory=dict)
    """Device -> where in the history it came to its last `gap`."""
    active: frozenset[str] = frozenset()
    now_ms: int = 0

    @classmethod
    def of(cls, noted: Sequence[Any]) -> Facts:
        """Sort a history."""
        facts = cls(noted)
        for value in noted:
            facts.by_kind[type(value)].append(value)
        for e in facts.all(h.Entered):
            facts.members.setdefault((e.channel, e.generation, e.epoch), frozenset(e.members))
        places = {(t.channel, t.generation, t.epoch, t.log_number) for t in facts.all(h.Took) if t.kind == "COMMIT"}
        places |= {(c.channel, c.generation, c.epoch, c.log_number) for c in facts.all(h.Committed)}
        for channel, generation, epoch, number in sorted(places, key=lambda p: p[3]):
            facts.epochs_at[channel, generation].append((number, epoch + 1))
        facts.cut_off = frozenset(d for c in facts.all(h.CutOff) for d in c.devices)
        facts.surely_out = frozenset(d for c in facts.all(h.CutOff) if isfinite(c.answered_s) for d in c.devices)
        facts.restored = frozenset(r.device for r in facts.all(h.Restored))
        took = facts.all(h.Took)
        facts.taken = frozenset((t.device, t.channel, t.log_number) for t in took if t.kind == "MESSAGE")
        facts.was_in = frozenset((e.device, e.channel, e.generation, e.epoch) for e in facts.all(h.Entered))
        facts.behind_gaps = {t.device: i for i, t in enumerate(noted) if isinstance(t, h.Took) and t.kind == "GAP"}
        for end in facts.all(h.Finished):
            facts.now_ms, facts.active = end.now_ms, frozenset(end.active)
        return facts

    def all(self, kind: type[K]) -> list[K]:
        """Return all values of a kind."""
        return self.by_kind[kind]

    def owed(self, message: h.Answered) -> frozenset[str]:
        """Return the devices that a message is for; empty when no device told who was in its epoch."""
        then = self.members.get((message.channel, message.generation, message.epoch), frozenset())
        epoch = message.epoch
        for number, begun in self.epochs_at[message.channel, message.generation]:
            if number < message.log_number:
                epoch = max(epoch, begun)
        return then & self.members.get((message.channel, message.generation, epoch), then)

    def read(self, device: str, message: h.Answered) -> bool:
        """Tell whether a message was handed to a device that was in its epoch: not one cut off before, whose leaf was there."""
        was_in = (device, message.channel, message.generation, message.epoch) in self.was_in
        return was_in and (device, message.channel, message.log_number) in self.taken

    def behind_gap(self, device: str, message: h.Answered) -> bool:
        """Tell whether a message may have been cut off with a full mailbox: not handed over, and of before the rejoining."""
        at = self.behind_gaps.get(device)
        if at is None or self.read(device, message):
            return False
        for later in self.noted[at:]:
            if isinstance(later, h.Committed) and (later.device, later.channel) == (device, message.channel):
                return (message.generation, message.epoch) <= (later.generation, later.epoch)
        return True

    def expired(self, message: h.Answered, queued: h.Queued | None, slack_ms: int = 0) -> bool:
        """Tell whether a message has vanished `slack_ms` ago."""
        after_s = queued.expires_after_s if queued else 0
        return bool(after_s) and message.accepted_ms + after_s * 1000 + slack_ms <= self.now_ms


def short(ident: bytes) -> str:
    """Return the beginning of an id, for a finding."""
    return ident[:4].hex()
