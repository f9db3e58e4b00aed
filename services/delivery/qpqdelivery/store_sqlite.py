"""The store on SQLCipher; handshakes and messages are in `sqlite_channels`, mailboxes' filling in `sqlite_fanout`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import Refusal
from qpqdelivery import sqlite_channels as channels
from qpqdelivery import sqlite_outbox as outbox
from qpqdelivery.guests import IN_LOG
from qpqdelivery.sqlite_fanout import cut_off
from qpqdelivery.sqlite_guests import SqliteGuests
from qpqdelivery.store import (
    Accepted,
    Arrival,
    Backlog,
    Birth,
    Bounds,
    Channel,
    Commit,
    Entry,
    Filled,
    Mailbox,
    Member,
    Message,
    Offer,
    Stored,
    Weighed,
    weighed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.store.connection import Connection
    from qpqcore.store.database import Database

SWEEP_ROWS_MAX = 500
LASTING_MS = 29 * 24 * 3600 * 1000
"""What lives shorter is under a timer: without one it is 30 days (docs/spec/delivery.md)."""
PRUNED_TABLES = ("channels", "log_heads", "epochs", "leaves", "ratchets", "proposals")


class SqliteStore(SqliteGuests):
    """Implements `qpqdelivery.store.Store`."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self._db = self.database = database
        self._bounds = bounds
        self.tally = bounds.tally
        self._purged_to = 0
        """Row of the log up to which the present round of `purge` has looked."""
        self._brief_went = False
        """Whether all have read, since the last look, what is under a timer."""

    # --- channels

    async def channel(self, channel: bytes) -> Channel | None:
        return await self._db.read(lambda c: channels.find(c, channel))

    async def tree(self, channel: bytes, tree_hash: bytes) -> bytes | None:
        def body(c: Connection) -> bytes | None:
            row = c.execute(
                "SELECT tree FROM trees WHERE channel = ? AND tree_hash = ?", (channel, tree_hash)
            ).fetchone()
            return row[0] if row else None

        return await self._db.read(body)

    async def members(self, channel: bytes, generation: int) -> list[Member]:
        return await self._db.read(lambda c: channels.members(c, channel, generation))

    async def is_member(self, channel: bytes, generation: int, device: bytes) -> bool:
        return await self._leaf(channel, generation, "device", device)

    async def has_account(self, channel: bytes, generation: int, account: bytes) -> bool:
        return await self._leaf(channel, generation, "account", account)

    async def _leaf(self, channel: bytes, generation: int, column: str, value: bytes) -> bool:
        return await self._db.read(
            lambda c: (
                c.execute(
                    f"SELECT 1 FROM leaves WHERE channel = ? AND generation = ? AND {column} = ? AND removed_epoch IS NULL LIMIT 1",  # noqa: S608 - fixed texts
                    (channel, generation, value),
                ).fetchone()
                is not None
            )
        )

    async def write_key(self, channel: bytes, generation: int, epoch: int) -> bytes | None:
        def body(c: Connection) -> bytes | None:
            row = c.execute(
                "SELECT write_key FROM epochs WHERE channel = ? AND generation = ? AND epoch = ?",
                (channel, generation, epoch),
            ).fetchone()
            return row[0] if row else None

        return await self._db.read(body)

    async def proposals(self, channel: bytes) -> list[Stored]:
        return await self._db.read(
            lambda c: [
                Stored(reference, target, bool(by_server), payload)
                for reference, target, by_server, payload in c.execute(
                    "SELECT reference, target, by_server, payload FROM proposals WHERE channel = ? ORDER BY log_number",
                    (channel,),
                )
            ]
        )

    async def found(self, channel: bytes, payload_hash: bytes) -> Accepted | None:
        return await self._db.read(lambda c: channels.found(c, channel, payload_hash))

    async def create(self, birth: Birth) -> tuple[Accepted, list[bytes]]:
        return await self._db.write(lambda c: channels.create(c, self._bounds, birth))

    async def reset(self, birth: Birth) -> tuple[Accepted, list[bytes]]:
        return await self._db.write(lambda c: channels.reset(c, self._bounds, birth))

    async def accept_commit(self, commit: Commit) -> tuple[Accepted, list[bytes]] | None:
        return await self._db.write(lambda c: channels.accept_commit(c, self._bounds, commit))

    async def accept_proposal(self, offer: Offer) -> tuple[Accepted, list[bytes]] | None:
        return await self._db.write(lambda c: channels.accept_proposal(c, self._bounds, offer))

    async def channels_of(self, account: bytes, limit: int) -> list[tuple[Channel, list[Member]]]:
        def body(c: Connection) -> list[tuple[Channel, list[Member]]]:
            rows = c.execute(
                "SELECT DISTINCT channel FROM leaves WHERE account = ? AND removed_epoch IS NULL ORDER BY channel LIMIT ? + 0",
                (account, limit),
            ).fetchall()
            states = [channels.find(c, channel) for (channel,) in rows]
            return [(s, channels.members(c, s.channel, s.generation)) for s in states if s is not None]

        return await self._db.read(body)

    async def channels_with(self, device: bytes) -> list[bytes]:
        return await self._db.read(
            lambda c: [
                row[0]
                for row in c.execute(
                    "SELECT DISTINCT channel FROM leaves WHERE device = ? AND removed_epoch IS NULL ORDER BY channel",
                    (device,),
                )
            ]
        )

    async def delete_channel(self, channel: bytes) -> None:
        def body(c: Connection) -> None:
            outbox.work_off(c, self._bounds, channel)
            for table in PRUNED_TABLES:
                c.execute(f"DELETE FROM {table} WHERE channel = ?", (channel,))  # noqa: S608 - fixed texts
            # What still lies in somebody's mailbox was acknowledged: it stays until it is fetched (`expire`).
            c.execute(
                "DELETE FROM trees WHERE channel = ?1 AND tree_hash NOT IN "
                "(SELECT tree_hash FROM entries WHERE channel = ?1 AND tree_hash IS NOT NULL)",
                (channel,),
            )
            c.execute(
                "DELETE FROM log WHERE channel = ?1 AND number NOT IN (SELECT log_number FROM entries WHERE channel = ?1)",
                (channel,),
            )

        await self._db.write(body)

    async def is_welcomed(self, device: bytes, channel: bytes, tree_hash: bytes) -> bool:
        def body(c: Connection) -> bool:
            row = c.execute(
                "SELECT 1 FROM entries WHERE device = ? AND channel = ? AND tree_hash = ? LIMIT 1",
                (device, channel, tree_hash),
            ).fetchone()
            return row is not None

        return await self._db.read(body)

    # --- messages and mailboxes

    async def enqueue(self, messages: Sequence[Message]) -> list[tuple[Accepted, list[Arrival]] | Refusal]:
        def body(c: Connection) -> list[tuple[Accepted, list[Arrival]] | Refusal]:
            answers: list[tuple[Accepted, list[Arrival]] | Refusal] = []
            for message in messages:
                try:
                    answers.append(channels.accept_message(c, self._bounds, message))
                except Refusal as no:
                    answers.append(no)
            return answers

        return await self._db.write(body)

    async def fetch(
        self, device: bytes, after: int, entries_max: int, *, payloads: bool, now_ms: int
    ) -> tuple[list[Entry], Mailbox] | None:
        return await self._db.read(
            lambda c: self._fetch(c, device, after, entries_max, payloads=payloads, now_ms=now_ms)
        )

    def _fetch(
        self, c: Connection, device: bytes, after: int, entries_max: int, *, payloads: bool, now_ms: int
    ) -> tuple[list[Entry], Mailbox] | None:
        box = c.execute(
            "SELECT account, last, acked, bytes, seen_ms FROM mailboxes WHERE device = ?", (device,)
        ).fetchone()
        if box is None:
            return None
        limit = min(entries_max or self._bounds.fetch_entries_max, self._bounds.fetch_entries_max)
        rows = c.execute(
            "SELECT number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, payload, tree_hash, bytes "
            "FROM entries WHERE device = ? AND number > ? ORDER BY number LIMIT ? + 0",
            (device, max(after, box[2]), limit),
        ).fetchall()
        found: list[Entry] = []
        room = self._bounds.fetch_bytes_max
        for *head, payload, tree_hash, size in rows:
            if payloads and found and size > room:
                break
            room -= size
            found.append(self._entry(c, head, payload, tree_hash, payloads=payloads, now_ms=now_ms))
        oldest = c.execute("SELECT min(accepted_ms) FROM entries WHERE device = ?", (device,)).fetchone()[0]
        account, last, acked, size, seen_ms = box
        return found, Mailbox(account, last, acked, size, oldest or 0, seen_ms)

    @staticmethod
    def _entry(
        c: Connection, head: list[int], payload: bytes | None, tree_hash: bytes | None, *, payloads: bool, now_ms: int
    ) -> Entry:
        number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms = head
        kind = EntryKind(kind)
        if kind in IN_LOG:
            row = c.execute(
                "SELECT payload FROM log WHERE channel = ? AND number = ?", (channel, log_number)
            ).fetchone()
            payload = row[0] if row else None
            if payload is None or (kind is EntryKind.MESSAGE and expires_ms <= now_ms):
                kind, payload = EntryKind.EXPIRED, b""
        return Entry(
            number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms,  # type: ignore[arg-type]  # a row's columns
            payload if payloads else None, tree_hash or b"",
        )  # fmt: skip

    async def ack(self, device: bytes, up_to: int, now_ms: int) -> int | None:
        def body(c: Connection) -> int | None:
            box = c.execute("SELECT last, acked, seen_ms FROM mailboxes WHERE device = ?", (device,)).fetchone()
            if box is None:
                return None
            position = max(box[1], min(up_to, box[0]))
            gone = c.execute(
                "DELETE FROM entries WHERE device = ? AND number <= ? RETURNING bytes", (device, position)
            ).fetchall()
            c.execute(
                "UPDATE mailboxes SET acked = ?, entries = entries - ?, bytes = bytes - ? WHERE device = ?",
                (position, len(gone), sum(row[0] for row in gone), device),
            )
            if (
                now_ms - box[2] > self._bounds.seen_step_ms
            ):  # it stands in an index: once in a while, not with each call
                c.execute("UPDATE mailboxes SET seen_ms = ? WHERE device = ?", (now_ms, device))
            return int(position)

        return await self._db.write(body)

    async def note_seen(self, device: bytes, now_ms: int) -> None:
        await self._db.write(
            lambda c: c.execute("UPDATE mailboxes SET seen_ms = ? WHERE device = ?", (now_ms, device)).rowcount
        )

    async def open_mailbox(self, account: bytes, device: bytes, now_ms: int) -> None:
        await self._db.write(
            lambda c: (
                c.execute(
                    "INSERT OR IGNORE INTO mailboxes VALUES (?, ?, 0, 0, 0, 0, ?)", (device, account, now_ms)
                ).rowcount
            )
        )

    async def close_mailbox(self, device: bytes) -> None:
        def body(c: Connection) -> None:
            c.execute("DELETE FROM entries WHERE device = ?", (device,))
            c.execute("DELETE FROM mailboxes WHERE device = ?", (device,))
            c.execute("DELETE FROM ratchets WHERE device = ?", (device,))

        await self._db.write(body)
        await self._db.erase()

    async def mailboxes_of(self, account: bytes) -> list[bytes]:
        return await self._db.read(
            lambda c: [r[0] for r in c.execute("SELECT device FROM mailboxes WHERE account = ?", (account,))]
        )

    # --- what is over

    async def expire(self, now_ms: int, handshakes_before_ms: int, hashes_before_ms: int) -> list[bytes]:
        def body(c: Connection) -> tuple[list[bytes], int]:
            gone = c.execute(
                "UPDATE log SET payload = NULL WHERE (channel, number) IN (SELECT channel, number FROM log "
                "WHERE payload IS NOT NULL AND kind = 0 AND expires_ms <= ? LIMIT ? + 0)",
                (now_ms, SWEEP_ROWS_MAX),
            ).rowcount
            c.execute(
                "DELETE FROM log WHERE (channel, number) IN (SELECT channel, number FROM log WHERE payload IS NULL "
                "AND accepted_ms < ? AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.channel = log.channel "
                "AND e.log_number = log.number) AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.channel = log.channel "
                "AND o.log_number = log.number) LIMIT ? + 0)",
                (hashes_before_ms, SWEEP_ROWS_MAX),
            )
            c.execute(
                "DELETE FROM trees WHERE used_ms < ? AND tree_hash <> "
                "coalesce((SELECT tree_hash FROM channels WHERE channels.channel = trees.channel), x'')",
                (handshakes_before_ms,),
            )
            late = [
                row[0]
                for row in c.execute(
                    # Said by name: to find different devices, SQLite would go through all entries in their order.
                    "SELECT DISTINCT device FROM (SELECT device FROM entries INDEXED BY entries_of_handshakes "
                    "WHERE kind IN (1, 2, 3) AND accepted_ms < ? LIMIT ? + 0)",
                    (handshakes_before_ms, SWEEP_ROWS_MAX),
                )
            ]
            self._bounds.tally.cut_offs += len(late)
            for device in late:
                cut_off(c, device, now_ms)
            return late, gone

        late, gone = await self._db.write(body)
        went, self._brief_went = gone > 0 or self._brief_went, False
        await self._db.erase_in_time(now_ms, gone=went)
        return late

    async def purge(self, before_ms: int, rows_max: int) -> bool:
        def body(c: Connection) -> tuple[int, int, bool]:
            last, count = c.execute(
                "SELECT coalesce(max(rowid), 0), count(*) FROM (SELECT rowid FROM log WHERE rowid > ? ORDER BY rowid LIMIT ? + 0)",
                (self._purged_to, rows_max),
            ).fetchone()
            lives = c.execute(
                "UPDATE log SET payload = NULL WHERE rowid > ? AND rowid <= ? AND payload IS NOT NULL AND accepted_ms < ? "
                "AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.channel = log.channel AND e.log_number = log.number) "
                "AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.channel = log.channel AND o.log_number = log.number) "
                "RETURNING expires_ms - accepted_ms",
                (self._purged_to, last, before_ms),
            ).fetchall()
            return last, count, any(0 < life_ms < LASTING_MS for (life_ms,) in lives)

        last, count, brief = await self._db.write(body)
        self._brief_went = self._brief_went or brief
        self._purged_to = last if count == rows_max else 0
        return count == rows_max

    async def weigh(self, after: bytes, limit: int) -> Weighed:
        def body(c: Connection) -> Weighed:
            rows = c.execute(
                "SELECT device, entries, bytes, (SELECT accepted_ms FROM entries e WHERE e.device = m.device "
                "ORDER BY number LIMIT 1) FROM mailboxes m WHERE device > ? AND account <> x'' ORDER BY device LIMIT ? + 0",
                (after, limit),
            ).fetchall()
            return weighed(rows, limit)

        return await self._db.read(body)

    @property
    def notes_wait(self) -> bool:
        return self.tally.notes_wait

    async def fill(self) -> list[Filled] | None:
        return await outbox.fill(self._db, self._bounds)

    async def backlog(self) -> Backlog:
        return await self._db.read(
            lambda c: Backlog(*c.execute("SELECT count(*), coalesce(min(now_ms), 0) FROM outbox").fetchone())
        )

    async def absent(self, seen_before_ms: int, limit: int) -> list[Member]:
        return await self._db.read(
            lambda c: [
                Member(*row)
                for row in c.execute(
                    "SELECT device, account FROM mailboxes WHERE seen_ms < ? AND account <> x'' ORDER BY seen_ms LIMIT ? + 0",
                    (seen_before_ms, limit),
                )
            ]
        )

    async def orphans(self, limit: int) -> list[Member]:
        return await self._db.read(
            lambda c: [
                Member(*row)
                for row in c.execute(
                    "SELECT DISTINCT device, account FROM leaves l WHERE removed_epoch IS NULL "
                    "AND NOT EXISTS (SELECT 1 FROM mailboxes m WHERE m.device = l.device) "
                    "AND NOT EXISTS (SELECT 1 FROM proposals p WHERE p.channel = l.channel AND p.target = l.device) "
                    "AND (?2 = x'' OR substr(l.device, 17) = ?2) LIMIT ?1 + 0",
                    (limit, self._bounds.domain.encode()),
                )
            ]
        )
