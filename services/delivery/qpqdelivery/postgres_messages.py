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
from qpqcore.store.postgres.limits import NODES_MAX
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
    from qpqcore.store.postgres.shards import Address
    from qpqdelivery.postgres_fanout import FanOut
    from qpqdelivery.store import Bounds, Message

FLUSHERS = 2
"""While one waits for the disk the other's batch is worked on."""
FLUSHERS_MAX = FLUSHERS * (NODES_MAX + 1)
"""A node that is left keeps its own; past this many those of the coordinator serve."""


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


class Ratchets:
    """How far a batch's senders have come in their epochs' ratchets."""

    def __init__(self, stored: dict[tuple[bytes, int, int, bytes], int]) -> None:
        self._numbers = stored
        self._moved: set[tuple[bytes, int, int, bytes]] = set()

    @classmethod
    async def read(cls, c: Connection, messages: Sequence[Message]) -> Ratchets:
        """Return those of the messages that say where they stand."""
        places = {_place(m) for m in messages if m.device and m.ratchet}
        rows = await c.fetch(sql.RATCHETS, *map(list, zip(*sorted(places), strict=True))) if places else ()
        return cls({(row[0], row[1], row[2], row[3]): row[4] for row in rows})

    def advance(self, m: Message) -> None:
        """Move on with a message. Refusal(ratchetUsed) for a device of which this is an older copy."""
        if not m.device or not m.ratchet:
            return
        place = _place(m)
        if m.ratchet <= self._numbers.get(place, 0):
            raise Refusal(ErrorCode.RATCHET_USED, "this device has sent as far already: its state is an older copy")
        self._numbers[place] = m.ratchet
        self._moved.add(place)

    async def write(self, c: Connection) -> None:
        """Store what has moved."""
        if self._moved:
            rows = [(*place, self._numbers[place]) for place in sorted(self._moved)]
            await c.execute(sql.ADVANCE_RATCHETS, *map(list, zip(*rows, strict=True)))


def _place(m: Message) -> tuple[bytes, int, int, bytes]:
    return m.channel, m.generation, m.epoch, m.device


class Flusher:
    """Takes batches of messages, one at a time. On the bridge.

    On Citus each node has flushers of its own: a node that is slow, or away, holds nobody up whose channels lie elsewhere.
    """

    def __init__(
        self, database: Postgres, bounds: Bounds, fan_out: FanOut, rosters: Rosters, node: Address | None
    ) -> None:
        self._nodes = database.nodes
        self._node = node
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

        taken = await self._nodes.transaction_on(self._node, body)
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
        found, ratchets = await _found(c, messages), await Ratchets.read(c, messages)
        taken = Taken(await fanout.pending(c, channels))
        accepted: list[tuple[Message, int]] = []
        for place, m in enumerate(messages):
            answer = self._decide(m, heads.get(m.channel), rosters, found, ratchets)
            taken.answers.append(answer)
            if isinstance(answer, Accepted) and not answer.duplicate:
                found[m.channel, m.hash] = Accepted(answer.log_number, m.now_ms, m.epoch, duplicate=True)
                accepted.append((m, answer.log_number))
                taken.notes.append(_note(m, heads[m.channel], rosters[m.channel]))
                taken.places.append(place)
        await _write(c, accepted, taken.notes)
        await ratchets.write(c)
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
        self, m: Message, head: Head | None, rosters: dict[bytes, Roster], found: dict[tuple[bytes, bytes], Accepted],
        ratchets: Ratchets,
    ) -> Accepted | Refusal:  # fmt: skip
        if head is None:
            return Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
        earlier = found.get((m.channel, m.hash))
        if earlier is not None:
            return earlier
        try:
            rosters[m.channel].check(m, self._bounds.past_epochs)
            ratchets.advance(m)
        except Refusal as no:
            return no
        head.taken += 1
        head.number += 1
        head.noted += 1
        return Accepted(head.number, m.now_ms, m.epoch, duplicate=False)


class Flushers:
    """FLUSHERS for each node; a channel goes by one of its node's. On the bridge.

    While a channel moves to another node two may have it for a moment, as two processes may: the head's row keeps the order.
    """

    def __init__(self, database: Postgres, bounds: Bounds, fan_out: FanOut) -> None:
        self._nodes = database.nodes
        self._parts = database, bounds, fan_out, Rosters()
        self._made: dict[tuple[Address | None, int], Flusher] = {}

    def _of(self, node: Address | None, shard: int) -> Flusher:
        if (node, shard) not in self._made:
            if node is not None and len(self._made) >= FLUSHERS_MAX:
                return self._of(None, shard)
            self._made[node, shard] = Flusher(*self._parts, node)
        return self._made[node, shard]

    async def take(self, shard: int, share: Sequence[Message]) -> list[tuple[Accepted, list[Arrival]] | Refusal]:
        """Take messages of one share (`shard_of`); those of one channel in one transaction."""
        if not self._nodes.is_distributed:
            return await self._of(None, shard).batches.add(share)
        answers: dict[int, tuple[Accepted, list[Arrival]] | Refusal] = {}
        owners = await self._nodes.spread("heads", dict.fromkeys(m.channel for m in share))
        for node, channels in owners.items():
            here = set(channels)
            places = [place for place, m in enumerate(share) if m.channel in here]
            taken = await self._of(node, shard).batches.add([share[place] for place in places])
            answers |= zip(places, taken, strict=True)
        return [answers[place] for place in range(len(share))]


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
        log_number=head.number, now_ms=m.now_ms, expires_ms=m.expires_ms, size_bytes=len(m.payload),
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
