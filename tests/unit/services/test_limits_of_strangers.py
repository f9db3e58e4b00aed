"""What strangers send is checked before it is counted, and nothing that they choose counts against others."""

from __future__ import annotations

import hashlib
import os

import pytest
import trio

from qpqblob.config import Config as BlobConfig
from qpqblob.service import Blob
from qpqblob.store import Blob as Row
from qpqcore.api import blob, federation, keystore
from qpqcore.bus import limits
from qpqcore.bus.limits import LocalLimiter, Rate
from qpqcore.bus.notices import LocalNotices
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import make_id
from qpqkeystore.config import Config
from qpqkeystore.service import Keystore

OWN, OTHER = "a.example", "b.example"
NOW_MS = 10**12
ONCE = Rate(1, 3_600, 1)
SECRET = b"s" * 16


class Files:
    """A store of one file."""

    def __init__(self, row=None):
        self._row = row

    async def blob(self, ident):
        return self._row if self._row is not None and self._row.blob == ident else None

    async def chunk(self, ident, offset, limit):
        return b"file"[offset : offset + limit]


class Nobody:
    """A store without accounts; it notes what a call asks to be remembered."""

    def __init__(self):
        self.replies = []

    async def take(self, accounts, suites, keyed, reply):
        self.replies.append(reply([(None, []) for _ in accounts]))
        return self.replies[-1], []


def files(limiter, row=None, **more):
    return Blob(BlobConfig(domain=OWN, **more), Files(row), limiter=limiter, clock_ms=lambda: NOW_MS)


def keys(limiter, store=None):
    return Keystore(
        Config(domain=OWN), store or Nobody(), notices=LocalNotices(), limiter=limiter, clock_ms=lambda: NOW_MS
    )


def device():
    caller = Caller(CallerKind.ACCOUNT, make_id(bytes(15) + b"a", OWN), make_id(bytes(15) + b"d", OWN))
    return CallContext(caller=caller, now_ms=NOW_MS, deadline_s=trio.current_time() + 5, idempotency_key=b"k" * 16)


def anybody():
    return CallContext(now_ms=NOW_MS, deadline_s=trio.current_time() + 5)


async def code(calling):
    try:
        await calling
    except Refusal as no:
        return no.code
    return ErrorCode.OK


@pytest.mark.parametrize(
    "ident", [b"", b"x" * 60_000, bytes(32) + b"no domain", bytes(32)], ids=["empty", "long", "no domain", "short"]
)
@pytest.mark.parametrize("federated", [False, True])
async def test_a_download_of_what_is_no_blob_id_is_not_counted(ident, federated):
    limiter = LocalLimiter()
    service = files(limiter, federated=federated)
    assert await code(service.download_blob(anybody(), blob.DownloadBlobParams(blob=ident))) is ErrorCode.MALFORMED
    assert limiter.keys == 0


async def test_another_domain_is_counted_by_a_domains_name_alone():
    limiter = LocalLimiter()
    asked = blob.DownloadBlobParams(blob=make_id(bytes(32), OWN))
    params = blob.BlobForPeerParams(domain="No Domain", params=asked)
    assert await code(files(limiter, federated=True).for_peer(anybody(), params)) is ErrorCode.PEER_MISMATCH
    assert limiter.keys == 0


async def test_only_who_has_its_secret_spends_of_a_blobs_limit():
    limiter = LocalLimiter()
    ident = make_id(b"h" * 32, OWN)
    secret_hash = hashlib.sha256(SECRET).digest()
    row = Row(ident, b"owner", 4, 4, complete=True, secret_hash=secret_hash, expires_ms=2 * NOW_MS)
    service = files(limiter, row, download_per_blob=ONCE)
    for _ in range(3):
        wrong = blob.DownloadBlobParams(blob=ident, secret=b"x" * 16)
        assert await code(service.download_blob(anybody(), wrong)) is ErrorCode.BLOB_SECRET
        nowhere = blob.DownloadBlobParams(blob=make_id(os.urandom(32), OWN), secret=SECRET)
        assert await code(service.download_blob(anybody(), nowhere)) is ErrorCode.NOT_FOUND
    assert limiter.keys == 0
    right = blob.DownloadBlobParams(blob=ident, secret=SECRET)
    assert await code(service.download_blob(anybody(), right)) is ErrorCode.OK
    assert await code(service.download_blob(anybody(), right)) is ErrorCode.RATE_LIMITED


class Home:
    """Federation, and the blob service of another domain, which has what is asked for with the right secret."""

    async def call_peer(self, context, params):
        asked = blob.DownloadBlobParams.from_bytes(params.params)
        if asked.secret != SECRET:
            raise Refusal(ErrorCode.BLOB_SECRET, "not this blob's read secret")
        return federation.CallPeerResult(result=blob.DownloadBlobResult(chunk=b"file", total_bytes=4).to_bytes())


async def test_so_it_is_with_a_blob_of_another_domain():
    limiter = LocalLimiter()
    service = files(limiter, federated=True, download_per_blob=ONCE)
    service.bind(Home())
    ident = make_id(b"h" * 32, OTHER)
    for _ in range(3):
        wrong = blob.DownloadBlobParams(blob=ident, secret=b"x" * 16)
        assert await code(service.download_blob(anybody(), wrong)) is ErrorCode.BLOB_SECRET
    assert limiter.keys == 0
    right = blob.DownloadBlobParams(blob=ident, secret=SECRET)
    assert await code(service.download_blob(anybody(), right)) is ErrorCode.OK
    assert await code(service.download_blob(anybody(), right)) is ErrorCode.RATE_LIMITED


@pytest.mark.parametrize(
    "account", [b"", b"x" * 2_000_000, bytes(16) + b"no domain", bytes(16)], ids=["empty", "long", "no domain", "short"]
)
async def test_key_packages_of_what_is_no_account_are_neither_counted_nor_remembered(account):
    limiter, store = LocalLimiter(), Nobody()
    params = keystore.FetchKeyPackageParams(accounts=(make_id(bytes(16), OWN), account), suites=(1,))
    assert await code(keys(limiter, store).fetch_key_package(device(), params)) is ErrorCode.MALFORMED
    assert (limiter.keys, store.replies) == (0, [])


async def test_key_packages_of_one_account_asked_for_twice_are_answered_once():
    limiter, store = LocalLimiter(), Nobody()
    one = make_id(bytes(16), OWN)
    params = keystore.FetchKeyPackageParams(accounts=(one,) * 256, suites=(1,) * 16)
    found = await keys(limiter, store).fetch_key_package(device(), params)
    assert [k.account for k in found.accounts] == [one]
    assert len(store.replies[0]) < 500


async def test_strangers_push_no_limit_out_that_holds_for_somebody_else(monkeypatch):
    """One table for all services, as the embedded server has it."""
    monkeypatch.setattr(limits, "KEYS_MAX", 20)
    limiter = LocalLimiter()
    victim = keystore.FetchKeyPackageParams(accounts=(make_id(b"v" * 16, OWN),), suites=(1,))
    people, store = keys(limiter), files(limiter)
    codes = [await code(people.fetch_key_package(device(), victim)) for _ in range(31)]
    assert codes == [ErrorCode.OK] * 30 + [ErrorCode.RATE_LIMITED]
    for _ in range(100):
        anything = blob.DownloadBlobParams(blob=make_id(os.urandom(32), OWN))
        assert await code(store.download_blob(anybody(), anything)) is ErrorCode.NOT_FOUND
    assert await code(people.fetch_key_package(device(), victim)) is ErrorCode.RATE_LIMITED
