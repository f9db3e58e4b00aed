"""The outbox of large groups on SQLCipher: what is in the log and not in all mailboxes yet.

1. Up to `Bounds.told_at_once_max` members are told in the transaction that appends to the log. Of a larger group a note is
   written there, and the mailboxes are filled afterwards, some hundred in a transaction: neither does a sender wait for a
   thousand of them, nor do others who write. What has come meanwhile is put into a mailbox together.
2. A channel's notes are worked off in their order, and while one is left all that its log gets is noted: a mailbox gets a
   channel's entries in the order of the log.
3. Who is told follows from the leaves, which keep when they came and went. What goes into single mailboxes before others (a
   commit's author, Welcomes), or takes leaves away, works off first what is noted.
4. That nothing is noted is remembered once the transaction that found it so is durable: one that is undone brings notes back.
5. A step moves a note's mark in the transaction that fills the mailboxes: each has it once, whenever the process dies.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from qpqcore.api.delivery import EntryKind
from qpqcore.model.ids import RANDOM_BYTES
from qpqdelivery.boxes import sorted_out
from qpqdelivery.sqlite_fanout import Reference, put_all, put_in_box
from qpqdelivery.store import Arrival, Filled

if TYPE_CHECKING:
    from qpqcore.store.connection import Connection
    from qpqcore.store.database import Database
    from qpqdelivery.store import Bounds

COPIES_MAX = 256
"""Mailbox entries in one step: some 5 ms, in which nobody else writes."""
NOTES_AT_ONCE = 16
"""Put into a mailbox together: the more, the fewer pages are written for each, and the fewer mailboxes a step does."""
NOTES_MAX = 64
"""That wait in a channel; who adds another then puts as many entries into mailboxes as it adds, and waits for that."""
AUDIENCE = (
    "SELECT DISTINCT device FROM leaves WHERE channel = :channel AND generation = :generation AND added_epoch <= :epoch "
    "AND (removed_epoch IS NULL OR removed_epoch > :as_of OR removed_epoch > :epoch AND device IN "
    "(SELECT device FROM leaves WHERE channel = :channel AND generation = :generation AND added_epoch <= :as_of "
    "AND (removed_epoch IS NULL OR removed_epoch > :as_of)))"
)
"""The devices that were members at `epoch` and, by the same leaf or a later one, when the channel was in `as_of`."""
IS_IN_AUDIENCE = f"SELECT 1 FROM ({AUDIENCE} AND device = :device)"  # noqa: S608 - fixed text
FIRST_OF_AUDIENCE = f"{AUDIENCE} ORDER BY device LIMIT :limit + 0"
NEXT_OF_AUDIENCE = (
    f"{AUDIENCE} AND device > :told AND (:domain = x'' OR substr(device, {RANDOM_BYTES + 1}) = :domain) "
    "ORDER BY device LIMIT :limit + 0"
)
ELSEWHERE = f"{AUDIENCE} AND substr(device, {RANDOM_BYTES + 1}) <> :domain AND device <> :but ORDER BY device"
COLUMNS = "note, kind, channel, generation, epoch, as_of, log_number, now_ms, expires_ms, bytes, but, told"


class Note(NamedTuple):
    """A row of the outbox."""

    note: int
    kind: int
    channel: bytes
    generation: int
    epoch: int
    as_of: int
    log_number: int
    now_ms: int
    expires_ms: int
    size_bytes: int
    but: bytes
    told: bytes

    @property
    def stand(self) -> tuple[int, int, int, bytes]:
        """Whom it is for, and how far it is: notes that are equal in this are put into a mailbox together."""
        return self.generation, self.epoch, self.as_of, self.told

    @property
    def reference(self) -> Reference:
        """Return what a mailbox entry says."""
        return Reference(
            kind=EntryKind(self.kind), channel=self.channel, generation=self.generation, epoch=self.epoch,
            log_number=self.log_number, now_ms=self.now_ms, expires_ms=self.expires_ms, size_bytes=self.size_bytes,
        )  # fmt: skip

    def values(self, bounds: Bounds, **more: Any) -> dict[str, Any]:
        """Return the values of the statements above."""
        return {
            "channel": self.channel, "generation": self.generation, "epoch": self.epoch, "as_of": self.as_of,
            "told": self.told, "but": self.but, "domain": bounds.domain.encode(), **more,
        }  # fmt: skip


def waits(c: Connection, bounds: Bounds, channel: bytes) -> bool:
    """Tell whether something of a channel is noted."""
    if not bounds.tally.notes_wait:
        return False
    return c.execute("SELECT 1 FROM outbox WHERE channel = ? LIMIT 1", (channel,)).fetchone() is not None


def note(c: Connection, bounds: Bounds, ref: Reference, as_of: int, but: bytes) -> list[Arrival]:
    """Note what the log has, for all members but `but`; return what had to be told first, since too much waits."""
    reached = _make_room(c, bounds, ref)
    c.execute(
        "INSERT INTO outbox (kind, channel, generation, epoch, as_of, log_number, now_ms, expires_ms, bytes, but, told) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, x'')",
        (
            int(ref.kind), ref.channel, ref.generation, ref.epoch, as_of, ref.log_number, ref.now_ms, ref.expires_ms,
            ref.size_bytes, but,
        ),
    )  # fmt: skip
    bounds.tally.noted += 1
    return reached


def _make_room(c: Connection, bounds: Bounds, ref: Reference) -> list[Arrival]:
    (waiting,) = c.execute("SELECT count(*) FROM outbox WHERE channel = ?", (ref.channel,)).fetchone()
    if waiting < NOTES_MAX:
        return []
    (owed,) = c.execute(
        "SELECT count(*) FROM leaves WHERE channel = ? AND generation = ? AND removed_epoch IS NULL",
        (ref.channel, ref.generation),
    ).fetchone()
    reached: list[Arrival] = []
    while len(reached) < owed and (filled := step(c, bounds, ref.channel)) is not None:
        reached += _later(filled)
    return reached


def work_off(c: Connection, bounds: Bounds, channel: bytes) -> list[Arrival]:
    """Put all that is noted of a channel into its mailboxes now."""
    if not waits(c, bounds, channel):
        return []
    reached: list[Arrival] = []
    while (filled := step(c, bounds, channel)) is not None:
        reached += _later(filled)
    return reached


def _later(filled: list[Filled]) -> list[Arrival]:
    """Return whom to wake for what is told together with something else: they look what it is."""
    return [Arrival(a.device, 0) for f in filled for a in f.arrivals]


async def fill(database: Database, bounds: Bounds) -> list[Filled] | None:
    """Do a step in a transaction of its own, and remember when nothing was noted any more."""
    tally, noted = bounds.tally, 0

    def body(c: Connection) -> list[Filled] | None:
        nonlocal noted
        noted = tally.noted
        return step(c, bounds)

    filled = await database.write(body)
    if filled is None:  # and that is durable: what worked off the rest in the same transaction is not undone any more
        tally.filled = noted
    return filled


def step(c: Connection, bounds: Bounds, channel: bytes = b"") -> list[Filled] | None:
    """Put the oldest notes, or a channel's, into the next mailboxes; None when there is no note."""
    if not channel:
        row = c.execute("SELECT channel FROM outbox ORDER BY note LIMIT 1").fetchone()
        if row is None:
            return None
        channel = row[0]
    rows = c.execute(
        f"SELECT {COLUMNS} FROM outbox WHERE channel = ? ORDER BY note LIMIT ? + 0",  # noqa: S608 - fixed text
        (channel, NOTES_AT_ONCE),
    )
    found = [Note(*row) for row in rows]
    if not found:
        return None
    notes = list(takewhile(lambda n: n.stand == found[0].stand, found))
    reached: list[list[Arrival]] = [[] for _ in notes]
    if not found[0].told and bounds.domain:
        _tell_elsewhere(c, bounds, notes, reached)
    _tell_here(c, bounds, notes, reached)
    return [Filled(n.channel, n.log_number, arrivals) for n, arrivals in zip(notes, reached, strict=True)]


