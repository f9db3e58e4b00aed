"""Boxes, guests and channels away on SQLCipher (docs/spec/federation.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.api.delivery import ChannelInfo, EntryKind
from qpqcore.api.federation import PurgeNoticeParams
from qpqcore.model.ids import NOBODY, box_of
from qpqdelivery.guests import BOXES, IN_LOG, Boxed, BoxLoad, Relayed, boxed_of
from qpqdelivery.sqlite_fanout import Reference, deliver, put_in_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.api.delivery import Standing
    from qpqcore.store.connection import Connection
    from qpqcore.store.database import Database
    from qpqdelivery.store import Bounds


class SqliteGuests:
    """Implements `qpqdelivery.guests.GuestStore`."""

    _db: Database
    _bounds: Bounds

    async def box(self, box: bytes, entries_max: int, bytes_max: int, now_ms: int) -> tuple[list[Boxed], int]:
        def body(c: Connection) -> tuple[list[Boxed], int]:
            last = c.execute("SELECT last FROM mailboxes WHERE device = ?", (box,)).fetchone()
            rows = c.execute(
                "SELECT e.number, e.kind, e.channel, e.generation, e.epoch, e.log_number, e.accepted_ms, e.expires_ms, "
                "e.payload, e.tree_hash, l.payload FROM entries e LEFT JOIN log l ON l.channel = e.channel "
                "AND l.number = e.log_number AND e.kind IN (0, 1, 2) WHERE e.device = ? ORDER BY e.number LIMIT ? + 0",
                (box, entries_max),
            )
            found: list[Boxed] = []
            room = bytes_max
            for row in rows:
                boxed = boxed_of(row, now_ms)
                room -= len(boxed.payload) + len(boxed.packed)
                if found and room < 0:
                    break
                found.append(boxed)
            return found, last[0] if last else 0

        return await self._db.read(body)

    async def boxes(self, limit: int) -> list[BoxLoad]:
        return await self._db.read(
            lambda c: [
                BoxLoad(*row) for row in c.execute(BOXES.format("?", "?", "?"), (NOBODY, NOBODY + b"\xff", limit))
            ]
        )

    async def lease_box(self, box: bytes, holder: bytes, until_ms: int, now_ms: int) -> int:
        def body(c: Connection) -> int:
            row = c.execute("SELECT holder, until_ms FROM box_leases WHERE box = ?", (box,)).fetchone()
            if row is not None and row[0] != holder and row[1] > now_ms:
                return int(row[1])
            c.execute("INSERT OR REPLACE INTO box_leases VALUES (?, ?, ?)", (box, holder, until_ms))
            return 0

        return await self._db.write(body)

    async def skip_box(self, box: bytes, past: int, now_ms: int) -> None:
        def body(c: Connection) -> None:
            row = c.execute("SELECT last, acked FROM mailboxes WHERE device = ?", (box,)).fetchone()
            first = c.execute("SELECT min(number) FROM entries WHERE device = ?", (box,)).fetchone()[0]
            if row is None or (first is not None and first > past):
                return
            # One number is left out: the receiver tells its devices of a gap, whatever the newer database had sent.
            by = past + 2 - (first if first is not None else row[0] + 1)
            c.execute("UPDATE entries SET number = -(number + ?) WHERE device = ?", (by, box))
            c.execute("UPDATE entries SET number = -number WHERE device = ?", (box,))
            c.execute("UPDATE mailboxes SET last = last + ?, acked = ? WHERE device = ?", (by, past, box))

        await self._db.write(body)

    async def take(
        self, home: str, relayed: Sequence[Relayed], standings: Sequence[Standing], now_ms: int
    ) -> tuple[int, list[bytes]]:
        def body(c: Connection) -> tuple[int, list[bytes]]:
            position, woken = _position(c, home), list[bytes]()
            for r in relayed:
                if r.number <= position:
                    continue
                if r.number != position + 1:
                    woken += _tell_gap(c, self._bounds, home, now_ms)
                woken += _put(c, self._bounds, home, r, now_ms)
                position = r.number
            for standing in standings:
                _keep(c, home, standing)
            c.execute("INSERT OR REPLACE INTO homes VALUES (?, ?)", (home, position))
            return position, woken

        return await self._db.write(body)

    async def home_position(self, home: str) -> int:
        return await self._db.read(lambda c: _position(c, home))

    async def has_log(self, channel: bytes, number: int) -> bool:
        return await self._db.read(
            lambda c: (
                c.execute("SELECT 1 FROM log WHERE channel = ? AND number >= ? LIMIT 1", (channel, number)).fetchone()
                is not None
            )
        )

    async def away_of(self, account: bytes, device: bytes, limit: int) -> list[ChannelInfo]:
        def body(c: Connection) -> list[ChannelInfo]:
            rows = c.execute(
                "SELECT a.channel, a.generation, a.epoch, a.leaves, a.policy, max(g.device = ?) FROM guests g "
                "JOIN away a ON a.channel = g.channel WHERE g.account = ? GROUP BY a.channel ORDER BY a.channel LIMIT ? + 0",
                (device, account, limit),
            )
            return [
                ChannelInfo(channel=ch, generation=generation, epoch=epoch, leaves=leaves, policy=policy, member=bool(own))
                for ch, generation, epoch, leaves, policy, own in rows
            ]  # fmt: skip

        return await self._db.read(body)

    async def leave_away(self, device: bytes, now_ms: int) -> list[bytes]:
        def body(c: Connection) -> list[bytes]:
            rows = c.execute("SELECT DISTINCT home, account FROM guests WHERE device = ?", (device,)).fetchall()
            for home, account in rows:
                notice = PurgeNoticeParams(account=account, devices=(device,)).to_bytes()
                ref = Reference(
                    kind=EntryKind.PURGE, channel=b"", generation=0, epoch=0, log_number=0, now_ms=now_ms,
                    size_bytes=len(notice), payload=notice,
                )  # fmt: skip
                put_in_box(c, self._bounds, box_of(home), b"", ref)
            c.execute("DELETE FROM guests WHERE device = ?", (device,))
            return [box_of(home) for home, _ in rows]

        return await self._db.write(body)

    async def had_leaf(self, channel: bytes, device: bytes) -> bool:
        return await self._db.read(
            lambda c: (
                c.execute("SELECT 1 FROM leaves WHERE channel = ? AND device = ? LIMIT 1", (channel, device)).fetchone()
                is not None
            )
        )


def _position(c: Connection, home: str) -> int:
    row = c.execute("SELECT position FROM homes WHERE home = ?", (home,)).fetchone()
    return row[0] if row else 0


def _tell_gap(c: Connection, bounds: Bounds, home: str, now_ms: int) -> list[bytes]:
    """Say to all who are in a domain's channels that something is missing: they rejoin."""
    devices = [
        row[0] for row in c.execute("SELECT DISTINCT device FROM guests WHERE home = ? ORDER BY device", (home,))
    ]
    ref = Reference(kind=EntryKind.GAP, channel=b"", generation=0, epoch=0, log_number=0, now_ms=now_ms)
    return [arrival.device for arrival in deliver(c, bounds, devices, ref)]


