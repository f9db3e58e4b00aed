"""Channels, epochs, leaves and the log on SQLCipher: what a handshake message changes, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery import sqlite_outbox as outbox
from qpqdelivery.sqlite_fanout import Reference, deliver
from qpqdelivery.store import Accepted, Birth, Bounds, Channel, Commit, Member, Message, NextState, Offer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqcore.store.connection import Connection
    from qpqdelivery.store import Arrival

COLUMNS = (
    "channel, generation, epoch, (SELECT number FROM log_heads h WHERE h.channel = channels.channel), "
    "proposals_version, policy, snapshot, tree_hash, group_info, birth_hash"
)


def find(c: Connection, channel: bytes) -> Channel | None:
    """Return a channel."""
    row = c.execute(f"SELECT {COLUMNS} FROM channels WHERE channel = ?", (channel,)).fetchone()  # noqa: S608 - fixed text
    return Channel(*row) if row else None


def members(c: Connection, channel: bytes, generation: int) -> list[Member]:
    """Return the current leaves."""
    rows = c.execute(
        "SELECT device, account FROM leaves WHERE channel = ? AND generation = ? AND removed_epoch IS NULL",
        (channel, generation),
    )
    return [Member(*row) for row in rows]


def found(c: Connection, channel: bytes, payload_hash: bytes) -> Accepted | None:
    """Return where a payload stands in the log."""
    row = c.execute(
        "SELECT number, accepted_ms, epoch FROM log WHERE channel = ? AND hash = ?", (channel, payload_hash)
    ).fetchone()
    return Accepted(row[0], row[1], row[2], duplicate=True) if row else None


def append(c: Connection, kind: EntryKind, entry: Commit | Offer | Message, expires_ms: int) -> int:
    """Append to the channel's log; return the number."""
    number = int(
        c.execute(
            "UPDATE log_heads SET number = number + 1 WHERE channel = ? RETURNING number", (entry.channel,)
        ).fetchone()[0]
    )
    c.execute(
        "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.channel, number, int(kind), entry.generation, entry.epoch, entry.hash, entry.payload,
            entry.now_ms, expires_ms,
        ),
    )  # fmt: skip
    return number


def _store_state(c: Connection, channel: bytes, generation: int, state: NextState, now_ms: int) -> None:
    c.execute(
        "UPDATE channels SET generation = ?, epoch = ?, proposals_version = proposals_version + 1, policy = ?, "
        "snapshot = ?, tree_hash = ?, group_info = ? WHERE channel = ?",
        (generation, state.epoch, state.policy, state.snapshot, state.tree_hash, state.group_info, channel),
    )
    c.execute("UPDATE trees SET used_ms = ? WHERE channel = ?", (now_ms, channel))
    c.execute("INSERT OR REPLACE INTO trees VALUES (?, ?, ?, ?)", (channel, state.tree_hash, state.tree, now_ms))


def _epoch(
    c: Connection, bounds: Bounds, channel: bytes, generation: int, epoch: int, write_key: bytes, begun_by: bytes, number: int
) -> None:  # fmt: skip
    c.execute(
        "DELETE FROM ratchets WHERE channel = ? AND (generation < ? OR epoch < ?)",
        (channel, generation, epoch - bounds.past_epochs),
    )
    c.execute("INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?)", (channel, generation, epoch, write_key, begun_by, number))


def _add_leaf(c: Connection, channel: bytes, generation: int, leaf: Member, epoch: int) -> None:
    c.execute(
        "INSERT INTO leaves VALUES (?, ?, ?, ?, ?, NULL)", (channel, generation, leaf.device, epoch, leaf.account)
    )


