"""Processes that share a Redis server, and a way to it that can be cut, or have TLS in front; the servers are tools.redis_server's."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trio

from qpqcore.bus.limits import Rate
from qpqcore.bus.notices import mailbox_topic
from qpqcore.bus.redis.address import Address, parse
from qpqcore.bus.redis.parts import open_redis

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from qpqcore.bus.notices import Subscription
    from qpqcore.bus.redis.parts import Parts

KEY = b"k" * 32
DEVICE = b"d" * 20
TOPIC = mailbox_topic(DEVICE)
SLOW = Rate(10, 600, 3)
PATIENCE_SECONDS = 60
AT_ONCE_SECONDS = 0.5
"""What blocks nobody takes less, a busy machine included; what waits for Redis takes longer."""


def opened(url: str | Address, key: bytes = KEY, domain: str = "a") -> AbstractAsyncContextManager[Parts]:
    """Open what a process shares through Redis."""
    return open_redis(parse(url) if isinstance(url, str) else url, key=key, domain=domain)


@asynccontextmanager
async def two_processes(url: str, other_url: str | None = None) -> AsyncIterator[tuple[Parts, Parts]]:
    """Open it for two, both connected."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with opened(url) as one, opened(other_url or url) as two:
            await one.notices.wait_up()
            await two.notices.wait_up()
            yield one, two


async def next_of(subscription: Subscription) -> list[tuple[bytes, bytes]]:
    """Wait for what comes next."""
    await subscription.wait()
    return subscription.receive_nowait()


async def until_told(subscription: Subscription, payload: bytes) -> list[bytes]:
    """Wait for a payload; return what came before it."""
    before: list[bytes] = []
    while True:
        for _, told in await next_of(subscription):
            if told == payload:
                return before
            before.append(told)


async def wait_away(parts: Parts) -> None:
    """Wait until Redis is known to be away."""
    while not parts.notices.shards.reason:
        await parts.notices._changed.wait()


class Relay:
    """A way to a server that can be cut, and that can have TLS in front: the server is none the wiser."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._to = port
        self._tls = tls
        self._open: set[trio.CancelScope] = set()
        self._is_cut = False
        self.port = 0

    def cut(self) -> None:
        """Lose all connections, and take none."""
        self._is_cut = True
        for scope in list(self._open):
            scope.cancel()

    def mend(self) -> None:
        self._is_cut = False

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._carry, [listener])

    async def _carry(self, near: trio.abc.Stream) -> None:
        with trio.CancelScope() as scope:
            self._open.add(scope)
            try:
                if self._is_cut:
                    return
                if self._tls is not None:
                    near = trio.SSLStream(near, self._tls, server_side=True, https_compatible=True)
                async with await trio.open_tcp_stream("127.0.0.1", self._to) as far, trio.open_nursery() as nursery:
                    for one, other in ((near, far), (far, near)):
                        nursery.start_soon(self._pump, one, other, nursery.cancel_scope)
            except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                pass
            finally:
                self._open.discard(scope)
        await trio.aclose_forcefully(near)

    async def _pump(self, one: trio.abc.Stream, other: trio.abc.Stream, both: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in one:
                await other.send_all(data)
        both.cancel()


@asynccontextmanager
async def relay(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    """Run a relay to a port of this machine while the block runs."""
    made = Relay(port, tls)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.serve)
        yield made
        nursery.cancel_scope.cancel()


HELLO = b"%3\r\n+proto\r\n:3\r\n+version\r\n+7.0.0\r\n+id\r\n:1\r\n"
ALONE = b"-ERR This instance has cluster support disabled\r\n"
OK = b"+OK\r\n"


class Liar:
    """A server that enters like a Redis, takes subscriptions, and answers all else with `says`: one RESP value in bytes."""

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.port = 0
        self.asked: set[bytes] = set()
        """Commands that were answered so."""
        self._answers = {b"HELLO": HELLO, b"CLUSTER": ALONE, b"CLIENT": OK, b"PING": b"+PONG\r\n"}

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._answer, [listener])

    async def _answer(self, stream: trio.abc.Stream) -> None:
        kept = b""
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                commands, kept = _commands(kept + data)
                for name, *arguments in commands:
                    await stream.send_all(self._answer_of(name, arguments))

    def _answer_of(self, name: bytes, arguments: list[bytes]) -> bytes:
        if name == b"SUBSCRIBE":
            heard = [b">3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(a), a) for a in arguments]
            return b"".join(heard)
        if name not in self._answers:
            self.asked.add(name)
        return self._answers.get(name, self.says)


def _commands(data: bytes) -> tuple[list[list[bytes]], bytes]:
    """Read whole commands, arrays of strings; return them, and what is left."""
    found, lines = [], data.split(b"\r\n")
    while lines and lines[0].startswith(b"*"):
        words = int(lines[0][1:])
        if len(lines) <= 2 * words + 1:
            break
        found.append(lines[2 : 2 * words + 1 : 2])
        lines = lines[2 * words + 1 :]
    return found, b"\r\n".join(lines)


@asynccontextmanager
async def liar(says: bytes) -> AsyncIterator[Liar]:
    """Run such a server while the block runs."""
    made = Liar(says)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.serve)
        yield made
        nursery.cancel_scope.cancel()


async def wait_wrong(parts: Parts, *lines: str) -> None:
    """Wait until it is said that just this is wrong with a Redis that is there."""
    while parts.wrong() != lines:
        await parts.soundness.changed.wait()
