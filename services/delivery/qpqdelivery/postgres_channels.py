"""Channels, epochs, leaves and the log on PostgreSQL: what a handshake message changes, in one transaction.

Who changes a channel holds its head from beginning to end. Mailboxes are told by notes, which are written along with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqdelivery import postgres_fanout as fanout
from qpqdelivery import postgres_statements as sql
from qpqdelivery.postgres_fanout import Note
from qpqdelivery.store import Accepted, Birth, Channel, Commit, Member, NextState, Offer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qpqcore.store.postgres.pool import Connection


async def find(c: Connection, channel: bytes) -> Channel | None:
    """Return a channel."""
    row = await c.fetchrow(sql.FIND, channel)
    return Channel(*row) if row else None


async def members(c: Connection, channel: bytes, generation: int) -> list[Member]:
    """Return the current leaves."""
    return [Member(*row) for row in await c.fetch(sql.MEMBERS, channel, generation)]


async def found(c: Connection, channel: bytes, payload_hash: bytes) -> Accepted | None:
    """Return where a payload stands in the log."""
    row = await c.fetchrow(sql.FOUND, channel, payload_hash)
    return Accepted(row[0], row[1], row[2], duplicate=True) if row else None


class Change:
    """A channel while a handshake message changes it; `save` writes what has been noted."""

    def __init__(self, channel: bytes, row: Any) -> None:
        self.channel = channel
        self.number: int = row[0]
        self.noted: int = row[1]
        self.generation: int = row[2]
        self.epoch: int = row[3]
        self.birth_hash: bytes = row[4]
        self.pending: list[Note] = []
        """What other changes have noted, and mailboxes have yet to be told."""
        self.notes: list[Note] = []

    @classmethod
    async def hold(cls, c: Connection, channel: bytes) -> Change | None:
        """Hold a channel; None if there is none."""
        row = await c.fetchrow(sql.HEAD, channel)
        return cls(channel, row) if row else None

    def tell(self, devices: Iterable[bytes], kind: EntryKind, **what: Any) -> None:
        """Note a reference for these devices' mailboxes."""
        self.noted += 1
        self.notes.append(Note(channel=self.channel, note=self.noted, kind=kind, devices=tuple(devices), **what))

    async def append(self, c: Connection, kind: EntryKind, entry: Commit | Offer) -> int:
        """Append to the channel's log; return the number."""
        self.number += 1
        await c.execute(
            sql.APPEND, self.channel, self.number, int(kind), entry.generation, entry.epoch, entry.hash, entry.payload,
            entry.now_ms,
        )  # fmt: skip
        return self.number

    async def state(self, c: Connection, generation: int, state: NextState, now_ms: int) -> None:
        """Put the group's state in place of the one before."""
        self.generation, self.epoch = generation, state.epoch
        await c.execute(
            sql.CHANGE_CHANNEL, self.channel, state.policy, state.snapshot, state.tree_hash, state.group_info
        )
        await c.execute(sql.USE_TREES, self.channel, now_ms)
        await c.execute(sql.PUT_TREE, self.channel, state.tree_hash, state.tree, now_ms)

    async def save(self, c: Connection) -> None:
        """Write the head and the notes; find out what else is pending."""
        self.pending = await fanout.pending(c, [self.channel])
        await c.execute(
            sql.MOVE_HEAD, self.channel, self.number, self.noted, self.generation, self.epoch, self.birth_hash
        )
        await fanout.write(c, self.notes)


async def create(c: Connection, birth: Birth) -> tuple[Accepted, Change | None]:
    """Make a channel, or tell that this very birth made it."""
    # Numbers of notes begin with the time: a channel that was dropped and made again does not repeat those of the first.
    if await c.execute(sql.ADD_HEAD, birth.channel, birth.now_ms, birth.generation, birth.birth_hash) == "INSERT 0 0":
        there = await find(c, birth.channel)
        if there is not None and there.birth_hash == birth.birth_hash:
            return Accepted(there.log_number, birth.now_ms, there.epoch, duplicate=True), None
        raise Refusal(ErrorCode.CHANNEL_EXISTS, "this channel id is taken")
    await c.execute(sql.ADD_CHANNEL, birth.channel)
    change = Change(birth.channel, (0, birth.now_ms, birth.generation, 0, birth.birth_hash))
    accepted = await _born(c, change, birth)
    await change.save(c)
    return accepted, change


async def reset(c: Connection, birth: Birth) -> tuple[Accepted, Change | None]:
    """Begin the next generation; tell those who are not in it."""
    change = await Change.hold(c, birth.channel)
    if change is not None and change.birth_hash == birth.birth_hash:
        return Accepted(change.number, birth.now_ms, change.epoch, duplicate=True), None
    if change is None or change.generation != birth.generation - 1:
        raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset already: fetch, then go on there")
    before = {m.device for m in await members(c, birth.channel, change.generation)}
    await c.execute(sql.REMOVE_ALL_LEAVES, birth.channel, change.generation, change.epoch + 1)
    accepted = await _born(c, change, birth)
    left_out = before - {m.device for m in await members(c, birth.channel, birth.generation)}
    if left_out:
        change.tell(
            sorted(left_out), EntryKind.RESET, generation=birth.generation, epoch=accepted.epoch,
            log_number=accepted.log_number, now_ms=birth.now_ms,
        )  # fmt: skip
    await change.save(c)
    return accepted, change


