"""Whether a commit is valid: docs/spec/groups.md#when-a-commit-is-valid, rules 2 to 6, as one function.

Rule 1 is MLS's own and has been checked before. Nothing here looks outside the group's state and the
commit, so that every member and the server come to the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from qpqcore.crypto.identity import Credential
from qpqcore.groups.policy import ChannelKind, Right, is_admin, may
from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from qpqcore.groups.policy import GroupPolicy

DIRECT_ACCOUNTS_MAX = 2
LEAVES_REMEMBERED_MAX = 16_384
"""Verified leaves kept in a process: every commit looks at all members, and a signature is 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf: whose device it is. Made by `read_leaf`, so its credential is genuine."""

    account: bytes
    device: bytes
    key: bytes
    identity_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a commit does, in terms of leaves."""

    members: Sequence[Leaf]
    """As before the commit."""
    committer: Leaf
    external: bool
    added: Sequence[Leaf]
    removed: Sequence[Leaf]
    """By Remove, proposals included."""
    self_removed: Sequence[Leaf]
    updated: Sequence[Leaf]
    proposed: frozenset[bytes]
    """Devices whose Remove a stored proposal of the external sender asks for."""
    psks: int
    policy_before: GroupPolicy
    policy_after: GroupPolicy


@lru_cache(maxsize=LEAVES_REMEMBERED_MAX)
def read_leaf(credential: bytes, key: bytes) -> Leaf:
    """Return a leaf whose credential is well-formed and signed; Refusal(credentialInvalid)."""
    named = Credential.from_bytes(credential)
    if not named.verify(key):
        raise Refusal(ErrorCode.CREDENTIAL_INVALID, "a leaf that its account's identity key has not signed")
    return Leaf(named.account, named.device, key, named.identity_key)


def check_change(change: Change) -> None:
    """Refuse an invalid commit with Refusal(commitInvalid)."""
    reason = (
        _leaves_wrong(change)
        or _policy_wrong(change)
        or (_external_wrong(change) if change.external else _rights_wrong(change))
    )
    if reason:
        raise Refusal(ErrorCode.COMMIT_INVALID, reason)


def members_after(change: Change) -> list[Leaf]:
    """Return the leaves that the commit leaves behind."""
    gone = {leaf.device for leaf in (*change.removed, *change.self_removed)}
    fresh = {leaf.device: leaf for leaf in change.updated}
    kept = [fresh.get(m.device, m) for m in change.members if m.device not in gone]
    return [*kept, *change.added]


def _leaves_wrong(change: Change) -> str:
    after = members_after(change)
    devices = [leaf.device for leaf in after]
    if len(set(devices)) != len(devices):
        return "a device would have two leaves"
    keys = {leaf.account: leaf.identity_key for leaf in change.members}
    for leaf in after:
        if keys.setdefault(leaf.account, leaf.identity_key) != leaf.identity_key:
            return "an account would have two identity keys"
    before = {leaf.device: leaf.account for leaf in change.members}
    if any(before.get(leaf.device) != leaf.account for leaf in change.updated):
        return "a leaf would change hands"
    if change.psks:
        return "pre-shared keys are not for use here"
    return too_many(change.policy_after.kind, {leaf.account for leaf in after})


def too_many(kind: ChannelKind, accounts: Collection[bytes]) -> str:
    """Return what is wrong with so many accounts in a channel of a kind; "" for nothing. Each is named once."""
    if kind is ChannelKind.DIRECT and len(accounts) > DIRECT_ACCOUNTS_MAX:
        return "a direct conversation has two people"
    if kind is ChannelKind.SELF and len(accounts) > 1:
        return "this channel is one account's own"
    return ""


def _accounts(leaves: Iterable[Leaf]) -> set[bytes]:
    return {leaf.account for leaf in leaves}


def _policy_wrong(change: Change) -> str:
    before, after = change.policy_before, change.policy_after
    if before == after:
        return ""
    if not is_admin(before, change.committer.account, _accounts(change.members)) or change.external:
        return "only an admin changes the policy"
    fixed = [(p.version, p.kind, p.home, p.generation, p.follows, p.moves) for p in (before, after)]
    if fixed[0] != fixed[1]:
        return "version, kind, home, generation, follows and moves never change"
    accounts = _accounts(members_after(change))
    if after.admins and not accounts & set(after.admins):
        return "no admin would be left"
    return ""


def _others(leaves: Iterable[Leaf], account: bytes) -> list[Leaf]:
    return [leaf for leaf in leaves if leaf.account != account]


def _rights_wrong(change: Change) -> str:
    own, policy, accounts = change.committer.account, change.policy_before, _accounts(change.members)
    if _others(change.added, own) and not may(policy, own, accounts, Right.INVITE):
        return "only an admin adds people"
    if may(policy, own, accounts, Right.REMOVE):
        return ""
    if [leaf for leaf in _others(change.removed, own) if leaf.device not in change.proposed]:
        return "only an admin removes people"
    return ""


def _external_wrong(change: Change) -> str:
    if len(change.added) != 1 or change.self_removed or change.updated:
        return "an external commit brings one leaf and nothing else"
    fresh = change.added[0]
    if fresh.account not in {leaf.account for leaf in change.members}:
        return "an external commit brings a device of a member's account only"
    had = [leaf.device for leaf in change.members if leaf.device == fresh.device]
    if [leaf.device for leaf in change.removed] != had:
        return "an external commit removes the old leaf of its own device and nothing else"
    return ""
