"""What a transaction that is undone had worked off is noted again, and nobody goes by a memory of it.

A full disk undoes all that shared a transaction: a deletion or a commit that worked off a channel's notes, and the filler that
then found none. Who asks again must find them.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import trio
import trio.testing

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery.store_sqlite import SqliteStore
from tests.contract.conftest import KEY
from tests.support.channels import BOB, BOUNDS, CAROL, CHANNEL, accept, begin, box, commit, message, put, version

LARGE = replace(BOUNDS, told_at_once_max=1)
PAGES_MAX = 1_000_000


@pytest.fixture
async def database(tmp_path):
    async with open_database(tmp_path / "delivery.db", KEY, migrations_of("qpqdelivery")) as opened:
        yield opened


async def fill(store):
    while await store.fill() is not None:
        pass
    assert not store.notes_wait


def full_disk(c):
    c.execute("PRAGMA max_page_count = 1").fetchone()
    c.execute("INSERT INTO trees VALUES (x'01', x'02', zeroblob(2000000), 0)")


async def undone(database, *calls):
    """Let calls share a transaction that the disk has no room for."""
    begun, go_on, refused = threading.Event(), threading.Event(), []

    def hold(_):
        begun.set()
        assert go_on.wait(10)

    async def ask(call):
        with pytest.raises(Refusal) as no:
            await call()
        refused.append(no.value.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.write, hold)
        await trio.to_thread.run_sync(begun.wait)
        for call in (*calls, lambda: database.write(full_disk)):
            nursery.start_soon(ask, call)
            await trio.testing.wait_all_tasks_blocked()
        go_on.set()
    assert refused == [ErrorCode.STORAGE_FULL] * (len(calls) + 1)
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {PAGES_MAX}").fetchone())


async def test_a_deletion_that_is_repeated_loses_nothing_that_was_acknowledged(database):
    store = SqliteStore(database, replace(LARGE))
    await begin(store)
    await fill(store)
    await put(store, message(b"one"), message(b"two"))
    await undone(database, lambda: store.delete_channel(CHANNEL), store.fill)
    assert store.notes_wait
    await store.delete_channel(CHANNEL)
    await fill(store)
    found = [e.payload for e in (await box(store, BOB))[0] if e.kind is EntryKind.MESSAGE]
    assert found == [b"one", b"two"]


async def test_a_commit_that_is_repeated_comes_to_its_author_behind_what_was_before_it(database):
    store = SqliteStore(database, replace(BOUNDS, told_at_once_max=2))
    await begin(store)
    await accept(store, commit(1, removed=(CAROL,)))  # two are left: a small group from here on
    await fill(store)
    await put(
        SqliteStore(database, replace(LARGE, tally=store.tally)), message(b"one", epoch=2), message(b"two", epoch=2)
    )
    again = replace(commit(2, version=await version(store)), committer=BOB.device)
    await undone(database, lambda: store.accept_commit(again), store.fill)
    await store.accept_commit(again)
    await fill(store)
    numbers = [e.log_number for e in (await box(store, BOB))[0]]
    assert numbers == sorted(numbers)
    assert len(numbers) == len(set(numbers)) >= 5


async def test_the_filler_of_a_transaction_that_is_undone_has_found_nothing(database):
    store = SqliteStore(database, replace(LARGE))
    await begin(store)
    await fill(store)
    await put(store, message(b"one"))
    await undone(database, lambda: put(store, message(b"two")), lambda: store.delete_channel(CHANNEL), store.fill)
    assert store.notes_wait
    assert (await store.backlog()).notes == 1
