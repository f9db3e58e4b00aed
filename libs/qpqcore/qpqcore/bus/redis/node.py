"""One Redis server: two connections that are kept up, one for commands and one for what is published.

1. Nothing is sent twice: a command whose connection broke has an unknown end, and its sender is told `Away`.
   (coredis's clients repeat commands by default; its connections, which stand here, never do.)
2. Both connections live and die together, so that `up` means: told things are heard, and things can be told.
3. A server that does not answer in RESPONSE_SECONDS is left, and entered again.
"""

from __future__ import annotations

import logging
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import anyio.streams.memory
import structlog
import trio
from coredis.connection import TCPConnection, TCPLocation
from coredis.exceptions import BusyLoadingError, ClusterDownError, ReadOnlyError, RedisError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from qpqcore.bus.redis.address import Address

log = structlog.get_logger()
logging.getLogger("coredis").disabled = True  # it says of each attempt what is said here once

CONNECT_SECONDS = 2.0
RESPONSE_SECONDS = 1.0
"""Longer than a fork for a snapshot stops Redis; a wake-up that is later than this is of no use."""
PING_SECONDS = 5.0
"""A connection on which nothing moves is proven so often."""
AGAIN_SECONDS_MIN, AGAIN_SECONDS_MAX = 0.05, 1.0
"""Between two attempts to connect: at first at once, for a restart; soon so that a hundred processes cost little."""
ASKED_MAX = 1_000
"""Questions in flight; past it who asks is told Away."""
CONNECTING, ENDS = "connecting", "this process ends"
NOT_THIS_SERVER = (ReadOnlyError, BusyLoadingError, ClusterDownError)
"""A replica that was the primary, one that still loads, one cut off from its cluster: as good as away."""


class Away(Exception):
    """Redis did not answer, or not in time: what was asked may have been done or not."""


class Command(NamedTuple):
    """One command, as coredis's batches take it."""

    name: bytes
    serialized_arguments: tuple[Any, ...]
    decode: bool = False


class Hearer(Protocol):
    """Whom a node tells."""

    def on_up(self, node: Node) -> None:
        """Both connections stand; nothing is subscribed on them yet."""

    def on_down(self, node: Node) -> None:
        """They are gone, with all subscriptions."""

    def on_push(self, node: Node, push: list[Any]) -> None:
        """Something was published, or a subscription confirmed or ended."""

    def on_refused(self, node: Node) -> None:
        """A subscription was refused: the cluster has changed, or the user may not."""

    async def deliver(self, node: Node) -> None:
        """Send what there is to send, for as long as the node is up."""


class _Standing:
    """coredis says here that a connection stands."""

    def __init__(self) -> None:
        self.event = trio.Event()

    def started(self, value: object = None) -> None:
        """Note it."""
        self.event.set()


@asynccontextmanager
async def connections(
    address: Address, server: tuple[str, int], count: int
) -> AsyncIterator[tuple[list[TCPConnection], list[str]]]:
    """Open connections; Away if not all can be had. When one is lost the block is cancelled and left.

    Beside them comes a list, which says why they were lost.
    """
    made = [_connection(address, server) for _ in range(count)]
    lost: list[str] = []
    stood = False

    async def hold(connection: TCPConnection, standing: _Standing, all_of_them: trio.CancelScope) -> None:
        reason = "connection lost"
        try:
            await connection.run(task_status=cast("Any", standing))
        except RedisError as exc:
            reason = f"{exc}: {exc.__cause__}" if exc.__cause__ else str(exc)
        lost.append(reason)
        all_of_them.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for connection in made:
                standing = _Standing()
                nursery.start_soon(hold, connection, standing, nursery.cancel_scope)
                await standing.event.wait()
            stood = True
            yield made, lost
            nursery.cancel_scope.cancel()
    finally:
        for connection in made:
            _close(connection)
    if not stood:
        raise Away(lost[0])


def _connection(address: Address, server: tuple[str, int]) -> TCPConnection:
    return TCPConnection(
        TCPLocation(*server), stream_timeout=RESPONSE_SECONDS, connect_timeout=CONNECT_SECONDS,
        username=address.username or None, password=address.password or None, db=address.database,
        ssl_context=address.tls,
    )  # fmt: skip


def _close(connection: TCPConnection) -> None:
    """Close the buffers of a connection: coredis leaves them open where it did not come to stand."""
    memory = anyio.streams.memory
    for part in vars(connection).values():
        if isinstance(part, (memory.MemoryObjectSendStream, memory.MemoryObjectReceiveStream)):
            part.close()


