"""Groups whose home has gone: they go on in another channel, at another home (docs/spec/federation.md#a-home-that-has-gone).

1. The earlier channel stays: what still comes of it is read, and stands under the later one at its own place.
2. What waits in the outbox goes to the later channel; what may have reached the earlier one is asked after there, too.
3. Of two channels that go on from one, the one that moved more often counts, else the smaller id: everybody finds the same.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from qpqclient.content import new_content
from qpqclient.errors import GroupUnusable, NotAllowed, Refused
from qpqclient.groups import leaves_of
from qpqclient.log import log
from qpqclient.outgoing import put
from qpqclient.told import settings_of
from qpqcore.api import delivery
from qpqcore.api.content import ChannelKind
from qpqcore.groups.policy import Right, may, read_policy
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import domain_of, make_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from qpqclient.core import Core
    from qpqclient.packages import Added

OUT_OF_REACH = frozenset({ErrorCode.UNAVAILABLE, ErrorCode.NOT_FOUND, ErrorCode.OVERLOADED, ErrorCode.RATE_LIMITED})
"""Answers about people whose server is away, or not known here: they are added when it can be asked."""
CARRIED = ("messages", "seen", "deleted", "reactions", "receipts", "receipts_due", "pins")
"""Tables whose rows stand under the later channel from then on."""


class Moves:
    """Which channels go on where, and what that needs."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store

    # --- which channel stands for which

    def _column(self, channel: bytes, column: str) -> Any:
        rows = self._store.rows(f"SELECT {column} FROM channels WHERE channel = ?", channel)  # noqa: S608 - fixed texts
        return rows[0][0] if rows else None

    def shown(self, channel: bytes) -> bytes:
        """Return the channel under which what is said in one stands: the last that goes on from it, mostly itself."""
        while later := self._column(channel, "moved_to"):
            channel = bytes(later)
        return channel

    def has_moved(self, channel: bytes) -> bool:
        """Tell whether a channel goes on in another one."""
        return bool(self._column(channel, "moved_to"))

    def place(self, channel: bytes, log_number: int) -> int:
        """Return the place in a conversation's history of a number in a channel's log."""
        return int(self._column(channel, "base") or 0) + log_number

    # --- by a person's command

    async def rehome(self, channel: bytes) -> bytes:
        """Let a group whose home cannot be reached go on at one's own server; return the channel in which it does.

        NotAllowed where that is no help: another kind of conversation, or a home that answers.
        """
        own = domain_of(self._core.account.account)
        if self._column(channel, "kind") != ChannelKind.GROUP:
            raise NotAllowed("only groups can go on at another server")
        if domain_of(channel) == own:
            raise NotAllowed("this group's home is your own server")
        if rows := self._store.rows(
            "SELECT c.channel, b.generation FROM channels c JOIN births b ON b.channel = c.channel WHERE c.follows = ?",
            channel,
        ):  # begun before, by a process that died, or whose server was away
            await self._core.births.finish(*rows[0])
        elif await self._answers(channel):
            raise NotAllowed("this group's home answers: it need not be moved")
        else:
            await self._found(channel, make_id(secrets.token_bytes(16), own))
        try:
            await self._core.catch_up()
        except Refused as exc:  # of what else lies in the mailbox: the group goes on, whatever becomes of that
            if exc.code not in OUT_OF_REACH:
                raise
        return self.shown(channel)

    async def _answers(self, channel: bytes) -> bool:
        try:  # once: to wait for it is what its people have done
            link = await self._core.link()
            await link.call(delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult)
        except Refused as exc:
            return exc.code not in OUT_OF_REACH
        return True

    async def _found(self, channel: bytes, later: bytes) -> None:
        group = self._core.groups.load(channel)
        policy = read_policy(group.policy)
        after = replace(policy, home=domain_of(later), generation=1, follows=channel, moves=policy.moves + 1)
        people = {leaf.account for leaf in leaves_of(group.members())} | {self._core.account.account}
        near = people - _of(people, domain_of(channel))
        added = await self._reachable(near, group.suite)
        await self._core.births.go_on(later, after, near, added, group.suite, str(self._column(channel, "name")))

    async def _reachable(self, accounts: Iterable[bytes], suite: int) -> list[Added]:
        """Return devices to add, of those domains whose servers answer. ServerBroke as `Packages.packages`."""
        added: list[Added] = []
        by_domain: dict[str, list[bytes]] = {}
        for account in sorted(accounts):
            by_domain.setdefault(domain_of(account), []).append(account)
        for some in by_domain.values():
            try:
                added += await self._core.commits.packages(some, suite)
            except Refused as exc:
                if exc.code not in OUT_OF_REACH:
                    raise
        return added

    # --- within the transaction in which a group comes to stand here

    def born(self, later: bytes) -> None:
        """Go over to a group that this device founded, now that its home has taken it; tell the earlier channel so."""
        earlier = self._column(later, "follows")
        if not earlier:
            return
        self._store.db.execute("UPDATE channels SET founded = 1 WHERE channel = ?", (later,))
        self._go_on(earlier, later)
        content = new_content(
            self._core.now_ms(), "moved", moved=later, fallback=f"this conversation goes on at {domain_of(later)}"
        )
        put(self._store, earlier, content, self._core.now_ms())

    def entered(self, channel: bytes) -> bool:
        """See whether a group that this device has come into goes on from another, or another from it."""
        found = False
        earlier = self._column(channel, "follows")
        for one, other in [(earlier, channel), *((channel, c) for c in self._followers(channel))]:
            if one and self._column(one, "active") and self._may_go_on(one, other):
                self._go_on(one, other)
                found = True
        return found

    def _followers(self, channel: bytes) -> list[bytes]:
        return [
            r[0]
            for r in self._store.rows(
                "SELECT channel FROM channels WHERE follows = ? AND channel NOT IN (SELECT channel FROM births) "
                "ORDER BY channel",
                channel,
            )
        ]

    def _may_go_on(self, earlier: bytes, later: bytes) -> bool:
        """Tell whether a channel may stand for an earlier one: as a reset, it keeps the rules and brings in nobody new.

        Whoever may invite anybody may have brought in others since. Somebody of the earlier one has brought this device in.
        """
        brought_by = self._column(later, "brought_by")
        if brought_by and brought_by not in self._core.vouching.known(earlier):
            return False
        before, after = self._policy(earlier), self._policy(later)
        if before is None or after is None or (before.kind, after.kind) != (ChannelKind.GROUP, ChannelKind.GROUP):
            return False
        if before.moves + 1 != after.moves or after.follows != earlier:
            return False
        if not may(before, b"", before.admins, Right.INVITE) and not self._people(later) <= self._people(earlier):
            return False
        rules = [(p.admins, p.everybody_may) for p in (before, after)]
        return not before.admins or rules[0] == rules[1]

    def _policy(self, channel: bytes) -> Any:
        try:
            return read_policy(self._core.groups.load(channel).policy)
        except GroupUnusable:
            return None

    def _people(self, channel: bytes) -> set[bytes]:
        return {r[0] for r in self._store.rows("SELECT account FROM leaves WHERE channel = ?", channel)}

    def _go_on(self, earlier: bytes, later: bytes) -> None:
        present = self.shown(earlier)
        if present in {later, self.shown(later)}:
            return
        if present == earlier:
            self._carry(earlier, later)
        elif self._counts_before(later, present):
            self._carry(present, later)
        else:
            self._carry(later, present)

    def _counts_before(self, one: bytes, other: bytes) -> bool:
        places = {c: (-(p.moves if (p := self._policy(c)) is not None else 0), c) for c in (one, other)}
        return places[one] < places[other]

    def _carry(self, earlier: bytes, later: bytes) -> None:
        """Let what stands under a channel stand under a later one."""
        db, both = self._store.db, (later, earlier)
        log.info("conversation_goes_on", home=domain_of(later))
        db.execute(
            "UPDATE messages SET log_number = min(log_number, coalesce((SELECT o.log_number FROM messages o WHERE "
            "o.channel = ? AND o.id = messages.id), log_number)) WHERE channel = ? AND log_number IS NOT NULL",
            (earlier, later),
        )
        for table in CARRIED:
            db.execute(f"UPDATE OR IGNORE {table} SET channel = ? WHERE channel = ?", both)  # noqa: S608 - fixed texts
            db.execute(f"DELETE FROM {table} WHERE channel = ?", (earlier,))  # noqa: S608 - fixed texts
        db.execute(
            "UPDATE OR IGNORE meta SET name = ? WHERE name = ?", (f"draft:{later.hex()}", f"draft:{earlier.hex()}")
        )
        db.execute(
            "UPDATE channels SET name = CASE WHEN channels.name = '' THEN o.name ELSE channels.name END, "
            "timer_seconds = CASE WHEN channels.timer_seconds = 0 THEN o.timer_seconds ELSE channels.timer_seconds END, "
            "name_from = max(channels.name_from, o.name_from), timer_from = max(channels.timer_from, o.timer_from), "
            "request = max(channels.request, o.request), muted_until_ms = max(channels.muted_until_ms, o.muted_until_ms) "
            "FROM (SELECT * FROM channels WHERE channel = ?) AS o WHERE channels.channel = ?",
            (earlier, later),
        )
        db.execute("UPDATE channels SET moved_to = ? WHERE channel = ?", both)
        self._carry_outbox(earlier, later)
        if self._store.rows("SELECT 1 FROM leaving WHERE channel = ?", earlier):
            self._core.upkeep.want_leave(later)
        if self._column(earlier, "founded") or self._column(later, "founded"):
            rows = [(later, account, earlier) for account in self._people(earlier) - self._people(later)]
            db.executemany("INSERT OR IGNORE INTO gathering VALUES (?, ?, ?)", rows)
        self._core.wake_sender()
        self._core.upkeep.wake()

    def _carry_outbox(self, earlier: bytes, later: bytes) -> None:
        """Send what waits to the later channel, in its order; what may be in the earlier log stays to be asked after."""
        rows = self._store.rows(
            "SELECT number, id, content, ttl_seconds, payload FROM outbox WHERE channel = ? ORDER BY number", earlier
        )
        for number, ident, content, ttl_seconds, payload in rows:
            self._store.db.execute(
                "INSERT INTO outbox (channel, id, content, ttl_seconds, generation, epoch, payload) VALUES (?, ?, ?, ?, 0, 0, NULL)",
                (later, ident, content, ttl_seconds),
            )
            if payload is None:
                self._store.db.execute("DELETE FROM outbox WHERE number = ?", (number,))

    # --- later

    @property
    def gathers(self) -> bool:
        """Whether somebody is still to be added."""
        return bool(self._store.rows("SELECT 1 FROM gathering LIMIT 1"))

    def miss(self, channel: bytes, accounts: Iterable[bytes]) -> None:
        """Note, within the caller's transaction, who is to be added to a group that is begun anew, once it is."""
        rows = [(channel, account, channel) for account in accounts]
        self._store.db.executemany("INSERT OR IGNORE INTO gathering VALUES (?, ?, ?)", rows)

    def missed(self) -> list[tuple[bytes, bytes, bytes]]:
        """Return what `gather` is to be called with."""
        rows = self._store.rows("SELECT channel, account, earlier FROM gathering")
        return [row for row in rows if not self._core.upkeep.comes_first(self.shown(row[0]))]

    async def gather(self, channel: bytes, account: bytes, earlier: bytes) -> None:
        """Add somebody who could not be reached when the group went on, or was begun anew, if that can be now."""
        later = self.shown(channel)
        is_due = channel == earlier or account in self._people(earlier)
        if is_due and account not in self._people(later) and self._core.groups.generation(later):
            try:
                await self._core.commits.add(later, [account])
            except Refused as exc:
                if exc.code in OUT_OF_REACH:
                    return
                log.info("not_gathered", code=exc.name)
            except GroupUnusable as exc:
                log.info("not_gathered", reason=str(exc))
        with self._store.transaction() as db:
            if account in self._people(later):
                told = new_content(self._core.now_ms(), "settings", settings=settings_of(self._store, later))
                put(self._store, later, told, self._core.now_ms())
            db.execute("DELETE FROM gathering WHERE channel = ? AND account = ?", (channel, account))
        self._core.wake_sender()


def _of(accounts: Iterable[bytes], domain: str) -> set[bytes]:
    return {account for account in accounts if domain_of(account) == domain}
