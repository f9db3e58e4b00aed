"""The store delivery needs, said without naming a database. Each method is one transaction.

Methods that put something into mailboxes return the devices to wake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from qpqcore.groups.policy import LARGE_ABOVE_MEMBERS
from qpqcore.model.record import record
from qpqdelivery.guests import GuestStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.api.delivery import EntryKind
    from qpqcore.model.errors import Refusal


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as it stands."""

    channel: bytes
    generation: int
    epoch: int
    log_number: int
    proposals_version: int
    """Counts what changes the set of stored proposals: a commit is accepted against the set it was checked with."""
    policy: bytes
    snapshot: bytes
    tree_hash: bytes
    group_info: bytes
    birth_hash: bytes


@dataclass(frozen=True, slots=True)
class Member:
    """A current leaf."""

    device: bytes
    account: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A proposal that the next commit must include."""

    reference: bytes
    target: bytes
    by_server: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """A Welcome for one device's mailbox, encoded as WelcomeItem."""

    device: bytes
    item: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NextState:
    """A group's state after a handshake message."""

    epoch: int
    policy: bytes
    snapshot: bytes
    tree_hash: bytes
    tree: bytes
    group_info: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """An accepted commit and all that goes with it."""

    channel: bytes
    generation: int
    epoch: int
    """The epoch that it ends."""
    proposals_version: int
    payload: bytes
    hash: bytes
    now_ms: int
    after: NextState
    write_key: bytes
    added: Sequence[Member]
    removed: Sequence[bytes]
    welcomes: Sequence[Welcome]
    committer: bytes = b""
    """Its author's device, which is told at once, however large the group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """The first epoch of a generation, and the first commit if there is one."""

    channel: bytes
    generation: int
    birth_hash: bytes
    creator: Member
    state: NextState
    write_key: bytes
    first: Commit | None
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A proposal that has been checked."""

    channel: bytes
    generation: int
    epoch: int
    proposals_version: int
    payload: bytes
    hash: bytes
    now_ms: int
    reference: bytes
    target: bytes
    by_server: bool
    snapshot: bytes


@record
class Message:
    """A message to be taken. `device` is empty for a sealed sender."""

    channel: bytes
    generation: int
    epoch: int
    payload: bytes
    hash: bytes
    device: bytes
    now_ms: int
    expires_ms: int
    ratchet: int = 0
    """1 + the sender's generation in the ratchet of the epoch; 0: not told, and not looked at."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Where something stands in the log."""

    log_number: int
    accepted_ms: int
    epoch: int
    duplicate: bool


class Arrival(NamedTuple):
    """A new mailbox entry, and whose it is."""

    device: bytes
    number: int
    """In the mailbox; 0: another entry stands there by now (the mailbox was emptied behind a gap)."""


class Filled(NamedTuple):
    """What of a log entry has come from the outbox into mailboxes now."""

    channel: bytes
    log_number: int
    arrivals: Sequence[Arrival]


@dataclass(frozen=True, slots=True)
class Entry:
    """A mailbox entry with its payload (None where it was not asked for)."""

    number: int
    kind: EntryKind
    channel: bytes
    generation: int
    epoch: int
    log_number: int
    accepted_ms: int
    expires_ms: int
    payload: bytes | None
    tree_hash: bytes


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox's position and load."""

    account: bytes
    last: int
    acked: int
    bytes: int
    oldest_ms: int
    seen_ms: int
    """When the device last came, to within a day."""


@dataclass(slots=True)
class Tally:
    """What a store counts; a transaction that is undone is counted all the same."""

    cut_offs: int = 0
    """Mailboxes emptied behind `gap`."""
    noted: int = 0
    """Notes written into the outbox."""
    filled: int = -1
    """How many had been written when the outbox was last found empty, by a transaction that is durable; first of all one looks
    for what a run before this one left there."""

    @property
    def notes_wait(self) -> bool:
        """Whether something may be in the outbox."""
        return self.noted != self.filled


