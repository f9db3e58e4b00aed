"""Why a backup cannot be made, trusted or put back: a sentence each for the operator."""

from __future__ import annotations

from qpqcore.store.errors import DatabaseError


class BackupError(DatabaseError):
    """It cannot be done; the text says why."""


class BackupBroken(BackupError):
    """The backup is not as it was written; the text names the first broken thing."""
