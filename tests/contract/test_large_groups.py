"""Groups too large to be told at once: whatever is told later comes once, in the log's order, and survives a death in between.

SQLCipher notes them in an outbox and fills mailboxes afterwards; PostgreSQL has filled them when it answers. Three members are
a large group here, and a step is a mailbox or two.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from qpqcore.api.delivery import EntryKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import NOBODY
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of
from qpqdelivery import sqlite_outbox
from qpqdelivery.store import Arrival, Backlog, Member
from qpqdelivery.store_sqlite import SqliteStore
from tests.contract.conftest import KEY, count_rows
from tests.support.channels import (
    ALICE,
    BOB,
    BOUNDS,
    CAROL,
    CHANNEL,
    NOW_MS,
    OUTSIDE,
    PEOPLE,
    accept,
    agree,
    begin,
    birth,
    box,
    commit,
    kinds,
    message,
    play,
    put,
)

LARGE = replace(BOUNDS, told_at_once_max=1)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(sqlite_outbox, "COPIES_MAX", 2)
    monkeypatch.setattr(sqlite_outbox, "NOTES_AT_ONCE", 2)
    monkeypatch.setattr(sqlite_outbox, "NOTES_MAX", 3)


async def fill(store):
    """Fill all; return the arrivals of each entry of the log."""
    reached = {}
    while (filled := await store.fill()) is not None:
        for _, log_number, arrivals in filled:
            reached.setdefault(log_number, []).extend(arrivals)
    return reached


async def texts(store, person):
    return [e.payload for e in (await box(store, person))[0] if e.kind is EntryKind.MESSAGE]


async def test_all_are_told_in_the_order_of_the_log_and_the_sender_is_not(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await put(store, message(b"one"), message(b"two", sender=BOB))
        await accept(store, commit(1, added=(OUTSIDE,)))
        await put(store, message(b"three", epoch=1), message(b"four", epoch=2))
        await fill(store)
        said = [EntryKind.MESSAGE, EntryKind.MESSAGE, EntryKind.COMMIT, EntryKind.MESSAGE, EntryKind.MESSAGE]
        assert await kinds(store, CAROL) == [EntryKind.WELCOME, *said]
        assert await texts(store, CAROL) == [b"one", b"two", b"three", b"four"]
        assert await texts(store, BOB) == [b"one", b"three", b"four"]
        assert await texts(store, ALICE) == [b"two"]
        assert await texts(store, OUTSIDE) == [b"four"]
        for person in PEOPLE:
            entries, mailbox = await box(store, person)
            assert [e.number for e in entries] == list(range(1, mailbox.last + 1))
            assert [e.log_number for e in entries] == sorted(e.log_number for e in entries)
        assert (await store.backlog()).notes == 0


async def test_a_repeat_is_told_once(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        first, again = await put(store, message(b"once"), message(b"once"))
        await fill(store)
        (late,) = await put(store, message(b"once"))
        await fill(store)
        assert [a.duplicate for a in (first, again, late)] == [False, True, True]
        assert await texts(store, BOB) == [b"once"]


async def test_a_message_is_refused_for_what_it_would_be_in_a_small_group(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await accept(store, commit(1, added=(OUTSIDE,), removed=(CAROL,)))
        answers = await put(
            store, message(b"out", sender=CAROL, epoch=2), message(b"early", sender=OUTSIDE, epoch=1),
            message(b"old", epoch=9), message(b"twice", epoch=2, ratchet=1), message(b"again", epoch=2, ratchet=1),
        )  # fmt: skip
        codes = [a.code if isinstance(a, Refusal) else ErrorCode.OK for a in answers]
        stale = ErrorCode.STALE_EPOCH
        assert codes == [ErrorCode.NOT_MEMBER, stale, stale, ErrorCode.OK, ErrorCode.RATCHET_USED]


async def test_what_is_noted_is_not_purged(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await put(store, message(b"waits"))
        await store.purge(NOW_MS + 1_000, 100)
        await store.expire(NOW_MS, 0, NOW_MS + 1)
        await fill(store)
        assert await texts(store, BOB) == [b"waits"]


async def test_an_audience_is_of_the_moment_when_the_log_got_it(open_store):
    """Who is removed by the next commit still gets what came before it, and who comes with it gets what comes after."""
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await put(store, message(b"before"))
        await accept(store, commit(1, added=(OUTSIDE,), removed=(CAROL,)))
        await put(store, message(b"after", epoch=2))
        await fill(store)
        assert await texts(store, CAROL) == [b"before"]
        assert (await kinds(store, CAROL))[-1] is EntryKind.COMMIT
        assert await texts(store, OUTSIDE) == [b"after"]


async def test_a_commits_author_has_it_when_it_is_answered(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await put(store, message(b"before", sender=ALICE))
        await accept(store, replace(commit(1), committer=BOB.device))
        assert await kinds(store, BOB) == [EntryKind.WELCOME, EntryKind.MESSAGE, EntryKind.COMMIT]
        await fill(store)
        for person in (ALICE, BOB, CAROL):
            assert (await kinds(store, person)).count(EntryKind.COMMIT) == (2 if person is ALICE else 1)


async def test_who_joins_anew_has_its_commit_once_and_at_once(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await accept(store, commit(1, added=(BOB,), removed=(BOB,), external=True))
        assert await kinds(store, BOB) == [EntryKind.WELCOME, EntryKind.COMMIT]
        await fill(store)
        assert await kinds(store, BOB) == [EntryKind.WELCOME, EntryKind.COMMIT]
        assert await kinds(store, CAROL) == [EntryKind.WELCOME, EntryKind.COMMIT]


async def test_a_reset_and_the_end_of_a_channel_leave_nothing_untold(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await put(store, message(b"before the reset"))
        await store.reset(birth(first=(BOB,), generation=2))
        await fill(store)
        assert await kinds(store, CAROL) == [EntryKind.WELCOME, EntryKind.MESSAGE, EntryKind.RESET]
        assert await kinds(store, BOB) == [EntryKind.WELCOME, EntryKind.MESSAGE, EntryKind.WELCOME]
        await put(store, message(b"before the end", generation=2))
        await store.delete_channel(CHANNEL)
        await fill(store)
        assert await texts(store, BOB) == [b"before the reset", b"before the end"]


async def test_a_full_mailbox_is_cut_off_by_what_comes_together(open_store):
    async with open_store("qpqdelivery", replace(LARGE, mailbox_entries_max=4)) as store:
        await begin(store)
        await put(store, *[message(b"%d" % n) for n in range(8)])
        await fill(store)
        entries, mailbox = await box(store, BOB)
        assert [e.kind for e in entries].count(EntryKind.GAP) == 1
        assert entries[0].kind is EntryKind.GAP
        assert [e.number for e in entries] == list(range(mailbox.last - len(entries) + 1, mailbox.last + 1))


async def test_a_mailbox_that_is_closed_meanwhile_is_passed_over(open_store):
    async with open_store("qpqdelivery", LARGE) as store:
        await begin(store)
        await put(store, message(b"x"))
        await store.close_mailbox(BOB.device)
        await fill(store)
        assert await texts(store, CAROL) == [b"x"]
        assert await box(store, BOB) is None


# --- of SQLCipher alone: when


def opened(path):
    return open_database(path, KEY, migrations_of("qpqdelivery"))


async def test_a_sender_waits_for_the_log_alone_and_is_told_where_it_came_later():
    async with opened(None) as database:
        store = SqliteStore(database, LARGE)
        await begin(store)
        ((accepted, arrivals),) = await store.enqueue([message(b"one")])
        assert arrivals == []
        assert await texts(store, BOB) == []
        assert await store.backlog() == Backlog(1, NOW_MS)
        reached = await fill(store)
        assert reached == {accepted.log_number: [Arrival(BOB.device, 2), Arrival(CAROL.device, 2)]}
        assert store.notes_wait is False


async def test_who_adds_to_too_much_that_waits_does_as_much_of_it():
    """The outbox stays bounded, however fast a sender is: with three notes, each further one puts as many entries as it adds."""
    async with opened(None) as database:
        store = SqliteStore(database, replace(LARGE, mailbox_entries_max=1_000))
        await begin(store)
        woken = set()
        for number in range(40):
            ((_, arrivals),) = await store.enqueue([message(b"%d" % number)])
            woken |= {a.device for a in arrivals}
            assert all(a.number == 0 for a in arrivals)  # they look what it is
            assert (await store.backlog()).notes <= sqlite_outbox.NOTES_MAX + sqlite_outbox.NOTES_AT_ONCE
        assert woken == {BOB.device, CAROL.device}
        await fill(store)
        assert await count_rows(store, "entries WHERE kind = 0") == 40 * 2


async def test_what_a_small_group_gets_behind_a_note_is_noted_too():
    """The limit is another one since the last start: a mailbox has the log's order all the same."""
    async with opened(None) as database:
        store = SqliteStore(database, LARGE)
        await begin(store)
        await put(store, message(b"one"))
        store = SqliteStore(database, BOUNDS)
        ((_, arrivals),) = await store.enqueue([message(b"two")])
        assert arrivals == []
        await fill(store)
        assert await texts(store, BOB) == [b"one", b"two"]


