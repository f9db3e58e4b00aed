"""What is over is collected, a bounded step at a time (PostgreSQL). On the bridge.

Log and mailboxes may lie on different machines, so what nobody waits for is found in steps: rows of the log that no note
refers to any more; those of them that lie in no mailbox; their end. Nothing refers to a row anew: a mailbox is given a
number of the log by its note, and before the note goes the mailbox has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.model.ids import domain_of
from qpqdelivery import postgres_fanout as fanout
from qpqdelivery import postgres_statements as sql
from qpqdelivery.store import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.store.postgres.nodes import Nodes
    from qpqcore.store.postgres.pool import Connection
    from qpqdelivery.postgres_fanout import FanOut

ROWS_MAX = 500
LATE_MS = 5_000
"""A note that is still there after so long was left behind: a flush takes milliseconds."""
LEAF_PAGES_MAX = 4
LEAF_ROWS = 5_000
"""Leaves looked at in one step; a round over all of them goes on with the next."""
START_OF_LOG = (b"", -1)
START_OF_HASHES = (-(2**62), b"", -1)
START_OF_LEAVES = (b"", -1, b"", -1)


class Sweeps:
    """Goes round and round; where it is it keeps in memory, a new process begins anew."""

    def __init__(self, nodes: Nodes, fan_out: FanOut, domain: str = "") -> None:
        self._nodes = nodes
        self._domain = domain
        """Whose devices have mailboxes here; empty: all."""
        self._fan_out = fan_out
        self._log_at: tuple[Any, ...] = START_OF_LOG
        self._hashes_at: tuple[Any, ...] = START_OF_HASHES
        self._leaves_at: tuple[Any, ...] = START_OF_LEAVES

    async def late(self, now_ms: int) -> list[bytes]:
        """Finish what a process left in the outbox that died; return the devices reached."""
        woken: list[bytes] = []
        for (channel,) in await self._nodes.single(lambda c: c.fetch(sql.LATE, now_ms - LATE_MS, ROWS_MAX)):
            woken += await self._fan_out.drain(channel)
        return woken

    async def expire(self, now_ms: int, handshakes_before_ms: int, hashes_before_ms: int) -> list[bytes]:
        """Drop payloads, hashes and trees whose time is over; cut off who holds what is too old; return the devices."""
        await self._nodes.single(lambda c: c.execute(sql.EXPIRE, now_ms, ROWS_MAX))
        await self._drop_hashes(hashes_before_ms)
        await self._nodes.single(lambda c: c.execute(sql.DROP_OLD_TREES, handshakes_before_ms, ROWS_MAX))
        cut: list[bytes] = []
        for (device,) in await self._nodes.single(
            lambda c: c.fetch(sql.LATE_HANDSHAKES, handshakes_before_ms, ROWS_MAX)
        ):

            async def body(c: Connection, device: bytes = device) -> bool:
                # Another process may have cut it off, or its device come, at this moment.
                still = await c.fetchval(sql.STILL_LATE, device, handshakes_before_ms)
                return bool(still) and await fanout.cut_off(c, device, now_ms)

            if await self._nodes.transaction(body, at=("mailboxes", device)):
                cut.append(device)
        return cut

    async def _drop_hashes(self, before_ms: int) -> None:
        at = self._hashes_at
        rows = await self._nodes.single(lambda c: c.fetch(sql.OLD_HASHES, before_ms, *at, ROWS_MAX))
        free = await self._not_waited_for([(row[1], row[2]) for row in rows])
        if free:
            await self._nodes.single(lambda c: c.execute(sql.DROP_HASHES, *_columns(free)))
        self._hashes_at = tuple(rows[-1]) if len(rows) == ROWS_MAX else START_OF_HASHES

    async def purge(self, before_ms: int, rows_max: int) -> bool:
        """Look at the next rows of the log; drop payloads that nobody waits for. False: the round is over."""
        at = self._log_at
        rows = await self._nodes.single(lambda c: c.fetch(sql.LOG_PAGE, *at, before_ms, rows_max))
        free = await self._not_waited_for([(row[0], row[1]) for row in rows if row[2]])
        if free:
            await self._nodes.single(lambda c: c.execute(sql.DROP_PAYLOADS, *_columns(free)))
        is_more = len(rows) == rows_max
        self._log_at = (rows[-1][0], rows[-1][1]) if is_more else START_OF_LOG
        return is_more

    async def _not_waited_for(self, places: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
        if not places:
            return []
        rows = await self._nodes.single(lambda c: c.fetch(sql.ARE_WAITED_FOR, *_columns(places)))
        kept = {(row[0], row[1]) for row in rows}
        return [place for place in places if place not in kept]

    async def orphans(self, limit: int) -> list[Member]:
        """Look at the next leaves; return those whose device has no mailbox and whose removal nobody has proposed."""
        found: dict[Member, None] = {}
        for _ in range(LEAF_PAGES_MAX):
            at = self._leaves_at
            rows = await self._nodes.single(lambda c, at=at: c.fetch(sql.LEAF_PAGE, *at, LEAF_ROWS))  # type: ignore[misc]  # the loop's value
            unproposed = [Member(row[2], row[4]) for row in rows if row[5] and self._is_ours(row[2])]
            devices = sorted({m.device for m in unproposed})
            have = {row[0] for row in await self._nodes.single(lambda c, d=devices: c.fetch(sql.HAVE_MAILBOX, d))}  # type: ignore[misc]  # the loop's value
            found |= dict.fromkeys(m for m in unproposed if m.device not in have)
            if len(rows) < LEAF_ROWS:
                self._leaves_at = START_OF_LEAVES
                break
            self._leaves_at = tuple(rows[-1][:4])
            if len(found) >= limit:
                break
        return list(found)[:limit]

    def _is_ours(self, device: bytes) -> bool:
        return not self._domain or domain_of(device) == self._domain

    async def drop_channel(self, channel: bytes) -> None:
        """Drop a channel; what still lies in somebody's mailbox was acknowledged: it stays until it is fetched."""
        await self._fan_out.drain(channel)
        rows = await self._nodes.single(lambda c: c.fetch(sql.WAITED_FOR, channel))
        numbers = sorted({row[0] for row in rows})
        trees = sorted({row[1] for row in rows if row[1] is not None})

        async def body(c: Connection) -> None:
            for statement in (
                sql.DROP_HEAD, sql.DROP_CHANNEL, sql.DROP_EPOCHS, sql.DROP_LEAVES, sql.DROP_RATCHETS, sql.DROP_PROPOSALS,
            ):  # fmt: skip
                await c.execute(statement, channel)
            await c.execute(sql.DROP_TREES, channel, trees)
            await c.execute(sql.DROP_LOG, channel, numbers)

        await self._nodes.transaction(body, at=("channels", channel))


def _columns(places: Sequence[tuple[bytes, int]]) -> tuple[list[bytes], list[int]]:
    return [channel for channel, _ in places], [number for _, number in places]
