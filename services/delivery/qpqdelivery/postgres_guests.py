"""Boxes, guests and channels away on PostgreSQL (docs/spec/federation.md#down).

What comes from another domain is taken channel by channel, each in a transaction that holds the channel's head; the head
says which number of the sender's box was the last. How far the whole box has been taken is noted after that: who dies in
between takes the same again, and finds it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.api.delivery import ChannelInfo, EntryKind
from qpqcore.api.federation import PurgeNoticeParams
from qpqcore.model.ids import NOBODY, box_of
from qpqdelivery import postgres_fanout as fanout
from qpqdelivery import postgres_log as log
from qpqdelivery import postgres_statements as sql
from qpqdelivery.guests import IN_LOG, Boxed, BoxLoad, Relayed, boxed_of
from qpqdelivery.postgres_fanout import FanOut, Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.api.delivery import Standing
    from qpqcore.store.postgres.bridge import Postgres
    from qpqcore.store.postgres.pool import Connection

BOX_COLUMNS = 10


class Taking:
    """A channel of another domain while something of it is taken."""

    def __init__(self, channel: bytes, row: Any) -> None:
        self.channel = channel
        self.number, self.noted, self.generation, self.epoch, self.birth_hash = row
        self.pending: list[Note] = []
        self.notes: list[Note] = []

    @classmethod
    async def hold(cls, c: Connection, channel: bytes, now_ms: int) -> Taking:
        """Hold a channel's head; made if there is none. Numbers of notes begin with the time, as of other channels."""
        await c.execute(sql.AWAY_HEAD, channel, now_ms)
        return cls(channel, await c.fetchrow(sql.HEAD, channel))

    def note(self, devices: Sequence[bytes], kind: EntryKind, **what: Any) -> None:
        """Note a reference for these devices' mailboxes."""
        self.noted += 1
        common = {"generation": 0, "epoch": 0, "log_number": 0}
        self.notes.append(
            Note(channel=self.channel, note=self.noted, kind=kind, devices=tuple(devices), **(common | what))
        )

    async def put(self, c: Connection, r: Relayed) -> None:
        """Take an entry, unless its number was taken."""
        if r.number <= self.number:
            return
        self.number = r.number
        payload = r.payload or None
        if r.kind in IN_LOG:
            await c.execute(
                sql.PUT_AWAY, self.channel, r.log_number, int(r.kind), r.generation, r.epoch, r.hash, r.payload,
                r.accepted_ms, r.expires_ms,
            )  # fmt: skip
            payload = None
        self.note(
            r.targets, r.kind, generation=r.generation, epoch=r.epoch, log_number=r.log_number, now_ms=r.accepted_ms,
            expires_ms=r.expires_ms, size_bytes=len(r.payload), payload=payload, tree_hash=r.tree_hash or None,
        )  # fmt: skip

    async def save(self, c: Connection) -> None:
        """Write the head and the notes; find out what else is pending."""
        self.pending = await fanout.pending(c, [self.channel])
        await c.execute(
            sql.MOVE_HEAD, self.channel, self.number, self.noted, self.generation, self.epoch, self.birth_hash
        )
        await fanout.write(c, self.notes)