@dataclass(frozen=True, slots=True)
class Weighed:
    """Some mailboxes, in the order of their devices."""

    last: bytes
    """The last one looked at; empty: there are no more."""
    mailboxes: int
    entries: int
    bytes: int
    oldest_ms: int
    """When the oldest entry was accepted that waits in one of them; 0: none does."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is in the log and has yet to be put into mailboxes."""

    notes: int
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How full a mailbox may be, how much one answer holds, how exact a note is."""

    mailbox_entries_max: int
    mailbox_bytes_max: int
    fetch_entries_max: int
    fetch_bytes_max: int
    past_epochs: int
    seen_step_ms: int
    """How exactly an acknowledgement notes when its device came."""
    tally: Tally = field(default_factory=Tally, compare=False)
    """Where is counted how often one was met."""
    domain: str = ""
    """Whose devices have mailboxes here; empty: all."""
    box_entries_max: int = 200_000
    box_bytes_max: int = 1 << 30
    """How full a box for another domain may be."""
    told_at_once_max: int = LARGE_ABOVE_MEMBERS
    """Members told in the transaction that appends to the log, some 6 ms; more are told after the answer (SQLCipher)."""


def weighed(rows: Sequence[tuple[bytes, int, int, int | None]], limit: int) -> Weighed:
    """Sum rows of mailboxes up: device, entries, bytes, when its oldest entry was accepted."""
    oldest = [row[3] for row in rows if row[3] is not None]
    last = rows[-1][0] if len(rows) == limit else b""
    return Weighed(last, len(rows), sum(row[1] for row in rows), sum(row[2] for row in rows), min(oldest, default=0))


class Store(GuestStore, Protocol):
    """Channels, their logs, mailboxes."""

    @property
    def tally(self) -> Tally:
        """What it counts."""

    async def channel(self, channel: bytes) -> Channel | None:
        """Return a channel."""

    async def tree(self, channel: bytes, tree_hash: bytes) -> bytes | None:
        """Return a tree by its hash."""

    async def members(self, channel: bytes, generation: int) -> list[Member]:
        """Return the current leaves."""

    async def is_member(self, channel: bytes, generation: int, device: bytes) -> bool:
        """Tell whether a device is a current leaf."""

    async def has_account(self, channel: bytes, generation: int, account: bytes) -> bool:
        """Tell whether some current leaf is of the account."""

    async def write_key(self, channel: bytes, generation: int, epoch: int) -> bytes | None:
        """Return the public key of an epoch's sealed senders."""

    async def proposals(self, channel: bytes) -> list[Stored]:
        """Return the proposals that wait for a commit, oldest first."""

    async def found(self, channel: bytes, payload_hash: bytes) -> Accepted | None:
        """Return where a payload stands in the log already."""

    async def create(self, birth: Birth) -> tuple[Accepted, list[bytes]]:
        """Make a channel. Refusal(channelExists) unless the very same birth made it."""

    async def reset(self, birth: Birth) -> tuple[Accepted, list[bytes]]:
        """Begin the next generation in place of the one below it. Refusal(generationConflict)."""

    async def accept_commit(self, commit: Commit) -> tuple[Accepted, list[bytes]] | None:
        """Accept a commit; None if the proposals have changed since it was checked.

        Refusal(generationConflict), Refusal(epochConflict).
        """

    async def accept_proposal(self, offer: Offer) -> tuple[Accepted, list[bytes]] | None:
        """Store a proposal; None if the group has changed since it was checked."""

    async def enqueue(self, messages: Sequence[Message]) -> list[tuple[Accepted, list[Arrival]] | Refusal]:
        """Take messages in one transaction, each accepted or refused by itself; return where they stand and arrived."""

    async def fetch(
        self, device: bytes, after: int, entries_max: int, *, payloads: bool, now_ms: int
    ) -> tuple[list[Entry], Mailbox] | None:
        """Return entries above `after` (0: above the acknowledged position); None without a mailbox."""

    async def ack(self, device: bytes, up_to: int, now_ms: int) -> int | None:
        """Drop entries up to a number; return the acknowledged position; None without a mailbox."""

    async def note_seen(self, device: bytes, now_ms: int) -> None:
        """Note that a device has come."""

    async def open_mailbox(self, account: bytes, device: bytes, now_ms: int) -> None:
        """Open a mailbox unless it is open."""

    async def close_mailbox(self, device: bytes) -> None:
        """Drop a mailbox and all in it, and how far its device had come in its groups."""

    async def mailboxes_of(self, account: bytes) -> list[bytes]:
        """Return the devices of an account that have a mailbox."""

    async def channels_of(self, account: bytes, limit: int) -> list[tuple[Channel, list[Member]]]:
        """Return the channels in which the account has a current leaf, with all members."""

    async def channels_with(self, device: bytes) -> list[bytes]:
        """Return the channels in which a device is a current leaf."""

    async def is_welcomed(self, device: bytes, channel: bytes, tree_hash: bytes) -> bool:
        """Tell whether a Welcome that names this tree lies in the device's mailbox."""

    async def delete_channel(self, channel: bytes) -> None:
        """Drop a channel nobody is left in."""

    async def expire(self, now_ms: int, handshakes_before_ms: int, hashes_before_ms: int) -> list[bytes]:
        """Drop payloads and hashes whose time is over, and cut mailboxes off behind `gap` that hold what is too old.

        A bounded number of rows of each; return the devices that were cut off.
        """

    async def purge(self, before_ms: int, rows_max: int) -> bool:
        """Look at the next rows of the log; drop payloads from before that no mailbox refers to. False: the round is over."""

    async def weigh(self, after: bytes, limit: int) -> Weighed:
        """Look at the next mailboxes after a device, for the operator."""

    @property
    def notes_wait(self) -> bool:
        """Whether `fill` may find something."""

    async def fill(self) -> list[Filled] | None:
        """Put the oldest of what is noted into the next mailboxes, a bounded number; None when nothing is noted."""

    async def backlog(self) -> Backlog:
        """Return what has yet to be put into mailboxes."""

    async def absent(self, seen_before_ms: int, limit: int) -> list[Member]:
        """Return devices that have not come since."""

    async def orphans(self, limit: int) -> list[Member]:
        """Return leaves whose device has no mailbox and whose removal nobody has proposed."""
