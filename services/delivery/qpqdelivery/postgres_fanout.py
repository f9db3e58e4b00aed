"""From the outbox into mailboxes, in the order of the notes, once, whoever does it and how often it is begun (PostgreSQL).

1. A note is written in the transaction that appends to the log, and is taken out of the outbox when every mailbox has it.
2. Who puts a channel's notes into mailboxes puts all that are there, lowest first: also those of another process, which
   may be doing the same or may have died.
3. A mailbox's mark says up to which note of a channel it has all. It is moved in the transaction that fills the mailbox,
   and who moves it holds it; so of two that tell the same the second finds that it is told.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import structlog

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import Refusal
from qpqcore.model.record import record
from qpqcore.store.postgres.refusals import Again
from qpqdelivery import postgres_statements as sql
from qpqdelivery.boxes import is_box, sorted_out
from qpqdelivery.store import Arrival

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qpqcore.store.postgres.nodes import Nodes
    from qpqcore.store.postgres.pool import Connection
    from qpqdelivery.store import Bounds

log = structlog.get_logger()

ROWS_MAX = 5_000
"""Entries put into mailboxes in one transaction: some 100 ms, for which their devices' other calls wait."""
BYTES_MAX = 8 * 1024 * 1024
"""Payload of Welcomes in one transaction."""
PENDING_MAX = 2_000
"""Notes read at a time."""
MANY = 8
"""From so many mailboxes on a note is put into them by a statement of its own, which says the note once."""
LENGTH_BYTES = 2
OF_NO_CHANNEL = frozenset({EntryKind.GAP, EntryKind.PURGE})
"""Notes of these stand under a channel that is none (`qpqdelivery.boxes`): their entries name none."""


@record
class Note:
    """A reference on its way into mailboxes."""

    channel: bytes
    note: int
    kind: EntryKind
    generation: int
    epoch: int
    log_number: int
    now_ms: int
    expires_ms: int = 0
    size_bytes: int = 0
    payload: bytes | None = None
    tree_hash: bytes | None = None
    devices: tuple[bytes, ...] = ()

    def row(self) -> tuple[Any, ...]:
        """Return what stands in the outbox."""
        told = b"".join(len(device).to_bytes(LENGTH_BYTES, "big") + device for device in self.devices)
        return (
            self.channel, self.note, int(self.kind), self.generation, self.epoch, self.log_number, self.now_ms,
            self.expires_ms, self.size_bytes, self.payload, self.tree_hash, told,
        )  # fmt: skip

    @classmethod
    def of_row(cls, row: Any) -> Note:
        """Return a note that stands in the outbox."""
        channel, note, kind, generation, epoch, number, now_ms, expires_ms, size, payload, tree_hash, told = row
        return cls(
            channel=channel, note=note, kind=EntryKind(kind), generation=generation, epoch=epoch, log_number=number,
            now_ms=now_ms, expires_ms=expires_ms, size_bytes=size, payload=payload, tree_hash=tree_hash,
            devices=tuple(_devices(told)),
        )  # fmt: skip

    def entry(self, device: bytes, number: int, packed: bytes | None = None) -> tuple[Any, ...]:
        """Return what stands in a mailbox, or in a box, with its devices."""
        channel = b"" if self.kind in OF_NO_CHANNEL else self.channel
        payload = self.payload if self.payload is not None else packed
        return (
            device, number, int(self.kind), channel, self.generation, self.epoch, self.log_number, self.now_ms,
            self.expires_ms, self.size_bytes + len(packed or b""), payload, self.tree_hash,
        )  # fmt: skip


def gap(device: bytes, number: int, now_ms: int) -> tuple[Any, ...]:
    """Return the entry behind which a mailbox was cut off."""
    return device, number, int(EntryKind.GAP), b"", 0, 0, 0, now_ms, 0, 0, None, None


