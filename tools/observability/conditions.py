"""The bad days that are planted, each with the alerts that it has to fire; leaving its block ends it."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio
import trio.lowlevel

import qpqnative
from qpqclient.transport import Trust, open_link
from qpqcore.api.auth import LoginFinishParams, LoginFinishResult, LoginStartParams, LoginStartResult
from qpqcore.api.blob import StatBlobParams, StatBlobResult
from qpqcore.api.keystore import ResolveUserParams, ResolveUserResult
from qpqgateway.main import ALPN
from tools.hostile.attacks import migrations, pings
from tools.hostile.stage import Stage as HostileStage
from tools.observability.load import TROUBLE
from tools.observability.postgres import database_stopped, disk_full
from tools.observability.redis import redis_full, redis_stopped
from trio_quic.testing.hostile import HostileClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from tools.observability.load import Load
    from tools.observability.stage import Stage

FAILS: Final = (*TROUBLE, trio.TooSlowError, AssertionError)
"""The last: psql at a server that is away."""
SPOOFED, SPOOFED_HOSTS = 300, 200
CROWD: Final = 60
"""Connections beside the load's: as many as the gateway takes."""
KNOCKING: Final = 8
GUESSES, REFUSED_AT_ONCE = 30, 20
SCRAPED_SECONDS: Final = 2.5
"""Within this time a process has been scraped."""
LOCK_SECONDS: Final = 1.0
HOSTILE_SECONDS: Final = 2.0
TOO_LARGE_BYTES: Final = 100_000
"""A stranger may send 65,536."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One bad day. `fires`: alerts; `seconds`: within which they have to fire, and to clear after it."""

    name: str
    plant: Callable[[Stage, Load], AbstractAsyncContextManager[None]]
    fires: tuple[str, ...] = ()
    seconds: int = 60


@asynccontextmanager
async def while_running(work: Callable[[], Awaitable[None]], every: float) -> AsyncIterator[None]:
    """Do something again and again while the block runs, whatever comes of it."""

    async def again() -> None:
        while True:
            with suppress(*FAILS), trio.fail_after(60):
                await work()
            await trio.sleep(every)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(again)
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def killed(stage: Stage, load: Load) -> AsyncIterator[None]:
    """One service is not there; it is asked for."""
    stage.end("blob")
    async with load.session() as link:

        async def ask() -> None:
            await link.call(StatBlobParams(blob=bytes(41), secret=bytes(16)), StatBlobResult)

        async with while_running(ask, 0.05):
            yield
    stage.start("blob")


@asynccontextmanager
async def all_killed(stage: Stage, load: Load) -> AsyncIterator[None]:
    """The gateway is alone."""
    del load
    behind = [name for name in stage.pages if name != "gateway"]
    for name in behind:
        stage.end(name)
    yield
    for name in behind:
        stage.start(name)


@asynccontextmanager
async def starts_again(stage: Stage, load: Load) -> AsyncIterator[None]:
    """A process dies soon after each start."""
    del load

    async def once() -> None:
        await trio.to_thread.run_sync(stage.end, "federation")
        stage.start("federation")
        await stage.wait_page("federation")

    async with while_running(once, SCRAPED_SECONDS):
        yield


