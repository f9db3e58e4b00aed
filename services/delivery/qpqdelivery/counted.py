"""What an operator sees of delivery: what it took and told, and what lies in mailboxes (docs/operate/monitoring.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.bus.notices import WAKE_UP_LATENCY
from qpqcore.obs.histogram import Histogram
from qpqdelivery.store import Backlog, Tally, Weighed

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqcore.obs.metrics import Reading
    from qpqdelivery.store import Store

PAGE_ROWS = 1_000
"""Mailboxes looked at in one read, some 3 ms."""
PAGES_MAX = 20
"""At one scrape; of more than 20,000 mailboxes the sums are those of the last whole round."""
NOTHING = Weighed(b"", 0, 0, 0, 0)


class Counted:
    """Counts, and goes through the mailboxes page by page while somebody scrapes."""

    def __init__(self, store: Store, tally: Tally, clock_ms: Callable[[], int]) -> None:
        self.messages = self.repeated = self.entries = 0
        """Messages taken, those that were there already, and the mailbox entries that the former became."""
        self.wake_up_seconds = Histogram()
        self._store = store
        self._tally = tally
        self._clock_ms = clock_ms
        self._round = self._whole = NOTHING
        self._backlog = Backlog(0, 0)

    def woken(self, accepted_ms: int) -> None:
        """Note that a waiter is handed what was accepted then."""
        self.wake_up_seconds.observe(max(0, self._clock_ms() - accepted_ms) / 1000)

    async def weigh(self) -> None:
        """Look at the next pages of mailboxes, and at what is on its way into them."""
        self._backlog = await self._store.backlog()
        for _ in range(PAGES_MAX):
            self._round = _added(self._round, await self._store.weigh(self._round.last, PAGE_ROWS))
            if not self._round.last:
                self._whole, self._round = self._round, NOTHING
                return

    def readings(self) -> list[Reading]:
        """Return everything as `qpqcore.obs.metrics` reads it."""
        whole, backlog = self._whole, self._backlog
        gauges = (
            ("qpq_mailboxes", "Mailboxes there are.", whole.mailboxes),
            ("qpq_mailbox_entries_waiting", "Entries that wait in mailboxes.", whole.entries),
            ("qpq_mailbox_bytes_waiting", "Payload that waits in mailboxes.", whole.bytes),
            ("qpq_mailbox_oldest_seconds", "Age of the oldest entry that waits.", self._age_s(whole.oldest_ms)),
            ("qpq_fan_out_waiting", "Log entries that are not in all mailboxes yet.", backlog.notes),
            ("qpq_fan_out_oldest_seconds", "Age of the oldest of them.", self._age_s(backlog.oldest_ms)),
            ("qpq_messages_accepted_total", "Messages taken.", self.messages),
            ("qpq_messages_repeated_total", "Messages that were there already.", self.repeated),
            ("qpq_mailbox_entries_total", "Mailbox entries that messages became.", self.entries),
            ("qpq_mailbox_cut_offs_total", "Mailboxes emptied behind a gap: full, or too old.", self._tally.cut_offs),
        )
        found: list[Reading] = [(name, text, "", {"": value}) for name, text, value in gauges]
        return [*found, ("qpq_wakeup_latency_seconds", WAKE_UP_LATENCY, "waiter", {"fetchWait": self.wake_up_seconds})]

    def _age_s(self, since_ms: int) -> float:
        return max(0, self._clock_ms() - since_ms) / 1000 if since_ms else 0.0


def _added(one: Weighed, other: Weighed) -> Weighed:
    oldest = [ms for ms in (one.oldest_ms, other.oldest_ms) if ms]
    return Weighed(
        other.last, one.mailboxes + other.mailboxes, one.entries + other.entries, one.bytes + other.bytes,
        min(oldest, default=0),
    )  # fmt: skip