def _put(c: Connection, bounds: Bounds, home: str, r: Relayed, now_ms: int) -> list[bytes]:
    if r.kind is EntryKind.PURGE:
        return []
    if r.kind is EntryKind.GAP:
        return _tell_gap(c, bounds, home, now_ms)
    payload = r.payload or None
    if r.kind in IN_LOG:
        c.execute(
            "INSERT OR IGNORE INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                r.channel, r.log_number, int(r.kind), r.generation, r.epoch, r.hash, r.payload, r.accepted_ms,
                r.expires_ms,
            ),
        )  # fmt: skip
        payload = None
    ref = Reference(
        kind=r.kind, channel=r.channel, generation=r.generation, epoch=r.epoch, log_number=r.log_number,
        now_ms=r.accepted_ms, expires_ms=r.expires_ms, size_bytes=len(r.payload), payload=payload,
        tree_hash=r.tree_hash or None,
    )  # fmt: skip
    return [arrival.device for arrival in deliver(c, bounds, r.targets, ref)]


def _keep(c: Connection, home: str, s: Standing) -> None:
    """Keep how a channel stands, unless what is kept is newer."""
    known = c.execute("SELECT generation, epoch FROM away WHERE channel = ?", (s.channel,)).fetchone()
    if known is not None and known > (s.generation, s.epoch):
        return
    c.execute("DELETE FROM guests WHERE channel = ?", (s.channel,))
    if not s.members:
        c.execute("DELETE FROM away WHERE channel = ?", (s.channel,))
        return
    c.execute(
        "INSERT OR REPLACE INTO away VALUES (?, ?, ?, ?, ?, ?)",
        (s.channel, home, s.generation, s.epoch, s.leaves, s.policy),
    )
    c.executemany(
        "INSERT OR REPLACE INTO guests VALUES (?, ?, ?, ?)",
        [(s.channel, m.device, m.account, home) for m in s.members],
    )
