"""What delivery's store keeps for federation, said without naming a database: boxes, guests, channels away.

Each method is one transaction, or one for each channel where the database wants it so; repeatable at any point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qpqcore.api.delivery import EntryKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qpqcore.api.delivery import ChannelInfo, Standing

IN_LOG = frozenset({EntryKind.MESSAGE, EntryKind.COMMIT, EntryKind.PROPOSAL})
"""Entries whose payload lies in the channel's log."""
BOXES = (
    "SELECT device, last, acked, entries, bytes, coalesce((SELECT accepted_ms FROM entries e WHERE e.device = m.device "
    "ORDER BY number LIMIT 1), 0) FROM mailboxes m WHERE device > {} AND device < {} ORDER BY device LIMIT {}"
)
"""How full each box is, as rows of `BoxLoad`; a database's own marks of a statement's values go into the braces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """What another domain's channel has for devices of this one; checked, its times bounded."""

    number: int
    """In the sender's box."""
    kind: EntryKind
    channel: bytes
    generation: int
    epoch: int
    log_number: int
    accepted_ms: int
    expires_ms: int
    payload: bytes
    hash: bytes
    tree_hash: bytes
    targets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxed:
    """What waits in a box."""

    number: int
    kind: EntryKind
    channel: bytes
    generation: int
    epoch: int
    log_number: int
    accepted_ms: int
    expires_ms: int
    payload: bytes
    tree_hash: bytes
    packed: bytes
    """Its devices (`qpqdelivery.boxes`); of a Welcome empty: it names its own."""


@dataclass(frozen=True, slots=True)
class BoxLoad:
    """How full a box is."""

    device: bytes
    last: int
    acked: int
    entries: int
    bytes: int
    oldest_ms: int


def boxed_of(row: Any, now_ms: int) -> Boxed:
    """Make what waits in a box of a row: the entry's columns, then the payload that the log has."""
    number, kind, channel, generation, epoch, log_number, accepted_ms, expires_ms, own, tree_hash, logged = row
    kind = EntryKind(kind)
    payload, packed = own or b"", b""
    if kind in IN_LOG or kind in {EntryKind.EXPIRED, EntryKind.RESET}:
        payload, packed = logged or b"", own or b""
    if kind in IN_LOG and (not payload or (kind is EntryKind.MESSAGE and expires_ms <= now_ms)):
        kind, payload = EntryKind.EXPIRED, b""
    return Boxed(
        number=number, kind=kind, channel=channel, generation=generation, epoch=epoch, log_number=log_number,
        accepted_ms=accepted_ms, expires_ms=expires_ms, payload=payload, tree_hash=tree_hash or b"", packed=packed,
    )  # fmt: skip


class GuestStore(Protocol):
    """Boxes for other domains, and what comes from them."""

    async def box(self, box: bytes, entries_max: int, bytes_max: int, now_ms: int) -> tuple[list[Boxed], int]:
        """Return what lies in a box, oldest first, the first always; and its last number."""

    async def boxes(self, limit: int) -> list[BoxLoad]:
        """Return all boxes."""

    async def lease_box(self, box: bytes, holder: bytes, until_ms: int, now_ms: int) -> int:
        """Give a box to one process until a moment, unless it is another's; return until when it is that one's, else 0."""

    async def skip_box(self, box: bytes, past: int, now_ms: int) -> None:
        """Number what lies in a box above what its receiver has: this database is older than what it once sent."""

    async def take(
        self, home: str, relayed: Sequence[Relayed], standings: Sequence[Standing], now_ms: int
    ) -> tuple[int, list[bytes]]:
        """Put what came from a domain into mailboxes, each number once; return up to where all is here, and whom to wake.

        A hole before a number is told, as a `gap`, to all who are in that domain's channels.
        """

    async def home_position(self, home: str) -> int:
        """Return up to which number everything of a domain's box is here."""

    async def has_log(self, channel: bytes, number: int) -> bool:
        """Tell whether an entry of a channel's log is here."""

    async def away_of(self, account: bytes, device: bytes, limit: int) -> list[ChannelInfo]:
        """Return the channels of other domains in which the account is, as those said last."""

    async def leave_away(self, device: bytes, now_ms: int) -> list[bytes]:
        """Note, in the boxes for their homes, that a device is no more, and forget its channels away; return the boxes."""

    async def had_leaf(self, channel: bytes, device: bytes) -> bool:
        """Tell whether a device is, or was, in a channel of this domain."""
