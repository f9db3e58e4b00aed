"""Who is told while the mailboxes of a large group are filled: listeners whole, everybody once, whatever comes between."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import trio
from trio.testing import wait_all_tasks_blocked

from qpqcore.api.delivery import Entry
from qpqcore.bus.notices import LocalNotices, mailbox_topic
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery import filling
from qpqdelivery.config import Config
from qpqdelivery.counted import Counted
from qpqdelivery.filling import Filling
from qpqdelivery.store_sqlite import SqliteStore
from tests.support.channels import ALICE, BOB, BOUNDS, CAROL, NOW_MS, begin, box, commit, message

KEY = b"k" * 32


class Fills(Filling):
    """Filling, beside a channel of three people that counts as large."""

    def __init__(self, config, store, notices, counted):
        super().__init__(config, store, notices, counted)
        self.store, self.notices, self.counted = store, notices, counted

    async def say(self, text, sender=ALICE):
        """Take a message as delivery does."""
        sent = message(text, sender=sender)
        ((accepted, arrivals),) = await self.store.enqueue([sent])
        self.taken(sent, accepted, arrivals)

    def listen(self, person):
        return self.notices.subscribe(mailbox_topic(person.device))


@asynccontextmanager
async def made(**config):
    async with open_database(None, KEY, migrations_of("qpqdelivery")) as database:
        store = SqliteStore(database, replace(BOUNDS, told_at_once_max=1))
        await begin(store)
        counted = Counted(store, store.tally, lambda: NOW_MS)
        yield Fills(Config(**config), store, LocalNotices(), counted)


async def test_who_listens_is_told_the_whole_message_and_its_number():
    async with made() as fills, trio.open_nursery() as nursery:
        with fills.listen(BOB) as notices:
            nursery.start_soon(fills.run)
            await fills.say(b"one")
            await notices.wait()
            ((_, carried),) = notices.receive_nowait()
            entry = Entry.from_bytes(carried)
            assert (entry.payload, entry.number, entry.log_number) == (b"one", 2, 2)
        while fills.store.notes_wait:
            await trio.sleep(0)
        assert fills.counted.entries == 2
        nursery.cancel_scope.cancel()


async def test_of_a_large_message_and_of_a_commit_it_is_told_that_something_came():
    async with made(carried_bytes_max=2) as fills, trio.open_nursery() as nursery:
        with fills.listen(CAROL) as notices:
            nursery.start_soon(fills.run)
            await fills.say(b"one")
            await notices.wait()
            assert [carried for _, carried in notices.receive_nowait()] == [b""]
            await fills.store.accept_commit(replace(commit(1), proposals_version=2))
            fills.go_on()
            await notices.wait()
            assert [carried for _, carried in notices.receive_nowait()] == [b""]
        nursery.cancel_scope.cancel()


async def test_what_a_run_before_this_one_left_is_told_first():
    async with made() as fills, trio.open_nursery() as nursery:
        await fills.store.enqueue([message(b"left")])  # and the process died: nobody said that there is more
        with fills.listen(BOB) as notices:
            nursery.start_soon(fills.run)
            await notices.wait()
            assert [carried for _, carried in notices.receive_nowait()] == [b""]
        assert [e.payload for e in (await box(fills.store, BOB))[0]][-1] == b"left"
        nursery.cancel_scope.cancel()


async def test_no_more_is_kept_than_a_bound_says(monkeypatch):
    monkeypatch.setattr(filling, "CARRIED_MAX", 1)
    async with made() as fills, trio.open_nursery() as nursery:
        with fills.listen(CAROL) as notices:
            await fills.say(b"one")
            await fills.say(b"two")
            nursery.start_soon(fills.run)
            told = []
            while len(told) < 2:
                await notices.wait()
                told += [carried for _, carried in notices.receive_nowait()]
        assert told[0] == b""
        assert Entry.from_bytes(told[1]).payload == b"two"
        nursery.cancel_scope.cancel()


async def test_a_store_that_refuses_is_asked_again(autojump_clock):
    class Full:
        notes_wait, asked = True, 0

        async def fill(self):
            await trio.lowlevel.checkpoint()
            self.asked += 1
            if self.asked < 3:
                raise Refusal(ErrorCode.STORAGE_FULL, "full")

    store = Full()
    fills = Filling(Config(), store, LocalNotices(), Counted(store, None, lambda: NOW_MS))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fills.run)
        await trio.sleep(10 * filling.AGAIN_SECONDS)
        assert store.asked == 3  # then nothing was noted, and it waits until something is
        fills.go_on()
        await wait_all_tasks_blocked()
        assert store.asked == 4
        nursery.cancel_scope.cancel()
