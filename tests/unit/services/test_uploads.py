"""Uploads under way: chunks in any order, stored in theirs; several in one commit; the hash right whatever happens."""

from __future__ import annotations

import hashlib
import random
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from qpqblob import uploads
from qpqblob.store import Blob
from qpqblob.store_sqlite import SqliteStore
from qpqblob.uploads import Uploads
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import make_id
from qpqcore.store.database import open_database
from qpqcore.store.migrations import migrations_of

NOW_MS, LATER_MS, KEPT_MS = 10**12, 10**12 + 1_000, 10**12 + 9_000
STEP = 100
DATA = random.Random(1).randbytes(20 * STEP)


def named(data, *, account=b"alice"):
    blob = make_id(hashlib.sha256(data).digest(), "localhost")
    return Blob(blob, account, len(data), 0, complete=False, secret_hash=b"s" * 32, expires_ms=LATER_MS)


WHOLE = named(DATA)


class Watched(SqliteStore):
    """A store whose appends are counted, and can be held up or made to fail."""

    def __init__(self, database):
        super().__init__(database)
        self.runs, self.reads = [], 0
        self.gate = trio.Event()
        self.gate.set()
        self.broken = None

    async def append(self, blob, offset, chunks, expires_ms):
        await self.gate.wait()
        if self.broken:
            raise self.broken
        row = await super().append(blob, offset, chunks, expires_ms)
        self.runs.append(len(chunks))
        return row

    async def chunk(self, *arguments):
        self.reads += 1
        return await super().chunk(*arguments)


@asynccontextmanager
async def opened():
    async with open_database(None, b"k" * 32, migrations_of("qpqblob")) as database:
        store = Watched(database)
        yield store, Uploads(store, 10**6)


async def put(place, offset, data=DATA, *, fresh=WHOLE, step=STEP):
    await place.begin(fresh, NOW_MS)
    return await place.add(fresh, offset, data[offset : offset + step], KEPT_MS)


async def code(awaitable):
    with pytest.raises(Refusal) as no:
        await awaitable
    return no.value.code


async def outcome_of(awaitable, into):
    try:
        into.append(await awaitable)
    except Refusal as no:
        into.append(no.code)


@pytest.mark.parametrize("seed", range(10))
async def test_chunks_in_any_order_are_stored_in_theirs_several_at_a_time(seed, autojump_clock):
    offsets = list(range(0, len(DATA), STEP))
    random.Random(seed).shuffle(offsets)
    rows = []
    async with opened() as (store, place):
        async with trio.open_nursery() as nursery:
            for offset in offsets + offsets[:5]:  # some twice
                nursery.start_soon(outcome_of, put(place, offset), rows)
                await trio.testing.wait_all_tasks_blocked()
        row = await store.blob(WHOLE.blob)
        assert (row.complete, row.expires_ms) == (True, KEPT_MS)
        assert await store.chunk(WHOLE.blob, 0, len(DATA)) == DATA
        assert rows[-1] == row
        assert sum(store.runs) == len(offsets)
        assert 1 < max(store.runs) <= uploads.TOGETHER_MAX
        assert store.reads == 1  # this test's: nothing was read again for its hash
        assert not place._lanes


