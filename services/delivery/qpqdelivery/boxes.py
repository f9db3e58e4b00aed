"""Boxes for other domains: what of a log entry's audience lives elsewhere goes into one mailbox for each such domain.

A box is a mailbox whose id has 16 zero bytes before the domain, which no device has: devices of that domain do not log in
here. So what a domain is to get is noted in the transaction that appends to the log, once, in order, and bounded
(docs/spec/federation.md#down).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.model.ids import NOBODY, RANDOM_BYTES, domain_of, make_id

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_box(device: bytes) -> bool:
    """Tell whether a mailbox is a box."""
    return device.startswith(NOBODY)


def sorted_out(devices: Iterable[bytes], own: str) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the devices that live here, and for each other domain's box its devices as they stand in an entry.

    An empty `own` says that nobody lives elsewhere.
    """
    if not own:
        return list(devices), {}
    suffix, here, away = own.encode(), list[bytes](), dict[bytes, list[bytes]]()
    for device in devices:
        if device[RANDOM_BYTES:] == suffix:
            here.append(device)
        else:
            away.setdefault(NOBODY + device[RANDOM_BYTES:], []).append(device[:RANDOM_BYTES])
    return here, {box: b"".join(targets) for box, targets in away.items()}


def targets_of(box: bytes, packed: bytes) -> tuple[bytes, ...]:
    """Return the devices that stand in an entry of a box."""
    domain = domain_of(box)
    return tuple(make_id(packed[at : at + RANDOM_BYTES], domain) for at in range(0, len(packed), RANDOM_BYTES))