async def _born(c: Connection, change: Change, birth: Birth) -> Accepted:
    """Put epoch 0 in place, and the first commit."""
    change.birth_hash = birth.birth_hash
    await change.state(c, birth.generation, birth.state, birth.now_ms)
    await c.execute(sql.DROP_PROPOSALS, birth.channel)
    await c.execute(sql.ADD_EPOCH, birth.channel, birth.generation, 0, birth.write_key, b"", 0)
    await _add_leaves(c, birth.channel, birth.generation, 0, [birth.creator])
    if birth.first is None:
        return Accepted(change.number, birth.now_ms, 0, duplicate=False)
    return await _apply(c, change, birth.first)


async def _add_leaves(c: Connection, channel: bytes, generation: int, epoch: int, added: Iterable[Member]) -> None:
    leaves = list(added)
    await c.execute(sql.ADD_LEAVES, channel, generation, epoch, [m.device for m in leaves], [m.account for m in leaves])


async def accept_commit(c: Connection, commit: Commit) -> tuple[Accepted, Change | None] | None:
    """Accept a commit if the group is still as it was when the commit was checked."""
    change = await Change.hold(c, commit.channel)
    earlier = await found(c, commit.channel, commit.hash)
    if earlier is not None:
        return Accepted(earlier.log_number, earlier.accepted_ms, earlier.epoch + 1, duplicate=True), None
    if change is None or change.generation != commit.generation:
        raise Refusal(ErrorCode.GENERATION_CONFLICT, "the channel has been reset")
    if change.epoch != commit.epoch:
        raise Refusal(ErrorCode.EPOCH_CONFLICT, "another commit won this epoch: fetch, then try again")
    if await c.fetchval(sql.PROPOSALS_VERSION, commit.channel) != commit.proposals_version:
        return None
    accepted = await _apply(c, change, commit)
    await change.save(c)
    return accepted, change


async def _apply(c: Connection, change: Change, commit: Commit) -> Accepted:
    """Append a commit, move the group on, tell all concerned."""
    audience = [m.device for m in await members(c, commit.channel, commit.generation)]
    number = await change.append(c, EntryKind.COMMIT, commit)
    if commit.removed:
        await c.execute(sql.REMOVE_LEAVES, commit.channel, commit.generation, commit.after.epoch, list(commit.removed))
    if commit.added:
        await _add_leaves(c, commit.channel, commit.generation, commit.after.epoch, commit.added)
    await c.execute(sql.DROP_PROPOSALS, commit.channel)
    await change.state(c, commit.generation, commit.after, commit.now_ms)
    await c.execute(
        sql.ADD_EPOCH, commit.channel, commit.generation, commit.after.epoch, commit.write_key, commit.hash, number
    )
    common: dict[str, Any] = {"generation": commit.generation, "log_number": number, "now_ms": commit.now_ms}
    rejoined = {m.device for m in commit.added if not commit.welcomes}
    told = [*audience, *(d for d in rejoined if d not in audience)]
    change.tell(told, EntryKind.COMMIT, epoch=commit.epoch, size_bytes=len(commit.payload), **common)
    for welcome in commit.welcomes:
        change.tell(
            [welcome.device], EntryKind.WELCOME, epoch=commit.after.epoch, size_bytes=len(welcome.item),
            payload=welcome.item, tree_hash=commit.after.tree_hash, **common,
        )  # fmt: skip
    return Accepted(number, commit.now_ms, commit.after.epoch, duplicate=False)


async def accept_proposal(c: Connection, offer: Offer) -> tuple[Accepted, Change | None] | None:
    """Store a proposal if the group is still as it was when it was checked."""
    change = await Change.hold(c, offer.channel)
    earlier = await found(c, offer.channel, offer.hash)
    if earlier is not None:
        return earlier, None
    if change is None or (change.generation, change.epoch) != (offer.generation, offer.epoch):
        return None
    if await c.fetchval(sql.PROPOSALS_VERSION, offer.channel) != offer.proposals_version:
        return None
    number = await change.append(c, EntryKind.PROPOSAL, offer)
    await c.execute(
        sql.ADD_PROPOSAL, offer.channel, offer.reference, offer.target, offer.by_server, number, offer.payload
    )
    await c.execute(sql.CHANGE_SNAPSHOT, offer.channel, offer.snapshot)
    change.tell(
        [m.device for m in await members(c, offer.channel, offer.generation)], EntryKind.PROPOSAL,
        generation=offer.generation, epoch=offer.epoch, log_number=number, now_ms=offer.now_ms,
        size_bytes=len(offer.payload),
    )  # fmt: skip
    await change.save(c)
    return Accepted(number, offer.now_ms, offer.epoch, duplicate=False), change
