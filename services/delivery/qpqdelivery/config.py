"""Settings of the delivery service."""

from __future__ import annotations

from dataclasses import dataclass

from qpqcore.bus.limits import Rate

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every field has a working default."""

    domain: str = "localhost"
    """The home domain of the channels made here."""

    federated: bool = False
    """Whether channels of other domains are reached through federation."""

    payload_bytes_max: int = 256 * 1024
    """A message's ciphertext."""

    handshake_bytes_max: int = 8 * 1024 * 1024
    """A commit with all that belongs to it; a path commit of 1,000 X-Wing leaves has 1.2 MB."""

    signal_bytes_max: int = 1_024
    """A signal's payload."""

    members_max: int = 2_000
    """Leaves of one group."""

    channels_per_account_max: int = 10_000
    """Channels that devices of one account may be in."""

    carried_bytes_max: int = 4_096
    """A message up to this size is told whole to who listens; a larger one is read from the mailbox."""

    past_epochs: int = 5
    """Epochs before the current one whose messages are still taken."""

    batch_items_max: int = 100
    """Messages in one batchEnqueue."""

    fetch_entries_max: int = 256
    """Entries in one answer."""

    fetch_bytes_max: int = 1024 * 1024
    """Payload bytes in one answer, unless the first entry alone is larger."""

    wait_ms_max: int = 60_000
    """The longest fetchWait."""

    look_again_seconds: float = 30.0
    """A waiter looks by itself so often, whatever the notices say."""

    waiters_per_device_max: int = 4
    """fetchWaits of one device at a time; the oldest is answered when one more comes."""

    mailbox_entries_max: int = 10_000
    """Entries in a mailbox; past it the mailbox is cut off behind `gap`."""

    mailbox_bytes_max: int = 256 * 1024 * 1024
    """Payload bytes a mailbox refers to; past it the same."""

    box_entries_max: int = 200_000
    """Entries in the box for another domain that is away; past it the box is emptied behind `gap`, and its people rejoin."""

    box_bytes_max: int = 1 << 30
    """Payload bytes a box refers to; past it the same."""

    box_fetch_bytes_max: int = 2 * 1024 * 1024
    """Payload bytes brought to another domain by one call, unless the first entry alone is larger."""

    arrival_seconds_max: float = 3.0
    """How long a commit that another domain took is waited for on its way back, before its author is answered."""

    message_ttl_ms: int = 30 * DAY_MS
    """How long a message waits, unless its sender says less."""

    handshake_ttl_ms: int = 30 * DAY_MS
    """A mailbox whose oldest commit, proposal or Welcome is older is cut off."""

    hash_kept_ms: int = 7 * DAY_MS
    """The hash of a message stays so long past its payload, for idempotency."""

    absent_ms: int = 90 * DAY_MS
    """A device that has not come for so long is proposed for removal."""

    seen_step_ms: int = DAY_MS
    """How exactly it is noted when a device came: a write a day, not one a call."""

    enqueue_per_device: Rate = Rate(200, 1, 2_000)
    """Messages from one device."""

    enqueue_per_channel: Rate = Rate(2_000, 1, 10_000)
    """Messages into one channel."""

    enqueue_per_account: Rate = Rate(1_000, 1, 5_000)
    """Of these, from devices of one account: half."""

    enqueue_sealed: Rate = Rate(1_000, 1, 5_000)
    """Messages signed with one epoch's write key: the senders of these cannot be told apart."""

    handshake_per_channel: Rate = Rate(20, 1, 200)
    """Commits, proposals and resets offered to one channel by its members."""

    handshake_per_account: Rate = Rate(10, 1, 100)
    """Of these, from devices of one account, which may be no member: half."""

    signal_per_device: Rate = Rate(20, 1, 60)
    """Signals from one device."""

    create_per_account: Rate = Rate(600, 3_600, 300)
    """Channels made by one account."""

    views_cached_max: int = 256
    """Public views of groups kept in memory; one of 1,000 members takes some megabytes."""

    sweep_seconds: float = 30.0
    """How often what is over is collected."""