class PostgresGuests:
    """Implements `qpqdelivery.guests.GuestStore`."""

    _db: Postgres
    _fan_out: FanOut

    async def box(self, box: bytes, entries_max: int, bytes_max: int, now_ms: int) -> tuple[list[Boxed], int]:
        async def body(c: Connection) -> tuple[tuple[list[Any], int], list[log.Place]]:
            last = await c.fetchval(sql.BOX_LAST, box)
            rows: list[Any] = []
            room = bytes_max
            for row in await c.fetch(sql.BOX, box, entries_max):
                room -= row[BOX_COLUMNS]
                if rows and room < 0:
                    break
                rows.append(row)
            return (rows, last or 0), [(row[2], row[5]) for row in rows]

        (rows, last), logged = await self._db.look_up(lambda: log.read(self._db.nodes, box, body, sql.PAYLOADS))
        return [boxed_of((*r[:BOX_COLUMNS], logged.get(p)), now_ms) for p, r in enumerate(rows, start=1)], last

    async def boxes(self, limit: int) -> list[BoxLoad]:
        rows = await self._db.read(lambda c: c.fetch(sql.BOXES, NOBODY, NOBODY + b"\xff", limit))
        return [BoxLoad(*row) for row in rows]

    async def lease_box(self, box: bytes, holder: bytes, until_ms: int, now_ms: int) -> int:
        async def body(c: Connection) -> int:
            if await c.fetchval(sql.LEASE_BOX, box, holder, until_ms, now_ms) is not None:
                return 0
            return int(await c.fetchval(sql.LEASED_BOX, box))

        return await self._db.write(body, at=("box_leases", box))

    async def skip_box(self, box: bytes, past: int, now_ms: int) -> None:
        del now_ms

        async def body(c: Connection) -> None:
            last = await c.fetchval(sql.HOLD_MAILBOX, box)
            first = await c.fetchval(sql.BOX_FIRST, box)
            if last is None or (first is not None and first > past):
                return
            # One number is left out: the receiver tells its devices of a gap, whatever the newer database had sent.
            by = past + 2 - (first if first is not None else last + 1)
            await c.execute(sql.LIFT_BOX, box, by)
            await c.execute(sql.TURN_BOX, box)
            await c.execute(sql.SET_BOX, box, by, past)

        await self._db.write(body, at=("mailboxes", box))

    async def take(
        self, home: str, relayed: Sequence[Relayed], standings: Sequence[Standing], now_ms: int
    ) -> tuple[int, list[bytes]]:
        async def work() -> tuple[int, list[bytes]]:
            here = ("homes", home)
            position = await self._db.nodes.single(lambda c: c.fetchval(sql.POSITION, home), at=here) or 0
            due = [r for r in relayed if r.number > position]
            woken: list[bytes] = []
            if (due and due[0].number != position + 1) or any(r.kind is EntryKind.GAP for r in due):
                woken += await self._tell_gap(home, due[-1].number, now_ms)
            by_channel: dict[bytes, list[Relayed]] = {s.channel: [] for s in standings}
            for r in due:
                if r.channel:
                    by_channel.setdefault(r.channel, []).append(r)
            stands = {s.channel: s for s in standings}
            for channel, some in by_channel.items():
                woken += await self._take_channel(home, channel, some, stands.get(channel), now_ms)
            if due:
                position = due[-1].number
                await self._db.nodes.single(lambda c: c.execute(sql.SET_POSITION, home, position), at=here)
            return position, woken

        return await self._db.call(work)

    async def _take_channel(
        self, home: str, channel: bytes, some: Sequence[Relayed], standing: Standing | None, now_ms: int
    ) -> list[bytes]:
        """Take what came of one channel. On the bridge."""

        async def body(c: Connection) -> Taking:
            taking = await Taking.hold(c, channel, now_ms)
            for r in some:
                await taking.put(c, r)
            if standing is not None:
                await _keep(c, home, standing)
            await taking.save(c)
            return taking

        return await self._told(await self._db.nodes.transaction(body, at=("heads", channel)))

    async def _tell_gap(self, home: str, number: int, now_ms: int) -> list[bytes]:
        """Say to all who are in a domain's channels that something is missing, once for each number. On the bridge."""
        devices = [row[0] for row in await self._db.nodes.single(lambda c: c.fetch(sql.GUESTS_OF_HOME, home))]

        async def body(c: Connection) -> Taking:
            taking = await Taking.hold(c, box_of(home), now_ms)
            if number > taking.number and devices:
                taking.number = number
                taking.note(devices, EntryKind.GAP, now_ms=now_ms)
            await taking.save(c)
            return taking

        return await self._told(await self._db.nodes.transaction(body, at=("heads", box_of(home))))

    async def _told(self, taking: Any) -> list[bytes]:
        raise NotImplementedError

    async def home_position(self, home: str) -> int:
        return await self._db.read(lambda c: c.fetchval(sql.POSITION, home), at=("homes", home)) or 0

    async def has_log(self, channel: bytes, number: int) -> bool:
        found = await self._db.read(lambda c: c.fetchval(sql.HAS_LOG, channel, number), at=("log", channel))
        return found is not None

    async def away_of(self, account: bytes, device: bytes, limit: int) -> list[ChannelInfo]:
        rows = await self._db.read(lambda c: c.fetch(sql.AWAY_OF, account, device, limit))
        return [
            ChannelInfo(channel=ch, generation=generation, epoch=epoch, leaves=leaves, policy=policy, member=bool(own))
            for ch, generation, epoch, leaves, policy, own in rows
        ]

    async def leave_away(self, device: bytes, now_ms: int) -> list[bytes]:
        async def work() -> list[bytes]:
            reached: list[bytes] = []
            for home, account in await self._db.nodes.single(lambda c: c.fetch(sql.HOMES_OF_DEVICE, device)):
                notice, box = PurgeNoticeParams(account=account, devices=(device,)).to_bytes(), box_of(home)

                async def body(c: Connection, notice: bytes = notice, box: bytes = box) -> Taking:
                    # A channel that is none, beside that of the gaps: its notes are numbered apart.
                    taking = await Taking.hold(c, NOBODY + box, now_ms)
                    taking.note([box], EntryKind.PURGE, now_ms=now_ms, size_bytes=len(notice), payload=notice)
                    await taking.save(c)
                    return taking

                at = ("heads", NOBODY + box)
                reached += await self._told(await self._db.nodes.transaction(body, at=at))
            await self._db.nodes.single(lambda c: c.execute(sql.DROP_GUEST, device))
            return reached

        return await self._db.call(work)

    async def had_leaf(self, channel: bytes, device: bytes) -> bool:
        found = await self._db.read(lambda c: c.fetchval(sql.HAD_LEAF, channel, device), at=("leaves", channel))
        return found is not None


async def _keep(c: Connection, home: str, s: Standing) -> None:
    """Keep how a channel stands, unless what is kept is newer."""
    known = await c.fetchrow(sql.STANDING, s.channel)
    if known is not None and tuple(known) > (s.generation, s.epoch):
        return
    await c.execute(sql.DROP_GUESTS, s.channel)
    if not s.members:
        await c.execute(sql.DROP_AWAY, s.channel)
        return
    await c.execute(sql.KEEP_AWAY, s.channel, home, s.generation, s.epoch, s.leaves, s.policy)
    members = {m.device: m.account for m in s.members}
    await c.execute(sql.ADD_GUESTS, s.channel, home, list(members), list(members.values()))
