"""Messages into logs by group commit: what arrives during a flush forms the next batch (PostgreSQL).

A channel's messages always go by the same flusher, so two flushers never want the same channel. Each flush is two
transactions: into the logs, with notes; from the notes into mailboxes. What it has done it takes out of the outbox with
the next one, or at once if nobody waits.
"""

from __future__ import annotations

import zlib
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.postgres.refusals import Again
from qpqdelivery import postgres_fanout as fanout
from qpqdelivery import postgres_statements as sql
from qpqdelivery.postgres_fanout import Note
from qpqdelivery.rosters import Leaf, Roster, Rosters
from qpqdelivery.store import Accepted, Arrival

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.store.postgres.bridge import Postgres
    from qpqcore.store.postgres.pool import Connection
    from qpqdelivery.postgres_fanout import FanOut
    from qpqdelivery.store import Bounds, Message

FLUSHERS = 2
"""While one waits for the disk the other's batch is worked on."""


class Head:
    """A channel as a batch holds it; `number` and `noted` move on with what is taken."""

    def __init__(self, row: Any) -> None:
        self.channel, self.number, self.noted, self.generation, self.epoch, self.birth_hash = row
        self.taken = 0


class Taken:
    """What became of a batch's messages, and what mailboxes have yet to be told."""

    def __init__(self, pending: list[Note]) -> None:
        self.answers: list[Accepted | Refusal] = []
        self.pending = pending
        self.notes: list[Note] = []
        self.places: list[int] = []
        """Which message each note is of."""


class Flusher:
    """Takes batches of messages, one at a time. On the bridge."""

    def __init__(self, database: Postgres, bounds: Bounds, fan_out: FanOut, rosters: Rosters) -> None:
        self._pool = database.pool
        self._bounds = bounds
        self._fan_out = fan_out
        self._rosters = rosters
        self._done: list[Note] = []
        """In all mailboxes, and in the outbox still."""
        self.batches = database.batches(self._flush, _weight, self._clear)

    async def _clear(self) -> None:
        if self._done and await self._fan_out.try_clear(self._done):
            self._done = []

    async def _flush(self, calls: list[Sequence[Message]]) -> list[list[tuple[Accepted, list[Arrival]] | Refusal]]:
        messages = [message for call in calls for message in call]
        done = self._done

        async def body(c: Connection) -> Taken:
            return await self._append(c, messages, done)

        taken = await self._pool.transaction(body)
        self._done = []
        arrivals, is_done = await self._fan_out.try_deliver(taken.pending, taken.notes)
        if is_done:
            self._done = [*taken.pending, *taken.notes]
        arrived = dict(zip(taken.places, arrivals, strict=True))
        answers = [_answer(answer, arrived.get(place, [])) for place, answer in enumerate(taken.answers)]
        left = iter(answers)
        return [list(islice(left, len(call))) for call in calls]

    async def _append(self, c: Connection, messages: Sequence[Message], done: Sequence[Note]) -> Taken:
        """Take what may be taken, in the order in which it came."""
        counts = Counter(m.channel for m in messages)
        channels = sorted(counts)
        heads = {row[0]: Head(row) for row in await c.fetch(sql.HOLD_HEADS, channels, [counts[x] for x in channels])}
        without = [channel for channel in channels if channel not in heads]
        if without and await c.fetch(sql.HAVE_HEADS, without):
            raise Again  # it was being moved at this moment
        await fanout.clear_within(c, done)
        rosters = await self._read_rosters(c, list(heads.values()))
        found = await _found(c, messages)
        taken = Taken(await fanout.pending(c, channels))
        accepted: list[tuple[Message, int]] = []
        for place, m in enumerate(messages):
            answer = self._decide(m, heads.get(m.channel), rosters, found)
            taken.answers.append(answer)
            if isinstance(answer, Accepted) and not answer.duplicate:
                found[m.channel, m.hash] = Accepted(answer.log_number, m.now_ms, m.epoch, duplicate=True)
                accepted.append((m, answer.log_number))
                taken.notes.append(_note(m, heads[m.channel], rosters[m.channel]))
                taken.places.append(place)
        await _write(c, accepted, taken.notes)
        spare = [(x, counts[x] - head.taken) for x, head in heads.items() if head.taken < counts[x]]
        if spare:
            await c.execute(sql.TRIM_HEADS, *map(list, zip(*spare, strict=True)))
        return taken

    async def _read_rosters(self, c: Connection, heads: Sequence[Head]) -> dict[bytes, Roster]:
        kept = {h.channel: self._rosters.find(h.channel, h.generation, h.epoch, h.birth_hash) for h in heads}
        lacking = [h for h in heads if kept[h.channel] is None]
        rosters = {channel: roster for channel, roster in kept.items() if roster is not None}
        if not lacking:
            return rosters
        leaves: dict[bytes, list[Leaf]] = {h.channel: [] for h in lacking}
        for channel, *leaf in await c.fetch(sql.LEAVES, [h.channel for h in lacking], [h.generation for h in lacking]):
            leaves[channel].append(Leaf(*leaf))
        for h in lacking:
            rosters[h.channel] = Roster(h.generation, h.epoch, leaves[h.channel])
            self._rosters.keep(h.channel, h.birth_hash, rosters[h.channel])
        return rosters

    def _decide(
        self, m: Message, head: Head | None, rosters: dict[bytes, Roster], found: dict[tuple[bytes, bytes], Accepted]
    ) -> Accepted | Refusal:
        if head is None:
            return Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
        earlier = found.get((m.channel, m.hash))
        if earlier is not None:
            return earlier
        try:
            rosters[m.channel].check(m, self._bounds.past_epochs)
        except Refusal as no:
            return no
        head.taken += 1
        head.number += 1
        head.noted += 1
        return Accepted(head.number, m.now_ms, m.epoch, duplicate=False)


def shard_of(channel: bytes) -> int:
    """Return which flusher takes a channel's messages."""
    return zlib.crc32(channel) % FLUSHERS


def _weight(call: Sequence[Message]) -> int:
    return sum(len(message.payload) for message in call)


def _answer(answer: Accepted | Refusal, arrivals: list[Arrival]) -> tuple[Accepted, list[Arrival]] | Refusal:
    return answer if isinstance(answer, Refusal) else (answer, arrivals)


def _note(m: Message, head: Head, roster: Roster) -> Note:
    return Note(
        channel=m.channel, note=head.noted, kind=EntryKind.MESSAGE, generation=m.generation, epoch=m.epoch,
        log_number=head.number, now_ms=m.now_ms, expires_ms=m.expires_ms, size_bytes=len(m.payload), sender=m.device,
        devices=tuple(device for device in roster.audience(m.epoch) if device != m.device),
    )  # fmt: skip


async def _found(c: Connection, messages: Sequence[Message]) -> dict[tuple[bytes, bytes], Accepted]:
    rows = await c.fetch(sql.FOUND_ALL, [m.channel for m in messages], [m.hash for m in messages])
    return {(row[0], row[1]): Accepted(row[2], row[3], row[4], duplicate=True) for row in rows}


async def _write(c: Connection, accepted: Sequence[tuple[Message, int]], notes: Sequence[Note]) -> None:
    if not accepted:
        return
    rows = [
        (m.channel, number, m.generation, m.epoch, m.hash, m.payload, m.now_ms, m.expires_ms) for m, number in accepted
    ]
    await c.execute(sql.APPEND_ALL, *zip(*rows, strict=True))
    await fanout.write(c, notes)