async def test_a_small_group_behind_no_note_is_told_at_once():
    async with opened(None) as database:
        store = SqliteStore(database, BOUNDS)
        await begin(store)
        ((_, arrivals),) = await store.enqueue([message(b"one")])
        assert {a.device for a in arrivals} == {BOB.device, CAROL.device}
        assert await store.fill() is None


async def test_devices_of_other_domains_are_told_through_one_box_each():
    here, there = b"here.example", b"there.example"
    alice, bob = (Member(n * 16 + here, n * 16 + here) for n in (b"a", b"b"))
    guests = [Member(n * 16 + there, n * 16 + there) for n in (b"g", b"h")]
    async with opened(None) as database:
        store = SqliteStore(database, replace(LARGE, domain=here.decode()))
        for person in (alice, bob):
            await store.open_mailbox(person.account, person.device, NOW_MS)
        await store.create(birth(creator=alice, first=(bob, *guests)))
        before = len((await store.box(NOBODY + there, 10, 10_000, NOW_MS))[0])
        await put(store, message(b"by alice", sender=alice), message(b"by a guest", sender=guests[0]))
        await fill(store)
        boxed = (await store.box(NOBODY + there, 10, 10_000, NOW_MS))[0][before:]
        assert [(b.payload, b.packed) for b in boxed] == [
            (b"by alice", b"g" * 16 + b"h" * 16), (b"by a guest", b"h" * 16),
        ]  # fmt: skip
        assert await texts(store, bob) == [b"by alice", b"by a guest"]


