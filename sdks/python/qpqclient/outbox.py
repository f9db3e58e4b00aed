"""Sends what waits: encrypt, store the ciphertext with the advanced ratchet, then send; until the server has it.

A message's payload is its key at the server, so sending it again after a crash or a lost answer is harmless. Only
`staleEpoch` and `ratchetUsed` make a new ciphertext, under the same content id.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import trio

import qpqnative
from qpqclient.content import apply_action, expiry
from qpqclient.errors import NO_SESSION, GroupBusy, GroupUnusable, Refused
from qpqclient.groups import write_signature
from qpqclient.log import log
from qpqclient.model import MessageChanged
from qpqclient.pacing import jitter, later, pause
from qpqcore.api import delivery
from qpqcore.api.content import Content
from qpqcore.model.errors import RETRYABLE, ErrorCode, Refusal

if TYPE_CHECKING:
    from qpqclient.core import Core

RETRY_SECONDS_MIN = 0.5
"""Between two tries to send a message that the server could not take."""
SAID_BY_ITSELF = frozenset({"receipt", "cutShort", "selfState", "settings"})
"""Kinds of content that no user has typed."""
REST_SECONDS_MIN, REST_SECONDS_MAX = 0.5, 15.0
"""Between two tries to bring something to another domain that is away, or into a group that is not in order."""
PRESENT = "channel NOT IN (SELECT channel FROM channels WHERE moved_to <> x'')"
"""What is said in channels that go on elsewhere is said there, too: nobody waits for a home that may be gone for good."""
GENERATION_MAX = 900
"""Messages of one epoch and sender; an update is committed before (docs/spec/groups.md#clients-keep)."""


class Outbox:
    """Sends the rows of the outbox, oldest first."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._not_before: dict[bytes, float] = {}
        """When a conversation is tried again that could not be sent to."""
        self._pause_s: dict[bytes, float] = {}
        """The pause before that; each is twice the one before."""
        self._said: dict[tuple[int, bytes], bool] = {}
        """Of the rows that there were at the last count, whether the user said it: `unsent` is asked for at every change."""

    @property
    def pending(self) -> int:
        """How many contents the server does not have yet."""
        return int(self._store.rows(f"SELECT count(*) FROM outbox WHERE {PRESENT}")[0][0])  # noqa: S608 - fixed text

    @property
    def unsent(self) -> int:
        """How many of them are the user's, not said by the client itself. Each is looked into once."""
        before, waiting = self._said, self._store.rows(f"SELECT number, id FROM outbox WHERE {PRESENT}")  # noqa: S608 - fixed text
        self._said = {
            (number, ident): before[number, ident] if (number, ident) in before else self._is_users(number)
            for number, ident in waiting
        }
        return sum(self._said.values())

    def _is_users(self, number: int) -> bool:
        rows = self._store.rows("SELECT content FROM outbox WHERE number = ?", number)
        return Content.from_bytes(rows[0][0]).which not in SAID_BY_ITSELF

    @property
    def rest_s(self) -> float:
        """How long it may be rested when there is nothing to be sent now; infinity: until there is something new."""
        due = [at_s for channel, at_s in self._not_before.items() if self._waits(channel)]
        return max(0.0, min(due, default=inf) - trio.current_time())

    def _waits(self, channel: bytes) -> bool:
        return bool(self._store.rows("SELECT 1 FROM outbox WHERE channel = ? LIMIT 1", channel))

    def _next_channel(self) -> bytes | None:
        """Return the conversation that has waited for longest, of those that do not rest."""
        if not self._not_before:
            rows = self._store.rows("SELECT channel FROM outbox ORDER BY number LIMIT 1")
            return bytes(rows[0][0]) if rows else None
        now_s = trio.current_time()
        for channel, _ in self._store.rows("SELECT channel, min(number) AS n FROM outbox GROUP BY channel ORDER BY n"):
            if self._not_before.get(channel, 0.0) <= now_s:
                return bytes(channel)
        return None

    async def send_next(self) -> bool:
        """Bring the oldest message to the server; False when there is none. Unreachable leaves it where it is.

        A conversation whose home, another domain, is away, or that has to be joined anew first and cannot be now, holds up
        no other.
        """
        channel = self._next_channel()
        if channel is None:
            return False
        row = self._store.rows(
            "SELECT number, channel, id, content, ttl_seconds, generation, epoch, payload, signature, ratchet FROM outbox "
            "WHERE channel = ? ORDER BY number LIMIT 1",
            channel,
        )[0]  # fmt: skip
        try:
            if row[7] is None:
                row = await self._encrypted(row)
            await self._deliver(row)
        except GroupUnusable:
            self._fail(row)
        except (GroupBusy, qpqnative.MlsError, Refusal) as exc:  # the last two: what the server showed makes no sense
            log.info("conversation_waits", reason=str(exc))
            self._rest(channel)
        except Refused as exc:
            if not self._core.is_home_away(channel, exc.code):
                raise
            self._rest(channel)
        return True

    def _rest(self, channel: bytes) -> None:
        """Let a conversation rest, each time for longer."""
        pause_s = self._pause_s[channel] = min(self._pause_s.get(channel, REST_SECONDS_MIN / 2) * 2, REST_SECONDS_MAX)
        self._not_before[channel] = trio.current_time() + pause_s * jitter()

    def go_on(self, channel: bytes) -> None:
        """Let a conversation rest no longer: it is in order again."""
        self._pause_s.pop(channel, None)
        if self._not_before.pop(channel, None) is not None:
            self._core.wake_sender()

    async def _put_in_order(self, channel: bytes) -> None:
        """Found or join a group before anything is sent to it; what is wrong with another is not this one's. GroupBusy."""
        if self._core.upkeep.comes_first(channel):
            await self._core.upkeep.settle_each()
            if self._core.upkeep.comes_first(channel):
                raise GroupBusy("the conversation has to be joined anew first")

    async def _encrypted(self, row: Any) -> Any:
        number, channel, ident, content, ttl, *_ = row
        while True:
            await self._put_in_order(channel)
            async with self._core.lock:
                group = self._core.groups.load(channel)
                ratchet = group.next_generation + 1
                if not group.pending_proposals() and ratchet <= GENERATION_MAX:
                    try:
                        payload = group.encrypt(content)
                        generation = self._core.groups.generation(channel)
                        signature = write_signature(group, channel, generation, payload) if self._core.sealed else b""
                        with self._store.transaction() as db:
                            self._core.groups.save(channel, group)
                            changed = db.execute(
                                "UPDATE outbox SET payload = ?, generation = ?, epoch = ?, signature = ?, ratchet = ? WHERE number = ?",
                                (payload, generation, group.epoch, signature, ratchet, number),
                            )
                        if not changed.rowcount:  # it goes to another channel by now
                            raise Refused(Refusal(ErrorCode.UNAVAILABLE, "the conversation goes on elsewhere"))
                    except BaseException:
                        self._core.groups.drop()
                        raise
                    return number, channel, ident, content, ttl, generation, group.epoch, payload, signature, ratchet
            await self._core.commits.update(channel)

    async def _deliver(self, row: Any) -> None:
        _, channel, _, _, ttl, generation, epoch, payload, signature, ratchet = row
        params = delivery.EnqueueParams(
            channel=channel, generation=generation, epoch=epoch, payload=payload, ttl_seconds=ttl,
            write_signature=signature, ratchet=0 if signature else ratchet,
        )  # fmt: skip
        line = self._core.veiled if signature else self._core.wire
        try:
            done = await line.call(params, delivery.EnqueueResult)
        except Refused as exc:
            no = exc
        else:
            self._done(row, done)
            return
        await self._refused(row, no)

    def _done(self, row: Any, done: delivery.EnqueueResult) -> None:
        number, channel, ident, content = row[:4]
        sent = Content.from_bytes(content)
        self.go_on(channel)
        moves, shown = self._core.moves, self._core.moves.shown(channel)
        place = moves.place(channel, done.log_number)
        with self._store.transaction() as db:
            db.execute("DELETE FROM outbox WHERE number = ?", (number,))
            db.execute(
                "UPDATE messages SET state = CASE WHEN state = 'pending' THEN 'sent' ELSE state END, "
                "log_number = min(coalesce(log_number, ?), ?), accepted_ms = ?, expires_ms = ? WHERE channel = ? AND id = ?",
                (place, place, done.accepted_ms, expiry(sent, done.accepted_ms), shown, ident),
            )
            apply_action(self._store, shown, self._core.account.account, sent)
        self._core.tell(MessageChanged(shown, ident))
        if sent.which == "moved":  # the home that had gone is back, and so are its people
            self._core.upkeep.wake()
        if self._core.upkeep.leaves(channel):
            self._core.upkeep.wake()

    async def _refused(self, row: Any, no: Refused) -> None:
        if no.code in NO_SESSION:
            raise no  # it waits for the next log-in
        if no.code is ErrorCode.STALE_EPOCH and self._core.moves.has_moved(row[1]) and not self._is_notice(row):
            self._fail(row)  # the earlier log has not got it, and need not
        elif no.code is ErrorCode.STALE_EPOCH:
            self._store.db.execute("UPDATE outbox SET payload = NULL WHERE number = ?", (row[0],))
            await self._core.catch_up()
        elif no.code is ErrorCode.RATCHET_USED:
            self._take_new_leaves(row)
            await pause(RETRY_SECONDS_MIN)  # a server that says so for ever gets no more than this
        elif no.code is ErrorCode.WRITE_KEY_INVALID:
            await self._bring_write_key(row)
        elif self._core.is_home_away(row[1], no.code):
            self._rest(row[1])
        elif no.code in RETRYABLE:
            await pause(max(later(no), RETRY_SECONDS_MIN))
        else:
            log.info("message_refused", code=no.name)
            self._fail(row)

    @staticmethod
    def _is_notice(row: Any) -> bool:
        return Content.from_bytes(row[3]).which == "moved"

    def _take_new_leaves(self, row: Any) -> None:
        """Rejoin every group before anything else is sent: this database is an older copy, its keys were used since."""
        with self._store.transaction() as db:
            db.execute("UPDATE outbox SET payload = NULL WHERE number = ?", (row[0],))
            self._core.upkeep.want_new_leaves()

    async def _bring_write_key(self, row: Any) -> None:
        """Begin another epoch: the commit that began the message's brought a write key that is not the group's."""
        number, channel, *_, generation, epoch, _payload, _signature, _ratchet = row
        self._store.db.execute("UPDATE outbox SET payload = NULL WHERE number = ?", (number,))
        await self._core.catch_up()
        if (self._core.groups.generation(channel), self._core.groups.load(channel).epoch) == (generation, epoch):
            await self._core.commits.update(channel)

    def _fail(self, row: Any) -> None:
        is_past = self._core.moves.has_moved(row[1])
        with self._store.transaction() as db:
            db.execute("DELETE FROM outbox WHERE number = ?", (row[0],))
            if is_past:  # it was said in the later channel, too
                return
            db.execute("UPDATE messages SET state = 'failed' WHERE channel = ? AND id = ?", (row[1], row[2]))
        self._core.tell(MessageChanged(row[1], row[2]))
        if self._core.upkeep.leaves(row[1]):
            self._core.upkeep.wake()