@asynccontextmanager
async def database_slow(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Somebody holds a table for a second, again and again: transactions wait in the middle."""
    del load

    async def hold() -> None:
        await stage.sql(
            f"BEGIN; LOCK TABLE qpq_delivery.log IN EXCLUSIVE MODE; SELECT pg_sleep({LOCK_SECONDS}); COMMIT"
        )

    async with while_running(hold, 0.2):
        yield


@asynccontextmanager
async def table_away(stage: Stage, load: Load) -> AsyncIterator[None]:
    """A table was renamed by hand: something that the code does not expect."""
    await stage.sql("ALTER TABLE qpq_blob.blobs RENAME TO mislaid")
    async with load.session() as link:

        async def ask() -> None:
            await link.call(StatBlobParams(blob=bytes(41), secret=bytes(16)), StatBlobResult)

        async with while_running(ask, 0.2):
            yield
    await stage.sql("ALTER TABLE qpq_blob.mislaid RENAME TO blobs")


@asynccontextmanager
async def fan_out_held(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Somebody holds the marks of all mailboxes: what is in the log cannot be told."""
    del load

    async def hold() -> None:
        await stage.sql("BEGIN; LOCK TABLE qpq_delivery.marks IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(9); COMMIT")

    async with trio.open_nursery() as nursery:
        for _ in range(3):  # each waits for the next: the table is never free
            nursery.start_soon(_again_and_again, hold, float("inf"))
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def mailboxes_full(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Mailboxes are said to be full, again and again: the next message cuts them off."""
    del load

    async def fill() -> None:
        await stage.sql("UPDATE qpq_delivery.mailboxes SET entries = 10000")

    async with while_running(fill, 0.5):
        yield


@asynccontextmanager
async def foreign_notices(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Somebody without our secret publishes on our channels."""
    del load

    async def publish() -> None:
        for channel in await trio.to_thread.run_sync(stage.redis.command, "PUBSUB", "CHANNELS"):
            await trio.to_thread.run_sync(stage.redis.command, "PUBLISH", channel, b"x" * 64)

    async with while_running(publish, 1.0):
        yield


@asynccontextmanager
async def stopped(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Delivery hangs for two seconds, again and again."""
    del load

    async def hang() -> None:
        stage.signal("delivery", signal.SIGSTOP)
        await trio.sleep(2.0)
        stage.signal("delivery", signal.SIGCONT)

    try:
        async with while_running(hang, 0.3):
            yield
    finally:
        stage.signal("delivery", signal.SIGCONT)


@asynccontextmanager
async def too_many_calls(stage: Stage, load: Load) -> AsyncIterator[None]:
    """More calls come to the blob service than it answers at once; the database makes each of them wait."""
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(load.session())

        async def ask() -> None:
            with suppress(*TROUBLE):
                await link.call(StatBlobParams(blob=bytes(41), secret=bytes(16)), StatBlobResult)

        async def many() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(40):
                    nursery.start_soon(ask)

        del stage
        async with while_running(many, 0.02):
            yield


@asynccontextmanager
async def wrong_passwords(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Somebody guesses, faster than the limits let him."""
    del load
    numbers = iter(range(1 << 30))

    async def guess(link: Any) -> None:
        name = f"somebody{next(numbers)}"
        opaque = qpqnative.OpaqueLogin()
        started = await link.call(LoginStartParams(name=name, request=opaque.start(b"guess")), LoginStartResult)
        end = LoginFinishParams(state=started.state, finalization=bytes(64))
        await link.call(end, LoginFinishResult)

    again = LoginStartParams(name="nobody", request=qpqnative.OpaqueLogin().start(b"guess"))

    async def refused(link: Any) -> None:
        with suppress(*TROUBLE):
            await link.call(again, LoginStartResult)

    async def some() -> None:
        async with open_link(stage.where, Trust(), accept=lambda _: True) as link:
            for _ in range(GUESSES):
                with suppress(*TROUBLE):
                    await guess(link)
                async with trio.open_nursery() as nursery:
                    for _ in range(REFUSED_AT_ONCE):
                        nursery.start_soon(refused, link)

    async with while_running(some, 0.1):
        yield


@asynccontextmanager
async def key_packages_drained(stage: Stage, load: Load) -> AsyncIterator[None]:
    """What there is of one-time KeyPackages is gone whenever somebody fetches: their device fills them up as soon as it is told."""
    async with load.session() as link:

        async def take() -> None:
            await stage.sql("DELETE FROM qpq_keystore.packages WHERE NOT last_resort")
            await load.drain(link)

        async with while_running(take, 0.7):
            yield


@asynccontextmanager
async def flooded(stage: Stage, load: Load) -> AsyncIterator[None]:
    """First flights from many addresses, whose answers nobody reads."""
    del load
    host, port = stage.where.split(":")
    # Made once: what was answered by a Retry left nothing behind, and is answered so again.
    flights = [HostileClient(ALPN).connect(time.monotonic()) for _ in range(SPOOFED)]

    def some() -> None:
        for number, flight in enumerate(flights):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((f"127.9.0.{1 + number % SPOOFED_HOSTS}", 0))
                for datagram in flight:
                    sender.sendto(datagram, (host, int(port)))

    async with while_running(lambda: trio.to_thread.run_sync(some), 0.2):
        yield


@asynccontextmanager
async def rules_broken(stage: Stage, load: Load) -> AsyncIterator[None]:
    """Peers move for every datagram and send what does nothing; and one sends more than strangers may."""
    del load
    host, port = stage.where.split(":")

    def hostile() -> None:
        for attack in (migrations, pings):
            attack(HostileStage((host, int(port)), HOSTILE_SECONDS))

    async def too_large() -> None:
        async with open_link(stage.where, Trust(), accept=lambda _: True) as link:
            await link.call(ResolveUserParams(name="x" * TOO_LARGE_BYTES), ResolveUserResult)

    async with while_running(lambda: trio.to_thread.run_sync(hostile), 0.1), while_running(too_large, 0.3):
        yield


@asynccontextmanager
async def crowded(stage: Stage, load: Load) -> AsyncIterator[None]:
    """The gateway is nearly full, and more knock."""
    del load

    async def knock() -> None:
        async with open_link(stage.where, Trust(), accept=lambda _: True):
            await trio.lowlevel.checkpoint()

    async def stay() -> None:
        async with open_link(stage.where, Trust(), accept=lambda _: True) as link:
            await link.wait_closed()

    async with trio.open_nursery() as nursery:
        for _ in range(CROWD):
            nursery.start_soon(_again_and_again, stay, float("inf"))
        for _ in range(KNOCKING):
            nursery.start_soon(_again_and_again, knock, 1.0)
        yield
        nursery.cancel_scope.cancel()


async def _again_and_again(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        with suppress(*FAILS), trio.fail_after(seconds):
            await work()
        await trio.sleep(0.1)


@asynccontextmanager
async def not_renewed(stage: Stage, load: Load) -> AsyncIterator[None]:
    """A bus certificate has one day left."""
    del load
    stage.issue("keystore", 1.0)
    yield
    stage.issue("keystore", 30.0)


@asynccontextmanager
async def files_bound(stage: Stage, load: Load) -> AsyncIterator[None]:
    """A process may open hardly any file more."""
    del load
    stage.bound_files("auth", 3)
    yield
    stage.bound_files("auth", None)


@asynccontextmanager
async def stays_away(stage: Stage, load: Load) -> AsyncIterator[None]:
    """A device does not acknowledge: an entry of an hour ago lies in its mailbox."""
    del load

    async def age() -> None:
        await stage.sql("UPDATE qpq_delivery.entries SET accepted_ms = accepted_ms - 3600000")

    async with while_running(age, 1.0):
        yield


CONDITIONS: Final = (
    Condition("a process is killed", killed, ("QpqProcessDown", "QpqServiceAway", "QpqUnavailable")),
    Condition("all services are killed", all_killed, ("QpqNotReady",), 90),
    Condition("a process starts again and again", starts_again, ("QpqRestarts",), 180),
    Condition("the database is stopped", database_stopped, ("QpqStoreAway",)),
    Condition("the database is slow", database_slow, ("QpqStoreSlow",)),
    Condition("the disk is full", disk_full, ("QpqStorageFull",), 120),
    Condition("a table is away", table_away, ("QpqInternalErrors",)),
    Condition("mailboxes cannot be filled", fan_out_held, ("QpqFanOutBehind",), 120),
    Condition("a mailbox runs over", mailboxes_full, ("QpqMailboxesCutOff",), 180),
    Condition("Redis is stopped", redis_stopped, ("QpqRedisAway", "QpqWakeUpsByFallback"), 180),
    Condition("Redis is full", redis_full, ("QpqRedisUnsound",), 120),
    Condition("somebody else publishes", foreign_notices, ("QpqForeignNotices",), 180),
    Condition("a process hangs", stopped, ("QpqSlowCalls", "QpqSlowWakeUps")),
    Condition("too many calls come", too_many_calls, ("QpqOverloaded",)),
    Condition("wrong passwords are tried", wrong_passwords, ("QpqLogInsFail", "QpqRateLimited"), 90),
    Condition("KeyPackages are drained", key_packages_drained, ("QpqLastResortKeys",), 180),
    Condition("handshakes are flooded", flooded, ("QpqHandshakeFlood",)),
    Condition("peers break the rules", rules_broken),
    Condition("the gateway is crowded", crowded, ("QpqConnectionsFull", "QpqConnectionsRefused"), 120),
    Condition("a certificate is not renewed", not_renewed, ("QpqCertificateEnds",)),
    Condition("files run out", files_bound, ("QpqFilesRunOut",)),
    Condition("a device stays away", stays_away),
)
NOT_PLANTED: Final = {
    "QpqMemoryHigh": "1.5 GB are not taken for a test",
    "QpqStoreQueue": "a thousand waiting jobs need more load than one machine makes beside all else",
    "QpqQuicFaults": "a fault of ours has to be found first; the counter is 0",
}
"""Alerts that are tested by promtool alone."""
