"""After the server was put back from a backup: it knows less than this device does, and may know as members who were removed since.

A `gap` says so (docs/spec/delivery.md#a-server-that-was-put-back). For each group then: if the server has it as it stands here,
nothing is done. If somebody has begun it anew, this device joins there. Else this device begins it anew, with the members that
it knows: nobody comes back who was removed, and every Welcome makes what is said from then on readable to all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqclient.errors import Refused
from qpqclient.groups import PUT_BACK, leaves_of
from qpqclient.log import log
from qpqcore.api.delivery import FetchGroupInfoParams, FetchGroupInfoResult
from qpqcore.model.errors import ErrorCode

if TYPE_CHECKING:
    from qpqclient.core import Core

RESTOCK = "restock"
"""1: the stock of KeyPackages has to be looked at."""


class PutBack:
    """What this device knows better than a server that was put back."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._groups = core.groups

    def heard(self) -> None:
        """Note, within the caller's transaction, that the server was put back: every group has to be compared with it."""
        log.warning("server_put_back")
        for (channel,) in self._store.rows("SELECT channel FROM channels WHERE active = 1"):
            self._store.put({PUT_BACK + channel.hex(): b"\1"})
            self._core.upkeep.want_rejoin(channel)
        self._store.note(RESTOCK)
        self._core.upkeep.wake()

    async def restock(self) -> None:
        """Fill up the stock of KeyPackages, if that is to be done."""
        if noted := self._store.number(RESTOCK):
            await self._core.account.top_up(await self._core.link())
            with self._store.transaction():
                self._store.note_done(RESTOCK, noted)

    async def repair(self, channel: bytes) -> bool:
        """Bring a group in order that was marked; False where there is no mark, or where it is to be joined as others are."""
        if not self._store.get(PUT_BACK + channel.hex()):
            return False
        before = (self.standing(channel), self._core.upkeep.noted)
        try:
            info = await self._core.call(FetchGroupInfoParams(channel=channel), FetchGroupInfoResult)
        except Refused as exc:
            if exc.code is not ErrorCode.NOT_MEMBER:
                raise
            self._unmark(channel)  # it was founded since, or this account was added since
            return False
        own = self._groups.generation(channel)
        if not own or own < info.generation:
            self._unmark(channel)
            return False
        if (self.standing(channel), self._core.upkeep.noted) != before:
            return True  # something came meanwhile, be it something that could not be followed: it is compared again
        if self._is_as_served(channel, own, info):
            with self._store.transaction() as db:
                self._unmark(channel)
                db.execute("DELETE FROM rejoins WHERE channel = ?", (channel,))
            return True
        return await self.begin_anew(channel, info)

    def _is_as_served(self, channel: bytes, own: int, info: FetchGroupInfoResult) -> bool:
        group = self._groups.load(channel)
        here = (own, group.epoch, group.tree_hash)
        there = (info.generation, info.epoch, info.tree_hash)
        return here == there and not info.proposals and not group.pending_proposals()

    def standing(self, channel: bytes) -> tuple[int, int]:
        """Return the generation and epoch that this device is at; zeros where it is in none.

        A server that shows less shows a group as it was before: whether it says why or not, that one is not joined, since
        who was removed since is a member there.
        """
        rows = self._store.rows("SELECT generation, epoch FROM channels WHERE channel = ? AND active = 1", channel)
        return rows[0] if rows else (0, 0)

    async def begin_anew(self, channel: bytes, info: FetchGroupInfoResult) -> bool:
        """Begin a group anew; False where that lost a race: its winner's Welcome comes, or it is joined.

        That the generation here is above the server's says nothing: it may have been before.
        """
        known = {leaf.account for leaf in leaves_of(self._groups.load(channel).members())}
        # Who was added since comes later (`Moves.gather`): the server would not have them in a reset.
        await self._core.births.reset(channel, info.generation, known=known)
        return not self._core.upkeep.has_to_rejoin(channel) and self._groups.generation(channel) > info.generation

    def _unmark(self, channel: bytes) -> None:
        self._store.db.execute("DELETE FROM meta WHERE name = ?", (PUT_BACK + channel.hex(),))
