"""The audit log of a server on files: data_dir/audit.log, a line an entry."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, BinaryIO

from qpqcore.net.certificates import sync_folder
from qpqcore.runtime import clock
from qpqserver.operating.audit import LINE_BYTES_MAX, AuditBroken, Entry, following, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE = "audit.log"


class FileLog:
    """Implements `qpqserver.operating.audit.Log`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def append(self, operator: str, act: str, typed: Sequence[str], outcome: str, *, of: int = 0) -> Entry:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = _last(file)
            entry = following(last, clock.now_ms(), operator, act, typed, outcome, of)
            file.write(entry.line().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if last is None:
            sync_folder(self._path.parent)
        return entry

    def entries(self) -> Iterator[Entry]:
        try:
            with self._path.open("rb") as file:
                for line in file:
                    if line.endswith(
                        b"\n"
                    ):  # else a crash cut it off, and the next act takes it away: nothing was done yet
                        yield read(line)
        except FileNotFoundError:
            return


def _last(file: BinaryIO) -> Entry | None:
    """Return the last whole entry; what a crash left behind it is cut off."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * LINE_BYTES_MAX))
    tail = file.read()
    whole = tail[: tail.rfind(b"\n") + 1]
    if len(tail) > len(whole):
        file.truncate(size - (len(tail) - len(whole)))
    if not whole:
        if size > LINE_BYTES_MAX:
            raise AuditBroken("the log's end cannot be read")
        return None
    return read(whole[whole.rfind(b"\n", 0, -1) + 1 :])
