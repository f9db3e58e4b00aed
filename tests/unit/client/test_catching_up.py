"""Catching up comes to an end though messages keep coming: whoever waits for it removes a person, or leaves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

from qpqclient.core import Core
from qpqcore.api.delivery import Entry, FetchResult

PAGE = 2


class Busy:
    """A device whose mailbox gets another message each time that it looks."""

    def __init__(self, waiting, more_each_time):
        self.inbox = SimpleNamespace(position=0)
        self.people = SimpleNamespace(learn=trio.lowlevel.checkpoint)
        self._last, self._more = waiting, more_each_time
        self.fetches = 0

    async def call(self, params, _result):
        await trio.lowlevel.checkpoint()
        self.fetches += 1
        first, last = params.after + 1, self._last
        self._last += self._more
        return FetchResult(entries=tuple(Entry(number=n) for n in range(first, last + 1)[:PAGE]), last=last)

    async def _take(self, entries):
        self.inbox.position = entries[-1].number


@pytest.mark.parametrize(("waiting", "fetches"), [(0, 1), (1, 1), (2, 1), (3, 2), (7, 4)])
async def test_a_quiet_mailbox_is_read_to_its_end_and_no_further(waiting, fetches):
    device = Busy(waiting, 0)
    await Core.catch_up(device)
    assert (device.inbox.position, device.fetches) == (waiting, fetches)


@pytest.mark.parametrize("more", [1, 2, 50])
async def test_of_a_busy_one_what_lay_in_it_at_first_is_read(more):
    device = Busy(7, more)
    with trio.fail_after(5):
        await Core.catch_up(device)
    assert device.inbox.position >= 7
    assert device.fetches == -(-7 // PAGE)
