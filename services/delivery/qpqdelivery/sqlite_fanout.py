"""Puts references into mailboxes, within a transaction of its caller's (SQLCipher).

Each mailbox has an entry once because its number is moved in the transaction that appends to the log, or that moves the
mark of the note in the outbox (`qpqdelivery.sqlite_outbox`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.api.delivery import EntryKind
from qpqcore.model.record import record
from qpqdelivery.boxes import sorted_out
from qpqdelivery.store import Arrival

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qpqcore.store.connection import Connection
    from qpqdelivery.store import Bounds


STEPS = (1, 4, 16, 64)
"""Mailboxes in one statement; the last device is named again to fill one up, so that there are four statements in all."""
ADVANCE = {
    step: "UPDATE mailboxes SET last = last + ?, entries = entries + ?, bytes = bytes + ? "  # noqa: S608 - question marks
    f"WHERE device IN ({', '.join('?' * step)}) RETURNING device, last, entries, bytes"
    for step in STEPS
}


@record
class Reference:
    """What a mailbox entry says."""

    kind: EntryKind
    channel: bytes
    generation: int
    epoch: int
    log_number: int
    now_ms: int
    expires_ms: int = 0
    size_bytes: int = 0
    payload: bytes | None = None
    tree_hash: bytes | None = None


def deliver(c: Connection, bounds: Bounds, devices: Iterable[bytes], ref: Reference) -> list[Arrival]:
    """Append a reference to each device's mailbox; return where it stands in those that there are.

    For devices of other domains it goes once into the box of each.
    """
    told, away = sorted_out(devices, bounds.domain)
    reached = [put_in_box(c, bounds, box, packed, ref) for box, packed in away.items()]
    return reached + put_all(c, bounds, told, [ref])[0]


def put_all(c: Connection, bounds: Bounds, told: Sequence[bytes], refs: Sequence[Reference]) -> list[list[Arrival]]:
    """Append references to the mailbox of each device of this domain; return for each reference where it stands."""
    count, size = len(refs), sum(ref.size_bytes for ref in refs)
    common = [
        (
            int(ref.kind), ref.channel, ref.generation, ref.epoch, ref.log_number, ref.now_ms, ref.expires_ms,
            ref.size_bytes, ref.payload, ref.tree_hash,
        )
        for ref in refs
    ]  # fmt: skip
    reached: list[list[Arrival]] = [[] for _ in refs]
    for start in range(0, len(told), STEPS[-1]):
        some = told[start : start + STEPS[-1]]
        step = next(step for step in STEPS if step >= len(some))
        values = (count, count, size, *some, *[some[-1]] * (step - len(some)))
        rows = c.execute(ADVANCE[step], values).fetchall()
        c.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(device, last - count + i, *said) for device, last, _, _ in rows for i, said in enumerate(common, 1)],
        )
        for device, last, entries, held in rows:
            is_full = entries > bounds.mailbox_entries_max or held > bounds.mailbox_bytes_max
            if is_full:
                bounds.tally.cut_offs += 1
                cut_off(c, device, refs[-1].now_ms)
            for i, arrivals in enumerate(reached, 1):
                arrivals.append(Arrival(device, 0 if is_full else last - count + i))
    return reached


def put_in_box(c: Connection, bounds: Bounds, box: bytes, packed: bytes, ref: Reference) -> Arrival:
    """Append a reference to another domain's box, with its devices (`qpqdelivery.boxes`); one that is full is emptied."""
    c.execute("INSERT OR IGNORE INTO mailboxes VALUES (?, x'', 0, 0, 0, 0, ?)", (box, ref.now_ms))
    payload = packed if ref.payload is None else ref.payload
    size = ref.size_bytes + len(packed)
    number, entries, held = c.execute(
        "UPDATE mailboxes SET last = last + 1, entries = entries + 1, bytes = bytes + ? WHERE device = ? "
        "RETURNING last, entries, bytes",
        (size, box),
    ).fetchone()
    c.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            box, number, int(ref.kind), ref.channel, ref.generation, ref.epoch, ref.log_number, ref.now_ms,
            ref.expires_ms, size, payload, ref.tree_hash,
        ),
    )  # fmt: skip
    if entries > bounds.box_entries_max or held > bounds.box_bytes_max:
        bounds.tally.cut_offs += 1
        cut_off(c, box, ref.now_ms)
    return Arrival(box, 0)


def cut_off(c: Connection, device: bytes, now_ms: int) -> None:
    """Empty a mailbox and leave one `gap` entry: the sender never learns, the device rejoins."""
    number = c.execute(
        "UPDATE mailboxes SET last = last + 1, entries = 1, bytes = 0 WHERE device = ? RETURNING last", (device,)
    ).fetchone()[0]
    c.execute("DELETE FROM entries WHERE device = ?", (device,))
    c.execute(
        "INSERT INTO entries VALUES (?, ?, ?, x'', 0, 0, 0, ?, 0, 0, NULL, NULL)",
        (device, number, int(EntryKind.GAP), now_ms),
    )
