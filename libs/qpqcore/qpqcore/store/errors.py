"""Why a database cannot be opened, or used any more: faults, each with a sentence for the operator."""

from __future__ import annotations


class DatabaseError(Exception):
    """The database cannot be used."""


class DatabaseUnreadable(DatabaseError):
    """Not a database, a damaged one, or another key."""


class DatabaseTooNew(DatabaseError):
    """Written by a later version of this program."""


class DatabaseBusy(DatabaseError):
    """Another process has it open."""


class DatabaseTooOld(DatabaseError):
    """Its schema lacks what this program needs."""


class NotDistributable(DatabaseError):
    """Citus is not there, or not so that it could distribute the tables now."""


class DatabaseAway(DatabaseError):
    """It cannot be reached, or does not let us in."""


class DatabaseBroken(DatabaseError):
    """It failed in use, in a way that nothing can be written or read any more: what was acknowledged is in its file."""
