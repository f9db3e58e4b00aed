"""Identifiers: opaque bytes outside, distinct types inside.

Every id is one byte string: a fixed part (16 random bytes; 32 bytes of SHA-256 for a blob)
followed by its home domain in ASCII (docs/spec/identity.md#ids).
"""

from __future__ import annotations

import re
from typing import NewType

AccountId = NewType("AccountId", bytes)
DeviceId = NewType("DeviceId", bytes)
ChannelId = NewType("ChannelId", bytes)
BlobId = NewType("BlobId", bytes)

RANDOM_BYTES = 16
BLOB_HASH_BYTES = 32
DOMAIN_CHARS_MAX = 253
NOBODY = bytes(RANDOM_BYTES)
"""Begins the id of no account and no device: what concerns a domain as a whole has it."""

_DOMAIN = re.compile(
    rb"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    rb"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)


def is_domain(domain: str) -> bool:
    """Tell whether `domain` is a lower-case host name in A-label form, without a trailing dot."""
    return domain.isascii() and _DOMAIN.match(domain.encode()) is not None


def is_peer_name(domain: str) -> bool:
    """Tell whether a text names a domain that may have a server: as ids do, and no address (its last label not all digits)."""
    return is_domain(domain) and not domain.rpartition(".")[2].isdigit()


def make_id(fixed: bytes, domain: str) -> bytes:
    """Join an id's fixed part and its home domain."""
    return fixed + domain.encode("ascii")


def box_of(domain: str) -> bytes:
    """Return the id that stands for a domain as a whole: of the box with what waits for it, of the account that it looks up as."""
    return make_id(NOBODY, domain)


def domain_of(ident: bytes, fixed_bytes: int = RANDOM_BYTES) -> str:
    """Return the home domain of a checked id."""
    return ident[fixed_bytes:].decode("ascii")


def is_id(ident: bytes, fixed_bytes: int = RANDOM_BYTES) -> bool:
    """Tell whether `ident` has the form of an id: the fixed part and a well-formed domain."""
    return len(ident) > fixed_bytes and _DOMAIN.match(ident[fixed_bytes:]) is not None
