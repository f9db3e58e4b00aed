"""What every store of blobs keeps: chunks in order, a quota, an end."""

from __future__ import annotations

import pytest
import trio

from qpqblob.store import Blob
from qpqcore.model.errors import ErrorCode, Refusal

NOW_MS = 10**12
ALICE, BOB = b"alice", b"bob"


def fresh(name=b"blob", *, account=ALICE, total=10, expires_ms=NOW_MS + 1_000):
    return Blob(name, account, total, 0, complete=False, secret_hash=b"s" * 32, expires_ms=expires_ms)


async def code(awaitable):
    with pytest.raises(Refusal) as no:
        await awaitable
    return no.value.code


async def test_chunks_follow_each_other(open_store):
    async with open_store("qpqblob") as store:
        await store.begin(fresh(), 100)
        assert (await store.append(b"blob", 0, [b"0123"], NOW_MS)).received == 4
        for offset in (0, 3, 6):
            assert await code(store.append(b"blob", offset, [b"67"], NOW_MS)) is ErrorCode.BLOB_OFFSET
        assert (await store.append(b"blob", 4, [b"45", b"6789"], NOW_MS)).received == 10
        for offset, length, data in (
            (0, 10, b"0123456789"),
            (3, 3, b"345"),
            (4, 99, b"456789"),
            (5, 2, b"56"),
            (9, 5, b"9"),
            (10, 5, b""),
        ):
            assert await store.chunk(b"blob", offset, length) == data
        done = await store.complete(b"blob", NOW_MS + 5_000)
        assert (done.complete, done.expires_ms) == (True, NOW_MS + 5_000)


async def test_of_those_who_append_at_once_one_does(open_store):
    async with open_store("qpqblob") as store:
        await store.begin(fresh(), 100)
        outcomes = []

        async def append(byte):
            try:
                outcomes.append((await store.append(b"blob", 0, [bytes([byte]) * 5], NOW_MS)).received)
            except Refusal as no:
                outcomes.append(no.code)

        async with trio.open_nursery() as nursery:
            for byte in range(5):
                nursery.start_soon(append, byte)
        assert outcomes.count(5) == 1
        assert outcomes.count(ErrorCode.BLOB_OFFSET) == 4
        assert (await store.blob(b"blob")).received == 5
        assert len(set(await store.chunk(b"blob", 0, 99))) == 1


async def test_begun_twice_is_begun_once_and_what_is_begun_counts(open_store):
    async with open_store("qpqblob") as store:
        await store.begin(fresh(total=60), 100)
        assert (await store.begin(fresh(account=BOB, total=60), 100)).account == ALICE
        with pytest.raises(Refusal) as no:
            await store.begin(fresh(b"another", total=60), 100)
        assert no.value.code is ErrorCode.BLOB_QUOTA
        assert (await store.begin(fresh(b"another", account=BOB, total=60), 100)).account == BOB


async def test_of_those_who_begin_at_once_only_as_many_do_as_the_quota_holds(open_store):
    async with open_store("qpqblob") as store:
        outcomes = []

        async def begin(number):
            try:
                outcomes.append((await store.begin(fresh(b"%d" % number, total=40), 100)).total_bytes)
            except Refusal as no:
                outcomes.append(no.code)

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(begin, number)
        assert sorted(outcomes) == sorted([40, 40] + [ErrorCode.BLOB_QUOTA] * 4)


async def test_what_is_over_is_collected(open_store):
    async with open_store("qpqblob") as store:
        await store.begin(fresh(b"short"), 100)
        await store.begin(fresh(b"long", expires_ms=NOW_MS + 9_000), 100)
        await store.append(b"short", 0, [b"01"], NOW_MS)
        await store.extend(b"long", NOW_MS + 20_000)
        assert await store.sweep(NOW_MS + 10_000) == 1
        assert await store.blob(b"short") is None
        assert await store.chunk(b"short", 0, 99) == b""
        assert (await store.blob(b"long")).expires_ms == NOW_MS + 20_000
        assert await store.sweep(NOW_MS + 10_000) == 0


async def test_deletion_and_purge_leave_nothing_of_one_and_all_of_others(open_store):
    async with open_store("qpqblob") as store:
        for name, account in ((b"a1", ALICE), (b"a2", ALICE), (b"b1", BOB)):
            await store.begin(fresh(name, account=account), 100)
            await store.append(name, 0, [b"0"], NOW_MS)
        await store.delete(b"a1")
        await store.delete(b"a1")
        assert await store.purge(ALICE) == 1
        assert await store.purge(ALICE) == 0
        assert [await store.blob(n) is None for n in (b"a1", b"a2", b"b1")] == [True, True, False]
        assert await code(store.append(b"a1", 1, [b"1"], NOW_MS)) is ErrorCode.NOT_FOUND
