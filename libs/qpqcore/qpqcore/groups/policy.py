"""The GroupPolicy extension and the group id (docs/spec/groups.md#form)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from qpqcore.api.content import ChannelKind, GroupPolicy
from qpqcore.crypto.parts import Malformed, Reader, u32, vec
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import AccountId, ChannelId, DeviceId, is_domain, is_id

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "AccountId",
    "ChannelId",
    "ChannelKind",
    "DeviceId",
    "GroupPolicy",
    "Right",
    "group_id",
    "is_admin",
    "may",
    "read_group_id",
    "read_policy",
]

POLICY_VERSION = 1
ADMINS_MAX = 256
NOTE_BYTES_MAX = 1_024
"""Where a backup lies takes some 300."""
LARGE_ABOVE_MEMBERS = 256
"""Groups of more leaves are large: what grows with every member is done otherwise there (ADR 12, ADR 13)."""
MOVES_MAX = 100
"""Homes that a group may have outlived: clients give each its own range of places in the history."""


class Right(enum.IntFlag):
    """What in a group with admins only they do, unless the policy lets everybody (`everybodyMay`)."""

    INVITE = 1
    REMOVE = 2
    RENAME = 4
    TIMER = 8
    PIN = 16


def is_admin(policy: GroupPolicy, account: bytes, members: Collection[bytes]) -> bool:
    """Tell whether an account is an admin among the accounts `members`: everybody is where no admin is a member."""
    return account in policy.admins or not any(admin in members for admin in policy.admins)


def may(policy: GroupPolicy, account: bytes, members: Collection[bytes], right: Right) -> bool:
    """Tell whether an account has a right among the accounts `members`."""
    return bool(policy.everybody_may & right) or is_admin(policy, account, members)


def group_id(channel: bytes, generation: int) -> bytes:
    """Return the MLS group id of a channel's generation."""
    return vec(channel) + u32(generation)


def read_group_id(data: bytes) -> tuple[ChannelId, int]:
    """Return (channel, generation) of a group id; Refusal(malformed)."""
    try:
        r = Reader(data)
        channel, generation = r.vec(), r.number(4)
        r.end()
    except Malformed as exc:
        raise Refusal(ErrorCode.MALFORMED, "not a group id of ours") from exc
    return ChannelId(channel), generation


def read_policy(data: bytes) -> GroupPolicy:
    """Decode and check a policy; Refusal(commitInvalid)."""
    try:
        policy = GroupPolicy.from_bytes(data)
    except Refusal as exc:
        raise Refusal(ErrorCode.COMMIT_INVALID, "the group's policy cannot be read") from exc
    if policy.version != POLICY_VERSION or not is_domain(policy.home):
        raise Refusal(ErrorCode.COMMIT_INVALID, "the group's policy is of another version, or without a home")
    if len(policy.admins) > ADMINS_MAX or not all(map(is_id, policy.admins)):
        raise Refusal(ErrorCode.COMMIT_INVALID, "the group's policy names no proper admins")
    if len(policy.note) > (NOTE_BYTES_MAX if policy.kind is ChannelKind.SELF else 0):
        raise Refusal(ErrorCode.COMMIT_INVALID, "the group's policy has a note that is too long, or not for this kind")
    if policy.moves > MOVES_MAX or (policy.moves > 0) is not is_id(policy.follows):
        raise Refusal(ErrorCode.COMMIT_INVALID, "the group's policy does not say properly what it goes on from")
    if policy.moves and policy.kind is not ChannelKind.GROUP:
        raise Refusal(ErrorCode.COMMIT_INVALID, "only groups go on elsewhere")
    return policy