class Node:
    """One server; `run` keeps it up."""

    def __init__(self, address: Address, server: tuple[str, int], hearer: Hearer) -> None:
        self.server = server
        self._address = address
        self._hearer = hearer
        self._commands: TCPConnection | None = None
        self._published: TCPConnection | None = None
        self._asked = 0
        self._retired = trio.CancelScope()
        self.reason = CONNECTING
        """Why it is away; empty when it is not."""

    @property
    def up(self) -> bool:
        """Whether both connections stand."""
        return self._commands is not None

    def retire(self) -> None:
        """End `run`: the cluster does not have this server any more."""
        self._retired.cancel()

    async def run(self) -> None:
        """Keep the connections up until cancelled or retired."""
        wait_seconds = AGAIN_SECONDS_MIN
        with self._retired:
            while True:
                begun = trio.current_time()
                await self._stand()
                if trio.current_time() - begun > AGAIN_SECONDS_MAX:
                    wait_seconds = AGAIN_SECONDS_MIN
                await trio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, AGAIN_SECONDS_MAX)

    async def _stand(self) -> None:
        """Connect, and return when a connection is lost."""
        try:
            async with connections(self._address, self.server, 2) as (both, lost):
                self._commands, self._published = both
                self.reason = ""
                log.info("redis_up", port=self.server[1])
                try:
                    self._hearer.on_up(self)
                    await self._live(*both)
                finally:
                    self._commands = self._published = None
                    self._away(lost[0] if lost else ENDS)
                    self._hearer.on_down(self)
        except Away as away:
            self._away(str(away))

    def _away(self, reason: str) -> None:
        if self.reason in {"", CONNECTING} and reason != ENDS:
            log.warning("redis_away", port=self.server[1], reason=reason)
        self.reason = reason

    async def _live(self, commands: TCPConnection, published: TCPConnection) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear, published)
            nursery.start_soon(self._hear_refusals, published)
            nursery.start_soon(self._ping, commands)
            nursery.start_soon(self._ping, published)
            nursery.start_soon(self._hearer.deliver, self)

    async def _hear(self, published: TCPConnection) -> None:
        """Take all that has come at once: one a tick, as coredis's own iterator does, falls behind its reader without end."""
        pushes: Any = published._push_message_buffer_out  # noqa: SLF001 - has no public name; requirements pin the version
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                self._hearer.on_push(self, await pushes.receive())
                with suppress(anyio.WouldBlock):
                    while True:
                        self._hearer.on_push(self, pushes.receive_nowait())
        published.invalidate()

    async def _hear_refusals(self, published: TCPConnection) -> None:
        """A subscription that is refused is answered like no command that was asked."""
        try:
            async with aclosing(cast("AsyncGenerator[Any, None]", published.streamed_messages)) as refusals:
                async for refusal in refusals:
                    log.warning("redis_subscription_refused", port=self.server[1], reason=str(refusal))
                    break
        except RedisError:
            pass
        self._hearer.on_refused(self)
        published.invalidate()

    async def _ping(self, connection: TCPConnection) -> None:
        try:
            while True:
                await trio.sleep(PING_SECONDS)
                await connection.create_request(b"PING")
        except (RedisError, TimeoutError, anyio.ClosedResourceError):
            connection.invalidate()

    def subscribe(self, command: bytes, channels: Sequence[bytes]) -> None:
        """Send a (s)(un)subscribe; its confirmations come as pushes. Nothing when away: all begins anew then."""
        if self._published is not None and self._published.usable:
            with suppress(anyio.ClosedResourceError):  # it ends at this moment
                self._published.send_command(command, *channels)

    async def ask(self, name: bytes, *arguments: Any, seconds: float = RESPONSE_SECONDS) -> Any:
        """Send one command and return its answer. Away; RedisError for what the server refused.

        Cancelling leaves the connection as it is, for others.
        """
        connection = self._commands
        if connection is None or not connection.usable or self._asked >= ASKED_MAX:
            raise Away(self.reason or "busy")
        self._asked += 1
        try:
            return await connection.create_request(name, *arguments, timeout=seconds)
        except NOT_THIS_SERVER as exc:
            connection.invalidate()
            raise Away(str(exc)) from exc
        except TimeoutError as exc:
            raise Away("slow") from exc
        except anyio.ClosedResourceError as exc:
            raise Away("connection lost") from exc
        except RedisError as exc:
            if connection.usable:
                raise
            raise Away(str(exc)) from exc
        finally:
            self._asked -= 1

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together and return their answers, what the server refused as its exception. Away.

        For a task of our own: cancelling it drops the connection.
        """
        connection = self._commands
        if connection is None or not connection.usable:
            raise Away(self.reason)
        try:
            answers = list(await connection.create_request_batch(cast("Any", commands)))
        except anyio.ClosedResourceError as exc:
            raise Away("connection lost") from exc
        bad = next((a for a in answers if isinstance(a, (TimeoutError, *NOT_THIS_SERVER))), None)
        if bad is not None:
            connection.invalidate()
        if bad is not None or not connection.usable:
            raise Away("connection lost" if bad is None else str(bad))
        return answers