def _born(c: Connection, bounds: Bounds, birth: Birth) -> tuple[Accepted, list[bytes]]:
    """Put epoch 0 in place, and the first commit."""
    _store_state(c, birth.channel, birth.generation, birth.state, birth.now_ms)
    c.execute("UPDATE channels SET birth_hash = ? WHERE channel = ?", (birth.birth_hash, birth.channel))
    c.execute("DELETE FROM proposals WHERE channel = ?", (birth.channel,))
    _epoch(c, bounds, birth.channel, birth.generation, 0, birth.write_key, b"", 0)
    _add_leaf(c, birth.channel, birth.generation, birth.creator, 0)
    if birth.first is None:
        stored = find(c, birth.channel)
        return Accepted(stored.log_number if stored else 0, birth.now_ms, 0, duplicate=False), []
    return apply_commit(c, bounds, birth.first)


def create(c: Connection, bounds: Bounds, birth: Birth) -> tuple[Accepted, list[bytes]]:
    """Make a channel, or tell that this very birth made it."""
    there = find(c, birth.channel)
    if there is not None:
        if there.birth_hash == birth.birth_hash:
            return Accepted(there.log_number, birth.now_ms, there.epoch, duplicate=True), []
        raise Refusal(ErrorCode.CHANNEL_EXISTS, "this channel id is taken")
    c.execute(
        "INSERT INTO channels (channel, generation, epoch, proposals_version, policy, snapshot, tree_hash, group_info, "
        "birth_hash) VALUES (?, ?, 0, 0, x'', x'', x'', x'', x'')",
        (birth.channel, birth.generation),
    )
    c.execute("INSERT INTO log_heads VALUES (?, 0)", (birth.channel,))
    return _born(c, bounds, birth)


def reset(c: Connection, bounds: Bounds, birth: Birth) -> tuple[Accepted, list[bytes]]:
    """Begin the next generation; tell those who are not in it."""
    there = find(c, birth.channel)
    if there is not None and there.birth_hash == birth.birth_hash:
        return Accepted(there.log_number, birth.now_ms, there.epoch, duplicate=True), []
    if there is None or there.generation != birth.generation - 1:
        raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset already: fetch, then go on there")
    early = outbox.work_off(c, bounds, birth.channel)
    before = {m.device for m in members(c, birth.channel, there.generation)}
    c.execute(
        "UPDATE leaves SET removed_epoch = ? WHERE channel = ? AND generation = ? AND removed_epoch IS NULL",
        (there.epoch + 1, birth.channel, there.generation),
    )
    accepted, woken = _born(c, bounds, birth)
    left_out = before - {m.device for m in members(c, birth.channel, birth.generation)}
    ref = Reference(
        kind=EntryKind.RESET, channel=birth.channel, generation=birth.generation, epoch=accepted.epoch,
        log_number=accepted.log_number, now_ms=birth.now_ms,
    )  # fmt: skip
    return accepted, [*(a.device for a in early), *woken, *tell(c, bounds, sorted(left_out), ref)]


def accept_commit(c: Connection, bounds: Bounds, commit: Commit) -> tuple[Accepted, list[bytes]] | None:
    """Accept a commit if the group is still as it was when the commit was checked."""
    earlier = found(c, commit.channel, commit.hash)
    if earlier is not None:
        return Accepted(earlier.log_number, earlier.accepted_ms, earlier.epoch + 1, duplicate=True), []
    there = find(c, commit.channel)
    if there is None or there.generation != commit.generation:
        raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset")
    if there.epoch != commit.epoch:
        raise Refusal(ErrorCode.EPOCH_CONFLICT, "another commit won this epoch: fetch, then try again")
    if there.proposals_version != commit.proposals_version:
        return None
    return apply_commit(c, bounds, commit)


