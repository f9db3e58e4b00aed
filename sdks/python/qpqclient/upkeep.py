"""What groups still need: a birth finished, a rejoin, a commit of what is proposed.

All of it stands in the database, so that no crash forgets any: a start looks first at what the last run left.
"""

from __future__ import annotations

import math
import random  # noqa: TID251 - who commits a proposal first; nothing secret depends on it
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqclient.births import SUBMITTED
from qpqclient.errors import UNDECIDED, GroupBusy, GroupUnusable, NotVouched, QpqError, Refused
from qpqclient.log import log
from qpqclient.model import GroupChanged
from qpqcore.api.delivery import ListChannelsParams, ListChannelsResult
from qpqcore.model.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from qpqclient.core import Core

SURVEY = "survey"
LEAVING_SECONDS = 15.0
"""How often a device that leaves looks whether it is out."""
GATHERING_SECONDS = 300.0
"""How often it is looked whether people can be reached who were left out when a group went on at another home."""
PROPOSAL_WAIT_SECONDS_MAX = 2.0
"""Any member may commit a proposal; each waits a random part of this, so that mostly one does."""
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 0.5, 30.0


class Upkeep:
    """Keeps groups in order."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._one = trio.Lock()
        self._work = trio.Event()
        self._work.set()
        self._put_off = False
        """Whether something could not be done that others have to do: another domain was away, or nobody vouched for a group."""
        self.noted = 0
        """How often groups were noted to be rejoined since the start: who waited for something sees whether one was meanwhile."""
        self._failed: Exception | None = None
        """What was wrong with the first conversation that could not be settled."""

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._work.set()

    def want_rejoin(self, channel: bytes) -> None:
        """Note, within the caller's transaction if there is one, that a group cannot be followed any more."""
        self._store.db.execute("INSERT OR IGNORE INTO rejoins VALUES (?)", (channel,))
        self.noted += 1
        self._work.set()

    def has_to_rejoin(self, channel: bytes) -> bool:
        """Tell whether a group is noted to be rejoined; whoever enters one, by a Welcome or otherwise, forgets the note."""
        return bool(self._store.rows("SELECT 1 FROM rejoins WHERE channel = ?", channel))

    def want_rejoin_all(self) -> None:
        """Note the same of every group this device is in, and of those that it may have been added to meanwhile."""
        self._store.db.execute("INSERT OR IGNORE INTO rejoins SELECT channel FROM channels WHERE active = 1")
        self.noted += 1
        self.want_survey()

    def want_new_leaves(self) -> None:
        """Note, within the caller's transaction, that this database is an older copy: its next keys may have been used."""
        log.warning("database_copied_back")
        self.want_rejoin_all()

    def want_survey(self) -> None:
        """Note, likewise, that the account may be in groups that this device does not know."""
        self._store.note(SURVEY)
        self._work.set()

    def want_leave(self, channel: bytes) -> None:
        """Note that this person leaves a conversation: once everything sent to it is on the server, and for certain."""
        self._store.db.execute(
            "INSERT OR IGNORE INTO leaving SELECT ? UNION ALL SELECT channel FROM channels WHERE moved_to = ? AND active = 1",
            (channel, channel),
        )
        self._work.set()

    def leaves(self, channel: bytes) -> bool:
        """Tell whether this person leaves a conversation."""
        return bool(self._store.rows("SELECT 1 FROM leaving WHERE channel = ?", channel))

    def comes_first(self, channel: bytes) -> bool:
        """Tell whether a channel has to be founded or rejoined before anything is sent to it."""
        return bool(
            self._store.rows(
                "SELECT 1 FROM rejoins WHERE channel = ?1 UNION ALL SELECT 1 FROM births WHERE channel = ?1", channel
            )
        )

    async def run(self) -> None:
        """Do what is to be done, for ever."""
        wait_s = RETRY_SECONDS_MIN
        while True:
            with trio.move_on_after(self._rest_s()):
                await self._work.wait()
            self._work = trio.Event()
            if self._proposed():
                await trio.sleep(PROPOSAL_WAIT_SECONDS_MAX * random.random())  # noqa: S311 - spreads members out
            try:
                await self.settle()
                if self._put_off:
                    raise QpqError("others have to do something first")
            except (
                QpqError,
                Refusal,
                qpqnative.MlsError,
            ) as exc:  # the last two: what the server showed makes no sense
                log.info("group_work_waits", reason=str(exc))
                await trio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_SECONDS_MAX)
                self._work.set()
            else:
                wait_s = RETRY_SECONDS_MIN

    def _rest_s(self) -> float:
        if self._store.rows("SELECT 1 FROM leaving"):
            return LEAVING_SECONDS
        return GATHERING_SECONDS if self._core.moves.gathers else math.inf

    async def settle(self) -> None:
        """Do all that is to be done now; at last raise what was wrong with one conversation."""
        if (failed := await self.settle_each()) is not None:
            raise failed

    async def settle_each(self) -> Exception | None:
        """Do all that is to be done now; return what was wrong with the first conversation that could not be settled.

        It holds up no other; no more does what another domain would have to do that is away, which is no error.
        One task at a time: two would rejoin the same group twice.
        """
        async with self._one:
            self._put_off, self._failed = False, None
            if self._core.account.known:
                async with self._core.held_link() as link:
                    await self._core.account.enrol(link)
                await self._core.put_back.restock()
                if self._core.people.unanswered:
                    await self._core.people.learn()
                    self._put_off = self._core.people.unanswered
                await self._finish_births()
                await self._survey()
                await self._rejoin()
                await self._leave()
                for channel, account, earlier in self._core.moves.missed():
                    async with self._by_itself(channel):
                        await self._core.moves.gather(channel, account, earlier)
                for channel in self._proposed():
                    async with self._by_itself(channel):
                        await self._core.commits.settle_proposals(channel)
            return self._failed

    @asynccontextmanager
    async def _by_itself(self, channel: bytes) -> AsyncIterator[None]:
        """Pass over a conversation that cannot be settled now: it is tried again with all that waits."""
        try:
            yield
        except Refused as exc:
            if self._core.is_home_away(channel, exc.code):
                self._put_off = True
            elif exc.code in UNDECIDED:
                raise  # the server itself cannot, or knows nobody here: it is asked no more now
            else:
                self._note_failed(exc)
        except NotVouched:
            self._core.groups.drop()
            self._put_off = True  # somebody else's commit, or the owner, will do it
        except (GroupBusy, GroupUnusable, Refusal, qpqnative.MlsError) as exc:
            self._core.groups.drop()
            self._note_failed(exc)

    def _note_failed(self, exc: Exception) -> None:
        log.info("conversation_unsettled", reason=str(exc))
        self._failed = self._failed or exc

    async def _finish_births(self) -> None:
        waiting = self._store.rows("SELECT channel, generation, params FROM births")
        if not waiting:
            return
        await self._core.catch_up()  # a first commit may lie in the mailbox: then it is done
        finished = False
        for channel, generation, was in waiting:
            async with self._by_itself(channel):
                finished = await self._finish_birth(channel, generation, was_submitted=was == SUBMITTED) or finished
        if finished:
            await self._core.catch_up()

    async def _finish_birth(self, channel: bytes, generation: int, *, was_submitted: bool) -> bool:
        """Submit what founds a group, if it still waits; True when the server took it."""
        births = self._core.births
        if was_submitted:
            if births.stored(channel, generation) == SUBMITTED:
                self.want_rejoin(channel)  # the commit that the server took is withheld
            return False
        try:
            await births.finish(channel, generation)
        except (Refused, GroupUnusable) as exc:
            if isinstance(exc, Refused) and exc.code in UNDECIDED:
                raise
            log.info("birth_dropped", code=exc.name)
            return False
        return True

    async def _survey(self) -> None:
        noted = self._store.number(SURVEY)
        if not noted:
            return
        found = await self._core.call(ListChannelsParams(), ListChannelsResult)
        with self._store.transaction():
            for info in found.channels:
                if not info.member or not self._core.groups.generation(info.channel):
                    self.want_rejoin(info.channel)
            self._store.note_done(SURVEY, noted)  # a gap meanwhile: the channels are listed again

    async def _rejoin(self) -> None:
        passed: set[bytes] = set()
        while due := [c for (c,) in self._store.rows("SELECT channel FROM rejoins") if c not in passed]:
            channel = due[0]
            passed.add(channel)
            async with self._by_itself(channel):
                if not await self._core.put_back.repair(channel) and not (
                    await self._core.commits.rejoin(channel)
                    or await self._be_out_of(channel, self._core.commits.is_member)
                ):
                    # Added at this very moment, or the server cannot make up its mind.
                    await trio.sleep(RETRY_SECONDS_MIN)
                passed.discard(channel)
                self._core.outbox.go_on(channel)

    async def _leave(self) -> None:
        for (channel,) in self._store.rows("SELECT channel FROM leaving"):
            if self._store.rows("SELECT 1 FROM outbox WHERE channel = ?", channel):
                continue  # it comes again when that has been sent
            async with self._by_itself(channel):
                await self._leave_one(channel)

    async def _leave_one(self, channel: bytes) -> None:
        if self._core.groups.generation(channel):
            await self._core.commits.hand_over(channel)
        if self._core.groups.generation(channel) and await self._core.commits.leave(channel):
            return  # somebody else commits it
        await self._be_out_of(channel, self._core.commits.has_leaf)

    async def _be_out_of(self, channel: bytes, is_inside: Callable[[bytes], Awaitable[bool]]) -> bool:
        """Drop a group that this device is no member of any more; what was sent to it before is read first.

        False, and nothing is dropped, where an invitation was read on the way: the server is asked once more, while nothing
        else is read.
        """
        await self._core.catch_up()
        async with self._core.lock:
            if await is_inside(channel):
                return False
            with self._store.transaction():
                self._core.groups.leave(channel)
        self._core.tell(GroupChanged(channel, active=False))
        return True

    def _proposed(self) -> list[bytes]:
        """Return the channels whose proposals this device may commit: not those that it is leaving itself."""
        rows = self._store.rows(
            "SELECT DISTINCT p.channel FROM proposed p JOIN channels c ON c.channel = p.channel AND c.active = 1 "
            "WHERE p.channel NOT IN (SELECT channel FROM proposed WHERE device = ?)",
            self._store.get("device") or b"",
        )
        return [r[0] for r in rows]
