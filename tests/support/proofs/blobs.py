"""Of blob: files."""

from __future__ import annotations

from qpqcore.api import blob
from qpqcore.model.errors import ErrorCode
from tests.support import recipes


async def uploadBlob(w):
    params = recipes.upload(b"a photo")
    await (await w.device("alice")).call(params, blob.UploadBlobResult)
    yield
    link = await w.anonymous()
    got = await link.call(blob.DownloadBlobParams(blob=params.blob, secret=recipes.SECRET), blob.DownloadBlobResult)
    assert got.chunk == b"a photo"


async def downloadBlob(w):
    params = recipes.upload(b"0123456789")
    await (await w.device("alice")).call(params, blob.UploadBlobResult)
    yield
    bob = await w.device("bob")
    asked = blob.DownloadBlobParams(blob=params.blob, secret=recipes.SECRET, offset=4, max_bytes=3)
    got = await bob.call(asked, blob.DownloadBlobResult)
    assert (got.chunk, got.total_bytes) == (b"456", 10)


async def statBlob(w):
    params = recipes.upload(b"0123456789")
    done = await (await w.device("alice")).call(params, blob.UploadBlobResult)
    yield
    stat = await (await w.device("alice")).call(blob.StatBlobParams(blob=params.blob), blob.StatBlobResult)
    assert (stat.total_bytes, stat.received, stat.complete, stat.expires_ms) == (10, 10, True, done.expires_ms)


async def deleteBlob(w):
    alice, params = await w.device("alice"), recipes.upload(b"a photo")
    await alice.call(params, blob.UploadBlobResult)
    await alice.call(blob.DeleteBlobParams(blob=params.blob), blob.DeleteBlobResult)
    yield
    asked = blob.DownloadBlobParams(blob=params.blob, secret=recipes.SECRET)
    assert await (await w.device("alice")).code(asked) is ErrorCode.NOT_FOUND


PROOFS = (
    uploadBlob,
    downloadBlob,
    statBlob,
    deleteBlob,
)