def apply_commit(c: Connection, bounds: Bounds, commit: Commit) -> tuple[Accepted, list[bytes]]:
    """Append a commit, move the group on, tell all concerned."""
    early = outbox.work_off(c, bounds, commit.channel)
    audience = [m.device for m in members(c, commit.channel, commit.generation)]
    number = append(c, EntryKind.COMMIT, commit, 0)
    for device in commit.removed:
        c.execute(
            "UPDATE leaves SET removed_epoch = ? WHERE channel = ? AND generation = ? AND device = ? AND removed_epoch IS NULL",
            (commit.after.epoch, commit.channel, commit.generation, device),
        )
    for leaf in commit.added:
        _add_leaf(c, commit.channel, commit.generation, leaf, commit.after.epoch)
    c.execute("DELETE FROM proposals WHERE channel = ?", (commit.channel,))
    _store_state(c, commit.channel, commit.generation, commit.after, commit.now_ms)
    _epoch(c, bounds, commit.channel, commit.generation, commit.after.epoch, commit.write_key, commit.hash, number)
    common: dict[str, Any] = {
        "channel": commit.channel, "generation": commit.generation, "log_number": number, "now_ms": commit.now_ms,
    }  # fmt: skip
    rejoined = {m.device for m in commit.added if not commit.welcomes}
    told = [*audience, *(d for d in rejoined if d not in audience)]
    ref = Reference(kind=EntryKind.COMMIT, epoch=commit.epoch, size_bytes=len(commit.payload), **common)
    if len(audience) > bounds.told_at_once_max:
        author = commit.committer or next(iter(rejoined), b"")  # who joins anew has made the commit
        told = [device for device in told if device == author]
        outbox.note(c, bounds, ref, commit.epoch, author)  # alone: what was there is worked off
    woken = [*(a.device for a in early), *tell(c, bounds, told, ref)]
    for welcome in commit.welcomes:
        ref = Reference(
            kind=EntryKind.WELCOME, epoch=commit.after.epoch, size_bytes=len(welcome.item), payload=welcome.item,
            tree_hash=commit.after.tree_hash, **common,
        )  # fmt: skip
        woken += tell(c, bounds, [welcome.device], ref)
    return Accepted(number, commit.now_ms, commit.after.epoch, duplicate=False), woken


def accept_proposal(c: Connection, bounds: Bounds, offer: Offer) -> tuple[Accepted, list[bytes]] | None:
    """Store a proposal if the group is still as it was when it was checked."""
    earlier = found(c, offer.channel, offer.hash)
    if earlier is not None:
        return earlier, []
    there = find(c, offer.channel)
    if there is None or (there.generation, there.epoch, there.proposals_version) != (
        offer.generation,
        offer.epoch,
        offer.proposals_version,
    ):
        return None
    number = append(c, EntryKind.PROPOSAL, offer, 0)
    c.execute(
        "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?)",
        (offer.channel, offer.reference, offer.target, int(offer.by_server), number, offer.payload),
    )
    c.execute(
        "UPDATE channels SET snapshot = ?, proposals_version = proposals_version + 1 WHERE channel = ?",
        (offer.snapshot, offer.channel),
    )
    ref = Reference(
        kind=EntryKind.PROPOSAL, channel=offer.channel, generation=offer.generation, epoch=offer.epoch,
        log_number=number, now_ms=offer.now_ms, size_bytes=len(offer.payload),
    )  # fmt: skip
    audience = [m.device for m in members(c, offer.channel, offer.generation)]
    accepted = Accepted(number, offer.now_ms, offer.epoch, duplicate=False)
    if len(audience) > bounds.told_at_once_max or outbox.waits(c, bounds, offer.channel):
        return accepted, [a.device for a in outbox.note(c, bounds, ref, offer.epoch, b"")]
    return accepted, tell(c, bounds, audience, ref)


def tell(c: Connection, bounds: Bounds, devices: Iterable[bytes], ref: Reference) -> list[bytes]:
    """Append a reference to each device's mailbox; return those that have one."""
    return [arrival.device for arrival in deliver(c, bounds, devices, ref)]


