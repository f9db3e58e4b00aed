"""Bad input about files (docs/spec/content.md#files)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qpqcore.api import blob
from qpqcore.model.errors import ErrorCode
from qpqcore.model.ids import make_id
from tests.support import recipes
from tests.support.rows import Table, check
from tests.support.world import method_named, raw

table = Table()
row = table.row
HALF = replace(recipes.upload(b"0123456789"), chunk=b"01234")


def reading(secret=recipes.SECRET, offset=0, content=b"content"):
    return blob.DownloadBlobParams(blob=recipes.upload(content).blob, secret=secret, offset=offset)


@row("bytes that are not what the blob's id names", ErrorCode.BLOB_HASH_MISMATCH)
async def wrong_hash(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(recipes.upload(), blob=make_id(b"h" * 32, recipes.DOMAIN)))


@row("a chunk that is not the next one", ErrorCode.BLOB_OFFSET)
async def gap(w):
    alice = await w.device("alice")
    assert await alice.code(HALF) is ErrorCode.OK
    yield
    yield await alice.code(replace(HALF, offset=7, chunk=b"789"))


@row("a chunk past the blob's end", ErrorCode.BLOB_OFFSET)
async def past_end(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(HALF, offset=8, chunk=b"8901"))


@row("a chunk above 256 KiB", ErrorCode.TOO_LARGE)
async def large_chunk(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(recipes.upload(bytes(256 * 1024 + 1)))


@row("a blob above the limit", ErrorCode.BLOB_TOO_LARGE)
async def large_blob(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(HALF, total_bytes=2**40))


@row("more than an account may keep", ErrorCode.BLOB_QUOTA)
async def quota(w):
    alice = await w.device("alice")
    for number in range(40):
        begun = replace(
            HALF, blob=make_id(bytes([number]) * 32, recipes.DOMAIN), total_bytes=50 * 1024 * 1024, chunk=b""
        )
        assert await alice.code(begun) is ErrorCode.OK
    yield
    yield await alice.code(replace(HALF, total_bytes=50 * 1024 * 1024, chunk=b""))


@row("an upload gone on with by somebody else", ErrorCode.FORBIDDEN)
async def others_upload(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    assert await alice.code(HALF) is ErrorCode.OK
    yield
    yield await eve.code(replace(HALF, offset=5, chunk=b"56789"))


@row("an upload gone on with under another secret", ErrorCode.MALFORMED)
async def other_secret(w):
    alice = await w.device("alice")
    assert await alice.code(HALF) is ErrorCode.OK
    yield
    yield await alice.code(replace(HALF, offset=5, chunk=b"56789", secret_hash=b"x" * 32))


@row("a blob id that is none", ErrorCode.MALFORMED)
async def no_id(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(replace(recipes.upload(), blob=b"x"))


@row("a read of what is no blob id", ErrorCode.MALFORMED)
async def read_of_no_id(w):
    link = await w.anonymous()
    yield
    yield (await raw(link, method_named("downloadBlob").number, replace(reading(), blob=b"x" * 60_000).to_bytes()))[0]


@row("a read with a wrong secret", ErrorCode.BLOB_SECRET)
async def wrong_secret(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    assert await alice.code(recipes.upload()) is ErrorCode.OK
    yield
    yield await eve.code(reading(b"x" * 16))


@row("a read past the end", ErrorCode.BLOB_OFFSET)
async def read_past_end(w):
    alice = await w.device("alice")
    assert await alice.code(recipes.upload()) is ErrorCode.OK
    yield
    yield await alice.code(reading(offset=1_000))


@row("a read of a blob that is not whole yet", ErrorCode.NOT_FOUND)
async def incomplete(w):
    alice = await w.device("alice")
    assert await alice.code(HALF) is ErrorCode.OK
    yield
    yield await alice.code(reading(content=b"0123456789"))


@row("a blob that nobody keeps", ErrorCode.NOT_FOUND)
async def nothing(w):
    alice = await w.device("alice")
    yield
    yield await alice.code(reading())


@row("somebody else's blob deleted", ErrorCode.FORBIDDEN)
async def others_blob(w):
    alice, eve = await w.device("alice"), await w.device("eve")
    assert await alice.code(recipes.upload()) is ErrorCode.OK
    yield
    yield await eve.code(blob.DeleteBlobParams(blob=recipes.upload().blob))


@pytest.mark.parametrize("bad", table.rows, ids=lambda r: r.what)
async def test_bad_input(open_world, bad):
    await check(bad, open_world)
