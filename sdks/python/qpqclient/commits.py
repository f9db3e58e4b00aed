"""Changes of groups: built detached, stored, submitted, merged when the log brings them back, tried again when another won."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import qpqnative
from qpqclient.errors import GroupUnusable, Refused
from qpqclient.groups import sha256, write_key
from qpqclient.transport import new_key
from qpqcore.api import delivery
from qpqcore.api.delivery import Handshake, WelcomeItem
from qpqcore.api.keystore import AccountKeys, FetchKeyPackageParams, FetchKeyPackageResult
from qpqcore.crypto.hybrid import seal_welcome
from qpqcore.crypto.identity import DeviceList, SignedHybridKey
from qpqcore.groups.policy import ChannelKind, group_id
from qpqcore.groups.validity import read_leaf
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import make_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqclient.core import Core

TRIES_MAX = 40
SUITE_DEFAULT = 1
LOST_RACE = frozenset({ErrorCode.EPOCH_CONFLICT, ErrorCode.PROPOSAL_MISSING, ErrorCode.GENERATION_CONFLICT})
BACKOFF_SECONDS = 0.15


class Added:
    """One device to be added: its KeyPackage and, if it has one, its hybrid key."""

    def __init__(self, device: bytes, key_package: bytes, hybrid_key: bytes) -> None:
        self.device = device
        self.key_package = key_package
        self.hybrid_key = hybrid_key


class Commits:
    """Brings changes into effect."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._groups = core.groups

    # --- people to add

    async def packages(self, accounts: Sequence[bytes], *, but: frozenset[bytes] = frozenset()) -> list[Added]:
        """Return a KeyPackage of each active device of the accounts, this device and `but` left out."""
        params = FetchKeyPackageParams(accounts=tuple(accounts), suites=(SUITE_DEFAULT,))
        found = await self._core.call(params, FetchKeyPackageResult, key=new_key())
        return [
            a
            for keys in found.accounts
            for a in self._usable(keys)
            if a.device not in but | {self._core.account.device}
        ]

    def _usable(self, keys: AccountKeys) -> list[Added]:
        if not keys.device_list:
            return []
        listed = DeviceList.from_bytes(keys.device_list)
        self._core.people.pin(keys.account, keys.device_list)
        usable = []
        for d in keys.packages:
            if not d.key_package:
                continue
            info = qpqnative.inspect_key_package(d.key_package, self._core.now_ms() // 1000)
            leaf = read_leaf(info.credential, info.signature_key)
            if (leaf.account, leaf.device) != (keys.account, d.device) or listed.key_of(d.device) != leaf.key:
                continue
            hybrid = b""
            if d.hybrid_key:
                signed = SignedHybridKey.from_bytes(d.hybrid_key)
                hybrid = signed.public_key if signed.device == d.device and signed.verify(leaf.key) else b""
            usable.append(Added(d.device, d.key_package, hybrid))
        return usable

    def _welcomes(
        self, channel: bytes, generation: int, pending: qpqnative.PendingCommit, added: Sequence[Added]
    ) -> tuple[WelcomeItem, ...]:
        by_reference = {qpqnative.inspect_key_package(a.key_package, None).reference: a for a in added}
        items = []
        for reference, welcome in pending.welcomes:
            to = by_reference[reference]
            if to.hybrid_key:
                sealed = seal_welcome(to.hybrid_key, welcome, channel=channel, generation=generation, device=to.device)
                items.append(WelcomeItem(device=to.device, welcome=sealed, hybrid=True))
            else:
                items.append(WelcomeItem(device=to.device, welcome=welcome))
        return tuple(items)

    # --- a new channel

    async def create(self, kind: ChannelKind, accounts: Sequence[bytes], name: str) -> bytes:
        """Make a channel with all devices of the accounts and of one's own; return its id."""
        link = await self._core.link()
        channel = make_id(secrets.token_bytes(16), link.hello.domain)
        added = await self.packages([*accounts, self._core.account.account])
        missing = set(accounts) - {read_leaf_account(a) for a in added}
        if missing:
            raise GroupUnusable("somebody has no device that can be added")
        async with self._core.lock:
            try:
                group = self._groups.device().create_group(
                    SUITE_DEFAULT, group_id=group_id(channel, 1),
                    policy=self._groups.policy(kind, link.hello.domain, 1),
                    external_senders=[(link.hello.external_sender_credential, link.hello.external_sender_key)],
                    now_s=self._core.now_ms() // 1000,
                )  # fmt: skip
                info, tree, key = group.group_info(), group.tree(), write_key(group, channel, 1)
                with self._store.transaction():
                    self._groups.adopt(channel, 1, group, name)
                first = None
                if added:
                    pending = group.commit(add=[a.key_package for a in added], now_s=self._core.now_ms() // 1000)
                    first = self._handshake(channel, 1, pending, added)
            except BaseException:
                self._groups.drop()
                raise
        params = delivery.CreateChannelParams(channel=channel, group_info=info, tree=tree, write_key=key, first=first)
        try:
            await self._core.call(params, delivery.CreateChannelResult)
        except Refused:
            with self._store.transaction() as db:
                self._groups.leave(channel)
                db.execute("DELETE FROM channels WHERE channel = ?", (channel,))
            raise
        await self._core.catch_up()
        return channel

    def _handshake(
        self, channel: bytes, generation: int, pending: qpqnative.PendingCommit, added: Sequence[Added]
    ) -> Handshake:
        """Store a detached commit and return what is submitted; under the lock."""
        key = self._groups.next_write_key(channel, generation, pending)
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO commits VALUES (?, ?, ?)", (channel, sha256(pending.commit), pending.to_bytes())
            )
        return Handshake(
            commit=pending.commit, welcomes=self._welcomes(channel, generation, pending, added),
            group_info=pending.group_info, write_key=key,
        )  # fmt: skip

    # --- changes

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
                    handshake = self._handshake(channel, generation, pending, added)
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
                await self._core.pause(BACKOFF_SECONDS * self._core.jitter() * min(attempt + 1, 8))
                continue
            await self._core.catch_up()
            return
        raise GroupUnusable("the group is too busy to be changed now")

    async def update(self, channel: bytes) -> None:
        """Commit an update with all proposals that wait."""
        await self.change(channel, lambda g: g.commit(now_s=self._core.now_ms() // 1000))

    async def settle_proposals(self, channel: bytes) -> None:
        """Commit what is proposed, if nobody has by now."""

        def build(group: qpqnative.Group) -> qpqnative.PendingCommit | None:
            return group.commit(now_s=self._core.now_ms() // 1000) if group.pending_proposals() else None

        await self.change(channel, build)

    async def add(self, channel: bytes, accounts: Sequence[bytes]) -> None:
        """Add all devices of the accounts that are not in the group yet."""
        present = frozenset(r[0] for r in self._store.rows("SELECT device FROM leaves WHERE channel = ?", channel))
        added = await self.packages(accounts, but=present)

        def build(group: qpqnative.Group) -> qpqnative.PendingCommit | None:
            inside = {read_leaf(m.credential, m.signature_key).device for m in group.members()}
            if any(a.device in inside for a in added):
                return None
            return group.commit(add=[a.key_package for a in added], now_s=self._core.now_ms() // 1000)

        if not added and not present & self._devices_of(accounts):
            raise GroupUnusable("this person has no device that can be added")
        if added:
            await self.change(channel, build, added)

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

    async def leave(self, channel: bytes) -> None:
        """Propose to leave; another member commits it."""
        async with self._core.lock:
            group = self._groups.load(channel)
            generation, epoch = self._groups.generation(channel), group.epoch
            proposal = group.propose_self_remove()
            self._groups.drop()
        params = delivery.SubmitProposalParams(channel=channel, generation=generation, epoch=epoch, proposal=proposal)
        await self._core.call(params, delivery.SubmitProposalResult)

    # --- coming back

    async def rejoin(self, channel: bytes) -> bool:
        """Rejoin by external commit; False when this account is not in the channel any more."""
        for attempt in range(TRIES_MAX):
            try:
                info = await self._core.call(
                    delivery.FetchGroupInfoParams(channel=channel), delivery.FetchGroupInfoResult
                )
                tree = await self._core.call(
                    delivery.FetchTreeParams(channel=channel, tree_hash=info.tree_hash), delivery.FetchTreeResult
                )
                if await self._join_externally(channel, info, tree.tree):
                    return True
            except Refused as exc:
                if exc.code is ErrorCode.NOT_MEMBER:
                    return False
                if exc.code not in LOST_RACE | {ErrorCode.TREE_UNKNOWN}:
                    raise
            await self._core.pause(BACKOFF_SECONDS * self._core.jitter() * min(attempt + 1, 8))
        return False

    async def _join_externally(self, channel: bytes, info: delivery.FetchGroupInfoResult, tree: bytes) -> bool:
        view = qpqnative.GroupView.observe(info.group_info, tree)
        own = self._core.account.device
        old = next((m.index for m in view.members() if read_leaf(m.credential, m.signature_key).device == own), None)
        async with self._core.lock:
            device = self._core.account.native()
            group, commit = device.external_join(info.group_info, tree, remove_leaf=old)
            params = delivery.SubmitCommitParams(
                channel=channel, generation=info.generation, epoch=info.epoch,
                handshake=Handshake(
                    commit=commit, group_info=group.group_info(), write_key=write_key(group, channel, info.generation)
                ),
            )  # fmt: skip
            await self._core.call(params, delivery.SubmitCommitResult)
            with self._store.transaction():
                self._groups.adopt(channel, info.generation, group, "")
            self._groups.drop()
        return True


def read_leaf_account(added: Added) -> bytes:
    """Return whose device is to be added."""
    info = qpqnative.inspect_key_package(added.key_package, None)
    return read_leaf(info.credential, info.signature_key).account