async def test_a_chunk_waits_for_its_turn_and_not_for_ever(autojump_clock):
    async with opened() as (store, place):
        await put(place, 0)
        begun = trio.current_time()
        assert await code(put(place, 2 * STEP)) is ErrorCode.BLOB_OFFSET
        assert trio.current_time() - begun == uploads.TURN_SECONDS
        assert await code(put(place, STEP // 2)) is ErrorCode.BLOB_OFFSET
        assert trio.current_time() - begun == uploads.TURN_SECONDS
        assert (await put(place, STEP)).received == 2 * STEP
        assert all(lane.idle for lane in place._lanes.values())


async def test_a_chunk_far_ahead_does_not_wait(autojump_clock, monkeypatch):
    monkeypatch.setattr(uploads, "AHEAD_BYTES_MAX", 3 * STEP)
    async with opened() as (_, place):
        begun, outcomes = trio.current_time(), []
        async with trio.open_nursery() as nursery:
            for number in (4, 3, 2, 1):
                nursery.start_soon(outcome_of, put(place, number * STEP), outcomes)
                await trio.testing.wait_all_tasks_blocked()
            assert outcomes == [ErrorCode.BLOB_OFFSET]
            nursery.start_soon(outcome_of, put(place, 0), outcomes)
        assert [row.received for row in outcomes[1:]] == [4 * STEP] * 4
        assert trio.current_time() == begun


async def test_bytes_that_are_not_the_name_are_refused_to_all_who_brought_them(autojump_clock):
    other = DATA[:-1] + b"x"
    async with opened() as (store, place):
        outcomes = []
        store.gate = trio.Event()
        async with trio.open_nursery() as nursery:
            for offset in range(0, len(DATA), STEP):
                nursery.start_soon(outcome_of, put(place, offset, other), outcomes)
            await trio.testing.wait_all_tasks_blocked()
            store.gate.set()
        assert ErrorCode.BLOB_HASH_MISMATCH in outcomes
        assert await store.blob(WHOLE.blob) is None
        for offset in range(0, len(DATA), STEP):
            row = await put(place, offset)
        assert row.complete


async def test_who_goes_away_while_storing_takes_nobody_along(autojump_clock):
    async with opened() as (store, place):
        await put(place, 0)
        store.gate, rows = trio.Event(), []
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as gone:
                gone.start_soon(put, place, STEP)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(outcome_of, put(place, 2 * STEP), rows)
                nursery.start_soon(outcome_of, put(place, STEP), rows)
                await trio.testing.wait_all_tasks_blocked()
                gone.cancel_scope.cancel()
            store.gate.set()
        assert [row.received >= 2 * STEP for row in rows] == [True] * 2
        assert (await store.blob(WHOLE.blob)).received == 3 * STEP
        for offset in range(3 * STEP, len(DATA), STEP):
            row = await put(place, offset)
        assert row.complete
        assert store.reads > 0  # whether the first was stored was not known: so all was read again


async def test_an_upload_goes_on_after_a_restart(autojump_clock):
    async with opened() as (store, place):
        await put(place, 0)
        place = Uploads(store, 10**6)
        for offset in range(STEP, len(DATA), STEP):
            row = await put(place, offset)
        assert row.complete
        assert store.reads > 0


@pytest.mark.parametrize("chunk", [b"", DATA[-STEP:], DATA[:STEP]])
async def test_what_was_stored_whole_and_not_completed_is_completed(chunk, autojump_clock):
    """The process died between the two transactions."""
    async with opened() as (store, place):
        await store.begin(WHOLE, 10**6)
        await store.append(WHOLE.blob, 0, [DATA], LATER_MS)
        assert (await place.begin(WHOLE, NOW_MS)).received == len(DATA)
        assert (await place.add(WHOLE, 0 if chunk == DATA[:STEP] else len(DATA) - len(chunk), chunk, KEPT_MS)).complete


async def test_a_full_disk_is_told_to_all_and_costs_nothing_stored(autojump_clock):
    async with opened() as (store, place):
        await put(place, 0)
        store.gate, outcomes = trio.Event(), []
        store.broken = Refusal(ErrorCode.STORAGE_FULL, "full")
        async with trio.open_nursery() as nursery:
            for number in (2, 1, 3):
                nursery.start_soon(outcome_of, put(place, number * STEP), outcomes)
                await trio.testing.wait_all_tasks_blocked()
            store.gate.set()
        assert outcomes == [ErrorCode.STORAGE_FULL] * 3
        store.broken = None
        assert (await put(place, STEP)).received == 2 * STEP


async def test_a_blob_that_is_deleted_or_over_begins_anew(autojump_clock):
    async with opened() as (store, place):
        await put(place, 0)
        place.forget(WHOLE.blob)
        await store.delete(WHOLE.blob)
        assert (await put(place, 0)).received == STEP
        await store.delete(WHOLE.blob)  # unseen
        assert await code(put(place, STEP)) is ErrorCode.NOT_FOUND
        assert (await put(place, 0)).received == STEP
        await store.delete(WHOLE.blob)
        assert (await place.begin(WHOLE, LATER_MS)).received == 0


async def test_somebody_else_goes_on_with_no_upload(autojump_clock):
    async with opened() as (_, place):
        await put(place, 0)
        for _ in range(2):  # by the lane, and by the store
            assert await code(put(place, STEP, fresh=named(DATA, account=b"bob"))) is ErrorCode.FORBIDDEN
            place.forget(WHOLE.blob)


async def test_uploads_whose_hash_goes_along_are_bounded(autojump_clock, monkeypatch):
    monkeypatch.setattr(uploads, "LANES_MAX", 2)
    files = [bytes([n]) * 2 * STEP for n in range(3)]
    async with opened() as (store, place):
        for data in files:
            await put(place, 0, data, fresh=named(data))
        assert len(place._lanes) == 2
        for data in files:
            assert (await put(place, STEP, data, fresh=named(data))).complete
        assert store.reads == 2  # the first one's, and that of the one that went for it
        async with trio.open_nursery() as nursery:
            for data in files[:2]:
                other = data + b"x"
                nursery.start_soon(outcome_of, put(place, STEP, other, fresh=named(other)), [])
            await trio.testing.wait_all_tasks_blocked()
            assert await code(put(place, 0)) is ErrorCode.OVERLOADED


# --- two processes over one store, and a client's calls now here, now there


@asynccontextmanager
async def two_processes():
    async with opened() as (store, one):
        yield store, one, Uploads(store, 10**6)


async def test_a_client_comes_further_each_time_wherever_its_chunks_go(autojump_clock):
    async with two_processes() as (store, *places):
        at = 0
        while not (row := await places[0].look(WHOLE, NOW_MS)).complete:
            async with trio.open_nursery() as nursery:
                for number in range(row.received // STEP, min(row.received // STEP + 8, 20)):
                    nursery.start_soon(outcome_of, put(places[number % 2], number * STEP), [])
                    await trio.testing.wait_all_tasks_blocked()
            row = await store.blob(WHOLE.blob)
            assert row.received > at
            at = row.received
        assert await store.chunk(WHOLE.blob, 0, len(DATA)) == DATA


async def test_what_another_process_stored_counts(autojump_clock):
    async with two_processes() as (_, one, other):
        await put(one, 0)
        for number in (1, 2, 3):
            await put(other, number * STEP)
        assert (await one.begin(WHOLE, NOW_MS)).received == STEP, "what it knows of"
        assert (await one.look(WHOLE, NOW_MS)).received == 4 * STEP
        for number in (4, 5):
            await put(other, number * STEP)
        begun = trio.current_time()
        assert await code(put(one, 9 * STEP)) is ErrorCode.BLOB_OFFSET
        assert trio.current_time() - begun == 2 * uploads.TURN_SECONDS
        assert (await put(one, 6 * STEP)).received == 7 * STEP


async def test_who_waits_here_goes_on_once_somebody_looks(autojump_clock):
    async with two_processes() as (_, one, other):
        rows = []
        await put(one, 0)
        async with trio.open_nursery() as nursery:
            for number in (2, 3):
                nursery.start_soon(outcome_of, put(one, number * STEP), rows)
            await trio.testing.wait_all_tasks_blocked()
            await put(other, STEP)
            begun = trio.current_time()
            await one.look(WHOLE, NOW_MS)
        assert trio.current_time() == begun
        assert rows[-1].received == 4 * STEP
        assert len(rows) == 2


async def test_what_another_process_finished_is_finished(autojump_clock):
    async with two_processes() as (store, one, other):
        await put(one, 0)
        for number in range(1, 20):
            await put(other, number * STEP)
        row = await put(one, 19 * STEP)
        assert row.complete
        assert row == await store.blob(WHOLE.blob)
        assert (await one.look(WHOLE, NOW_MS)).complete
