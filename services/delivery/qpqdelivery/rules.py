"""What delivery accepts: pure decisions over messages, epochs and welcomes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import qpqnative
from qpqcore.api.content import ChannelKind
from qpqcore.api.delivery import EntryKind
from qpqcore.crypto.signatures import verify
from qpqcore.groups.policy import group_id, read_policy
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of, is_id

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qpqcore.api.delivery import EnqueueParams, Handshake, WelcomeItem
    from qpqdelivery.config import Config

WRITE_LABEL = "qpq write v1"
KEY_BYTES = 32
WITH_PAYLOAD = frozenset({EntryKind.MESSAGE, EntryKind.COMMIT, EntryKind.PROPOSAL, EntryKind.WELCOME})
"""Entries that are nothing without one."""


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def check_channel_form(channel: bytes) -> None:
    """Refuse what is no channel id."""
    if not is_id(channel):
        raise Refusal(ErrorCode.MALFORMED, "not a channel id")


def check_channel_id(config: Config, channel: bytes) -> None:
    """Refuse a channel id that is malformed or of another domain."""
    check_channel_form(channel)
    if domain_of(channel) != config.domain:
        raise Refusal(ErrorCode.NOT_MEMBER, "a channel of another domain")


def check_payload_size(config: Config, payload: bytes) -> None:
    """Refuse an empty or too large message."""
    if not payload:
        raise Refusal(ErrorCode.MALFORMED, "an empty message")
    if len(payload) > config.payload_bytes_max:
        raise Refusal(ErrorCode.TOO_LARGE, f"a message has at most {config.payload_bytes_max} bytes")


def check_message(params: EnqueueParams) -> None:
    """Refuse what is no application message of the group and epoch that the call names."""
    try:
        info = qpqnative.inspect_message(params.payload)
    except qpqnative.MlsError as exc:
        raise Refusal(ErrorCode.MALFORMED, "not an MLS message") from exc
    if info.wire != "private" or info.content != "application":
        raise Refusal(ErrorCode.MALFORMED, "not a PrivateMessage with application content")
    if (info.group_id, info.epoch) != (group_id(params.channel, params.generation), params.epoch):
        raise Refusal(ErrorCode.MALFORMED, "the message is of another group or epoch than the call says")


def write_signature_holds(write_key: bytes, params: EnqueueParams) -> bool:
    """Tell whether the epoch's write key has signed this message (docs/spec/delivery.md#sealed-sender)."""
    return verify(
        write_key, params.write_signature, WRITE_LABEL,
        params.channel, params.generation, params.epoch, sha256(params.payload),
    )  # fmt: skip


def check_write_key(write_key: bytes) -> None:
    """Refuse what is no Ed25519 public key."""
    if len(write_key) != KEY_BYTES:
        raise Refusal(ErrorCode.WRITE_KEY_INVALID, "a write key has 32 bytes")


def check_handshake_size(config: Config, handshake: Handshake) -> None:
    """Refuse a handshake that is too large as a whole."""
    size = len(handshake.commit) + len(handshake.group_info) + sum(len(w.welcome) for w in handshake.welcomes)
    if not handshake.commit or size > config.handshake_bytes_max:
        raise Refusal(ErrorCode.TOO_LARGE, f"a commit, of at most {config.handshake_bytes_max} bytes with its Welcomes")


def check_welcomes(welcomes: Sequence[WelcomeItem], added: Collection[bytes], *, external: bool) -> None:
    """Demand exactly one Welcome for every added leaf."""
    wanted = [] if external else sorted(added)
    if sorted(w.device for w in welcomes) != wanted or not all(w.welcome for w in welcomes):
        raise Refusal(ErrorCode.COMMIT_INVALID, "one Welcome for every added leaf, and no other")


def check_birth(config: Config, channel: bytes, generation: int, named: bytes, policy_bytes: bytes) -> None:
    """Demand that a new group is the one it should be: id, home, generation."""
    policy = read_policy(policy_bytes)
    if named != group_id(channel, generation):
        raise Refusal(ErrorCode.GROUP_INFO_INVALID, "the group id is not this channel's and generation's")
    if policy.home != config.domain or policy.generation != generation:
        raise Refusal(ErrorCode.GROUP_INFO_INVALID, "the policy names another home or generation")


def check_home(config: Config, kind: ChannelKind, accounts: Collection[bytes]) -> None:
    """Demand that a conversation of two domains begins at the right one: that of the smaller account id."""
    if kind is ChannelKind.DIRECT and domain_of(min(accounts)) != config.domain:
        raise Refusal(ErrorCode.GROUP_INFO_INVALID, "this conversation's home is the other domain")


def may_reset(
    kind_before: ChannelKind, kind_after: ChannelKind, accounts_before: set[bytes], accounts_after: set[bytes]
) -> bool:
    """Tell whether a reset keeps the kind and brings in nobody new."""
    return kind_before is kind_after and accounts_after <= accounts_before
