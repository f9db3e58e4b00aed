"""The blob service's use cases: one method per call of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from qpqblob import rules
from qpqblob.store import Blob as Row
from qpqblob.uploads import Uploads
from qpqcore.api import blob as api
from qpqcore.api.federation import METHODS as FEDERATION
from qpqcore.bus.abroad import ask_peer
from qpqcore.bus.background import repeat
from qpqcore.bus.limits import enforce, look
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import BLOB_HASH_BYTES, domain_of, is_domain

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqblob.config import Config
    from qpqblob.store import Store
    from qpqcore.api.federation import FederationInternalApi
    from qpqcore.bus.limits import Limiter
    from qpqcore.obs.metrics import Reading

SELF = Caller(CallerKind.SERVICE, name="blob")
FETCH_BLOB = next(m.number for m in FEDERATION if m.name == "proxyFetchBlob")
BYTES_MAX = 1 << 40
"""What another domain may say that a blob has."""


class Blob:
    """Implements `qpqcore.api.blob.BlobApi` and `BlobInternalApi`."""

    def __init__(self, config: Config, store: Store, *, limiter: Limiter, clock_ms: Callable[[], int]) -> None:
        self._config = config
        self._store = store
        self._uploads = Uploads(store, config.account_bytes_max)
        self._limiter = limiter
        self._clock_ms = clock_ms
        self._federation: FederationInternalApi | None = None
        self._received = self._sent = self._stored = 0

    def bind(self, federation: FederationInternalApi) -> None:
        """Say where federation is."""
        self._federation = federation

    async def weigh(self) -> None:
        """Look how much is stored, for `readings`."""
        self._stored = await self._store.stored_bytes()

    def readings(self) -> list[Reading]:
        """Return the bytes that came, went and lie here, as `qpqcore.obs.metrics` reads them."""
        return [
            ("qpq_blob_received_bytes_total", "Bytes of blobs that came.", "", {"": self._received}),
            ("qpq_blob_sent_bytes_total", "Bytes of blobs that went out.", "", {"": self._sent}),
            ("qpq_blob_stored_bytes", "Bytes of blobs that are there.", "", {"": self._stored}),
        ]

    async def run(self) -> None:
        """Collect what is over, for ever."""

        async def work() -> None:
            while await self._store.sweep(self._clock_ms()):
                await trio.lowlevel.checkpoint()

        await repeat("blob", self._config.sweep_seconds, work)

    async def upload_blob(self, call: CallContext, params: api.UploadBlobParams) -> api.UploadBlobResult:
        rules.check_upload(self._config, params)
        unfinished_ms = call.now_ms + self._config.incomplete_ttl_seconds * 1000
        fresh = Row(
            params.blob, call.caller.account, params.total_bytes, 0, complete=False,
            secret_hash=params.secret_hash, expires_ms=unfinished_ms,
        )  # fmt: skip
        row = await (self._uploads.begin if params.chunk else self._uploads.look)(fresh, call.now_ms)
        kept_ms = call.now_ms + rules.ttl_ms(self._config, params.ttl_seconds)
        if row.complete:
            row = await self._store.extend(params.blob, kept_ms)
        elif params.chunk or row.received == row.total_bytes:
            row = await self._uploads.add(fresh, params.offset, params.chunk, kept_ms)
            self._received += len(params.chunk)
        return api.UploadBlobResult(received=row.received, complete=row.complete, expires_ms=row.expires_ms)

    async def _readable(self, call: CallContext, blob: bytes, secret: bytes, *, owner_too: bool) -> Row:
        rules.check_id(self._config, blob)
        row = await self._store.blob(blob)
        if row is None or row.expires_ms <= call.now_ms:
            raise Refusal(ErrorCode.NOT_FOUND, "no such blob")
        if owner_too and not secret and call.caller.account == row.account:
            return row
        if not rules.secret_fits(secret, row.secret_hash):
            raise Refusal(ErrorCode.BLOB_SECRET, "not this blob's read secret")
        return row

    async def download_blob(self, call: CallContext, params: api.DownloadBlobParams) -> api.DownloadBlobResult:
        rules.check_form(params.blob)
        # Only who has its secret pays of a blob's limit: whoever chooses ids that nobody has fills no table with them.
        key, rate = b"b" + params.blob, self._config.download_per_blob
        if rules.is_away(self._config, params.blob):
            look(self._limiter, key, rate, call.now_ms)
            answer = await self._fetch(call, params)
            self._limiter.pay(key, rate, call.now_ms)
            return answer
        row = await self._readable(call, params.blob, params.secret, owner_too=False)
        enforce(self._limiter, key, rate, call.now_ms)
        if not row.complete:
            raise Refusal(ErrorCode.NOT_FOUND, "this blob is not complete yet")
        if params.offset > row.total_bytes:
            raise Refusal(ErrorCode.BLOB_OFFSET, "past the blob's end")
        limit = min(params.max_bytes or self._config.chunk_bytes_max, self._config.chunk_bytes_max)
        chunk = await self._store.chunk(params.blob, params.offset, limit)
        self._sent += len(chunk)
        return api.DownloadBlobResult(chunk=chunk, total_bytes=row.total_bytes)

    async def _fetch(self, call: CallContext, params: api.DownloadBlobParams) -> api.DownloadBlobResult:
        """Fetch a chunk of another domain's blob through federation; whether it is genuine, its reader's hashes tell."""
        domain = domain_of(params.blob, BLOB_HASH_BYTES)
        answer = await ask_peer(self._federation, SELF, call, domain, FETCH_BLOB, params, api.DownloadBlobResult)
        if len(answer.chunk) > self._config.chunk_bytes_max or answer.total_bytes > BYTES_MAX:
            raise Refusal(ErrorCode.UNAVAILABLE, "another domain's answer cannot be")
        self._sent += len(answer.chunk)
        return answer

    async def for_peer(self, call: CallContext, params: api.BlobForPeerParams) -> api.DownloadBlobResult:
        asked = params.params or api.DownloadBlobParams()
        if not self._config.federated or not is_domain(params.domain) or params.domain == self._config.domain:
            raise Refusal(ErrorCode.PEER_MISMATCH, "not another domain that this one talks to")
        rules.check_id(self._config, asked.blob)
        enforce(self._limiter, b"v" + params.domain.encode(), self._config.chunks_per_peer, call.now_ms)
        return await self.download_blob(CallContext(deadline_s=call.deadline_s, now_ms=call.now_ms), asked)

    async def stat_blob(self, call: CallContext, params: api.StatBlobParams) -> api.StatBlobResult:
        row = await self._readable(call, params.blob, params.secret, owner_too=True)
        return api.StatBlobResult(
            total_bytes=row.total_bytes, received=row.received, complete=row.complete, expires_ms=row.expires_ms
        )

    async def delete_blob(self, call: CallContext, params: api.DeleteBlobParams) -> api.DeleteBlobResult:
        rules.check_id(self._config, params.blob)
        row = await self._store.blob(params.blob)
        if row is None:
            return api.DeleteBlobResult()
        if row.account != call.caller.account:
            raise Refusal(ErrorCode.FORBIDDEN, "only who uploaded a blob deletes it")
        self._uploads.forget(params.blob)
        await self._store.delete(params.blob)
        return api.DeleteBlobResult()

    async def purge_account(self, call: CallContext, params: api.PurgeBlobsParams) -> api.PurgeBlobsResult:
        del call
        return api.PurgeBlobsResult(blobs=await self._store.purge(params.account))
