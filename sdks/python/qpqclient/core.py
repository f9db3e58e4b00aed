"""The client's engine: one connection kept alive, entries taken as they come, what waits sent, groups kept in order."""

from __future__ import annotations

import random  # noqa: TID251 - jitter of back-off only; nothing secret depends on it
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
import trio

from qpqclient.account import Account
from qpqclient.commits import Commits
from qpqclient.errors import KeyChanged, NotLoggedIn, QpqError, Refused, Unreachable
from qpqclient.groups import Groups
from qpqclient.inbox import Inbox
from qpqclient.model import Connected, Disconnected, Event, MessageChanged, MessageReceived
from qpqclient.outbox import Outbox
from qpqclient.people import People
from qpqclient.transport import Link, Trust, open_link
from qpqcore.api import delivery
from qpqcore.model.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from qpqclient.model import Message
    from qpqclient.store import Store
    from trio_quic import EngineName

T = TypeVar("T")
log = structlog.get_logger()

LINK_SECONDS_MAX = 10.0
"""How long a call waits for a connection before it says that there is none."""
CALL_TRIES_MAX = 8
BACKOFF_SECONDS_MIN, BACKOFF_SECONDS_MAX = 0.1, 5.0
EVENTS_MAX = 1_000
"""Events that wait for one listener; a slower one misses some, and nothing is lost: the history has all."""
LOOK_SECONDS = 30.0
PROPOSAL_WAIT_SECONDS_MAX = 2.0


