"""One connection to the server, kept alive: made anew when it is lost, with growing pauses; calls wait for it."""

from __future__ import annotations

import random  # noqa: TID251 - jitter of back-off only; nothing secret depends on it
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from qpqclient.errors import KeyChanged, QpqError, Refused, Unreachable
from qpqclient.log import log
from qpqclient.transport import MACHINE, Link, Network, Trust, open_link
from qpqcore.model.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqclient.store import Store
    from trio_quic import EngineName

T = TypeVar("T")

LINK_SECONDS_MAX = 10.0
"""How long a call waits for a connection before it says that there is none."""
CALL_TRIES_MAX = 8
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 5.0
LATER = frozenset({ErrorCode.RATE_LIMITED, ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE})


LATER_SECONDS_MIN = 0.1
"""Where the server names no time."""


def jitter() -> float:
    """Return a factor between 0.5 and 1.5."""
    return 0.5 + random.random()  # noqa: S311 - jitter


def later(no: Refused) -> float:
    """Return the seconds until a call that was refused for now may come again: what the server said, and up to as much again
    by chance. All that it refused in one moment would else come back in one moment.
    """
    return max(no.retry_after_ms / 1000, LATER_SECONDS_MIN) * (0.5 + jitter())


async def pause(seconds: float) -> None:
    """Wait a bounded time."""
    await trio.sleep(min(max(seconds, 0.0), BACKOFF_SECONDS_MAX))


class Connection:
    """Owns the link; `on_change` is told when the server comes and goes."""

    def __init__(
        self, store: Store, server: str, ca_pem: bytes | None, engine: EngineName, accept: Callable[[bytes], bool],
        on_change: Callable[[bool], None] = lambda _up: None, network: Network = MACHINE,
    ) -> None:  # fmt: skip
        self._store = store
        self._server, self._ca_pem, self._engine, self._accept = server, ca_pem, engine, accept
        self._on_change, self._network = on_change, network
        self._link: Link | None = None
        self._changed = trio.Event()
        self.trouble: QpqError | None = None
        """Why there is no connection, or no session on it."""

    @property
    def up(self) -> bool:
        """Whether the server is there."""
        return self._link is not None

    async def link(self) -> Link:
        """Return the open connection; Unreachable or KeyChanged after a while without one."""
        with trio.move_on_after(LINK_SECONDS_MAX):
            while self._link is None:
                if isinstance(self.trouble, KeyChanged):
                    raise self.trouble
                await self._changed.wait()
            return self._link
        raise self.trouble or Unreachable("the server does not answer")

    async def call(self, params: Any, result: type[T], *, key: bytes = b"") -> T:
        """Call the server; on a lost connection again, since every method is repeatable or keyed."""
        for attempt in range(CALL_TRIES_MAX):
            link = await self.link()
            try:
                return await link.call(params, result, key=key)
            except Unreachable:
                if attempt == CALL_TRIES_MAX - 1:
                    raise
                if self._link is link:
                    self._set(None)
            except Refused as exc:
                if exc.code not in LATER or attempt == CALL_TRIES_MAX - 1:
                    raise
                await pause(later(exc))
        raise Unreachable("the server does not answer")

    async def run(self, greet: Callable[[Link], Awaitable[None]], follow: Callable[[Link], Awaitable[None]]) -> None:
        """Keep a connection, for ever: `greet` it before anybody calls, `follow` it while it lasts."""
        wait_s = BACKOFF_SECONDS_MIN
        while True:
            rest_s = 0.0
            try:
                pin = self._store.get("pin:" + self._server)
                trust = Trust(ca_pem=self._ca_pem, pin=None if self._ca_pem else pin)
                opened = open_link(self._server, trust, engine=self._engine, accept=self._accept, network=self._network)
                async with opened as link:
                    wait_s = BACKOFF_SECONDS_MIN
                    await self._use(link, greet, follow)
            except QpqError as exc:
                self.trouble = exc
                if isinstance(exc, Refused) and exc.code in LATER:
                    rest_s = later(exc)
                log.debug("connection_lost", reason=str(exc))
            finally:
                self._set(None)
            await pause(max(wait_s * jitter(), rest_s))
            wait_s = min(wait_s * 2, BACKOFF_SECONDS_MAX)

    async def _use(
        self, link: Link, greet: Callable[[Link], Awaitable[None]], follow: Callable[[Link], Awaitable[None]]
    ) -> None:
        if not self._ca_pem and self._store.get("pin:" + self._server) is None:
            with self._store.transaction():
                self._store.put({"pin:" + self._server: link.spki_sha256})
        self.trouble = None
        await greet(link)
        self._set(link)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, link)
            await link.wait_closed()
            nursery.cancel_scope.cancel()

    def _set(self, link: Link | None) -> None:
        if (link is None) != (self._link is None):
            self._on_change(link is not None)
        self._link = link
        self._changed.set()
        self._changed = trio.Event()
