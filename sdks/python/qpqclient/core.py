"""The client's engine: one connection kept alive, entries taken as they come, what waits sent, groups kept in order."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import trio

import qpqnative
from qpqclient.account import Account
from qpqclient.births import Births
from qpqclient.commits import Commits
from qpqclient.connection import Connection
from qpqclient.contacts import Contacts
from qpqclient.errors import NO_SESSION, DiskFull, NotLoggedIn, QpqError, Refused, ServerBroke, Unreachable
from qpqclient.events import Listeners
from qpqclient.groups import Groups
from qpqclient.history import History
from qpqclient.inbox import POSITION, Inbox
from qpqclient.log import log
from qpqclient.model import Connected, Disconnected, Event, MessageReceived, MessageStored, SessionEnded, Typing
from qpqclient.moves import Moves
from qpqclient.outbox import Outbox
from qpqclient.pacing import BACKOFF_SECONDS_MIN, later, pause
from qpqclient.people import People
from qpqclient.putback import PutBack
from qpqclient.receipts import Receipts
from qpqclient.settings import Settings
from qpqclient.signals import open_signal
from qpqclient.transport import MACHINE, GoingAway, Network
from qpqclient.upkeep import Upkeep
from qpqclient.vouching import Vouching
from qpqcore.api import delivery
from qpqcore.groups.validity import read_leaf
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import domain_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qpqclient.model import Message
    from qpqclient.store import Store
    from qpqclient.transport import Link
    from qpqcore.api.gateway import SubscribeEvent, SubscribeEventSignal
    from trio_quic import EngineName

T = TypeVar("T")

AHEAD = "server_ahead_ms"
AHEAD_ZERO = 1 << 62
"""What is stored is a number that is not negative: a clock that is right stores this."""
LOOK_SECONDS = 30.0
ERASE_BYTES_PER_SECOND = 2 * 1024 * 1024
"""How much may be rewritten on average: a fiftieth of what a disk takes, however much is deleted or edited."""
WAIT_MS = 30_000
"""How long one fetchWait waits."""
NO_PUSH = frozenset({ErrorCode.UNKNOWN_METHOD, ErrorCode.NOT_IMPLEMENTED_YET, ErrorCode.OVERLOADED})
"""Answers to `subscribe` after which the client falls back to long polling."""


class Core:
    """Everything that runs; `Client` is its face."""

    def __init__(
        self, store: Store, server: str, ca_pem: bytes | None, engine: EngineName, accept: Callable[[bytes], bool],
        now_ms: Callable[[], int], *, sealed: bool = False, push: bool = True, network: Network = MACHINE,
    ) -> None:  # fmt: skip
        self.store = store
        self.now_ms = now_ms
        self.sealed = sealed
        self.wire = Connection(store, server, ca_pem, engine, accept, self._came_or_went, network)
        self.veiled = Connection(store, server, ca_pem, engine, accept, network=network)
        """A second connection that is nobody's, for messages with a sealed sender."""
        self.account = Account(store, now_ms)
        self.groups = Groups(store, self.account)
        self.lock = trio.Lock()
        self.people = People(self)
        self.contacts = Contacts(self)
        self.vouching = Vouching(self)
        self.inbox = Inbox(self)
        self.outbox = Outbox(self)
        self.commits = Commits(self)
        self.births = Births(self)
        self.moves = Moves(self)
        self.upkeep = Upkeep(self)
        self.put_back = PutBack(self)
        self.settings = Settings(store)
        self.receipts = Receipts(self)
        self.history = History(self)
        self.message: Callable[[bytes, bytes], Message | None] = lambda _channel, _ident: None
        self._push = push
        self._send = trio.Event()
        self._session = trio.Event()
        """Set while there is a session: before, nothing is encrypted, for the database may be an older copy."""
        self.logged_out = False
        """Whether the server knows no more the session that there was."""
        self.listeners = Listeners()
        self._heard: tuple[int, float] | None = None
        """What the server's clock said, and when that was; by the clock that nobody sets (this process's)."""

    # --- what others ask for

    def server_now_ms(self) -> int:
        """Return the time on the server's clock, as far as this device knows it: by it messages vanish everywhere alike."""
        if self._heard is None:
            return self.now_ms() + (self.store.number(AHEAD) or AHEAD_ZERO) - AHEAD_ZERO
        said_ms, at_s = self._heard
        return said_ms + int((trio.current_time() - at_s) * 1000)

    def tell(self, event: Event | None) -> None:
        """Tell all listeners."""
        if event is not None:
            self.listeners.tell(event)

    def finished(self, event: Event) -> Event:
        """Turn the note of a new message into the event that carries it."""
        message = self.message(event.channel, event.id) if isinstance(event, MessageStored) else None
        return MessageReceived(event.channel, message) if message is not None else event

    def is_home_away(self, channel: bytes, code: ErrorCode) -> bool:
        """Tell whether an answer means that a conversation's home, another domain, is away: it waits, and the others do not."""
        return code is ErrorCode.UNAVAILABLE and domain_of(channel) != domain_of(self.account.account)

    def wake_sender(self) -> None:
        """Say that there is something in the outbox."""
        self._send.set()

    async def in_session(self, link: Link) -> None:
        """Begin to use a session, and let everything run. What fails here is begun anew, on the next connection."""
        try:
            await self._begin_session(link)
        except QpqError:
            link.close()
            raise
        self.wire.trouble = None
        self.logged_out = False
        self._session.set()
        self._send.set()
        self.upkeep.wake()

    async def _begin_session(self, link: Link) -> None:
        """Recognise a database that was copied back; one that has only sent since shows at its next message (`Outbox`)."""
        box = await link.call(delivery.PeekParams(max_entries=1), delivery.PeekResult)
        if box.acked > self.inbox.position:
            with self.store.transaction():
                self.upkeep.want_new_leaves()
                self.store.put_number(POSITION, box.acked)

    async def link(self) -> Link:
        """Return the open connection; Unreachable or KeyChanged after a while without one."""
        return await self.wire.link()

    @asynccontextmanager
    async def held_link(self) -> AsyncIterator[Link]:
        """Have the open connection for several calls that belong on one: it is not left between them, and a call that the
        server has no time for is made again. As `link`.
        """
        with (await self.wire.link()).held() as link:
            yield link

    async def call(self, params: Any, result: type[T], *, key: bytes = b"") -> T:
        """Call the server; on a lost connection again."""
        return await self.wire.call(params, result, key=key)

    # --- what runs

    async def run(self) -> None:
        """Keep a connection, send what waits, do what groups need; for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.wire.run, self._greet, self._follow)
            nursery.start_soon(self._keep_sending)
            nursery.start_soon(self.upkeep.run)
            nursery.start_soon(self.receipts.run)
            nursery.start_soon(self.history.run)
            nursery.start_soon(self._forget_expired)
            if self.sealed:
                nursery.start_soon(self.veiled.run, _nothing, _nothing)

    def _came_or_went(self, up: bool) -> None:
        self.tell(Connected(b"") if up else Disconnected(b""))
        self._send.set()

    async def _greet(self, link: Link) -> None:
        """Resume the session on a new connection."""
        self._heard = link.hello.now_ms, trio.current_time()
        with self.store.transaction():
            self.store.put_number(AHEAD, link.hello.now_ms - self.now_ms() + AHEAD_ZERO)
        if not self.account.known:
            return
        try:
            with link.held() as held:  # a server that has no time now is not asked for a handshake too
                await self.account.resume(held)
                await self.in_session(held)
        except Refused as exc:
            if not self._ended(exc):
                raise

    def _ended(self, exc: Refused) -> bool:
        """Tell whether an answer means that the session is over; everything that needs one waits for the next, then."""
        if exc.code not in NO_SESSION:
            return False
        self._wait_for_session()
        return True

    def _wait_for_session(self) -> None:
        if self._session.is_set():  # an event that is waited for already stays the one that the next log-in sets
            self._session = trio.Event()
            self.logged_out = True
            self.tell(SessionEnded(b""))
        self.wire.trouble = NotLoggedIn("the session is over: log in again")

    async def _follow(self, link: Link) -> None:
        """Take entries as they are pushed, or by long polling, from when there is a device."""
        while True:
            await self._session.wait()
            try:
                await (self._subscribe(link) if self._push else self._poll(link))
            except Refused as exc:
                if exc.code in NO_PUSH:
                    self._push = False
                self._ended(exc)
                log.info("following_waits", code=exc.name)
            except NotLoggedIn:  # the account was deleted while its mail was read
                self._wait_for_session()
            except (DiskFull, ServerBroke) as exc:
                log.warning("following_waits", code=exc.name)
            except GoingAway:
                self.wire.leave(0.0)
                return
            except Unreachable:
                return
            await pause(BACKOFF_SECONDS_MIN)

    async def _subscribe(self, link: Link) -> None:
        async with link.subscribe(self.inbox.position) as events:
            async for event in events:
                await self._take_event(link, event)

    async def _take_event(self, link: Link, event: SubscribeEvent) -> None:
        if event.which == "entries":
            await self._take(event.entries or ())
        elif event.which == "ready":
            await self.people.learn()  # what the end of the last connection kept it from
        elif event.which == "goingAway":
            self.wire.leave((event.going_away or 0) / 1000)
        elif event.which == "lowStock":
            await self.account.top_up(link)
        elif event.which == "signal" and event.signal is not None:
            self._take_signal(event.signal)

    def _take_signal(self, event: SubscribeEventSignal) -> None:
        try:
            if self.groups.generation(event.channel) != event.generation:
                return
            group = self.groups.load(event.channel)
            if group.epoch != event.epoch:
                return
            device, signal = open_signal(group, event)
            leaves = [read_leaf(m.credential, m.signature_key) for m in group.members()]
        except (Refusal, QpqError, qpqnative.MlsError):
            self.groups.drop()
            return
        account = next((leaf.account for leaf in leaves if leaf.device == device), None)
        if account is not None and signal.which == "typing" and not self.contacts.blocked(account):
            self.tell(Typing(self.moves.shown(event.channel), self.people.name(account), on=bool(signal.typing)))

    async def _poll(self, link: Link) -> None:
        await self.account.top_up(link)
        await self.people.learn()  # as once a subscription is ready
        while True:
            params = delivery.FetchWaitParams(after=self.inbox.position, wait_ms=WAIT_MS)
            page = await link.call(params, delivery.FetchResult, deadline_ms=WAIT_MS + 10_000)
            await self._take(page.entries)
            if not page.entries:  # a server that goes away answers at once
                await pause(BACKOFF_SECONDS_MIN)

    async def _take(self, entries: tuple[delivery.Entry, ...]) -> None:
        for entry in entries:
            async with self.lock:
                await self.inbox.take(entry)
        if entries:
            await self.people.learn()
            await self.call(delivery.AckParams(up_to=self.inbox.position), delivery.AckResult)

    async def catch_up(self) -> None:
        """Take all that lies in the mailbox now: what comes meanwhile, for as long as it comes, is not waited for."""
        until = 0
        while True:
            page = await self.call(delivery.FetchParams(after=self.inbox.position), delivery.FetchResult)
            if not page.entries:
                await self.people.learn()  # another task may have taken what came, and still ask for the names
                return
            until = until or page.last
            await self._take(page.entries)
            if 0 < until <= self.inbox.position:
                return

    async def _forget_expired(self) -> None:
        """Delete what has vanished: it is not shown from its moment on, and gone from the disk soon after."""
        while True:
            rest_s = LOOK_SECONDS
            with suppress(DiskFull):  # it is deleted when there is room again, and is not shown meanwhile
                self.forget_expired()
                if self.store.erase_due:
                    rest_s = max(rest_s, self.store.size_bytes / ERASE_BYTES_PER_SECOND)
                    self.store.erase()
            await trio.sleep(rest_s)

    def forget_expired(self) -> None:
        """Delete the messages whose moment has come; DiskFull."""
        self.store.db.execute("DELETE FROM messages WHERE expires_ms > 0 AND expires_ms <= ?", (self.server_now_ms(),))

    async def _keep_sending(self) -> None:
        while True:
            await self._session.wait()
            self._send = trio.Event()
            try:
                while await self.outbox.send_next():
                    pass
            except Unreachable:
                await pause(BACKOFF_SECONDS_MIN)
                continue
            except (
                QpqError,
                Refusal,
                qpqnative.MlsError,
            ) as exc:  # the last two: what the server showed makes no sense
                if isinstance(exc, Refused):
                    self._ended(exc)
                log.info("send_waits", reason=str(exc))
                await pause(max(later(exc), 1.0) if isinstance(exc, Refused) else 1.0)
                continue
            with trio.move_on_after(min(LOOK_SECONDS, self.outbox.rest_s)):
                await self._send.wait()


async def _nothing(_link: Link) -> None:
    """Neither greet nor follow."""
