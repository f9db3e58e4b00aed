"""The store on PostgreSQL; handshakes are in `postgres_channels`, messages in `postgres_messages`, mailboxes' filling in
`postgres_fanout`, what is over in `postgres_sweeps`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from qpqcore.api.delivery import EntryKind
from qpqdelivery import postgres_channels as channels
from qpqdelivery import postgres_log as log
from qpqdelivery import postgres_statements as sql
from qpqdelivery.guests import IN_LOG
from qpqdelivery.postgres_fanout import FanOut
from qpqdelivery.postgres_guests import PostgresGuests
from qpqdelivery.postgres_messages import Flushers, shard_of
from qpqdelivery.postgres_sweeps import Sweeps
from qpqdelivery.store import (
    Accepted,
    Arrival,
    Backlog,
    Birth,
    Bounds,
    Channel,
    Commit,
    Entry,
    Mailbox,
    Member,
    Message,
    Offer,
    Stored,
    Weighed,
    weighed,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qpqcore.model.errors import Refusal
    from qpqcore.store.postgres.bridge import Postgres
    from qpqcore.store.postgres.pool import Connection
    from qpqcore.store.postgres.shards import Place
    from qpqdelivery.store import Filled

ERASED_TABLES = ("mailboxes", "entries", "marks", "ratchets")
BOX_COLUMNS = 6


class PostgresStore(PostgresGuests):
    """Implements `qpqdelivery.store.Store`."""

    def __init__(self, database: Postgres, bounds: Bounds) -> None:
        self._db = self.database = database
        self._bounds = bounds
        self.tally = bounds.tally
        self._fan_out = FanOut(database.nodes, bounds)
        self._sweeps = Sweeps(database.nodes, self._fan_out, bounds.domain)
        self._flushers = Flushers(database, bounds, self._fan_out)

    @property
    def away(self) -> str:
        """Why the database could not be reached the last time; empty while all is well."""
        return self._db.away

    # --- channels

    async def channel(self, channel: bytes) -> Channel | None:
        return await self._db.read(lambda c: channels.find(c, channel), at=("channels", channel))

    async def tree(self, channel: bytes, tree_hash: bytes) -> bytes | None:
        tree: bytes | None = await self._value(("trees", channel), sql.TREE, channel, tree_hash)
        return tree

    async def members(self, channel: bytes, generation: int) -> list[Member]:
        return await self._db.read(lambda c: channels.members(c, channel, generation), at=("leaves", channel))

    async def is_member(self, channel: bytes, generation: int, device: bytes) -> bool:
        return await self._value(("leaves", channel), sql.IS_MEMBER, channel, generation, device) is not None

    async def has_account(self, channel: bytes, generation: int, account: bytes) -> bool:
        return await self._value(("leaves", channel), sql.HAS_ACCOUNT, channel, generation, account) is not None

    async def write_key(self, channel: bytes, generation: int, epoch: int) -> bytes | None:
        key: bytes | None = await self._value(("epochs", channel), sql.WRITE_KEY, channel, generation, epoch)
        return key

    async def _value(self, at: Place, statement: str, *values: object) -> Any:
        return await self._db.read(lambda c: c.fetchval(statement, *values), at=at)

    async def proposals(self, channel: bytes) -> list[Stored]:
        rows = await self._db.read(lambda c: c.fetch(sql.PROPOSALS, channel), at=("proposals", channel))
        return [Stored(*row) for row in rows]

    async def found(self, channel: bytes, payload_hash: bytes) -> Accepted | None:
        return await self._db.read(lambda c: channels.found(c, channel, payload_hash), at=("log", channel))

    async def create(self, birth: Birth) -> tuple[Accepted, list[bytes]]:
        return await self._handshake(birth.channel, partial(channels.create, birth=birth))

    async def reset(self, birth: Birth) -> tuple[Accepted, list[bytes]]:
        return await self._handshake(birth.channel, partial(channels.reset, birth=birth))

    async def accept_commit(self, commit: Commit) -> tuple[Accepted, list[bytes]] | None:
        body = partial(channels.accept_commit, commit=commit, past_epochs=self._bounds.past_epochs)
        return await self._offered(commit.channel, body)

    async def accept_proposal(self, offer: Offer) -> tuple[Accepted, list[bytes]] | None:
        return await self._offered(offer.channel, partial(channels.accept_proposal, offer=offer))

    async def _handshake(
        self, channel: bytes, body: Callable[[Connection], Awaitable[tuple[Accepted, channels.Change | None]]]
    ) -> tuple[Accepted, list[bytes]]:
        async def work() -> tuple[Accepted, list[bytes]]:
            accepted, change = await self._db.nodes.transaction(body, at=("heads", channel))
            return accepted, await self._told(change)

        return await self._db.call(work)

    async def _offered(
        self, channel: bytes, body: Callable[[Connection], Awaitable[tuple[Accepted, channels.Change | None] | None]]
    ) -> tuple[Accepted, list[bytes]] | None:
        async def work() -> tuple[Accepted, list[bytes]] | None:
            done = await self._db.nodes.transaction(body, at=("heads", channel))
            return None if done is None else (done[0], await self._told(done[1]))

        return await self._db.call(work)

    async def _told(self, change: channels.Change | None) -> list[bytes]:
        """Fill the mailboxes that a change has noted; return the devices reached. On the bridge."""
        if change is None:
            return []
        arrivals, is_done = await self._fan_out.try_deliver(change.pending, change.notes)
        if is_done:
            await self._fan_out.try_clear([*change.pending, *change.notes])
        return [arrival.device for told in arrivals for arrival in told]

    async def channels_of(self, account: bytes, limit: int) -> list[tuple[Channel, list[Member]]]:
        async def body(c: Connection) -> list[tuple[Channel, list[Member]]]:
            states = [await channels.find(c, row[0]) for row in await c.fetch(sql.CHANNELS_OF, account, limit)]
            return [(s, await channels.members(c, s.channel, s.generation)) for s in states if s is not None]

        return await self._db.read(body)

    async def channels_with(self, device: bytes) -> list[bytes]:
        return [row[0] for row in await self._db.read(lambda c: c.fetch(sql.CHANNELS_WITH, device))]

    async def delete_channel(self, channel: bytes) -> None:
        await self._db.call(lambda: self._sweeps.drop_channel(channel))

    async def is_welcomed(self, device: bytes, channel: bytes, tree_hash: bytes) -> bool:
        return await self._value(("entries", device), sql.IS_WELCOMED, device, channel, tree_hash) is not None

    # --- messages and mailboxes

    async def enqueue(self, messages: Sequence[Message]) -> list[tuple[Accepted, list[Arrival]] | Refusal]:
        """Take messages, each accepted or refused by itself; those of one channel in one transaction, in their order.

        Where they stand is durable. Where a mailbox could not be filled at once it is later: it is noted with them.
        """
        shares: dict[int, list[int]] = {}
        for place, message in enumerate(messages):
            shares.setdefault(shard_of(message.channel), []).append(place)
        answers: dict[int, tuple[Accepted, list[Arrival]] | Refusal] = {}
        for shard, places in shares.items():
            share = [messages[place] for place in places]
            answers |= zip(places, await self._db.call(partial(self._flushers.take, shard, share)), strict=True)
        return [answers[place] for place in range(len(messages))]

    async def fetch(
        self, device: bytes, after: int, entries_max: int, *, payloads: bool, now_ms: int
    ) -> tuple[list[Entry], Mailbox] | None:
        limit = min(entries_max or self._bounds.fetch_entries_max, self._bounds.fetch_entries_max)

        room = self._bounds.fetch_bytes_max if payloads else 0
        statement = sql.PAYLOADS if payloads else sql.ARE_KEPT

        async def body(c: Connection) -> tuple[tuple[Any, list[Any]], list[log.Place]]:
            rows = await c.fetch(sql.FETCH, device, after, limit, room)
            heads = self._page([row[BOX_COLUMNS:] for row in rows if row[BOX_COLUMNS] is not None], payloads=payloads)
            in_log = any(EntryKind(h[1]) in IN_LOG for h in heads)
            return (rows[0][:BOX_COLUMNS] if rows else None, heads), [(h[2], h[5]) for h in heads] if in_log else []

        (box, heads), bodies = await self._db.look_up(lambda: log.read(self._db.nodes, device, body, statement))
        if box is None:
            return None
        account, last, acked, size, seen_ms, oldest_ms = box
        found = [_entry(h, bodies.get(p), payloads=payloads, now_ms=now_ms) for p, h in enumerate(heads, start=1)]
        return found, Mailbox(account, last, acked, size, oldest_ms or 0, seen_ms)

    def _page(self, rows: list[Any], *, payloads: bool) -> list[Any]:
        """Return as many entries as one answer holds; the first one always."""
        room, count = self._bounds.fetch_bytes_max, 0
        for row in rows:
            if payloads and count and row[-1] > room:
                break
            room -= row[-1]
            count += 1
        return rows[:count]

    async def ack(self, device: bytes, up_to: int, now_ms: int) -> int | None:
        step_ms = self._bounds.seen_step_ms

        async def body(c: Connection) -> int | None:
            position: int | None = await c.fetchval(sql.ACK, device, up_to, now_ms, step_ms)
            return position

        return await self._db.change(body, at=("mailboxes", device))

    async def note_seen(self, device: bytes, now_ms: int) -> None:
        await self._db.change(lambda c: c.execute(sql.NOTE_SEEN, device, now_ms), at=("mailboxes", device))

    async def open_mailbox(self, account: bytes, device: bytes, now_ms: int) -> None:
        place = ("mailboxes", device)
        await self._db.change(lambda c: c.execute(sql.OPEN_MAILBOX, device, account, now_ms), at=place)

    async def close_mailbox(self, device: bytes) -> None:
        """Drop a mailbox and all in it; the next sweep takes them out of the tables' pages, as far as that goes.

        See docs/operate/postgresql.md: PostgreSQL does not wipe what it frees, and its write-ahead log keeps it a while.
        """

        async def body(c: Connection) -> None:
            await c.execute(sql.UNMARK, [device])
            await c.execute(sql.DROP_MAILBOX, device)
            await c.execute(sql.EMPTY, device)

        # First what the mailbox does not lead to: who dies in between begins again with it.
        await self._db.read(lambda c: c.execute(sql.DROP_PLACES, device))
        await self._db.write(body, at=("mailboxes", device))
        self._db.owe_vacuum(*ERASED_TABLES)

    async def mailboxes_of(self, account: bytes) -> list[bytes]:
        return [row[0] for row in await self._db.read(lambda c: c.fetch(sql.MAILBOXES_OF, account))]

    # --- what is over

    async def expire(self, now_ms: int, handshakes_before_ms: int, hashes_before_ms: int) -> list[bytes]:
        late = await self._db.call(lambda: self._sweeps.late(now_ms))
        cut = await self._db.call(lambda: self._sweeps.expire(now_ms, handshakes_before_ms, hashes_before_ms))
        self._bounds.tally.cut_offs += len(cut)
        await self._db.vacuum()
        return [*late, *cut]

    async def purge(self, before_ms: int, rows_max: int) -> bool:
        return await self._db.call(lambda: self._sweeps.purge(before_ms, rows_max))

    async def weigh(self, after: bytes, limit: int) -> Weighed:
        rows = await self._db.read(lambda c: c.fetch(sql.WEIGH, after, limit))
        return weighed([(row[0], row[1], row[2], row[3]) for row in rows], limit)

    notes_wait = False
    """Each call fills mailboxes before it returns; what a process left that died a sweep fills."""

    async def fill(self) -> list[Filled] | None:
        await trio.lowlevel.checkpoint()
        return None

    async def backlog(self) -> Backlog:
        return Backlog(*await self._db.read(lambda c: c.fetchrow(sql.BACKLOG)))

    async def absent(self, seen_before_ms: int, limit: int) -> list[Member]:
        return [Member(*row) for row in await self._db.read(lambda c: c.fetch(sql.ABSENT, seen_before_ms, limit))]

    async def orphans(self, limit: int) -> list[Member]:
        return await self._db.call(lambda: self._sweeps.orphans(limit))


def _entry(head: Any, body: bytes | None, *, payloads: bool, now_ms: int) -> Entry:
    number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, payload, tree_hash, _ = head
    kind = EntryKind(kind)
    if kind in IN_LOG:
        payload = body
        if payload is None or (kind is EntryKind.MESSAGE and expires_ms <= now_ms):
            kind, payload = EntryKind.EXPIRED, b""
    return Entry(
        number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, payload if payloads else None,
        tree_hash or b"",
    )  # fmt: skip
