"""Tables and rows as one stream of bytes: each record a letter and a vec, each value a letter and what it holds.

T  name and columns of the table that follows, JSON       n  null            i  8 bytes, signed     o  1 byte, a boolean
R  a row                                                  b  vec of bytes    t  vec of UTF-8
E  the end: how many rows each table had, JSON
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qpqcore.crypto.parts import vec
from qpqserver.backup.errors import BackupBroken, BackupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qpqserver.backup.sealing import Sealed

RECORD_BYTES_MAX = 64 * 1024 * 1024
"""A row: the largest is a group's tree, of a few megabytes."""
TABLE, ROW, END = b"T", b"R", b"E"


@dataclass(frozen=True, slots=True)
class Table:
    """What the rows after it are rows of."""

    name: str
    columns: tuple[str, ...]


Row = tuple[Any, ...]


class Writer:
    """Writes tables and their rows into a sealed file."""

    def __init__(self, sealed: Sealed) -> None:
        self._sealed = sealed
        self.counts: dict[str, int] = {}
        self._table = ""

    def table(self, table: Table) -> None:
        """Begin a table."""
        self._table = table.name
        self.counts[table.name] = 0
        self._record(TABLE, json.dumps({"name": table.name, "columns": table.columns}).encode())

    def row(self, values: Sequence[Any]) -> None:
        """Add a row of the table."""
        self.counts[self._table] += 1
        self._record(ROW, b"".join(map(encoded, values)))

    def end(self) -> None:
        """Say that this was all."""
        self._record(END, json.dumps(self.counts).encode())

    def _record(self, kind: bytes, data: bytes) -> None:
        if len(data) > RECORD_BYTES_MAX:  # who reads it would not take it
            raise BackupError(f"{self._table}: a row of {len(data)} bytes is more than a backup has room for")
        self._sealed.add(kind + vec(data))


def encoded(value: Any) -> bytes:
    """Return the bytes of one value."""
    match value:
        case None:
            return b"n"
        case bool():
            return b"o" + bytes([value])
        case int():
            return b"i" + value.to_bytes(8, "big", signed=True)
        case bytes():
            return b"b" + vec(value)
        case str():
            return b"t" + vec(value.encode())
        case _:
            raise TypeError(type(value))


def read(segments: Iterable[bytes], name: str) -> Iterator[Table | Row]:
    """Yield tables and their rows. BackupBroken, at the latest at the end, for a stream that lacks some."""
    counts: dict[str, int] = {}
    table: Table | None = None
    said: dict[str, int] | None = None
    for kind, data in _records(segments, name):
        if said is not None:
            raise BackupBroken(f"{name}: something follows its end")
        try:
            if kind == ROW and table is not None:
                row = _row(data)
                if len(row) != len(table.columns):
                    raise ValueError
                counts[table.name] += 1
                yield row
            elif kind == TABLE:
                found = json.loads(data)
                table = Table(str(found["name"]), tuple(map(str, found["columns"])))
                counts[table.name] = 0
                yield table
            elif kind == END:
                said = json.loads(data)
            else:
                raise ValueError
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            where = f"row {counts[table.name] + 1} of {table.name}" if table else "its beginning"
            raise BackupBroken(f"{name}: {where} cannot be read") from exc
    if said != counts:
        raise BackupBroken(f"{name}: it lacks rows that it says it has")


def _records(segments: Iterable[bytes], name: str) -> Iterator[tuple[bytes, bytes]]:
    waiting, at = bytearray(), 0
    for segment in segments:
        waiting += segment
        while len(waiting) - at >= 5:
            size = int.from_bytes(waiting[at + 1 : at + 5], "big")
            if size > RECORD_BYTES_MAX:
                raise BackupBroken(f"{name}: a row that is too long")
            if len(waiting) - at < 5 + size:
                break
            yield bytes(waiting[at : at + 1]), bytes(waiting[at + 5 : at + 5 + size])
            at += 5 + size
        del waiting[:at]
        at = 0
    if waiting:
        raise BackupBroken(f"{name}: it ends within a row")


def _row(data: bytes) -> Row:
    values: list[Any] = []
    at = 0
    while at < len(data):
        kind = data[at : at + 1]
        at += 1
        if kind == b"n":
            values.append(None)
        elif kind == b"o":
            values.append(bool(data[at]))
            at += 1
        elif kind == b"i":
            if at + 8 > len(data):
                raise ValueError
            values.append(int.from_bytes(data[at : at + 8], "big", signed=True))
            at += 8
        elif kind in {b"b", b"t"}:
            size = int.from_bytes(data[at : at + 4], "big")
            piece = data[at + 4 : at + 4 + size]
            if len(piece) != size:
                raise ValueError
            values.append(piece if kind == b"b" else piece.decode())
            at += 4 + size
        else:
            raise ValueError
    return tuple(values)
