"""Who is told of a message: decisions over a channel's leaves. docs/spec/delivery.md#messages.

A roster stands still: it is of one generation at one epoch, and every change of leaves begins another epoch.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqdelivery.store import Message

LEAVES_MAX = 200_000
"""Leaves kept in memory, some 200 bytes each; of more, the channels unused for longest are read again."""


class Leaf(NamedTuple):
    """A device's place in the tree, and when it had it."""

    device: bytes
    added_epoch: int
    removed_epoch: int | None


class Roster:
    """The leaves of a channel's generation at an epoch."""

    def __init__(self, generation: int, epoch: int, leaves: Iterable[Leaf]) -> None:
        self.generation = generation
        self.epoch = epoch
        self.leaves = tuple(leaves)
        self._members = {leaf.device for leaf in self.leaves if leaf.removed_epoch is None}
        self._audiences: dict[int, dict[bytes, None]] = {}

    def audience(self, epoch: int) -> dict[bytes, None]:
        """Return, in order, the devices that are members and were at an epoch; one that rejoined since was one too."""
        found = self._audiences.get(epoch)
        if found is None:
            found = self._audiences[epoch] = {
                leaf.device: None
                for leaf in self.leaves
                if leaf.added_epoch <= epoch
                and (leaf.removed_epoch is None or (leaf.removed_epoch > epoch and leaf.device in self._members))
            }
        return found

    def check(self, m: Message, past_epochs: int) -> None:
        """Refuse a message whose sender may not send it now. Refusal(notMember), Refusal(staleEpoch)."""
        in_time = m.generation == self.generation and self.epoch - past_epochs <= m.epoch <= self.epoch
        audience = self.audience(m.epoch) if in_time else {}
        if m.device and m.device not in audience:
            if m.device not in self._members:
                raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
            if in_time:
                raise Refusal(ErrorCode.STALE_EPOCH, "this device was not a member at that epoch: encrypt anew")
        if not in_time:
            raise Refusal(ErrorCode.STALE_EPOCH, "the group has moved on: encrypt anew")
        if self._leaf_is_gone(m):
            raise Refusal(ErrorCode.STALE_EPOCH, "this leaf is not in the group any more: encrypt anew")

    def _leaf_is_gone(self, m: Message) -> bool:
        """Tell whether the leaf that a message is from has left the tree since its epoch: receivers would refuse it.

        Its device may have come back by another leaf. A sealed sender may be any member of that epoch.
        """
        if m.epoch == self.epoch:
            return False
        return any(
            leaf.added_epoch <= m.epoch and leaf.removed_epoch is not None and leaf.removed_epoch > m.epoch
            for leaf in self.leaves
            if not m.device or leaf.device == m.device
        )


class Rosters:
    """Rosters in memory, by channel; whether one still holds is told by what the channel's head says."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[bytes, Roster]] = OrderedDict()
        self._leaves = 0

    def find(self, channel: bytes, generation: int, epoch: int, birth_hash: bytes) -> Roster | None:
        """Return a roster if it is of this very epoch."""
        kept = self._kept.get(channel)
        if kept is None or kept[0] != birth_hash or (kept[1].generation, kept[1].epoch) != (generation, epoch):
            return None
        self._kept.move_to_end(channel)
        return kept[1]

    def keep(self, channel: bytes, birth_hash: bytes, roster: Roster) -> None:
        """Keep a roster; the longest unused go."""
        self._drop(channel)
        self._kept[channel] = (birth_hash, roster)
        self._leaves += len(roster.leaves)
        while self._leaves > LEAVES_MAX and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, channel: bytes) -> None:
        gone = self._kept.pop(channel, None)
        if gone is not None:
            self._leaves -= len(gone[1].leaves)
