"""Cap'n Proto messages: the schema files loaded once, whole messages read inside one except.

Standard segment table, unpacked. Values are read lazily by pycapnp and its errors carry C++
text, so a message is decoded wholly, here, before anybody sees it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import capnp

from qpqcore.model.errors import ErrorCode, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SCHEMA_FOLDER = Path(__file__).parent.parent / "schemas"
NESTING_MAX = 16
"""Pointers deep; the deepest message of the schema has 5."""
TRAVERSAL_FACTOR = 2
"""A message is read once, and once more for what pycapnp looks at twice."""
TRAVERSAL_WORDS_MIN = 64
"""For the small ones. An element of a list counts one word, even if it has none: a message of 32 bytes that was read as a
thousand of them took 8 ms.
"""
LIST_STRUCTS_MAX = 10_000
"""Structs in one list: the channels of one account. Each takes some 8 us, whatever is in it."""

_parser = capnp.SchemaParser()


@cache
def schema(name: str) -> Any:
    """Load `schemas/<name>.capnp`; its structs and interfaces are attributes."""
    return _parser.load(str(SCHEMA_FOLDER / f"{name}.capnp"))


def structs(read: Any) -> Any:
    """Return a list of structs as it is, if it is not longer than any may be; ValueError."""
    if len(read) > LIST_STRUCTS_MAX:
        raise ValueError("too many structs in a list")
    return read


def decode(struct: Any, data: bytes, read: Callable[[Any], T]) -> T:
    """Decode one message wholly with `read`; Refusal(malformed) whatever is wrong with it."""
    words = len(data) // 8 * TRAVERSAL_FACTOR + TRAVERSAL_WORDS_MIN
    try:
        with struct.from_bytes(data, traversal_limit_in_words=words, nesting_limit=NESTING_MAX) as message:
            return read(message)
    except Exception as exc:
        raise Refusal(ErrorCode.MALFORMED, "not a well-formed message") from exc
