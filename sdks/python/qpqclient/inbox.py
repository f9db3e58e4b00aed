"""Takes mailbox entries in order: each is one transaction of message, advanced ratchet and position.

Nothing is acknowledged before it is stored. What cannot be read is passed over once its reason is sure; a group that
cannot be followed any more is marked for rejoining.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import trio

import qpqnative
from qpqclient.content import apply_content, read_content
from qpqclient.errors import UNDECIDED, GroupUnusable, NotVouched, Refused
from qpqclient.groups import sha256
from qpqclient.log import log
from qpqclient.model import GroupChanged, MessageStored, Missed
from qpqclient.outgoing import SETTINGS
from qpqclient.settings import REQUESTS
from qpqcore.api import delivery
from qpqcore.api.delivery import EntryKind, WelcomeItem
from qpqcore.crypto.hybrid import open_welcome
from qpqcore.groups.policy import group_id, read_group_id
from qpqcore.groups.validity import read_leaf
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqclient.core import Core
    from qpqclient.model import Event
    from qpqcore.api.content import Content

POSITION = "position"
MISSED_AGAIN_SECONDS = 60.0
"""A hole in the mailbox so soon after another does not lead to rejoining."""
FOLLOWED = frozenset({EntryKind.COMMIT, EntryKind.PROPOSAL})
LEAD_ON = FOLLOWED | {EntryKind.WELCOME}
"""Who cannot take one of these cannot follow its group any more."""
IGNORED = frozenset({"wrong_epoch", "reused_key", "wrong_group", "rule"})
"""Reasons for which a message is passed over: of an epoch this device was not in, or read before."""


class Inbox:
    """Processes entries; used under the core's lock."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._groups = core.groups
        self._missed_at_s = -inf

    @property
    def position(self) -> int:
        """The last mailbox number that has been stored."""
        return self._store.number(POSITION)

    async def take(self, entry: delivery.Entry) -> None:
        """Process one entry; repeats are passed over."""
        if entry.number <= self.position:
            return
        if entry.number != self.position + 1 and entry.kind is not EntryKind.GAP:
            self._missed()
        handler = {
            EntryKind.MESSAGE: self._message, EntryKind.COMMIT: self._commit, EntryKind.PROPOSAL: self._proposal,
            EntryKind.GAP: self._gap, EntryKind.RESET: self._reset,
        }.get(entry.kind)  # fmt: skip
        try:
            if entry.kind is EntryKind.WELCOME:
                await self._welcome(entry)
            elif handler is not None:
                handler(entry)
            else:
                self._pass_over(entry)
        except (qpqnative.MlsError, Refusal, GroupUnusable, NotVouched) as exc:
            self._groups.drop()
            log.info("entry_passed_over", kind=entry.kind.name, reason=str(exc))
            rejoin = entry.kind in LEAD_ON and not isinstance(exc, GroupUnusable)
            if entry.kind in FOLLOWED:
                self._follow_before_rejoin(entry, rejoin=rejoin)
            else:
                self._pass_over(entry, rejoin=rejoin)
        except BaseException:
            self._groups.drop()
            raise

    def _missed(self) -> None:
        """Tell that something is missing before the next entry: mailboxes have no holes, so it was lost or withheld.

        The groups are rejoined as after a `gap`, but not again and again: a server that withholds every handshake would
        keep its clients, and the other members, at it for ever.
        """
        log.warning("entries_missing", after=self.position)
        now_s = trio.current_time()
        with self._store.transaction():
            if now_s - self._missed_at_s >= MISSED_AGAIN_SECONDS:
                self._core.upkeep.want_rejoin_all()
            else:
                self._core.upkeep.want_survey()
        self._missed_at_s = now_s
        self._core.tell(Missed(b""))

    def _pass_over(self, entry: delivery.Entry, *, rejoin: bool = False) -> None:
        with self._store.transaction():
            self._store.put_number(POSITION, entry.number)
            if rejoin:
                self._core.upkeep.want_rejoin(entry.channel)

    def _group(self, entry: delivery.Entry) -> qpqnative.Group | None:
        """Return the group an entry is of; None for another generation, or where this device is not in it."""
        if self._groups.generation(entry.channel) != entry.generation:
            return None
        return self._groups.load(entry.channel)

    def _opened(self, entry: delivery.Entry, group: qpqnative.Group | None) -> tuple[object, Callable[[], None]] | None:
        """Open a message with the group, or as it was before this device rejoined or founded it anew.

        Also return how its state is saved; None for a message of another generation of which there is nothing.
        """
        is_behind = group is None or entry.epoch < group.epoch
        if is_behind and (found := self._opened_before(entry)) is not None:
            return found
        if group is None:
            return None
        try:
            return group.process(entry.payload), lambda: self._groups.save(entry.channel, group)
        except qpqnative.MlsError:
            # Of the epoch of this number of another group: the server was put back, and this generation begun a second time.
            self._groups.drop()
            if is_behind or (found := self._opened_before(entry)) is None:
                raise
            return found

    def _opened_before(self, entry: delivery.Entry) -> tuple[object, Callable[[], None]] | None:
        for place, older in self._before(entry):
            try:
                return older.process(entry.payload), partial(self._groups.save_before_rejoin, place, older)
            except qpqnative.MlsError as exc:
                log.debug("not_of_the_time_before", reason=exc.kind)
        return None

    def _before(self, entry: delivery.Entry) -> list[tuple[bytes, qpqnative.Group]]:
        return self._groups.before_rejoins(entry.channel, entry.generation)

    def _follow_before_rejoin(self, entry: delivery.Entry, *, rejoin: bool = False) -> None:
        """Take a handshake of the time before this device rejoined or founded anew: messages of then may still come.

        `rejoin`: it is one that the present group could not take.
        """
        saves = []
        for place, older in self._before(entry):
            if older.epoch != entry.epoch:
                continue
            try:
                rows = self._pending(entry)
                if rows:
                    older.apply(qpqnative.PendingCommit.from_bytes(rows[0][0]), entry.payload)
                else:
                    older.process(entry.payload)
            except qpqnative.MlsError as exc:
                log.debug("not_followed", reason=exc.kind)
            else:
                saves.append(partial(self._groups.save_before_rejoin, place, older))
        with self._store.transaction():
            for save in saves:
                save()
            self._store.put_number(POSITION, entry.number)
            if rejoin:
                self._core.upkeep.want_rejoin(entry.channel)

    def _is_own(self, member: qpqnative.Member | None) -> bool:
        leaf = read_leaf(member.credential, member.signature_key) if member is not None else None
        return leaf is not None and leaf.device == self._core.account.device

    def _pending(self, entry: delivery.Entry) -> list[Any]:
        """Return the row of one's own commit that an entry brings back, if it is one."""
        return self._store.rows(
            "SELECT pending, renews_ms FROM commits WHERE channel = ? AND hash = ?",
            entry.channel,
            sha256(entry.payload),
        )

    def _message(self, entry: delivery.Entry) -> None:
        try:
            opened = self._opened(entry, self._group(entry))
        except qpqnative.MlsError as exc:
            self._groups.drop()
            if exc.kind not in IGNORED:
                log.warning("message_unreadable", reason=exc.kind)
            self._pass_over(entry)
            return
        if opened is None:
            self._pass_over(entry)
            return
        received, save = opened
        if not isinstance(received, qpqnative.Application):
            raise Refusal(ErrorCode.MALFORMED, "not an application message")
        sender = read_leaf(received.sender.credential, received.sender.signature_key)
        content = read_content(received.data)
        with self._store.transaction():
            save()
            events = self._applied(sender.account, content, entry) if content else []
            self._store.put_number(POSITION, entry.number)
        for event in events:
            self._core.tell(self._core.finished(event))

    def _applied(self, sender: bytes, content: Content, entry: delivery.Entry) -> list[Event]:
        """Apply a content, as far as its sender may, to the conversation in which it stands; inside a transaction."""
        if self._core.contacts.blocked(sender):
            return []
        may = partial(self._groups.may, entry.channel, sender, generation=entry.generation, epoch=entry.epoch)
        moves = self._core.moves
        channel = moves.shown(entry.channel)
        if channel != entry.channel and content.which in SETTINGS:
            return []  # what the later channel is called is said there
        placed = replace(entry, log_number=moves.place(entry.channel, entry.log_number))
        events = apply_content(self._store, channel, sender, content, placed, may=may)
        if sender == self._core.account.account and content.which == "selfState":
            self._core.history.heard(channel, content)
        if sender != self._core.account.account:
            for event in events:
                if isinstance(event, MessageStored):
                    self._core.receipts.came(channel, event.id)
        # What waits to be accepted is not told as a message: it stands in `Client.requests`.
        return [GroupChanged(channel, active=True)] if events and self._core.contacts.waits(channel) else events

    def _commit(self, entry: delivery.Entry) -> None:
        channel = entry.channel
        joining = self._groups.joining(channel)
        if joining is not None and joining[:2] == (entry.generation, sha256(entry.payload)):
            self._enter_joined(entry)
            return
        group = self._group(entry)
        if group is None or entry.epoch < group.epoch:
            self._follow_before_rejoin(entry)
            return
        before, policy = group.members(), group.policy
        rows = self._pending(entry)
        if rows:
            facts = group.apply(qpqnative.PendingCommit.from_bytes(rows[0][0]), entry.payload)
        else:
            done = group.process(entry.payload)
            if not isinstance(done, qpqnative.CommitFacts):
                raise Refusal(ErrorCode.COMMIT_INVALID, "not a commit")
            facts = done
        if facts.self_removed and facts.external and self._is_own(facts.committer):
            # This device joined anew, and died before it knew: what it had then is lost, what it has now reads the past.
            self._groups.drop()
            self._pass_over(entry, rejoin=True)
            return
        self._groups.check(channel, before, policy, group, facts)
        with self._store.transaction():
            if facts.self_removed:
                self._groups.leave(channel)
            else:
                self._groups.save(channel, group)
                self._groups.save_change(channel, group, facts)
                if rows and rows[0][1]:
                    self._groups.renewed(channel, rows[0][1])
                self._groups.forget_before_rejoin(channel, group.epoch)
                for table in ("births", "commits", "proposed", "rosters"):
                    self._store.db.execute(f"DELETE FROM {table} WHERE channel = ?", (channel,))  # noqa: S608 - fixed texts
            self._store.put_number(POSITION, entry.number)
        self._core.tell(GroupChanged(channel, active=not facts.self_removed))

    def _enter_joined(self, entry: delivery.Entry) -> None:
        """Go over to the group that this device joined by an external commit whose answer it never saw."""
        with self._store.transaction():
            self._groups.adopt_joining(entry.channel)
            self._core.moves.entered(entry.channel)
            self._store.put_number(POSITION, entry.number)
        self._groups.drop()
        self._core.tell(GroupChanged(entry.channel, active=True))

    def _proposal(self, entry: delivery.Entry) -> None:
        channel = entry.channel
        group = self._group(entry)
        if group is None or entry.epoch < group.epoch:
            self._follow_before_rejoin(entry)
            return
        done = group.process(entry.payload)
        if not isinstance(done, qpqnative.Proposal):
            raise Refusal(ErrorCode.PROPOSAL_INVALID, "not a proposal")
        index = done.sender_index if done.kind == "self_remove" else done.target_index
        leaf = next((m for m in group.members() if m.index == index), None)
        with self._store.transaction():
            self._groups.save(channel, group)
            if leaf is not None:
                device = read_leaf(leaf.credential, leaf.signature_key).device
                self._store.db.execute(
                    "INSERT OR REPLACE INTO proposed VALUES (?, ?, ?)",
                    (channel, device, int(done.sender_index is None)),
                )
            self._store.put_number(POSITION, entry.number)
        self._core.upkeep.wake()

    async def _welcome(self, entry: delivery.Entry) -> None:
        channel = entry.channel
        item = WelcomeItem.from_bytes(entry.payload)
        welcome = item.welcome
        if item.hybrid:
            welcome = open_welcome(
                self._core.account.hybrid_seed, welcome, channel=channel, generation=entry.generation,
                device=self._core.account.device,
            )  # fmt: skip
        try:
            tree = await self._core.call(
                delivery.FetchTreeParams(channel=channel, tree_hash=entry.tree_hash), delivery.FetchTreeResult
            )
        except Refused as exc:
            if exc.code in UNDECIDED:
                raise  # it stays in the mailbox: passed over, the messages of its epochs would be lost
            raise Refusal(exc.code, str(exc)) from exc
        known = self._groups.generation(
            channel
        )  # now: while the tree was fetched this device may have left, or founded
        is_past = known > entry.generation or (
            known == entry.generation and self._groups.load(channel).epoch >= entry.epoch
        )
        try:
            # Fresh from the store: one from before has not the keys that were made since.
            group = self._core.account.native().join(welcome, tree.tree)
        except qpqnative.MlsError as exc:
            if not is_past:
                raise
            raise GroupUnusable("an invitation of the past that cannot be opened") from exc
        self._check_joined(channel, entry.generation, group)
        vouching = self._core.vouching
        if known or self._core.upkeep.has_to_rejoin(channel):
            by, is_strange = vouching.check(channel, group, group.inviter_index), False
        else:  # an invitation, be it back into what one has left, or was removed from
            by = vouching.signer(group, group.inviter_index).identity_key
            is_strange = bool(familiar := vouching.known(channel)) and by not in familiar
        with self._store.transaction():
            if is_past:  # this device has joined by itself since; what was sent in between opens with this one only
                self._groups.keep_past(channel, entry.generation, group)
            else:
                self._groups.adopt(channel, entry.generation, group, "", brought_by=by)
                if not self._core.moves.entered(channel) and not known:
                    requests = self._core.settings.on(REQUESTS)
                    self._core.contacts.judge(channel, requests=requests, is_strange=is_strange)
            self._store.put_number(POSITION, entry.number)
        if not is_past:
            self._core.tell(GroupChanged(channel, active=True))

    @staticmethod
    def _check_joined(channel: bytes, generation: int, group: qpqnative.Group) -> None:
        if read_group_id(group.group_id) != (channel, generation) or group.group_id != group_id(channel, generation):
            raise Refusal(ErrorCode.MALFORMED, "a Welcome into another group")

    def _gap(self, entry: delivery.Entry) -> None:
        with self._store.transaction():
            self._store.put_number(POSITION, entry.number)
            if entry.generation:
                self._core.put_back.heard()
            else:
                self._core.upkeep.want_rejoin_all()
        self._core.tell(Missed(b""))

    def _reset(self, entry: delivery.Entry) -> None:
        is_left = self._groups.generation(entry.channel) < entry.generation  # else it has joined the new one by itself
        with self._store.transaction():
            self._store.put_number(POSITION, entry.number)
            if is_left:
                self._groups.leave(entry.channel)
                self._core.upkeep.want_rejoin(entry.channel)
        if is_left:
            self._core.tell(GroupChanged(entry.channel, active=False))