def _tell_elsewhere(c: Connection, bounds: Bounds, notes: list[Note], reached: list[list[Arrival]]) -> None:
    for n, arrivals in zip(notes, reached, strict=True):
        devices = [row[0] for row in c.execute(ELSEWHERE, n.values(bounds))]
        for box, packed in sorted_out(devices, bounds.domain)[1].items():
            arrivals.append(put_in_box(c, bounds, box, packed, n.reference))


def _tell_here(c: Connection, bounds: Bounds, notes: list[Note], reached: list[list[Arrival]]) -> None:
    limit = max(1, COPIES_MAX // len(notes))
    devices = [row[0] for row in c.execute(NEXT_OF_AUDIENCE, notes[0].values(bounds, limit=limit))]
    shares: dict[tuple[int, ...], list[bytes]] = {}
    for device in devices:
        shares.setdefault(tuple(i for i, n in enumerate(notes) if n.but != device), []).append(device)
    for share, some in shares.items():
        if share:
            for i, arrivals in zip(share, put_all(c, bounds, some, [notes[i].reference for i in share]), strict=True):
                reached[i] += arrivals
    these = (notes[0].channel, notes[0].note, notes[-1].note)
    if len(devices) < limit:
        c.execute("DELETE FROM outbox WHERE channel = ? AND note BETWEEN ? AND ?", these)
    else:
        c.execute("UPDATE outbox SET told = ? WHERE channel = ? AND note BETWEEN ? AND ?", (devices[-1], *these))
