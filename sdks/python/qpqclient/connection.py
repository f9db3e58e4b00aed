"""One connection to the server, kept alive: made anew when it is lost, with growing pauses; calls wait for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from qpqclient.errors import KeyChanged, QpqError, Refused, Unreachable
from qpqclient.log import log
from qpqclient.pacing import BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN, jitter, later, pause, share
from qpqclient.transport import MACHINE, GoingAway, Link, Network, Trust, open_link
from qpqcore.model.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qpqclient.store import Store
    from trio_quic import EngineName

T = TypeVar("T")

LINK_SECONDS_MAX = 10.0
"""How long a call waits for a connection before it says that there is none."""
CALL_TRIES_MAX = 8
RATE_SECONDS_MAX = 15.0
"""A call that its rate holds up for longer is refused as the server said: sooner it would be refused again, each time.

A call for 64 names waits 6.4 s at most (`NAMES_AT_ONCE`), one for 256 KeyPackages 256 s.
"""
LATER = frozenset({ErrorCode.RATE_LIMITED, ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE})


LEAVE_SECONDS_MAX = 2.0
"""Calls under way get so long on a connection whose server goes away; what has no answer then is asked again elsewhere."""
LASTING_SECONDS = 1.0
"""Who asks to be left sooner than that is not come back to at once."""
LEAVE_SHARE = 0.8
"""Of the time in which a server asks to be left: the rest is for the calls."""


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
        self._told = False
        """What `on_change` was told last."""
        self._leaving = trio.Event()
        self._leave = trio.CancelScope()
        self.first_contact = False
        """Whether the server's key was kept by this connection, and none was known before."""
        self.trouble: QpqError | None = None
        """Why there is no connection, or no session on it."""

    @property
    def by_ca(self) -> bool:
        """Whether a CA vouches for the server's key; else it is pinned."""
        return self._ca_pem is not None

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
        """Call the server; on a lost connection again, since every method is repeatable or keyed.

        A call that its rate holds up waits as long as it is told; where that is too long, who called is told.
        """
        patience_s = RATE_SECONDS_MAX
        for attempt in range(CALL_TRIES_MAX):
            link = await self.link()
            try:
                return await link.call(params, result, key=key)
            except Unreachable as exc:
                if attempt == CALL_TRIES_MAX - 1:
                    raise
                if self._link is link:
                    if isinstance(exc, GoingAway):
                        self.leave(0.0)
                    self._set(None)
            except Refused as exc:
                is_rate = exc.code is ErrorCode.RATE_LIMITED
                too_long = is_rate and exc.retry_after_ms > patience_s * 1000
                if exc.code not in LATER or too_long or attempt == CALL_TRIES_MAX - 1:
                    raise
                rest_s = later(exc)
                patience_s -= rest_s if is_rate else 0.0
                await trio.sleep(rest_s if is_rate else min(rest_s, BACKOFF_SECONDS_MAX))
        raise Unreachable("the server does not answer")

    def leave(self, within_s: float) -> None:
        """Connect anew, as the server asks who goes away: at a moment by chance, for all others are asked too."""
        at_s = trio.current_time() + within_s * LEAVE_SHARE * share()
        self._leave.deadline = min(self._leave.deadline, at_s)
        self._leaving.set()

    async def run(self, greet: Callable[[Link], Awaitable[None]], follow: Callable[[Link], Awaitable[None]]) -> None:
        """Keep a connection, for ever: `greet` it before anybody calls, `follow` it while it lasts."""
        wait_s = BACKOFF_SECONDS_MIN
        while True:
            rest_s, opened_s = 0.0, math.inf
            try:
                pin = self._store.get("pin:" + self._server)
                trust = Trust(ca_pem=self._ca_pem, pin=None if self._ca_pem else pin)
                opened = open_link(self._server, trust, engine=self._engine, accept=self._accept, network=self._network)
                async with opened as link:
                    wait_s, opened_s = BACKOFF_SECONDS_MIN, trio.current_time()
                    await self._use(link, greet, follow)
            except QpqError as exc:
                self.trouble = exc
                if isinstance(exc, Refused) and exc.code in LATER:
                    rest_s = later(exc)
                log.debug("connection_lost", reason=str(exc))
            finally:
                self._set(None)
            if self._is_left() and trio.current_time() - opened_s >= LASTING_SECONDS:
                continue  # there are others, who are well
            await pause(max(wait_s * jitter(), rest_s))
            wait_s = min(wait_s * 2, BACKOFF_SECONDS_MAX)

    async def _use(
        self, link: Link, greet: Callable[[Link], Awaitable[None]], follow: Callable[[Link], Awaitable[None]]
    ) -> None:
        if not self._ca_pem and self._store.get("pin:" + self._server) is None:
            with self._store.transaction():
                self._store.put({"pin:" + self._server: link.spki_sha256})
            self.first_contact = True
        self.trouble = None
        await greet(link)
        self._set(link)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, link)
            nursery.start_soon(self._leave_when_asked, link, nursery.cancel_scope)
            await link.wait_closed()
            nursery.cancel_scope.cancel()
        with trio.move_on_after(LEAVE_SECONDS_MAX):
            await link.wait_settled()

    def _is_left(self) -> bool:
        """Tell whether the server asked to be left, and forget it."""
        left, self._leaving, self._leave = self._leaving.is_set(), trio.Event(), trio.CancelScope()
        return left

    async def _leave_when_asked(self, link: Link, following: trio.CancelScope) -> None:
        """Let nobody begin a call on a connection that is to be left, and end what follows it."""
        await self._leaving.wait()
        with self._leave:
            await trio.sleep_forever()
        if self._link is link:
            self._set(None)
        following.cancel()

    def _set(self, link: Link | None) -> None:
        """Have a connection, or none; nobody is told of the moment between two when the server asked for another."""
        is_up = link is not None
        if is_up != self._told and (is_up or not self._leaving.is_set()):
            self._told = is_up
            self._on_change(is_up)
        self._link = link
        self._changed.set()
        self._changed = trio.Event()
