"""The decision to put a backup back into files, and its carrying out, which whoever comes first after a crash ends.

`data_dir/restore.json` names files that are whole and on the disk, and the places that they take. While it is there it is what
counts; so it is looked for before anything of the folder is opened.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qpqcore.net.certificates import sync_folder
from qpqserver.backup.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qpqcore.config.settings import Settings

LOCK = "restore.lock"
"""Held by who puts a backup back, alone; by who makes one, with others."""
JOURNAL = "restore.json"
BESIDE = ("-wal", "-shm")
"""What SQLite keeps beside a file: of the old one it would be read into the new one."""


@contextmanager
def locked(settings: Settings, kind: int) -> Iterator[None]:
    """Hold the lock of who makes or puts back backups of a folder. BackupError."""
    data = Path(settings.data_dir)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except OSError as exc:
            raise BackupError("a backup is being made, or put back, at this moment") from exc
        yield


def finish(settings: Settings) -> bool:
    """Bring a restore to its end that a crash cut off after its decision; tell whether there was one. BackupError, OSError.

    Before anything of the folder is opened.
    """
    if not (Path(settings.data_dir) / JOURNAL).exists():
        return False
    with locked(settings, fcntl.LOCK_EX):
        return finish_locked(settings)


def finish_locked(settings: Settings) -> bool:
    """Do the same for who holds the lock."""
    journal = Path(settings.data_dir) / JOURNAL
    try:
        moves = [(Path(staged), Path(path)) for staged, path in json.loads(journal.read_bytes())["moves"]]
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError) as exc:
        raise BackupError(f"{journal} cannot be read: put the backup back again") from exc
    for staged, path in moves:
        if staged.exists():  # else it was moved before the crash
            for rest in BESIDE:
                path.with_name(path.name + rest).unlink(missing_ok=True)
            staged.replace(path)
            sync_folder(path.parent)
    journal.unlink()
    sync_folder(journal.parent)
    return True
