"""Changes of groups: built detached, stored, submitted, merged when the log brings them back, tried again when another won."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import qpqnative
from qpqclient.errors import UNDECIDED, GroupBusy, GroupUnusable, NotAllowed, Refused
from qpqclient.groups import leaves_of, sha256, write_key
from qpqclient.log import log
from qpqclient.pacing import jitter, pause
from qpqclient.packages import Added, Packages, check_wanted
from qpqcore.api import delivery
from qpqcore.api.delivery import Handshake, WelcomeItem
from qpqcore.crypto.hybrid import seal_welcome
from qpqcore.groups.policy import LARGE_ABOVE_MEMBERS, GroupPolicy, read_policy
from qpqcore.groups.validity import read_leaf, too_many
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqclient.core import Core

TRIES_MAX = 40
LOST_RACE = frozenset({ErrorCode.EPOCH_CONFLICT, ErrorCode.PROPOSAL_MISSING, ErrorCode.GENERATION_CONFLICT})
BACKOFF_SECONDS = 0.15
RENEWAL_LASTS_MS = 24 * 3600 * 1000
"""In a large group who adds people renews its own keys so often, and not with every invitation (ADR 13)."""


def needs_path(members: int, renewed_ms: int, now_ms: int) -> bool:
    """Tell whether a commit of Adds has to renew its author's keys, last renewed at `renewed_ms` by the same clock, 0 for never.

    A time that is still to come counts as long ago: the clock was set back.
    """
    is_fresh = 0 < renewed_ms <= now_ms < renewed_ms + RENEWAL_LASTS_MS
    return members <= LARGE_ABOVE_MEMBERS or not is_fresh


class Commits(Packages):
    """Brings changes into effect."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._groups = core.groups

    def _welcomes(
        self, channel: bytes, generation: int, pending: qpqnative.PendingCommit, added: Sequence[Added]
    ) -> tuple[WelcomeItem, ...]:
        by_reference = {a.reference: a for a in added}
        items = []
        for reference, welcome in pending.welcomes:
            to = by_reference[reference]
            if to.hybrid_key:
                sealed = seal_welcome(to.hybrid_key, welcome, channel=channel, generation=generation, device=to.device)
                items.append(WelcomeItem(device=to.device, welcome=sealed, hybrid=True))
            else:
                items.append(WelcomeItem(device=to.device, welcome=welcome))
        return tuple(items)

    # --- changes

    def handshake(
        self, channel: bytes, generation: int, pending: qpqnative.PendingCommit, added: Sequence[Added]
    ) -> Handshake:
        """Store a detached commit and return what is submitted; under the lock."""
        key = self._groups.next_write_key(channel, generation, pending)
        renews_ms = self._core.now_ms() if pending.has_path else 0
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO commits (channel, hash, pending, renews_ms) VALUES (?, ?, ?, ?)",
                (channel, sha256(pending.commit), pending.to_bytes(), renews_ms),
            )
        return Handshake(
            commit=pending.commit, welcomes=self._welcomes(channel, generation, pending, added),
            group_info=pending.group_info, write_key=key,
        )  # fmt: skip

    async def change(
        self,
        channel: bytes,
        build: Callable[[qpqnative.Group], qpqnative.PendingCommit | None],
        added: Sequence[Added] = (),
    ) -> None:
        """Bring a change into effect: `build` makes the commit from the present state, or None when nothing is left to do."""
        for attempt in range(TRIES_MAX):
            async with self._core.lock:
                generation = self._groups.generation(channel)
                group = self._groups.load(channel)
                epoch = group.epoch
                try:
                    pending = build(group)
                    if pending is None:
                        return
                    handshake = self.handshake(channel, generation, pending, added)
                except BaseException:
                    self._groups.drop()
                    raise
            params = delivery.SubmitCommitParams(
                channel=channel, generation=generation, epoch=epoch, handshake=handshake
            )
            try:
                await self._core.call(params, delivery.SubmitCommitResult)
            except Refused as exc:
                if exc.code not in LOST_RACE:
                    raise
                await self._core.catch_up()
                await pause(BACKOFF_SECONDS * jitter() * min(attempt + 1, 8))
                continue
            await self._core.catch_up()
            return
        raise GroupBusy("the group is too busy to be changed now")

    async def update(self, channel: bytes) -> None:
        """Commit an update with all proposals that wait."""
        await self.change(channel, lambda g: g.commit(now_s=self._core.now_ms() // 1000))

    async def settle_proposals(self, channel: bytes) -> None:
        """Commit what is proposed, if nobody has by now; a group that cannot be followed any more is rejoined first."""

        def build(group: qpqnative.Group) -> qpqnative.PendingCommit | None:
            if self._core.upkeep.comes_first(channel) or not group.pending_proposals():
                return None
            return group.commit(now_s=self._core.now_ms() // 1000)

        await self.change(channel, build)

    async def add(self, channel: bytes, accounts: Sequence[bytes]) -> None:
        """Add all devices of the accounts that are not in the group yet; a large group without a path, if that may be (ADR 13).

        NotAllowed where the group's kind holds no more people.
        """
        present = frozenset(r[0] for r in self._store.rows("SELECT device FROM leaves WHERE channel = ?", channel))
        self._check_room(self._groups.load(channel), accounts)
        added = await self.packages(accounts, self._groups.load(channel).suite, but=present)
        check_wanted(added, accounts)

        def build(group: qpqnative.Group) -> qpqnative.PendingCommit | None:
            members, now_ms = group.members(), self._core.now_ms()
            inside = {leaf.device for leaf in leaves_of(members)}
            left = [a.key_package for a in added if a.device not in inside]
            if not left:
                return None
            self._check_room(group, accounts)
            path = needs_path(len(members), self._groups.renewed_ms(channel), now_ms)
            return group.commit(add=left, path=path, now_s=now_ms // 1000)

        if not added and not present & self._devices_of(accounts):
            raise GroupUnusable("this person has no device that can be added")
        if added:
            await self.change(channel, build, added)

    @staticmethod
    def _check_room(group: qpqnative.Group, accounts: Sequence[bytes]) -> None:
        """Refuse a third person in a conversation of two before the server is asked to (groups.md, rule 3). NotAllowed."""
        inside = {leaf.account for leaf in leaves_of(group.members())}
        if wrong := too_many(read_policy(group.policy).kind, inside.union(accounts)):
            raise NotAllowed(wrong)

    def _devices_of(self, accounts: Sequence[bytes]) -> set[bytes]:
        return {r[0] for a in accounts for r in self._store.rows("SELECT device FROM leaves WHERE account = ?", a)}

    async def remove(self, channel: bytes, account: bytes) -> None:
        """Remove all leaves of an account."""

        def build(group: qpqnative.Group) -> qpqnative.PendingCommit | None:
            proposed = {r[0] for r in self._store.rows("SELECT device FROM proposed WHERE channel = ?", channel)}
            leaves = [(m.index, read_leaf(m.credential, m.signature_key)) for m in group.members()]
            gone = [i for i, leaf in leaves if leaf.account == account and leaf.device not in proposed]
            return group.commit(remove=gone, now_s=self._core.now_ms() // 1000) if gone else None

        await self.change(channel, build)

    async def set_policy(self, channel: bytes, change: Callable[[GroupPolicy], GroupPolicy]) -> None:
        """Commit another policy; `change` is asked anew each time another commit won."""

        def build(group: qpqnative.Group) -> qpqnative.PendingCommit | None:
            before = read_policy(group.policy)
            after = change(before)
            if after == before:
                return None
            return group.commit(policy=after.to_bytes(), now_s=self._core.now_ms() // 1000)

        await self.change(channel, build)

    async def hand_over(self, channel: bytes) -> None:
        """Before the last admin leaves, let the member of the longest standing be admin; else do nothing."""
        own = self._core.account.account
        if self._core.upkeep.comes_first(channel):
            return

        def build(group: qpqnative.Group) -> qpqnative.PendingCommit | None:
            policy = read_policy(group.policy)
            others = [leaf.account for leaf in leaves_of(group.members()) if leaf.account != own]
            if own not in policy.admins or not others or set(others) & set(policy.admins):
                return None
            after = replace(policy, admins=(others[0],))
            return group.commit(policy=after.to_bytes(), now_s=self._core.now_ms() // 1000)

        await self.change(channel, build)

    async def leave(self, channel: bytes) -> bool:
        """Propose to leave; False when this device is out, or nobody else was left. Proposing it again does nothing.

        A group that cannot be followed any more is rejoined first: the caller comes again.
        """
        for attempt in range(TRIES_MAX):
            if self._core.upkeep.comes_first(channel):
                return True
            async with self._core.lock:
                group = self._groups.load(channel)
                generation, epoch = self._groups.generation(channel), group.epoch
                proposal = group.propose_self_remove()
                self._groups.drop()
            params = delivery.SubmitProposalParams(
                channel=channel, generation=generation, epoch=epoch, proposal=proposal
            )
            try:
                await self._core.call(params, delivery.SubmitProposalResult)
                await self._core.call(delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult)
            except Refused as exc:
                if exc.code is ErrorCode.NOT_MEMBER:
                    return False
                if exc.code not in LOST_RACE:
                    raise
            else:
                return True
            await self._core.catch_up()
            if not self._groups.generation(channel):
                return False
            await pause(BACKOFF_SECONDS * jitter() * min(attempt + 1, 8))
        raise GroupBusy("the group is too busy to be left now")

    # --- coming back

    async def as_served(self, channel: bytes) -> tuple[delivery.FetchGroupInfoResult, bytes]:
        """Return a group's GroupInfo and tree as the server has them now."""
        info = await self._core.call(delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult)
        params = delivery.FetchTreeParams(channel=channel, tree_hash=info.tree_hash)
        return info, (await self._core.call(params, delivery.FetchTreeResult)).tree

    async def is_member(self, channel: bytes) -> bool:
        """Ask the server whether this account is in a channel now."""
        try:
            await self._core.call(delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult)
        except Refused as exc:
            if exc.code is ErrorCode.NOT_MEMBER:
                return False
            raise
        return True

    async def has_leaf(self, channel: bytes) -> bool:
        """Ask the server whether this device is in a channel now."""
        try:
            info, tree = await self.as_served(channel)
        except Refused as exc:
            if exc.code is ErrorCode.NOT_MEMBER:
                return False
            raise
        return self._own_leaf(qpqnative.GroupView.observe(info.group_info, tree)) is not None

    def _own_leaf(self, view: qpqnative.GroupView) -> int | None:
        """Return the index of this device's leaf."""
        own = self._core.account.device
        return next((m.index for m in view.members() if read_leaf(m.credential, m.signature_key).device == own), None)

    async def rejoin(self, channel: bytes) -> bool:
        """Rejoin by external commit; False when this account is not in the channel any more.

        A group that cannot even be joined so is stuck, and is reset.
        """
        for attempt in range(TRIES_MAX):
            try:
                if await self._finish_join(channel):
                    return True
                known = self._core.put_back.standing(channel)  # before it is asked: what comes meanwhile proves nothing
                info, tree = await self.as_served(channel)
                if (info.generation, info.epoch) >= known:
                    await self.join_externally(channel, info, tree)
                elif not await self._core.put_back.begin_anew(channel, info):
                    raise Refused(Refusal(ErrorCode.GENERATION_CONFLICT, "somebody else began it anew"))
            except Refused as exc:
                if exc.code is ErrorCode.NOT_MEMBER:
                    return False
                if exc.code not in LOST_RACE | {ErrorCode.TREE_UNKNOWN}:
                    raise
            except qpqnative.MlsError as exc:
                self._groups.drop()
                log.warning("group_stuck", reason=exc.kind)
                await self._core.births.reset(channel, info.generation)
                if not self._core.upkeep.has_to_rejoin(channel):
                    return True
            else:
                return True
            await pause(BACKOFF_SECONDS * jitter() * min(attempt + 1, 8))
        raise GroupBusy("the group is too busy to be rejoined now")

    async def join_externally(self, channel: bytes, info: delivery.FetchGroupInfoResult, tree: bytes) -> None:
        """Join with a new leaf in place of the old one, if there is one; MlsError when the group does not allow it, NotVouched."""
        view = qpqnative.GroupView.observe(info.group_info, tree)
        by = self._core.vouching.check_served(channel, info.group_info, view)
        old = self._own_leaf(view)
        async with self._core.lock:
            device = self._core.account.native()
            group, commit = device.external_join(info.group_info, tree, remove_leaf=old)
            params = delivery.SubmitCommitParams(
                channel=channel, generation=info.generation, epoch=info.epoch,
                handshake=Handshake(
                    commit=commit, group_info=group.group_info(), write_key=write_key(group, channel, info.generation)
                ),
            )  # fmt: skip
            with self._store.transaction():
                self._groups.keep_joining(channel, info.generation, group, commit, params.to_bytes(), by)
            await self._submit_join(channel, params)

    async def _submit_join(self, channel: bytes, params: delivery.SubmitCommitParams) -> None:
        """Submit a stored external commit and go over to its group; under the lock. What is refused is dropped."""
        try:
            await self._core.call(params, delivery.SubmitCommitResult)
        except Refused as exc:
            if exc.code not in UNDECIDED:
                with self._store.transaction():
                    self._groups.forget_joining(channel)
            raise
        try:
            with self._store.transaction():
                self._groups.adopt_joining(channel)
                self._core.moves.entered(channel)
        finally:
            self._groups.drop()

    async def _finish_join(self, channel: bytes) -> bool:
        """Submit again what the last run, or the last try, got no answer for; tell whether the group can be used now.

        The server knows the commit by its hash. If it took it then, this device reads on from there.
        """
        async with self._core.lock:
            stored = self._groups.joining(channel)
            if stored is None:
                return False
            try:
                await self._submit_join(channel, delivery.SubmitCommitParams.from_bytes(stored[2]))
            except Refused as exc:
                if exc.code in UNDECIDED:
                    raise
                log.info("join_dropped", code=exc.name)
                return False
        await self._core.catch_up()
        info = await self._core.call(delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult)
        generation = self._groups.generation(channel)
        return generation == info.generation and self._groups.load(channel).epoch >= info.epoch
