"""What other services have to be told: durable, in order per account, tried until done.

A job is written in the transaction that makes it necessary, run before the answer, and run again at
start and every sweep if the process died or the other service was away in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from qpqcore.api.blob import PurgeBlobsParams
from qpqcore.api.delivery import OpenMailboxParams, PurgeDeliveryParams, RemoveDevicesParams
from qpqcore.api.keystore import PublishDeviceListParams, PurgeAccountParams, PutAccountParams
from qpqcore.model.call import CallContext, Caller, CallerKind
from qpqcore.model.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqauth.store import Job, Store
    from qpqcore.api.blob import BlobInternalApi
    from qpqcore.api.delivery import DeliveryInternalApi
    from qpqcore.api.keystore import KeystoreInternalApi

log = structlog.get_logger()

JOBS_MAX = 256
"""Jobs read at a time."""
SELF = Caller(CallerKind.SERVICE, name="auth")
DELETION = (("purge_delivery", b""), ("purge_blobs", b""), ("purge_keystore", b""), ("purge_self", b""))
"""The steps of deleting an account, in the order in which they are done."""


class Jobs:
    """Runs the jobs of auth's outbox."""

    def __init__(
        self, store: Store, *, keystore: KeystoreInternalApi, delivery: DeliveryInternalApi,
        blob: BlobInternalApi, clock_ms: Callable[[], int], disguise: Callable[[str], str],
    ) -> None:  # fmt: skip
        self._store = store
        self._disguise = disguise
        self._keystore = keystore
        self._delivery = delivery
        self._blob = blob
        self._clock_ms = clock_ms

    async def run(self, account: bytes | None) -> None:
        """Run what waits for one account, or for all; stop at an account's first failure and leave it for later."""
        while True:
            waiting = await self._store.jobs(account, JOBS_MAX)
            stuck: set[bytes] = set()
            for job in waiting:
                if job.account not in stuck and not await self._try(job):
                    stuck.add(job.account)
            if len(waiting) < JOBS_MAX or stuck:
                return

    async def _try(self, job: Job) -> bool:
        try:
            await self._do(job)
        except Refusal as no:
            log.warning("job_waits", kind=job.kind, code=no.code.name)
            return False
        await self._store.finish_job(job)
        return True

    async def _do(self, job: Job) -> None:
        call = CallContext(caller=SELF, now_ms=self._clock_ms())
        account = job.account
        match job.kind:
            case "put_account":
                stored = await self._store.account(account)
                if stored is not None:
                    await self._keystore.put_account(
                        call, PutAccountParams(account=account, name=stored.name, identity_key=stored.identity_key)
                    )
            case "put_list":
                await self._keystore.put_device_list(call, PublishDeviceListParams(device_list=job.payload))
            case "open_mailbox":
                await self._delivery.open_mailbox(call, OpenMailboxParams(account=account, device=job.payload))
            case "remove_device":
                await self._delivery.remove_devices(call, RemoveDevicesParams(account=account, devices=(job.payload,)))
            case "purge_delivery":
                await self._delivery.purge_account(call, PurgeDeliveryParams(account=account))
            case "purge_blobs":
                await self._blob.purge_account(call, PurgeBlobsParams(account=account))
            case "purge_keystore":
                await self._keystore.purge_account(call, PurgeAccountParams(account=account))
            case "purge_self":
                await self._store.finish_deletion(account, self._disguise)
            case unknown:
                raise ValueError(f"a job of unknown kind {unknown}")