def accept_message(c: Connection, bounds: Bounds, m: Message) -> tuple[Accepted, list[Arrival]]:
    """Take one message: docs/spec/delivery.md#messages."""
    row = c.execute("SELECT generation, epoch FROM channels WHERE channel = ?", (m.channel,)).fetchone()
    if row is None:
        raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
    earlier = found(c, m.channel, m.hash)
    if earlier is not None:
        return earlier, []
    generation, epoch = row
    limit = bounds.told_at_once_max + 1
    values = {
        "channel": m.channel, "generation": generation, "epoch": m.epoch, "as_of": max(epoch, m.epoch),
        "device": m.device, "limit": limit,
    }  # fmt: skip
    audience = _audience(c, values)
    is_large = len(audience) == limit
    if m.device and m.device not in audience and not (is_large and _is_member(c, values)):
        _explain_absence(c, m, generation)
    if generation != m.generation or not epoch - bounds.past_epochs <= m.epoch <= epoch:
        raise Refusal(ErrorCode.STALE_EPOCH, "the group has moved on: encrypt anew")
    if _leaf_is_gone(c, m):
        raise Refusal(ErrorCode.STALE_EPOCH, "this leaf is not in the group any more: encrypt anew")
    if m.device and m.ratchet:
        _advance_ratchet(c, m)
    number = append(c, EntryKind.MESSAGE, m, m.expires_ms)
    ref = Reference(
        kind=EntryKind.MESSAGE, channel=m.channel, generation=m.generation, epoch=m.epoch, log_number=number,
        now_ms=m.now_ms, expires_ms=m.expires_ms, size_bytes=len(m.payload),
    )  # fmt: skip
    accepted = Accepted(number, m.now_ms, m.epoch, duplicate=False)
    if is_large or outbox.waits(c, bounds, m.channel):
        return accepted, outbox.note(c, bounds, ref, epoch, m.device)
    return accepted, deliver(c, bounds, (d for d in audience if d != m.device), ref)


def _audience(c: Connection, values: dict[str, Any]) -> list[bytes]:
    """Return the devices that are members and were at the message's epoch, or the first of them.

    One that rejoined since was one too.
    """
    return [row[0] for row in c.execute(outbox.FIRST_OF_AUDIENCE, values)]


def _is_member(c: Connection, values: dict[str, Any]) -> bool:
    """Tell whether the device of a message is in its audience."""
    return c.execute(outbox.IS_IN_AUDIENCE, values).fetchone() is not None


def _leaf_is_gone(c: Connection, m: Message) -> bool:
    """Tell whether the leaf that a message is from has left the tree since its epoch: receivers would refuse it.

    Its device may have come back by another leaf. A sealed sender may be any member of that epoch.
    """
    gone = "SELECT 1 FROM leaves WHERE channel = ? AND generation = ? AND added_epoch <= ?3 AND removed_epoch > ?3"
    values = (m.channel, m.generation, m.epoch)
    if m.device:
        return c.execute(f"{gone} AND device = ?", (*values, m.device)).fetchone() is not None
    return c.execute(f"{gone} LIMIT 1", values).fetchone() is not None


def _advance_ratchet(c: Connection, m: Message) -> None:
    """Note how far the sender has come; what has come so far already was sent by a device of which this is an older copy."""
    advanced = c.execute(
        "INSERT INTO ratchets VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = excluded.number "
        "WHERE number < excluded.number RETURNING 1",
        (m.channel, m.generation, m.epoch, m.device, m.ratchet),
    ).fetchone()
    if advanced is None:
        raise Refusal(ErrorCode.RATCHET_USED, "this device has sent as far already: its state is an older copy")


def _explain_absence(c: Connection, m: Message, generation: int) -> None:
    member = c.execute(
        "SELECT 1 FROM leaves WHERE channel = ? AND generation = ? AND device = ? AND removed_epoch IS NULL",
        (m.channel, generation, m.device),
    ).fetchone()
    if member is None:
        raise Refusal(ErrorCode.NOT_MEMBER, "not a member of this channel")
    raise Refusal(ErrorCode.STALE_EPOCH, "this device was not a member at that epoch: encrypt anew")