@pytest.mark.parametrize("steps", range(7))
async def test_a_process_that_dies_between_steps_leaves_nobody_out_and_tells_nobody_twice(tmp_path, steps):
    path = tmp_path / "delivery.db"
    async with opened(path) as database:
        store = SqliteStore(database, LARGE)
        await begin(store)
        await put(store, message(b"one"), message(b"two", sender=BOB), message(b"three"))
        for _ in range(steps):
            await store.fill()
        left = tmp_path / "left"
        left.mkdir()
        for file in tmp_path.glob("delivery.db*"):  # the files as they are now, the log of writes with them
            if not file.name.endswith(".lock"):
                shutil.copy(file, left / file.name)
    async with opened(left / path.name) as database:
        store = SqliteStore(database, LARGE)
        assert store.notes_wait is True
        await fill(store)
        assert await texts(store, CAROL) == [b"one", b"two", b"three"]
        assert await texts(store, BOB) == [b"one", b"three"]
        assert await texts(store, ALICE) == [b"two"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(PEOPLE), st.integers(0, 6), st.integers(0, 4)),
        st.tuples(st.sampled_from(["add", "remove", "rejoin"]), st.sampled_from(PEOPLE), st.just(0), st.just(0)),
        st.tuples(st.just("fill"), st.just(ALICE), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("limit"), st.just(ALICE), st.integers(0, 4), st.just(0)),
    ),
    max_size=25,
)


async def played(store, steps):
    """Play a history, steps of filling and another limit in between: each mailbox is what the model says."""

    async def further(model, what, person, amount):
        if what == "rejoin":
            old = (person,) if person in model.members else ()
            await accept(store, commit(model.epoch, added=(person,), removed=old, external=True))
            model.rejoin(person)
        elif what == "fill":
            for _ in range(amount):
                await store.fill()
        elif what == "limit":  # as after a start with another one
            store._bounds = replace(store._bounds, told_at_once_max=amount)

    model = await play(store, steps, further)
    await fill(store)
    await agree(store, model)


@given(STEPS)
def test_any_history_is_the_models(steps):
    async def in_memory():
        async with opened(None) as database:
            await played(SqliteStore(database, LARGE), steps)

    trio.run(in_memory)
