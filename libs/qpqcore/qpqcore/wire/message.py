"""Cap'n Proto messages: whole messages read inside one except.

Standard segment table, unpacked. The generated modules hold each struct's layout; reading and writing is native, and a
message is decoded wholly, here, before anybody sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qpqcore.model.errors import ErrorCode, Refusal
from qpqnative import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Layout", "decode"]

T = TypeVar("T")


def decode(layout: Layout, data: bytes, make: Callable[[tuple[Any, ...]], T]) -> T:
    """Decode one message wholly and `make` something of its values; Refusal(malformed) whatever is wrong with it."""
    try:
        return make(layout.decode(data))
    except Exception as exc:
        raise Refusal(ErrorCode.MALFORMED, "not a well-formed message") from exc
