"""A channel as a few lists: who was in from when to when, what lies in whose mailbox, what a call is answered with.

It is what docs/spec/delivery.md says, without MLS and without a database; members are any hashable values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

P = TypeVar("P", bound="Hashable")


@dataclass
class Stay:
    """A leaf's time: from the epoch it was added to the epoch that it was not in any more."""

    begin: int
    end: int | None = None

    def holds(self, epoch: int) -> bool:
        """Tell whether the leaf was in the tree at an epoch."""
        return self.begin <= epoch and (self.end is None or epoch < self.end)


class ChannelModel(Generic[P]):
    """One channel and its people's mailboxes."""

    def __init__(self, people: Sequence[P], past_epochs: int) -> None:
        self.past_epochs = past_epochs
        self.generation = self.epoch = self.log = 0
        self.stays: dict[P, list[Stay]] = {p: [] for p in people}
        self.boxes: dict[P, list[tuple[int, EntryKind, int]]] = {p: [] for p in people}
        """(number, kind, number in the log) of each entry."""
        self.last = dict.fromkeys(people, 0)
        self.closed: set[P] = set()
        """Whose mailbox is gone."""
        self.ratchets: dict[tuple[int, int, P], int] = {}
        """How far each has come, by generation and epoch."""
        self.payloads: dict[object, int] = {}
        """The log number of each payload that was taken."""
        self.proposed: list[P] = []
        """Whose leaving waits for a commit."""

    # --- who is in

    @property
    def members(self) -> list[P]:
        """Who is in now."""
        return [p for p, stays in self.stays.items() if stays and stays[-1].end is None]

    def was_in(self, person: P, epoch: int) -> bool:
        """Tell whether a leaf of a person was in the tree at an epoch."""
        return any(stay.holds(epoch) for stay in self.stays[person])

    def _leaf_gone(self, person: P, epoch: int) -> bool:
        return any(stay.holds(epoch) and stay.end is not None for stay in self.stays[person])

    # --- mailboxes

    def put(self, person: P, kind: EntryKind) -> None:
        """Append an entry to a mailbox, for what the log's last number says."""
        if person in self.closed:
            return
        self.last[person] += 1
        self.boxes[person].append((self.last[person], kind, self.log))

    def ack(self, person: P, up_to: int) -> None:
        """Drop what has been acknowledged."""
        self.boxes[person] = [entry for entry in self.boxes[person] if entry[0] > up_to]

    def close(self, person: P) -> None:
        """Drop a mailbox."""
        self.closed.add(person)
        self.boxes[person] = []

    # --- handshakes

    def begin(self, creator: P, others: Iterable[P]) -> None:
        """Begin a generation with its first commit; those of the one before who are not in it are told."""
        before = set(self.members)
        self.generation, self.epoch, self.proposed = self.generation + 1, 0, []
        self.stays = {p: [] for p in self.stays}
        self.stays[creator] = [Stay(0)]
        self.change(add=others)
        for person in sorted(before - set(self.members), key=repr):
            self.put(person, EntryKind.RESET)

    def change(self, *, add: Iterable[P] = (), remove: Iterable[P] = (), payload: object = None) -> None:
        """Take a commit: everybody who was in gets it, who is added gets a Welcome."""
        self._append(payload)
        for person in self.members:
            self.put(person, EntryKind.COMMIT)
        self._end(remove)
        for person in add:
            self.stays[person].append(Stay(self.epoch))
            self.put(person, EntryKind.WELCOME)

    def rejoin(self, person: P, payload: object = None) -> None:
        """Take an external commit: a person's leaf is replaced, and there is no Welcome."""
        self._append(payload)
        for each in self.members:
            self.put(each, EntryKind.COMMIT)
        if person not in self.members:
            self.put(person, EntryKind.COMMIT)
        self._end([person] if person in self.members else [])
        self.stays[person].append(Stay(self.epoch))

    def propose(self, person: P, payload: object = None) -> None:
        """Take a proposal to leave."""
        self._append(payload)
        self.proposed.append(person)
        for each in self.members:
            self.put(each, EntryKind.PROPOSAL)

    def _append(self, payload: object) -> None:
        self.log += 1
        if payload is not None:
            self.payloads[payload] = self.log

    def _end(self, people: Iterable[P]) -> None:
        self.epoch += 1
        self.proposed = []
        for person in people:
            self.stays[person][-1].end = self.epoch

    # --- messages

    def say(
        self, sender: P, epoch: int, *, generation: int | None = None, payload: object = None, ratchet: int = 0
    ) -> ErrorCode:
        """Take a message or refuse it; return the answer's code."""
        if payload is not None and payload in self.payloads:
            return ErrorCode.OK
        audience = [p for p in self.members if self.was_in(p, epoch)]
        if sender not in self.members:
            return ErrorCode.NOT_MEMBER
        stale = generation not in {None, self.generation} or not self.epoch - self.past_epochs <= epoch <= self.epoch
        if stale or sender not in audience or self._leaf_gone(sender, epoch):
            return ErrorCode.STALE_EPOCH
        place = (self.generation, epoch, sender)
        if 0 < ratchet <= self.ratchets.get(place, 0):
            return ErrorCode.RATCHET_USED
        self.ratchets[place] = max(ratchet, self.ratchets.get(place, 0))
        self._append(payload)
        for person in audience:
            if person != sender:
                self.put(person, EntryKind.MESSAGE)
        return ErrorCode.OK
