"""Commits, proposals, new channels and resets: checked outside the store, then accepted in one transaction.

Checks follow docs/spec/delivery.md#epochs-and-generations in its order. A check runs on the view of the
state that was read; the store accepts only while that is still the state, else it is checked anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

import qpqnative
from qpqcore.api import delivery as api
from qpqcore.api.keystore import DeviceListsParams
from qpqcore.crypto.identity import DeviceList
from qpqcore.groups.policy import read_policy
from qpqcore.groups.validity import Change, Leaf, check_change, read_leaf
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery import rules
from qpqdelivery.store import Accepted, Birth, Channel, Commit, Member, NextState, Offer, Stored, Welcome
from qpqdelivery.views import Views, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.api.keystore import KeystoreInternalApi
    from qpqdelivery.config import Config
    from qpqdelivery.limits import Limits
    from qpqdelivery.store import Store

CHECKS_MAX = 8
"""How often a commit is checked anew because proposals came in between."""
SELF = Caller(CallerKind.SERVICE, name="delivery")


class Handshakes:
    """Decides on handshake messages."""

    def __init__(
        self,
        config: Config,
        store: Store,
        views: Views,
        limits: Limits,
        keystore: KeystoreInternalApi,
        external_sender: tuple[bytes, bytes, bytes],
    ) -> None:
        self._config = config
        self._store = store
        self._views = views
        self._limits = limits
        self._keystore = keystore
        self._credential, self._secret, self._public = external_sender

    # --- commits

    async def commit(self, call: CallContext, params: api.SubmitCommitParams) -> tuple[Accepted, list[bytes]]:
        """Accept a commit or refuse it."""
        self._check_own_limit(call, params.channel)
        handshake = params.handshake or api.Handshake()
        rules.check_handshake_size(self._config, handshake)
        rules.check_write_key(handshake.write_key)
        for attempt in range(CHECKS_MAX):
            state = await self._store.channel(params.channel)
            if state is None or not await self._store.has_account(state.channel, state.generation, call.caller.account):
                raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
            if attempt == 0:
                self._limits.offered_by_member(call, params.channel)
            earlier = await self._store.found(params.channel, rules.sha256(handshake.commit))
            if earlier is not None:
                return Accepted(earlier.log_number, earlier.accepted_ms, earlier.epoch + 1, duplicate=True), []
            if state.generation != params.generation:
                raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset")
            if state.epoch != params.epoch:
                raise Refusal(ErrorCode.EPOCH_CONFLICT, "another commit won this epoch: fetch, then try again")
            view = await self._views.of(state)
            stored = await self._store.proposals(state.channel)
            commit, after = await self._check(call, view, state, handshake, stored)
            answer = await self._store.accept_commit(commit)
            if answer is not None:
                await self._remember(params.channel, answer[0], after)
                return answer[0], [*answer[1], *await self._repropose(call, commit, stored)]
        raise Refusal(ErrorCode.EPOCH_CONFLICT, "the group is too busy: fetch, then try again")

    def _check_own_limit(self, call: CallContext, channel: bytes) -> None:
        """Spend what a caller has of its own. Refusal(malformed), Refusal(rateLimited)."""
        rules.check_channel_form(channel)
        self._limits.offered(call, channel)

    async def _repropose(self, call: CallContext, commit: Commit, stored: Sequence[Stored]) -> list[bytes]:
        """Propose again the removals that an external commit made void; the sweep does it after a crash."""
        woken: list[bytes] = []
        gone = set(commit.removed)
        for proposal in stored:
            if proposal.by_server and proposal.target not in gone:
                _, more = await self.propose_removal(commit.channel, proposal.target, call.now_ms)
                woken += more
        return woken

    async def _remember(self, channel: bytes, accepted: Accepted, after: qpqnative.GroupView) -> None:
        now = await self._store.channel(channel)
        if now is not None and now.epoch == after.epoch == accepted.epoch and now.tree_hash == after.tree_hash:
            self._views.remember(now, after)

    async def _check(
        self, call: CallContext, view: qpqnative.GroupView, state: Channel, handshake: api.Handshake,
        stored: Sequence[Stored] = (),
    ) -> tuple[Commit, qpqnative.GroupView]:  # fmt: skip
        proposed = {p.target for p in stored if p.by_server}

        def judge() -> tuple[qpqnative.GroupView, qpqnative.CommitFacts, Change]:
            try:
                after, facts = view.check(handshake.commit, call.now_ms // 1000)
            except qpqnative.MlsError as exc:
                raise refusal_of(exc, ErrorCode.COMMIT_INVALID) from exc
            if not isinstance(facts, qpqnative.CommitFacts) or facts.committer is None:
                raise Refusal(ErrorCode.COMMIT_INVALID, "not a commit")
            # A thousand new leaves are 0.1 s of signatures: in this thread, so that others are served meanwhile.
            return after, facts, self._change(view, after, facts, proposed)

        after, facts, change = await trio.to_thread.run_sync(judge)
        if change.committer.device != call.caller.device:
            raise Refusal(ErrorCode.FORBIDDEN, "a device commits for itself only")
        # A Remove and a SelfRemove of one leaf are one departure: no commit can take up both.
        gone = {leaf.device for leaf in (*change.removed, *change.self_removed)}
        left_out = {p.reference for p in stored if p.target not in gone} - set(facts.proposal_refs)
        # RFC 9420 §12.4.3.2: an external commit has no proposals by reference; ours are made anew after it.
        if not facts.external and (facts.unused_proposals or left_out):
            raise Refusal(ErrorCode.PROPOSAL_MISSING, "the commit leaves a stored proposal out")
        check_change(change)
        if len(after.members()) > self._config.members_max:
            raise Refusal(ErrorCode.CHANNEL_LIMIT, f"a group has at most {self._config.members_max} leaves")
        await self._check_active(call, [*change.added, *change.updated])
        rules.check_welcomes(handshake.welcomes, [leaf.device for leaf in change.added], external=facts.external)
        next_state = await self._next_state(after, handshake.group_info)
        return self._record(call, state, handshake, change, next_state), after

    def _record(
        self, call: CallContext, state: Channel, handshake: api.Handshake, change: Change, after: NextState
    ) -> Commit:
        return Commit(
            channel=state.channel, generation=state.generation, epoch=state.epoch,
            proposals_version=state.proposals_version, payload=handshake.commit, hash=rules.sha256(handshake.commit),
            now_ms=call.now_ms, after=after, write_key=handshake.write_key,
            added=[Member(leaf.device, leaf.account) for leaf in change.added],
            removed=[leaf.device for leaf in (*change.removed, *change.self_removed)],
            welcomes=[Welcome(w.device, w.to_bytes()) for w in handshake.welcomes], committer=change.committer.device,
        )  # fmt: skip

    @staticmethod
    def _change(
        view: qpqnative.GroupView, after: qpqnative.GroupView, facts: qpqnative.CommitFacts, proposed: set[bytes]
    ) -> Change:
        def leaves(found: Sequence[qpqnative.Member]) -> list[Leaf]:
            return [read_leaf(m.credential, m.signature_key) for m in found]

        assert facts.committer is not None
        return Change(
            members=leaves(view.members()), committer=leaves([facts.committer])[0], external=facts.external,
            added=leaves(facts.added), removed=leaves(facts.removed), self_removed=leaves(facts.self_removed_members),
            updated=leaves(facts.updated), proposed=frozenset(proposed), psks=facts.psks,
            policy_before=read_policy(view.policy), policy_after=read_policy(after.policy),
        )  # fmt: skip

    async def _check_active(self, call: CallContext, leaves: Sequence[Leaf]) -> None:
        """Demand that each leaf is an active device under the account's identity key."""
        accounts = tuple({leaf.account for leaf in leaves})
        if not accounts:
            return
        asking = CallContext(caller=SELF, deadline_s=call.deadline_s, now_ms=call.now_ms)
        found = await self._keystore.device_lists(asking, DeviceListsParams(accounts=accounts))
        lists = {a: DeviceList.from_bytes(b) for a, b in zip(accounts, found.device_lists, strict=True) if b}
        for leaf in leaves:
            listed = lists.get(leaf.account)
            if listed is None or listed.identity_key != leaf.identity_key or listed.key_of(leaf.device) != leaf.key:
                raise Refusal(ErrorCode.CREDENTIAL_INVALID, "a leaf that is no active device of its account")

    @staticmethod
    async def _next_state(view: qpqnative.GroupView, group_info: bytes) -> NextState:
        def make() -> NextState:
            view.check_group_info(group_info)
            return NextState(
                epoch=view.epoch, policy=view.policy, snapshot=view.snapshot(), tree_hash=view.tree_hash,
                tree=view.tree(), group_info=group_info,
            )  # fmt: skip

        try:
            return await trio.to_thread.run_sync(make)
        except qpqnative.MlsError as exc:
            raise Refusal(ErrorCode.GROUP_INFO_INVALID, "the GroupInfo is not of the new epoch") from exc

    # --- proposals

    async def self_remove(self, call: CallContext, params: api.SubmitProposalParams) -> tuple[Accepted, list[bytes]]:
        """Accept a SelfRemove of the caller's own leaf."""
        self._check_own_limit(call, params.channel)
        for attempt in range(CHECKS_MAX):
            state = await self._store.channel(params.channel)
            if state is None or not await self._store.is_member(state.channel, state.generation, call.caller.device):
                raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
            if attempt == 0:
                self._limits.offered_by_member(call, params.channel)
            earlier = await self._store.found(params.channel, rules.sha256(params.proposal))
            if earlier is not None:
                await self._drop_if_deserted(state)
                return earlier, []
            if state.generation != params.generation:
                raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset")
            if state.epoch != params.epoch:
                raise Refusal(ErrorCode.EPOCH_CONFLICT, "the group has moved on: fetch, then try again")
            view = await self._views.of(state)
            try:
                after, proposal = await trio.to_thread.run_sync(view.check, params.proposal, call.now_ms // 1000)
            except qpqnative.MlsError as exc:
                raise refusal_of(exc, ErrorCode.PROPOSAL_INVALID) from exc
            offer = self._self_remove(call, state, view, after, proposal, params.proposal)
            answer = await self._store.accept_proposal(offer)
            if answer is not None:
                await self._drop_if_deserted(state)
                return answer
        raise Refusal(ErrorCode.EPOCH_CONFLICT, "the group is too busy: fetch, then try again")

    async def _drop_if_deserted(self, state: Channel) -> bool:
        """Drop a channel whose members are all to go: nobody is left who could commit that."""
        going = {p.target for p in await self._store.proposals(state.channel)}
        if not {m.device for m in await self._store.members(state.channel, state.generation)} <= going:
            return False
        await self._store.delete_channel(state.channel)
        return True

    @staticmethod
    def _self_remove(
        call: CallContext, state: Channel, view: qpqnative.GroupView, after: qpqnative.GroupView,
        proposal: qpqnative.Proposal | qpqnative.CommitFacts, payload: bytes,
    ) -> Offer:  # fmt: skip
        if not isinstance(proposal, qpqnative.Proposal) or proposal.kind != "self_remove":
            raise Refusal(ErrorCode.PROPOSAL_INVALID, "members propose to leave, nothing else")
        sender = next((m for m in view.members() if m.index == proposal.sender_index), None)
        if sender is None or read_leaf(sender.credential, sender.signature_key).device != call.caller.device:
            raise Refusal(ErrorCode.FORBIDDEN, "a device proposes for itself only")
        return Offer(
            channel=state.channel, generation=state.generation, epoch=state.epoch,
            proposals_version=state.proposals_version, payload=payload, hash=rules.sha256(payload), now_ms=call.now_ms,
            reference=proposal.reference, target=call.caller.device, by_server=False, snapshot=after.snapshot(),
        )  # fmt: skip

    async def propose_removal(self, channel: bytes, device: bytes, now_ms: int) -> tuple[bool, list[bytes]]:
        """Propose, as the group's external sender, to remove a device; True if a proposal was stored.

        A channel in which nobody else is to stay is dropped.
        """
        for _ in range(CHECKS_MAX):
            state = await self._store.channel(channel)
            if state is None or not await self._store.is_member(channel, state.generation, device):
                return False, []
            if any(p.target == device for p in await self._store.proposals(channel)):
                await self._drop_if_deserted(state)
                return False, []
            view = await self._views.of(state)
            offer = self._removal(state, view, device, now_ms)
            answer = await self._store.accept_proposal(offer) if offer is not None else None
            if answer is not None:
                await self._drop_if_deserted(state)
                return True, answer[1]
        raise Refusal(ErrorCode.UNAVAILABLE, "the group is too busy to propose a removal")

    def _removal(self, state: Channel, view: qpqnative.GroupView, device: bytes, now_ms: int) -> Offer | None:
        """Return the proposal; None where the group has moved on since `state`: leaves and proposals were looked at later."""
        leaves = {read_leaf(m.credential, m.signature_key).device: m.index for m in view.members()}
        index = leaves.get(device)
        waiting = view.cached_proposals()
        if index is None or any((p.kind, p.target_index) == ("remove", index) for _, p in waiting):
            return None
        after, payload = view.propose_remove(index, self._credential, self._secret)
        known = {ref for ref, _ in waiting}
        reference = next(ref for ref, _ in after.cached_proposals() if ref not in known)
        return Offer(
            channel=state.channel, generation=state.generation, epoch=state.epoch,
            proposals_version=state.proposals_version, payload=payload, hash=rules.sha256(payload), now_ms=now_ms,
            reference=reference, target=device, by_server=True, snapshot=after.snapshot(),
        )  # fmt: skip

    # --- beginnings

    async def create(self, call: CallContext, params: api.CreateChannelParams) -> tuple[Accepted, list[bytes]]:
        """Make a channel with its first members."""
        rules.check_channel_id(self._config, params.channel)
        birth = await self._birth(call, params, 1)
        accounts = {birth.creator.account, *(m.account for m in (birth.first.added if birth.first else ()))}
        rules.check_home(self._config, read_policy(birth.state.policy).kind, accounts)
        return await self._store.create(birth)

    async def reset(self, call: CallContext, params: api.ResetChannelParams) -> tuple[Accepted, list[bytes], int]:
        """Begin a channel's next generation with people of the one before."""
        self._check_own_limit(call, params.channel)
        state = await self._store.channel(params.channel)
        if state is None:
            raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
        again = state.birth_hash == rules.sha256(params.to_bytes())
        generation = state.generation if again else params.generation + 1
        if not again:
            if state.generation != params.generation:
                raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset already")
            if not await self._store.is_member(state.channel, state.generation, call.caller.device):
                raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
            self._limits.offered_by_member(call, params.channel)
        birth = await self._birth(call, params, generation)
        await self._check_reset(state, birth, again=again)
        return *(await self._store.reset(birth)), generation

    async def _check_reset(self, state: Channel, birth: Birth, *, again: bool) -> None:
        before = {m.account for m in await self._store.members(state.channel, state.generation)}
        after = {birth.creator.account, *(m.account for m in (birth.first.added if birth.first else ()))}
        if not before and not again:  # a reset came in between: this very one, asked for twice, or somebody else's
            now = await self._store.channel(state.channel)
            if now is None or now.birth_hash != birth.birth_hash:
                raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset already")
            return
        kinds = read_policy(state.policy).kind, read_policy(birth.state.policy).kind
        if not again and not rules.may_reset(*kinds, before, after):
            raise Refusal(ErrorCode.COMMIT_INVALID, "a reset keeps the kind and brings in nobody new")

    async def _birth(
        self, call: CallContext, params: api.CreateChannelParams | api.ResetChannelParams, generation: int
    ) -> Birth:
        rules.check_write_key(params.write_key)
        view = await self._observe(params.group_info, params.tree)
        rules.check_birth(self._config, params.channel, generation, view.group_id, view.policy)
        leaves = [read_leaf(m.credential, m.signature_key) for m in view.members()]
        if view.epoch != 0 or [leaf.device for leaf in leaves] != [call.caller.device]:
            raise Refusal(ErrorCode.GROUP_INFO_INVALID, "a group begins at epoch 0 with its creator alone")
        if view.external_senders != [(self._credential, self._public)]:
            raise Refusal(ErrorCode.GROUP_INFO_INVALID, "the group does not name this server as external sender")
        await self._check_active(call, leaves)
        state = await self._next_state(view, params.group_info)
        first = None
        if params.first is not None and params.first.commit:
            rules.check_handshake_size(self._config, params.first)
            rules.check_write_key(params.first.write_key)
            origin = Channel(
                params.channel,
                generation,
                0,
                0,
                0,
                view.policy,
                state.snapshot,
                state.tree_hash,
                params.group_info,
                b"",
            )
            first, _ = await self._check(call, view, origin, params.first)
        return Birth(
            channel=params.channel, generation=generation, birth_hash=rules.sha256(params.to_bytes()),
            creator=Member(leaves[0].device, leaves[0].account), state=state, write_key=params.write_key,
            first=first, now_ms=call.now_ms,
        )  # fmt: skip

    @staticmethod
    async def _observe(group_info: bytes, tree: bytes) -> qpqnative.GroupView:
        try:
            return await trio.to_thread.run_sync(qpqnative.GroupView.observe, group_info, tree)
        except qpqnative.MlsError as exc:
            raise refusal_of(exc, ErrorCode.GROUP_INFO_INVALID) from exc
