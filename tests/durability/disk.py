"""A disk that keeps what was synced, and of what was not: nothing, everything, or some of it.

1. A write is in force at once and durable when its file is synced. What is not synced may be left by a cut in any
   combination: each write, or each 512-byte sector of one, for itself; so later ones may be there and earlier ones not.
2. A new file's name is durable when the file is synced, as Linux's file systems have it. A rename or an unlink is
   durable when the folder is synced; until then a cut may leave either name.
3. A cut leaves what is durable and a choice of the rest.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random  # noqa: TID251 - seeded

SECTOR_BYTES = 512
"""What a disk writes wholly or not at all."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset, or (`data` None) a truncation to it."""

    offset: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Naming:
    """A name that is given to a file, or taken from it."""

    gone: str
    file: File | None
    name: str


@dataclass(eq=False, slots=True)
class File:
    """One file: its durable content, and what was written since."""

    content: bytes = b""
    pending: list[Write] = field(default_factory=list)
    named: bool = False
    """Whether its first name is durable."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What of the undurable a cut leaves: of each file's writes, and whether of each renaming."""

    writes: Callable[[list[Write]], list[Write]]
    namings: Callable[[list[Naming]], list[Naming]]


class Disk:
    """A folder's files on a disk, as a process changes them."""

    def __init__(self) -> None:
        self._now: dict[str, File] = {}
        self._durable: dict[str, File] = {}
        self._namings: list[Naming] = []

    def take(self, operation: str, name: str, offset: int, data: bytes) -> None:
        """Follow one operation of a trace; the folder's own name is empty."""
        if not name:
            self._namings.clear()
            self._durable = {n: f for n, f in self._now.items() if f.named}
        elif operation == "u":
            self._namings.append(Naming(name, None, ""))
            self._now.pop(name, None)
        elif operation == "r":
            to = Path(data.decode()).name
            self._now[to] = file = self._now.pop(name)
            self._namings.append(Naming(name, file, to))
        else:
            file = self._now.setdefault(name, File())
            if operation == "s":
                file.content, file.pending = applied(file.content, file.pending), []
                if not file.named:
                    file.named, self._durable[name] = True, file
            else:
                file.pending.append(Write(offset, data if operation == "w" else None))

    def after(self, cut: Cut) -> dict[str, bytes]:
        """Return the files that a cut leaves."""
        names = {**{n: f for n, f in self._now.items() if not f.named}, **self._durable}
        for naming in cut.namings(self._namings):
            names.pop(naming.gone, None)
            if naming.file is not None:
                names[naming.name] = naming.file
        return {name: applied(file.content, cut.writes(file.pending)) for name, file in names.items()}


def applied(content: bytes, writes: list[Write]) -> bytes:
    """Return a file's content after some writes."""
    found = bytearray(content)
    for write in writes:
        if write.data is None:
            del found[write.offset :]
        found.extend(bytes(max(0, write.offset - len(found))))
        if write.data is not None:
            found[write.offset : write.offset + len(write.data)] = write.data
    return bytes(found)


def sectors(write: Write) -> list[Write]:
    """Return a write as the writes of its sectors."""
    if write.data is None:
        return [write]
    found, at = [], 0
    while at < len(write.data):
        size = SECTOR_BYTES - (write.offset + at) % SECTOR_BYTES
        found.append(Write(write.offset + at, write.data[at : at + size]))
        at += size
    return found


NOTHING = Cut(lambda _: [], lambda _: [])
EVERYTHING = Cut(list, list)


def torn() -> Cut:
    """Leave everything but the second half of the last write of each file."""

    def half(writes: list[Write]) -> list[Write]:
        if not writes or writes[-1].data is None:
            return writes
        last = writes[-1]
        assert last.data is not None
        return [*writes[:-1], Write(last.offset, last.data[: len(last.data) // 2])]

    return Cut(half, list)


def some_writes(dice: Random) -> Cut:
    """Leave each write, and each renaming, or not."""
    return Cut(
        lambda writes: [w for w in writes if dice.random() < 0.5],
        lambda names: [n for n in names if dice.random() < 0.5],
    )


def some_sectors(dice: Random) -> Cut:
    """Leave each sector, and each renaming, or not."""
    return Cut(
        lambda writes: [s for w in writes for s in sectors(w) if dice.random() < 0.5],
        lambda names: [n for n in names if dice.random() < 0.5],
    )


def read_trace(path: Path, folder: Path) -> Iterator[tuple[str, str, int, bytes]]:
    """Yield (operation, name in the folder, offset, data) of a trace that recorder.c wrote."""
    trace, at = path.read_bytes(), 0
    while at < len(trace):
        operation, length = chr(trace[at]), struct.unpack_from("<I", trace, at + 1)[0]
        name = Path(trace[at + 5 : at + 5 + length].decode())
        offset, size = struct.unpack_from("<QQ", trace, at + 5 + length)
        at += 21 + length
        yield operation, "" if name == folder else name.name, offset, trace[at : at + size]
        at += size