class Core:
    """Everything that runs; `Client` is its face."""

    def __init__(
        self,
        store: Store,
        server: str,
        ca_pem: bytes | None,
        engine: EngineName,
        accept: Callable[[bytes], bool],
        now_ms: Callable[[], int],
    ) -> None:
        self.store = store
        self.now_ms = now_ms
        self.account = Account(store, now_ms)
        self.groups = Groups(store, self.account)
        self.lock = trio.Lock()
        self.people = People(self)
        self.inbox = Inbox(self)
        self.outbox = Outbox(self)
        self.commits = Commits(self)
        self.message: Callable[[bytes, bytes], Message | None] = lambda _channel, _ident: None
        self._server, self._ca_pem, self._engine, self._accept = server, ca_pem, engine, accept
        self._link: Link | None = None
        self._trouble: QpqError | None = None
        self._changed = trio.Event()
        self._send = trio.Event()
        self._listeners: set[trio.MemorySendChannel[Event]] = set()
        self._rejoin: set[bytes] = set()
        self._settle: set[bytes] = set()
        self._settling = trio.Lock()
        self._work = trio.Event()
        self._random = random.Random()  # noqa: S311 - jitter

    # --- what others ask for

    def jitter(self) -> float:
        """Return a factor between 0.5 and 1.5."""
        return 0.5 + self._random.random()

    async def pause(self, seconds: float) -> None:
        """Wait a bounded time."""
        await trio.sleep(min(max(seconds, 0.0), BACKOFF_SECONDS_MAX))

    def tell(self, event: Event | None) -> None:
        """Tell all listeners."""
        for listener in list(self._listeners):
            if event is not None:
                try:
                    listener.send_nowait(event)
                except (trio.WouldBlock, trio.BrokenResourceError):
                    continue

    def finished(self, event: Event) -> Event:
        """Turn the note of a new message into the event that carries it."""
        if isinstance(event, MessageChanged):
            message = self.message(event.channel, event.id)
            if message is not None and not message.own and message.state == "received":
                return MessageReceived(event.channel, message)
        return event

    def listen(self) -> tuple[trio.MemorySendChannel[Event], trio.MemoryReceiveChannel[Event]]:
        """Begin to listen."""
        send, receive = trio.open_memory_channel[Event](EVENTS_MAX)
        self._listeners.add(send)
        return send, receive

    def unlisten(self, send: trio.MemorySendChannel[Event]) -> None:
        """Stop listening."""
        self._listeners.discard(send)

    def wake_sender(self) -> None:
        """Say that there is something in the outbox."""
        self._send.set()

    def want_rejoin(self, channel: bytes) -> None:
        """Say that a group cannot be followed any more."""
        self._rejoin.add(channel)
        self._work.set()

    def want_commit(self, channel: bytes) -> None:
        """Say that proposals wait for a commit."""
        self._settle.add(channel)
        self._work.set()

    @property
    def connected(self) -> bool:
        """Whether the server is there."""
        return self._link is not None

    async def link(self) -> Link:
        """Return the open connection; Unreachable or KeyChanged after a while without one."""
        with trio.move_on_after(LINK_SECONDS_MAX):
            while self._link is None:
                if isinstance(self._trouble, KeyChanged):
                    raise self._trouble
                await self._changed.wait()
            return self._link
        raise self._trouble or Unreachable("the server does not answer")

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
                    self._set_link(None)
            except Refused as exc:
                again = exc.code in {ErrorCode.RATE_LIMITED, ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE}
                if not again or attempt == CALL_TRIES_MAX - 1:
                    raise
                await self.pause(max(exc.retry_after_ms / 1000, 0.1))
        raise Unreachable("the server does not answer")

    # --- the connection

    def _set_link(self, link: Link | None) -> None:
        if (link is None) != (self._link is None):
            self.tell(Connected(b"") if link else Disconnected(b""))
        self._link = link
        self._changed.set()
        self._changed = trio.Event()

    async def run(self) -> None:
        """Keep a connection, send what waits, do what groups need; for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_connected)
            nursery.start_soon(self._keep_sending)
            nursery.start_soon(self._keep_groups)

    async def _keep_connected(self) -> None:
        wait_s = BACKOFF_SECONDS_MIN
        while True:
            try:
                pin = self.store.get("pin:" + self._server)
                trust = Trust(ca_pem=self._ca_pem, pin=None if self._ca_pem else pin)
                async with open_link(self._server, trust, engine=self._engine, accept=self._accept) as link:
                    wait_s = BACKOFF_SECONDS_MIN
                    await self._use(link)
            except QpqError as exc:
                self._trouble = exc
                log.debug("connection_lost", reason=str(exc))
            finally:
                self._set_link(None)
            await self.pause(wait_s * self.jitter())
            wait_s = min(wait_s * 2, BACKOFF_SECONDS_MAX)

    async def _use(self, link: Link) -> None:
        if not self._ca_pem and self.store.get("pin:" + self._server) is None:
            with self.store.transaction():
                self.store.put({"pin:" + self._server: link.spki_sha256})
        if self.account.known:
            try:
                await self.account.resume(link)
            except Refused as exc:
                if exc.code not in {ErrorCode.UNAUTHENTICATED, ErrorCode.DEVICE_UNKNOWN}:
                    raise
                self._trouble = NotLoggedIn("the session is over: log in again")
        self._trouble = None
        self._set_link(link)
        self._send.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow, link)
            await link.wait_closed()
            nursery.cancel_scope.cancel()

    async def _follow(self, link: Link) -> None:
        """Take entries as they are pushed, from when there is a device."""
        while not self.account.known:
            await trio.sleep(0.05)
        while True:
            try:
                async with link.subscribe(self.inbox.position) as events:
                    async for event in events:
                        if event.which == "entries":
                            await self._take(event.entries or ())
                        elif event.which == "lowStock":
                            await self.account.top_up(link)
            except Refused as exc:
                if exc.code in {ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN}:
                    await trio.sleep(0.2)
            except Unreachable:
                return
            await self.pause(BACKOFF_SECONDS_MIN)

    async def _take(self, entries: tuple[delivery.Entry, ...]) -> None:
        for entry in entries:
            async with self.lock:
                await self.inbox.take(entry)
        if entries:
            await self.people.learn()
            await self.call(delivery.AckParams(up_to=self.inbox.position), delivery.AckResult)

    async def catch_up(self) -> None:
        """Take all that lies in the mailbox now."""
        while True:
            page = await self.call(delivery.FetchParams(after=self.inbox.position), delivery.FetchResult)
            if not page.entries:
                return
            await self._take(page.entries)

    # --- the outbox

    async def _keep_sending(self) -> None:
        while True:
            self._send = trio.Event()
            try:
                while self.account.known and await self.outbox.send_next():
                    pass
            except Unreachable:
                await self.pause(BACKOFF_SECONDS_MIN)
                continue
            except Refused as exc:
                log.info("send_waits", code=exc.name)
                await self.pause(1.0)
                continue
            with trio.move_on_after(LOOK_SECONDS):
                await self._send.wait()

    # --- groups

    async def _keep_groups(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            await self.pause(PROPOSAL_WAIT_SECONDS_MAX * self._random.random() if self._settle else 0.0)
            try:
                await self.settle_groups()
            except QpqError as exc:
                log.info("group_work_waits", reason=str(exc))
                await self.pause(1.0)
                self._work.set()

    async def settle_groups(self) -> None:
        """Rejoin what has to be rejoined; commit what is proposed.

        One task at a time: two would rejoin the same group twice.
        """
        async with self._settling:
            await self._rejoin_wanted()
            await self._settle_wanted()

    async def _rejoin_wanted(self) -> None:
        while self._rejoin:
            channel = next(iter(self._rejoin))
            if not await self.commits.rejoin(channel):
                async with self.lock:
                    with self.store.transaction():
                        self.groups.leave(channel)
            self._rejoin.discard(channel)

    async def _settle_wanted(self) -> None:
        while self._settle:
            channel = next(iter(self._settle))
            self._settle.discard(channel)
            if self.groups.generation(channel):
                own = self.store.rows(
                    "SELECT 1 FROM proposed WHERE channel = ? AND device = ?", channel, self.account.device
                )
                if not own:
                    await self.commits.settle_proposals(channel)