def _devices(told: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(told):
        end = at + LENGTH_BYTES + int.from_bytes(told[at : at + LENGTH_BYTES], "big")
        yield told[at + LENGTH_BYTES : end]
        at = end


async def write(c: Connection, notes: Sequence[Note]) -> None:
    """Write notes into the outbox."""
    if notes:
        await c.execute(sql.NOTE_ALL, *zip(*(note.row() for note in notes), strict=True))


async def pending(c: Connection, channels: Sequence[bytes]) -> list[Note]:
    """Return the channels' notes that are not in all mailboxes yet, lowest first."""
    return [Note.of_row(row) for row in await c.fetch(sql.NOTED, channels, PENDING_MAX)]


class FanOut:
    """Fills mailboxes. On the bridge."""

    def __init__(self, nodes: Nodes, bounds: Bounds) -> None:
        self._nodes = nodes
        self._bounds = bounds

    async def deliver(self, notes: Sequence[Note]) -> list[list[Arrival]]:
        """Put notes into their mailboxes, in order; return for each where it arrived (number 0: told, but not now)."""
        arrivals: list[list[Arrival]] = []
        for some in _portions(notes):
            arrivals += await self._put(some)
        return arrivals

    async def _put(self, some: Sequence[Note]) -> list[list[Arrival]]:
        """Fill mailboxes: on each node that has some of them in a transaction of its own.

        Where one of these fails all notes stay: what the others have put they will find in its mailboxes by the marks.
        """
        told = [sorted_out(note.devices, self._bounds.domain) for note in some]
        if not self._nodes.is_distributed:
            return await self._nodes.transaction(_Round(some, told, self._bounds).put)
        shares = await self._nodes.spread("mailboxes", dict.fromkeys(d for both in told for part in both for d in part))
        rounds = {
            node: _Round(some, [_within(both, set(devices)) for both in told], self._bounds).put
            for node, devices in shares.items()
        }
        done = await self._nodes.transactions(rounds)
        return [[arrival for part in done for arrival in part[place]] for place in range(len(some))]

    async def try_deliver(self, before: Sequence[Note], own: Sequence[Note]) -> tuple[list[list[Arrival]], bool]:
        """Deliver what was pending and what is our own; return where our own arrived, and whether that is done.

        What is noted is durable: where mailboxes cannot be filled now nobody is refused, and a sweep does it later.
        """
        if len(before) >= PENDING_MAX:
            return [[] for _ in own], False
        try:
            arrivals = await self.deliver([*before, *own])
        except Refusal as no:
            log.warning("fan_out_waits", notes=len(before) + len(own), code=no.code.name)
            return [[] for _ in own], False
        late = [Arrival(a.device, 0) for told in arrivals[: len(before)] for a in told]
        found = arrivals[len(before) :]
        if late and found:
            found[0] = [*late, *found[0]]
        return found, True

    async def clear(self, notes: Sequence[Note]) -> None:
        """Take notes out of the outbox that all mailboxes have."""
        for node, channels in (await self._nodes.spread("outbox", dict.fromkeys(n.channel for n in notes))).items():
            places = _places([n for n in notes if n.channel in set(channels)])
            await self._nodes.single_on(node, lambda c, places=places: c.execute(sql.CLEAR, *places))  # type: ignore[misc]  # the loop's value

    async def try_clear(self, notes: Sequence[Note]) -> bool:
        """Clear, or leave it to the sweep."""
        try:
            await self.clear(notes)
        except Refusal:
            return False
        return True

    async def drain(self, channel: bytes) -> list[bytes]:
        """Deliver all that is pending of a channel; return the devices reached."""
        woken: list[bytes] = []
        while notes := await self._nodes.single(lambda c: pending(c, [channel]), at=("outbox", channel)):
            woken += [a.device for told in await self.deliver(notes) for a in told]
            await self.clear(notes)
        return woken


def _within(
    both: tuple[Sequence[bytes], dict[bytes, bytes]], chosen: set[bytes]
) -> tuple[list[bytes], dict[bytes, bytes]]:
    here, away = both
    return [d for d in here if d in chosen], {box: packed for box, packed in away.items() if box in chosen}


def _places(notes: Sequence[Note]) -> tuple[list[bytes], list[int]]:
    return [n.channel for n in notes], [n.note for n in notes]


async def clear_within(c: Connection, notes: Sequence[Note]) -> None:
    """Take notes out of the outbox, in a transaction that does more."""
    if notes:
        await c.execute(sql.CLEAR, *_places(notes))


def _portions(notes: Sequence[Note]) -> Iterator[Sequence[Note]]:
    """Cut notes into transactions."""
    some: list[Note] = []
    rows = size = 0
    for note in notes:
        weight, payload = len(note.devices) + 1, len(note.payload or b"")
        if some and (rows + weight > ROWS_MAX or size + payload > BYTES_MAX):
            yield some
            some, rows, size = [], 0, 0
        some.append(note)
        rows, size = rows + weight, size + payload
    if some:
        yield some


class _Round:
    """One transaction's worth of notes, with the devices and the boxes that get each."""

    def __init__(
        self, notes: Sequence[Note], told: Sequence[tuple[Sequence[bytes], dict[bytes, bytes]]], bounds: Bounds
    ) -> None:
        self._notes = notes
        self._bounds = bounds
        self._told = [[*here, *away] for here, away in told]
        """For each note the mailboxes and boxes that get it."""
        self._packed = {(place, box): packed for place, (_, away) in enumerate(told) for box, packed in away.items()}

    async def put(self, c: Connection) -> list[list[Arrival]]:
        """Mark, number, write; anew each time, for a transaction is run again after a deadlock."""
        self._wanted: defaultdict[bytes, list[int]] = defaultdict(list)
        """For each device the places of the notes that it does not have yet."""
        self._arrivals: list[list[Arrival]] = [[] for _ in self._notes]
        self._rows: list[tuple[Any, ...]] = []
        self._numbers: defaultdict[int, list[tuple[bytes, int]]] = defaultdict(list)
        """For each note's place the devices that simply get it, with its number there."""
        await self._mark(c)
        for device, load in (await self._advance(c)).items():
            await self._place(c, device, load)
        await self._write(c)
        return self._arrivals

    async def _mark(self, c: Connection) -> None:
        """Move the marks; find out what each device lacks."""
        due: dict[tuple[bytes, bytes], int] = {}
        for place, note in enumerate(self._notes):
            for device in self._told[place]:
                due[device, note.channel] = note.note
        pairs = sorted(due)
        rows = await c.fetch(sql.MARK, [p[0] for p in pairs], [p[1] for p in pairs], [due[p] for p in pairs])
        if len(rows) < len(pairs):
            raise Again  # their shard was being moved at this moment
        had = {(row[0], row[1]): row[2] for row in rows}
        for place, note in enumerate(self._notes):
            for device in self._told[place]:
                if note.note > had[device, note.channel]:
                    self._wanted[device].append(place)
                else:
                    self._arrivals[place].append(Arrival(device, 0))

    async def _advance(self, c: Connection) -> dict[bytes, tuple[int, int, int]]:
        """Move the mailboxes on; return what each held before: its last number, entries, bytes."""
        devices = sorted(self._wanted)
        if not devices:
            return {}
        for box in filter(is_box, devices):
            await c.execute(sql.OPEN_MAILBOX, box, b"", self._notes[0].now_ms)
        sizes = [sum(self._size(place, d) for place in self._wanted[d]) for d in devices]
        rows = await c.fetch(sql.ADVANCE, devices, [len(self._wanted[d]) for d in devices], sizes)
        loads = {row[0]: (row[1], row[2], row[3]) for row in rows}
        without = [d for d in devices if d not in loads]
        if without:
            if await c.fetch(sql.HAVE_MAILBOX, without):
                raise Again  # it was being moved, or opened, at this moment
            await c.execute(sql.UNMARK, without)
        return loads

    def _size(self, place: int, device: bytes) -> int:
        return self._notes[place].size_bytes + len(self._packed.get((place, device), b""))

    def _is_too_full(self, device: bytes, entries: int, size: int) -> bool:
        b = self._bounds
        if is_box(device):
            return entries > b.box_entries_max or size > b.box_bytes_max
        return entries > b.mailbox_entries_max or size > b.mailbox_bytes_max

    async def _place(self, c: Connection, device: bytes, load: tuple[int, int, int]) -> None:
        """Number what a device gets; one whose mailbox gets too full is cut off behind `gap`."""
        places = self._wanted[device]
        last, entries, size = load
        size_after = size + sum(self._size(place, device) for place in places)
        if self._is_too_full(device, entries + len(places), size_after):
            await self._overflow(c, device, load)
            return
        for number, place in enumerate(places, start=last + 1):
            if is_box(device):
                self._rows.append(self._notes[place].entry(device, number, self._packed.get((place, device))))
                self._arrivals[place].append(Arrival(device, 0))
                continue
            self._numbers[place].append((device, number))
            self._arrivals[place].append(Arrival(device, number))

    async def _overflow(self, c: Connection, device: bytes, load: tuple[int, int, int]) -> None:
        """Fill a mailbox one entry after another: each that is too much empties it."""
        last, entries, size = load
        rows: list[tuple[Any, ...]] = []
        numbers: dict[int, int] = {}
        is_emptied = False
        for place in self._wanted[device]:
            note = self._notes[place]
            last, entries, size = last + 1, entries + 1, size + self._size(place, device)
            numbers[place] = last
            if self._is_too_full(device, entries, size):
                last, entries, size, is_emptied = last + 1, 1, 0, True
                rows = [gap(device, last, note.now_ms)]
                numbers = dict.fromkeys(numbers, 0)
            else:
                rows.append(note.entry(device, last, self._packed.get((place, device))))
        if is_emptied:
            self._bounds.tally.cut_offs += 1
            await c.execute(sql.EMPTY, device)
        await c.execute(sql.SET_LOAD, device, last, entries, size)
        self._rows += rows
        for place, number in numbers.items():
            self._arrivals[place].append(Arrival(device, number))

    async def _write(self, c: Connection) -> None:
        for place, told in sorted(self._numbers.items()):
            note = self._notes[place]
            if len(told) < MANY:
                self._rows += [note.entry(device, number) for device, number in told]
            else:
                common = note.entry(b"", 0)[2:]
                await c.execute(sql.PUT_ONE_TO_MANY, [d for d, _ in told], [n for _, n in told], *common)
        if self._rows:
            await c.execute(sql.PUT, *zip(*self._rows, strict=True))


async def cut_off(c: Connection, device: bytes, now_ms: int) -> bool:
    """Empty a mailbox and leave one `gap` entry; False if there is none."""
    last = await c.fetchval(sql.HOLD_MAILBOX, device)
    if last is None:
        return False
    await c.execute(sql.EMPTY, device)
    await c.execute(sql.SET_LOAD, device, last + 1, 1, 0)
    await c.execute(sql.PUT, *([value] for value in gap(device, last + 1, now_ms)))
    return True
