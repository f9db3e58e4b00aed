"""The operator's acts, written down so that changing what was written shows.

1. Each entry has the hash of the one before: who changes, drops or moves one breaks the chain there.
2. An act is written down before it is done (`begun`), and after it what came of it, with the number of the first entry. One
   that has no end was cut off by a crash: it may have been done.
3. What stands in it of users is what the operator typed.
4. Who may write to the log can write all of it anew, or leave out its end. So note the last number and hash somewhere else
   from time to time (`qpqctl audit head`; a backup's manifest has them too) and have them checked (`audit verify --expect`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FIRST = "0" * 64
"""What the first entry has for the hash of the one before."""
TYPED_CHARS_MAX = 256
"""Of one word: a name has 64 characters."""
LINE_BYTES_MAX = 16 * 1024


class AuditBroken(Exception):
    """The log is not as it was written; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry."""

    number: int
    at_ms: int
    operator: str
    act: str
    typed: tuple[str, ...]
    outcome: str
    """`begun`, `done`, or `failed: ` and why."""
    of: int
    """The entry that began the act; 0: this one."""
    before: str
    """The hash of the entry before, hexadecimal."""
    hash: str = ""
    """SHA-256 of all the others, as `sealed` writes them."""

    def line(self) -> str:
        """Return the entry as a line of JSON."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)


class Log(Protocol):
    """Where entries are kept: a file, or a table."""

    def append(self, operator: str, act: str, typed: Sequence[str], outcome: str, *, of: int = 0) -> Entry:
        """Add an entry; it is on the disk when this returns. AuditBroken, DatabaseError, OSError."""

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, the oldest first. AuditBroken for one that cannot be read."""


def sealed(entry: Entry) -> Entry:
    """Return an entry with its hash."""
    return replace(entry, hash=hashlib.sha256(b"qpq audit v1\0" + replace(entry, hash="").line().encode()).hexdigest())


def following(
    last: Entry | None, now_ms: int, operator: str, act: str, typed: Sequence[str], outcome: str, of: int
) -> Entry:
    """Return the entry that follows the last one."""
    return sealed(
        Entry(
            number=last.number + 1 if last else 1, at_ms=now_ms, operator=operator[:TYPED_CHARS_MAX], act=act,
            typed=tuple(word[:TYPED_CHARS_MAX] for word in typed), outcome=outcome, of=of,
            before=last.hash if last else FIRST,
        )
    )  # fmt: skip


def read(line: str | bytes) -> Entry:
    """Read an entry from its line. AuditBroken."""
    try:
        found: dict[str, Any] = json.loads(line)
        found["typed"] = tuple(found["typed"])
        return Entry(**found)
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise AuditBroken("an entry cannot be read") from exc


def checked(entries: Iterable[Entry], expected: dict[int, str] | None = None) -> Iterator[Entry]:
    """Yield the entries that hold; AuditBroken names the first that does not, also one that is expected and missing."""
    wanted, last = dict(expected or {}), None
    for entry in entries:
        number = last.number + 1 if last else 1
        if entry.number != number:
            raise AuditBroken(f"entry {number} is missing: {entry.number} follows")
        if entry.before != (last.hash if last else FIRST):
            raise AuditBroken(f"entry {number} does not follow the one before: one of them was changed")
        if sealed(entry).hash != entry.hash:
            raise AuditBroken(f"entry {number} was changed")
        if wanted.pop(number, entry.hash) != entry.hash:
            raise AuditBroken(f"entry {number} is another one than was noted: the log was written anew")
        last = entry
        yield entry
    if wanted:
        raise AuditBroken(f"entry {min(wanted)} was noted and is missing: the log's end was cut off")
