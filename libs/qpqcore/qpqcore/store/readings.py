"""What an operator sees of a store, of whichever kind (docs/operate/monitoring.md#stores)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qpqcore.obs.histogram import Histogram
    from qpqcore.obs.metrics import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Connections to a database server."""

    open: int
    in_use: int
    dropped: int
    """Broken, or cut short, so far."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Transactions and reads of a database that is distributed, by whom they went to."""

    owner: int
    """The node that owns the rows."""
    coordinator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A store's counters, and what it does at this moment."""

    up: bool
    writes: int
    reads: int
    waiting: int
    commit_seconds: Histogram
    batch: Histogram
    oldest_seconds: float = 0.0
    """How long the oldest call has been under way."""
    full: bool = False
    """Whether a write was refused lately since the disk had no room."""
    connections: Connections | None = None
    """None: it is a file."""
    routes: Routes | None = None
    """None: it is a file; of one server nothing is counted."""

    def readings(self, store: str) -> list[Reading]:
        """Return them as `qpqcore.obs.metrics` reads them; `store` is the service whose store it is."""
        found: list[Reading] = [
            ("qpq_store_up", "Whether the store could be reached the last time.", "store", {store: int(self.up)}),
            ("qpq_store_writes_total", "Transactions that write.", "store", {store: self.writes}),
            ("qpq_store_reads_total", "Reads.", "store", {store: self.reads}),
            ("qpq_store_waiting", "Jobs that wait for their turn.", "store", {store: self.waiting}),
            (
                "qpq_store_oldest_seconds", "How long the oldest call has been under way.", "store",
                {store: self.oldest_seconds},
            ),
            (
                "qpq_store_full", "Whether a write was refused in the last 30 s since the disk had no room.", "store",
                {store: int(self.full)},
            ),
            (
                "qpq_store_commit_seconds", "Time of a transaction, from its beginning until it was durable.", "store",
                {store: self.commit_seconds},
            ),
            ("qpq_store_batch_size", "Writes that shared a commit.", "store", {store: self.batch}),
        ]  # fmt: skip
        if self.connections is not None:
            c = self.connections
            found += [
                ("qpq_store_connections_open", "Connections that stand.", "store", {store: c.open}),
                ("qpq_store_connections_in_use", "Connections that are at work.", "store", {store: c.in_use}),
                ("qpq_store_connections_dropped_total", "Connections that were dropped.", "store", {store: c.dropped}),
            ]
        if self.routes is not None:
            r = self.routes
            found += [
                ("qpq_store_by_owner_total", "Calls sent to the node that owns their rows.", "store", {store: r.owner}),
                ("qpq_store_by_coordinator_total", "Calls sent by the coordinator.", "store", {store: r.coordinator}),
            ]
        return found
