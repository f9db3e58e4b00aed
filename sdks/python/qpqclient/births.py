"""New channels and new generations: made here, stored with the call that founds them, then submitted until answered.

A crash in between loses nothing: the stored call is repeated at the next start, and the server knows it by its hash.
It is stored until the first commit, by which the others are in, has come back: nothing is sent before (`Upkeep.comes_first`),
since in the first epoch nobody but the founder could read it.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqclient.errors import UNDECIDED, GroupUnusable, Refused, ServerBroke
from qpqclient.groups import leaves_of, write_key
from qpqclient.log import log
from qpqclient.packages import check_wanted
from qpqcore.api import delivery
from qpqcore.groups.policy import ChannelKind, GroupPolicy, group_id, read_policy
from qpqcore.groups.validity import too_many
from qpqcore.model.ids import domain_of, make_id

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qpqclient.core import Core
    from qpqclient.packages import Added

SUITE_DEFAULT = qpqnative.SUITE_1
SUBMITTED = b"\1"
"""Stands in place of a stored call that the server has taken, until the first commit comes back."""


class Births:
    """Founds channels, and generations of channels."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._store = core.store
        self._groups = core.groups
        self._one = trio.Lock()
        """Of submitting: the founder and the upkeep, which sees what is stored, would both do it."""

    async def create(
        self, kind: ChannelKind, accounts: Sequence[bytes], name: str, suite: int = SUITE_DEFAULT
    ) -> bytes:
        """Make a channel with all devices of the accounts and of one's own; return its id."""
        own = self._core.account.account
        # docs/spec/federation.md#homes: a conversation of two has one home, whoever begins it.
        domain = domain_of(min(own, *accounts) if kind is ChannelKind.DIRECT and accounts else own)
        channel = make_id(secrets.token_bytes(16), domain)
        added = await self._core.commits.packages([*accounts, own], suite, each=accounts)
        policy = GroupPolicy(version=1, kind=kind, home=domain, generation=1)
        await self._found(channel, policy, {own, *accounts}, added, suite, name)
        await self._core.catch_up()
        return channel

    async def go_on(
        self,
        later: bytes,
        policy: GroupPolicy,
        people: Collection[bytes],
        added: Sequence[Added],
        suite: int,
        name: str,
    ) -> None:
        """Found the channel in which another one goes on (`Moves`), with those of its people who can be added."""
        await self._found(later, policy, people, added, suite, name)

    async def reset(self, channel: bytes, stuck_generation: int, *, known: set[bytes] | None = None) -> None:
        """Begin a group that is stuck anew, with the same members (RFC 9750 §5.3); somebody else's reset will do too.

        `known`: no more than these, by the policy that stands here; those of them whom the server does not have are added later.
        """
        before = self._groups.generation(channel)
        policy, accounts, suite = await self._present(channel)
        if policy.generation != stuck_generation:
            return
        missing = set[bytes]()
        if known is not None:
            missing = known - accounts
            group = self._groups.load(channel)
            policy = replace(read_policy(group.policy), generation=stuck_generation)
            accounts, suite = accounts & known, group.suite
        accounts = accounts | {self._core.account.account}
        self._check_two(channel, accounts)
        added = await self._core.commits.packages(sorted(accounts), suite)
        try:
            policy = replace(policy, generation=policy.generation + 1)
            await self._found(channel, policy, accounts, added, suite, before=before, missing=missing)
        except (Refused, GroupUnusable) as exc:
            log.info("reset_refused", code=exc.name)
        await self._core.catch_up()

    def _check_two(self, channel: bytes, accounts: set[bytes]) -> None:
        """Refuse to begin a conversation of two anew with anybody else than the two, whatever the server shows. ServerBroke."""
        rows = self._store.rows(
            "SELECT l.account FROM leaves l JOIN channels c ON c.channel = l.channel WHERE c.channel = ? AND c.kind = ?",
            channel, int(ChannelKind.DIRECT),
        )  # fmt: skip
        known = {r[0] for r in rows} | {self._core.account.account}
        if rows and too_many(ChannelKind.DIRECT, known | accounts):
            raise ServerBroke("the server shows somebody else in a conversation of two: nobody was added")

    async def _present(self, channel: bytes) -> tuple[GroupPolicy, set[bytes], int]:
        """Return the policy, the accounts and the suite of a stuck group, as the server has them, else as stored here; NotVouched."""
        info, tree = await self._core.commits.as_served(channel)
        try:
            view = qpqnative.GroupView.observe(info.group_info, tree)
        except qpqnative.MlsError:
            group = self._groups.load(channel)
            policy = replace(read_policy(group.policy), generation=info.generation)
            return policy, {leaf.account for leaf in leaves_of(group.members())}, group.suite
        self._core.vouching.check_served(channel, info.group_info, view)
        return read_policy(view.policy), {leaf.account for leaf in leaves_of(view.members())}, view.suite

    async def _found(
        self,
        channel: bytes,
        policy: GroupPolicy,
        wanted: Collection[bytes],
        added: Sequence[Added],
        suite: int,
        name: str = "",
        *,
        before: int = 0,
        missing: set[bytes] | None = None,
    ) -> None:
        """Found a generation of a channel, of which this device was in generation `before` when that was decided.

        `wanted`: the accounts whose devices may be added. `missing`: to be added once it is there (`Moves.gather`).
        """
        check_wanted(added, wanted)
        if wrong := too_many(policy.kind, {self._core.account.account, *(a.account for a in added)}):
            raise ServerBroke(f"{wrong}: nobody was added")
        generation, sender = policy.generation, await self._external_sender(policy.home)
        now_s = self._core.now_ms() // 1000
        async with self._core.lock:
            if self._groups.generation(channel) != before:  # over it, what is said there could not be read
                raise GroupUnusable("somebody else began it anew")
            try:
                group = self._core.account.native().create_group(
                    suite, group_id=group_id(channel, generation), policy=policy.to_bytes(),
                    external_senders=[sender], now_s=now_s,
                )  # fmt: skip
                info, tree, key = group.group_info(), group.tree(), write_key(group, channel, generation)
                with self._store.transaction() as db:
                    self._groups.adopt(channel, generation, group, name)
                    db.execute("INSERT OR REPLACE INTO births VALUES (?, ?, x'')", (channel, generation))
                    self._core.moves.miss(channel, missing or ())
                first = None
                if added:
                    pending = group.commit(add=[a.key_package for a in added], now_s=now_s)
                    first = self._core.commits.handshake(channel, generation, pending, added)
                params = _params(channel, generation, info, tree, key, first)
                self._store.db.execute("UPDATE births SET params = ? WHERE channel = ?", (params, channel))
            except BaseException:
                self._groups.drop()
                raise
        try:
            await self.finish(channel, generation)
        except BaseException:
            self._core.upkeep.wake()  # what is stored is tried again, whoever gave up waiting for it
            raise

    async def _external_sender(self, home: str) -> tuple[bytes, bytes]:
        """Return credential and key by which a home proposes removals."""
        hello = (await self._core.link()).hello
        if home == hello.domain:
            return hello.external_sender_credential, hello.external_sender_key
        told = await self._core.call(delivery.DescribeHomeParams(domain=home), delivery.ExternalSenderResult)
        return told.credential, told.key

    async def finish(self, channel: bytes, generation: int) -> None:
        """Submit a stored birth, unless that is done by now; what the server refuses is dropped here, then raised."""
        async with self._one:
            params = self.stored(channel, generation)
            if params is not None and params != SUBMITTED:
                await self._submit(channel, generation, params)
            elif self._groups.generation(channel) < generation:
                raise GroupUnusable("this conversation was refused")

    def stored(self, channel: bytes, generation: int) -> bytes | None:
        """Return the call that is stored of a birth, or `SUBMITTED`; None where there is no such birth, or it is done."""
        rows = self._store.rows("SELECT params FROM births WHERE channel = ? AND generation = ?", channel, generation)
        return rows[0][0] if rows else None

    async def _submit(self, channel: bytes, generation: int, params: bytes) -> None:
        try:
            if not params:
                raise GroupUnusable("this conversation was not finished")
            call: delivery.CreateChannelParams | delivery.ResetChannelParams
            if generation == 1:
                call = delivery.CreateChannelParams.from_bytes(params)
                await self._core.call(call, delivery.CreateChannelResult)
            else:
                call = delivery.ResetChannelParams.from_bytes(params)
                await self._core.call(call, delivery.ResetChannelResult)
        except (Refused, GroupUnusable) as exc:
            if isinstance(exc, Refused) and exc.code in UNDECIDED:
                raise
            self._drop(channel, generation)
            raise
        with self._store.transaction() as db:
            if call.first is None:
                db.execute("DELETE FROM births WHERE channel = ?", (channel,))
            else:
                db.execute("UPDATE births SET params = ? WHERE channel = ?", (SUBMITTED, channel))
            self._core.moves.born(channel)

    def _drop(self, channel: bytes, generation: int) -> None:
        """Be out of a group that the server refused, unless another one has taken its place meanwhile."""
        with self._store.transaction() as db:
            if self.stored(channel, generation) is None:
                return
            self._groups.leave(channel)
            if generation == 1:
                db.execute("DELETE FROM channels WHERE channel = ?", (channel,))
            else:
                self._core.upkeep.want_rejoin(channel)


def _params(
    channel: bytes, generation: int, info: bytes, tree: bytes, key: bytes, first: delivery.Handshake | None
) -> bytes:
    common = {"channel": channel, "group_info": info, "tree": tree, "write_key": key, "first": first}
    if generation == 1:
        return delivery.CreateChannelParams(**common).to_bytes()  # type: ignore[arg-type]  # the two share these fields
    return delivery.ResetChannelParams(generation=generation - 1, **common).to_bytes()  # type: ignore[arg-type]
