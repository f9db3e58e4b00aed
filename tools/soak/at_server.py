"""The windows of the server: each lies between two steps that a crash can part.

In the write thread: before a transaction's COMMIT, and after it, before whoever asked is told. Which transaction it is,
its function's name says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import outcome

from qpqauth.jobs import DELETION, Jobs
from qpqcore.store.database import Database
from qpqgateway.service import Gateway
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.store.jobs import Job as Write
    from tools.soak.fuse import Fuse

WRITES = {
    ("qpqdelivery", "enqueue"): "",
    ("qpqdelivery", "accept_commit"): " of a group change",
    ("qpqdelivery", "create"): " of a founding",
    ("qpqblob", "append"): " of a chunk",
    ("qpqblob", "complete"): " of a whole blob",
    ("qpqauth", "create_account"): " of an account",
    ("qpqauth", "begin_deletion"): " of a deletion",
}
"""Transactions with a window before their commit and one after it."""
PURGE = {("qpqdelivery", "expire"), ("qpqdelivery", "purge")}


def before(what: str) -> str:
    """Name the window before a commit."""
    return f"server: before commit{what}"


def after(what: str) -> str:
    """Name the window between a commit and the reply."""
    return f"server: between commit and reply{what}"


IN_PURGE = "server: in purge"
REPLY = "server: between commit and reply, at the edge"
IN_UPLOAD = tuple(f(what) for what in (" of a chunk", " of a whole blob") for f in (before, after))
IN_DELETION = (
    before(" of a deletion"), after(" of a deletion"),
    *(f"server: in account deletion, {when} {kind}" for kind, _ in DELETION for when in ("before", "after")),
)  # fmt: skip
IN_REGISTRATION = (before(" of an account"), after(" of an account"))
IN_FOUNDING = (before(" of a founding"), after(" of a founding"))
IN_CHANGE = (before(" of a group change"), after(" of a group change"))


def place_of(write: Write) -> tuple[str, str]:
    """Return the service and the store's method that a write comes from."""
    named = getattr(write.run, "__qualname__", "")
    return write.run.__module__.partition(".")[0], named.partition(".")[2].partition(".")[0]


def install(fuse: Fuse) -> None:
    """Put the windows into this process."""
    _commits(fuse)
    _purge(fuse)
    _deletion(fuse)
    _edge(fuse)


def _commits(fuse: Fuse) -> None:
    def reach(batch: list[Write], name: Callable[[str], str]) -> None:
        for write in batch:
            what = WRITES.get(place_of(write))
            if what is not None and isinstance(write.result, outcome.Value):
                fuse.reach(name(what))

    def applied(apply: Callable[[Database, list[Write]], None]) -> Callable[[Database, list[Write]], None]:
        def work(self: Database, batch: list[Write]) -> None:
            apply(self, batch)
            reach(batch, before)

        return work

    def committed(commit: Callable[[Database, list[Write]], None]) -> Callable[[Database, list[Write]], None]:
        def work(self: Database, batch: list[Write]) -> None:
            commit(self, batch)
            reach(batch, after)

        return work

    around(Database, "_apply", applied)
    around(Database, "_commit", committed)


@dataclass(slots=True)
class Changed:
    """What a statement returned, read already."""

    rows: list[Any]

    def fetchall(self) -> list[Any]:
        """Return all of it."""
        return self.rows


@dataclass(slots=True)
class Midway:
    """A connection with a window after each statement that changed something."""

    connection: Any
    fuse: Fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        """Execute; then, if rows were changed, this is the middle of a purge."""
        cursor = self.connection.execute(sql, *values)
        rows = None
        if "RETURNING" in sql:  # how many were changed is known when all are read
            rows = cursor.fetchall()
        if rows or (rows is None and cursor.rowcount > 0):
            self.fuse.reach(IN_PURGE)
        return cursor if rows is None else Changed(rows)


def _purge(fuse: Fuse) -> None:
    def parted(savepoint: Callable[[Database, Any, Write], None]) -> Callable[[Database, Any, Write], None]:
        def work(self: Database, connection: Any, write: Write) -> None:
            savepoint(self, Midway(connection, fuse) if place_of(write) in PURGE else connection, write)

        return work

    around(Database, "_savepoint", parted)


def _deletion(fuse: Fuse) -> None:
    def parted(do: Callable[[Jobs, Any], Any]) -> Callable[[Jobs, Any], Any]:
        async def work(self: Jobs, job: Any) -> None:
            fuse.reach(f"server: in account deletion, before {job.kind}")
            await do(self, job)
            fuse.reach(f"server: in account deletion, after {job.kind}")

        return work

    around(Jobs, "_do", parted)


def _edge(fuse: Fuse) -> None:
    def parted(finish: Callable[..., None]) -> Callable[..., None]:
        def work(self: Gateway, incoming: Any, name: str, reply: Any, started_s: float) -> None:
            if name == "enqueue" and not reply.code:
                fuse.reach(REPLY)
            finish(self, incoming, name, reply, started_s)

        return work

    around(Gateway, "_finish", parted)
