"""The windows of a client: between what the server took and what is stored, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qpqclient.core import Core
from qpqclient.inbox import Inbox
from qpqclient.outbox import Outbox
from qpqclient.transport import Link
from qpqcore.api import auth, blob, delivery, keystore
from tools.soak.fuse import around

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.soak.fuse import Fuse

ENCRYPTED = "client: between encrypt and send"
ACCEPTED = "client: between acceptance and note"
DECRYPTED = "client: between decrypt and store"
STORED = "client: between store and ack"
BUILT = "client: between building a commit and submitting it"
UNMERGED = "client: between accept and merge"
JOINING = "client: in rejoin, before submitting"
JOINED = "client: in rejoin, between accept and entering"
FOUNDING = "client: in channel creation, before submitting"
FOUNDED = "client: in channel creation, between accept and note"
RESETTING = "client: in channel reset, before submitting"
RESET = "client: in channel reset, between accept and note"
UPLOADING = "client: in blob upload, between chunks"
PACKED = "client: between KeyPackage upload and note"
REGISTERED = "client: in registration, between account and log-in"
ENROLLED = "client: in registration, between device and note"

IN_CHANGE = (BUILT, UNMERGED)
IN_REJOIN = (JOINING, JOINED)
IN_FOUNDING = (FOUNDING, FOUNDED)
IN_RESET = (RESETTING, RESET)
IN_REGISTRATION = (REGISTERED, ENROLLED, PACKED)


def install(fuse: Fuse) -> None:
    """Put the windows into this process."""
    _outbox(fuse)
    _inbox(fuse)
    _core(fuse)
    _link(fuse)


def _outbox(fuse: Fuse) -> None:
    def delivering(deliver: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Outbox, row: Any) -> None:
            fuse.reach(ENCRYPTED)
            await deliver(self, row)

        return work

    around(Outbox, "_deliver", delivering)


def _inbox(fuse: Fuse) -> None:
    def opening(opened: Callable[..., Any]) -> Callable[..., Any]:
        def work(self: Inbox, *values: Any) -> Any:
            found = opened(self, *values)
            fuse.reach(DECRYPTED)
            return found

        return work

    around(Inbox, "_opened", opening)


def _core(fuse: Fuse) -> None:
    def calling(call: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Core, params: Any, result: Any, *, key: bytes = b"") -> Any:
            joins = _joins(self, params)
            _reach(fuse, _before(params, joins=joins))
            answer = await call(self, params, result, key=key)
            if joins or not isinstance(params, delivery.SubmitCommitParams) or _unmerged(self, params):
                _reach(fuse, _after(params, joins=joins))
            return answer

        return work

    around(Core, "call", calling)


def _reach(fuse: Fuse, window: str | None) -> None:
    if window is not None:
        fuse.reach(window)


def _joins(core: Core, params: Any) -> bool:
    """Tell whether a call brings an external commit."""
    if not isinstance(params, delivery.SubmitCommitParams):
        return False
    stored = core.groups.joining(params.channel)
    return stored is not None and stored[2] == params.to_bytes()


def _unmerged(core: Core, params: delivery.SubmitCommitParams) -> bool:
    """Tell whether the log has not brought the commit back yet."""
    rows = core.store.rows("SELECT generation, epoch FROM channels WHERE channel = ?", params.channel)
    return bool(rows) and tuple(rows[0]) == (params.generation, params.epoch)


def _before(params: Any, *, joins: bool) -> str | None:
    match params:
        case delivery.AckParams():
            return STORED
        case delivery.SubmitCommitParams():
            return JOINING if joins else BUILT
        case delivery.CreateChannelParams():
            return FOUNDING
        case delivery.ResetChannelParams():
            return RESETTING
        case _:
            return None


def _after(params: Any, *, joins: bool) -> str | None:
    match params:
        case delivery.SubmitCommitParams():
            return JOINED if joins else UNMERGED
        case delivery.CreateChannelParams():
            return FOUNDED
        case delivery.ResetChannelParams():
            return RESET
        case blob.UploadBlobParams(chunk=chunk) if chunk:
            return UPLOADING
        case _:
            return None


def _link(fuse: Fuse) -> None:
    def calling(call: Callable[..., Any]) -> Callable[..., Any]:
        async def work(self: Link, params: Any, result: Any, **more: Any) -> Any:
            answer = await call(self, params, result, **more)
            match params:
                case delivery.EnqueueParams():
                    fuse.reach(ACCEPTED)
                case auth.RegisterFinishParams():
                    fuse.reach(REGISTERED)
                case auth.RegisterDeviceParams():
                    fuse.reach(ENROLLED)
                case keystore.UploadKeyPackagesParams(packages=packages) if packages:
                    fuse.reach(PACKED)
                case _:
                    pass
            return answer

        return work

    around(Link, "call", calling)
