"""What is taken from another domain: decisions over the fields of its calls (docs/spec/federation.md#who-may-say-what). Pure.

`peer` is the domain that the connection's certificate has proved; `own` is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.api import delivery as api
from qpqcore.api.methods import METHODS
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import NOBODY, domain_of, is_id
from qpqcore.model.method import CallerClass, Method

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqcore.api.rpc import Call

PROTOCOL = 1
DETAIL_CHARS_MAX = 200
RETRY_MS_MAX = 60_000
KEY_BYTES = 16

CROSSING = frozenset({
    ErrorCode.MALFORMED, ErrorCode.NOT_FOUND, ErrorCode.TOO_LARGE, ErrorCode.RATE_LIMITED, ErrorCode.OVERLOADED,
    ErrorCode.IDEMPOTENCY_MISMATCH, ErrorCode.NAME_INVALID, ErrorCode.FORBIDDEN,
    ErrorCode.CHANNEL_EXISTS, ErrorCode.NOT_MEMBER, ErrorCode.EPOCH_CONFLICT, ErrorCode.STALE_EPOCH,
    ErrorCode.GENERATION_CONFLICT, ErrorCode.COMMIT_INVALID, ErrorCode.PROPOSAL_MISSING, ErrorCode.PROPOSAL_INVALID,
    ErrorCode.GROUP_INFO_INVALID, ErrorCode.CREDENTIAL_INVALID, ErrorCode.CHANNEL_LIMIT, ErrorCode.TREE_UNKNOWN,
    ErrorCode.WRITE_KEY_INVALID, ErrorCode.BLOB_OFFSET, ErrorCode.BLOB_SECRET, ErrorCode.PEER_MISMATCH,
    ErrorCode.RATCHET_USED, ErrorCode.STORAGE_FULL, ErrorCode.DEVICE_UNKNOWN,
})  # fmt: skip
"""What another domain may answer with; all else (that one's session is over, say) is not its to say."""


def method_of(number: int) -> Method:
    """Return a method that peers call. Refusal(unknownMethod)."""
    method = METHODS.get(number)
    if method is None or method.internal or method.caller is not CallerClass.PEER:
        raise Refusal(ErrorCode.UNKNOWN_METHOD, "no such method between domains")
    return method


def check_head(call: Call) -> None:
    """Refuse a malformed idempotency key. Refusal(malformed)."""
    if call.idempotency_key and len(call.idempotency_key) != KEY_BYTES:
        raise Refusal(ErrorCode.MALFORMED, "an idempotency key has 16 bytes")


def refusal_of(code: int, detail: str, retry_after_ms: int) -> Refusal:
    """Return what a peer's refusal is here: its sentence made harmless, and only what is its to say."""
    try:
        known = ErrorCode(code)
    except ValueError:
        known = ErrorCode.UNAVAILABLE
    if known not in CROSSING:
        return Refusal(ErrorCode.UNAVAILABLE, "the other domain cannot do this now")
    plain = "".join(c for c in detail[:DETAIL_CHARS_MAX] if " " <= c <= "~")
    return Refusal(known, plain, retry_after_ms=min(retry_after_ms, RETRY_MS_MAX))


def check_guest(peer: str, guest: api.Guest | None, *, may_be_nobody: bool = False) -> api.Guest:
    """Return for whom a peer speaks: a device and an account, both its own. Refusal(peerMismatch)."""
    guest = guest or api.Guest()
    if may_be_nobody and not guest.account and not guest.device:
        return guest
    for ident in (guest.account, guest.device):
        check_theirs(peer, ident)
    return guest


def check_theirs(peer: str, ident: bytes) -> None:
    """Refuse what is not an id of the peer's domain. Refusal(peerMismatch)."""
    if not is_id(ident) or domain_of(ident) != peer or ident.startswith(NOBODY):
        raise Refusal(ErrorCode.PEER_MISMATCH, "a peer speaks for its own people")


def check_ours(own: str, channels: Iterable[bytes]) -> None:
    """Refuse channels of which this is not the home: nothing is passed on. Refusal(peerMismatch)."""
    for channel in channels:
        if not is_id(channel) or domain_of(channel) != own:
            raise Refusal(ErrorCode.PEER_MISMATCH, "nothing is passed on: this is not the channel's home")


def check_item(item: api.EnqueueParams | None, own: str, *, sealed: bool) -> api.EnqueueParams:
    """Return a message for a channel of ours. Refusal(peerMismatch)."""
    item = item or api.EnqueueParams()
    check_ours(own, (item.channel,))
    if sealed and not item.write_signature:
        raise Refusal(ErrorCode.PEER_MISMATCH, "a message of nobody is signed with the write key")
    return item


def check_down(peer: str, own: str, entries: Iterable[api.RelayedEntry], standings: Iterable[api.Standing]) -> None:
    """Refuse entries of channels that are not the peer's, or for devices that are not ours. Refusal(peerMismatch)."""
    for relayed in entries:
        entry = relayed.entry or api.Entry()
        if entry.kind in {api.EntryKind.GAP, api.EntryKind.PURGE}:
            continue
        if not is_id(entry.channel) or domain_of(entry.channel) != peer:
            raise Refusal(ErrorCode.PEER_MISMATCH, "only a channel's home sends what is in it")
        if not all(is_id(t) and domain_of(t) == own for t in relayed.targets):
            raise Refusal(ErrorCode.PEER_MISMATCH, "an entry for a device of another domain")
    for standing in standings:
        if not is_id(standing.channel) or domain_of(standing.channel) != peer:
            raise Refusal(ErrorCode.PEER_MISMATCH, "only a channel's home says how it stands")


def check_signal(peer: str, own: str, channel: bytes, targets: Iterable[bytes]) -> None:
    """Refuse a signal of a channel that is not the peer's, or for devices that are not ours. Refusal(peerMismatch)."""
    if not is_id(channel) or domain_of(channel) != peer:
        raise Refusal(ErrorCode.PEER_MISMATCH, "only a channel's home sends what is in it")
    if not all(is_id(t) and domain_of(t) == own for t in targets):
        raise Refusal(ErrorCode.PEER_MISMATCH, "a signal for a device of another domain")
