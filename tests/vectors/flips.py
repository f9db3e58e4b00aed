"""One flipped byte at a time, in every byte field of a vector: the middle byte, its bit 0x10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from qpqnative import MlsError, OpaqueError

Path = tuple[str | int, ...]
"""Where a field lies in a case: keys and places."""


def flipped(value: str) -> str:
    """The same hexadecimal with one bit of the middle byte flipped."""
    raw = bytearray.fromhex(value)
    raw[len(raw) // 2] ^= 0x10
    return raw.hex()


def byte_fields(value: Any, at: Path = ()) -> Iterator[Path]:
    """The path of every text that is not empty, in depth; all texts of the vectors are bytes in hexadecimal."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from byte_fields(inner, (*at, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from byte_fields(inner, (*at, place))
    elif isinstance(value, str) and value:
        yield at


def with_flip(value: Any, path: Path) -> Any:
    """The case with one field flipped; what does not change is shared."""
    if not path:
        return flipped(value)
    inner = with_flip(value[path[0]], path[1:])
    if isinstance(value, dict):
        return value | {path[0]: inner}
    return [*value[: path[0]], inner, *value[path[0] + 1 :]]


def fails(check: Callable[[Any], object], case: Any) -> bool:
    """Whether a check refuses a case: by the library's error, or because something is not equal."""
    try:
        check(case)
    except (MlsError, OpaqueError, AssertionError):
        return True
    return False


def unnoticed(check: Callable[[Any], object], case: Any) -> tuple[int, set[Path]]:
    """How many fields a case has, and those of them whose flip the check does not see."""
    check(case)
    fields = list(byte_fields(case))
    return len(fields), {path for path in fields if not fails(check, with_flip(case, path))}
