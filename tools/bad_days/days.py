"""The bad days: each an async context manager that makes it bad, and good again as its block is left."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

import qpqclient
import qpqcore
from qpqcore.api.delivery import EnqueueParams, EnqueueResult
from qpqcore.groups.policy import group_id
from qpqcore.net import authority
from qpqcore.runtime.clock import now_ms
from tests.support.redis import relay
from tests.support.world import FREED, FULL
from tools.rolling.stage import DATABASE, Replica, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

STORED: Final = tuple(Replica(service, 0) for service in ("keystore", "delivery", "blob", "auth"))
KEYSTORE, AUTH, BLOB = Replica("keystore", 0), Replica("auth", 0), Replica("blob", 0)
GATE: Final = Replica("gateway", 0)
"""Whom the bare callers call."""
CERTIFICATE: Final = (authority.BUS_CA, authority.BUS_CERT, authority.BUS_KEY)
LOCK_SECONDS: Final = 2.0
STARTED_SECONDS_MAX: Final = 240.0
"""A busy machine takes minutes to start a Python process, and that is no part of coming back from what comes then."""
POISONED: Final = 20
SKEW_MS: Final = 10 * 60 * 1000
"""An assertion lives for five minutes."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it is played."""

    place: Stage
    alice: qpqclient.Client
    talk: Callable[[], bytes]
    """The conversation of Alice and Bob."""

    async def sql(self, *statements: str) -> None:
        """Run statements by psql."""
        await trio.to_thread.run_sync(partial(self.place.database.sql, DATABASE, *statements))

    def restart(self, *which: Replica) -> None:
        """Kill processes; who supervises them starts them again."""
        for one in which:
            self.place.kill(one)

    async def restarted(self, *which: Replica) -> None:
        """Do that, and wait until they answer for themselves, ready or not, or have ended once more."""
        self.restart(*which)
        begun = {one: self.place.pid(one) for one in which}
        with trio.fail_after(STARTED_SECONDS_MAX):
            for one in which:
                while not await self.place.page(one, "/livez") and not self._has_ended_since(one, begun[one]):
                    await trio.sleep(0.2)

    def _has_ended_since(self, one: Replica, killed_pid: int) -> bool:
        """Tell whether the process that came after one that was killed has ended too."""
        return self.place.pid(one) != killed_pid and not self.place.runs(one)


@dataclass(frozen=True, slots=True)
class Day:
    """One bad day."""

    name: str
    plant: Callable[[Scene], AbstractAsyncContextManager[None]]


DAYS: Final[list[Day]] = []


def day(name: str) -> Callable[[Callable[[Scene], AsyncIterator[None]]], None]:
    """Enter a bad day."""

    def enter(plant: Callable[[Scene], AsyncIterator[None]]) -> None:
        DAYS.append(Day(name, asynccontextmanager(plant)))

    return enter


@asynccontextmanager
async def again_and_again(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do something again and again while the block runs."""

    async def run() -> None:
        while True:
            await work()
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield
        nursery.cancel_scope.cancel()


# --- PostgreSQL


@day("PostgreSQL is down when services start")
async def _(s: Scene) -> AsyncIterator[None]:
    await trio.to_thread.run_sync(s.place.database.stop)
    await s.restarted(*STORED)
    yield
    await trio.to_thread.run_sync(s.place.database.start)


@day("PostgreSQL is stopped `immediate` in the middle")
async def _(s: Scene) -> AsyncIterator[None]:
    await trio.to_thread.run_sync(s.place.database.stop)
    yield
    await trio.to_thread.run_sync(s.place.database.start)


@day("PostgreSQL hangs: every process of it is stopped")
async def _(s: Scene) -> AsyncIterator[None]:
    children = [int(pid) for pid in _children(s.place.database.pid)]
    for pid in children:
        _send(pid, signal.SIGSTOP)
    await trio.lowlevel.checkpoint()
    yield
    for pid in children:
        _send(pid, signal.SIGCONT)


@day("PostgreSQL is slow: the channels' log is held for two seconds, again and again")
async def _(s: Scene) -> AsyncIterator[None]:
    held = f"BEGIN; LOCK TABLE qpq_delivery.log IN EXCLUSIVE MODE; SELECT pg_sleep({LOCK_SECONDS}); COMMIT"
    async with again_and_again(lambda: s.sql(held)):
        yield


@day("PostgreSQL's disk is full")
async def _(s: Scene) -> AsyncIterator[None]:
    await s.sql("SET search_path = qpq_delivery; " + "; ".join(FULL))
    yield
    await s.sql(*FREED)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, what)


# --- Redis


@day("Redis is down when services start")
async def _(s: Scene) -> AsyncIterator[None]:
    s.place.redis.kill()
    await s.restarted(*STORED, GATE)
    yield
    s.place.redis.start()


@day("Redis is killed in the middle, and comes back empty: a failover")
async def _(s: Scene) -> AsyncIterator[None]:
    s.place.redis.kill()
    await trio.lowlevel.checkpoint()
    yield
    s.place.redis.start()


@day("Redis hangs")
async def _(s: Scene) -> AsyncIterator[None]:
    s.place.redis.freeze()
    await trio.lowlevel.checkpoint()
    yield
    s.place.redis.thaw()


@day("Redis is full")
async def _(s: Scene) -> AsyncIterator[None]:
    s.place.redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    s.place.redis.command("CONFIG", "SET", "maxmemory", "1")
    await trio.lowlevel.checkpoint()
    yield
    s.place.redis.command("CONFIG", "SET", "maxmemory", "0")


@day("somebody else publishes garbage on our channels")
async def _(s: Scene) -> AsyncIterator[None]:
    async def publish() -> None:
        for channel in await trio.to_thread.run_sync(s.place.redis.command, "PUBSUB", "CHANNELS"):
            await trio.to_thread.run_sync(s.place.redis.command, "PUBLISH", channel, b"x" * 64)

    async with again_and_again(publish):
        yield


@day("somebody else stores values of his own under our names in Redis")
async def _(s: Scene) -> AsyncIterator[None]:
    async def store() -> None:
        for key in await trio.to_thread.run_sync(s.place.redis.command, "KEYS", "qpq/*"):
            await trio.to_thread.run_sync(s.place.redis.command, "DEL", key)
            await trio.to_thread.run_sync(s.place.redis.command, "RPUSH", key, b"x" * 64)

    async with again_and_again(store):
        yield
    s.place.redis.command("FLUSHALL")


# --- certificates, versions, clocks


@asynccontextmanager
async def other_certificate(s: Scene, put: Callable[[Path, datetime], None]) -> AsyncIterator[None]:
    """Give keystore's process another bus certificate and start it anew; then its own again."""
    own, kept = s.place.folder / "secrets" / "keystore", s.place.folder / "kept"
    kept.mkdir(exist_ok=True)
    for name in CERTIFICATE:
        shutil.copy2(own / name, kept / name)
    put(s.place.folder / "secrets", datetime.fromtimestamp(now_ms() / 1000, UTC))
    await s.restarted(KEYSTORE)
    yield
    for name in CERTIFICATE:
        shutil.copy2(kept / name, own / name)
    with suppress(ProcessLookupError):
        s.place.signal(KEYSTORE, signal.SIGHUP)
    s.restart(KEYSTORE)


@day("a service has a bus certificate of another CA")
async def _(s: Scene) -> AsyncIterator[None]:
    def put(folder: Path, now: datetime) -> None:
        other = s.place.folder / "another"
        authority.make_ca(other, now)
        authority.issue(other, "keystore", now)
        for name in CERTIFICATE:
            shutil.copy2(other / "keystore" / name, folder / "keystore" / name)

    async with other_certificate(s, put):
        yield


@day("a service's bus certificate has expired")
async def _(s: Scene) -> AsyncIterator[None]:
    def put(folder: Path, now: datetime) -> None:
        authority.issue(folder, "keystore", now - timedelta(days=9), 1)

    async with other_certificate(s, put):
        yield


@day("a service has no bus certificate")
async def _(s: Scene) -> AsyncIterator[None]:
    async with other_certificate(s, lambda folder, _: (folder / "keystore" / authority.BUS_CERT).unlink()):
        yield


def changed(s: Scene, name: str, file: str, old: str, new: str) -> Path:
    """Make a copy of the core with another text in one file: a folder to go before the others on Python's path."""
    folder = s.place.folder / name
    source = Path(str(qpqcore.__file__)).parent
    shutil.copytree(source, folder / "qpqcore", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    path = folder / "qpqcore" / file
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise RuntimeError(f"{file} is not what it was")
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


@asynccontextmanager
async def other_program(s: Scene, one: Replica, program: Path) -> AsyncIterator[None]:
    """Have one process run another program."""
    s.place.held.programs[one] = program
    await s.restarted(one)
    yield
    del s.place.held.programs[one]
    s.restart(one)


@day("a service speaks an older version of the bus")
async def _(s: Scene) -> AsyncIterator[None]:
    line = "OLDEST_VERSION = NEWEST_VERSION = 1"
    program = changed(s, "older", "wire/bus_frame.py", line, line[:-1] + "0")
    async with other_program(s, KEYSTORE, program):
        yield


def skewed(how: str, sign: str) -> None:
    """Enter the day on which auth's clock is wrong."""

    @day(f"auth's clock is ten minutes {how}")
    async def _(s: Scene) -> AsyncIterator[None]:
        line = "return time.time_ns() // 1_000_000"
        program = changed(s, how, "runtime/clock.py", line, f"{line} {sign} {SKEW_MS}")
        async with other_program(s, AUTH, program):
            yield


skewed("behind", "-")
skewed("ahead", "+")


# --- processes, queues, ways


@day("a service has no replica")
async def _(s: Scene) -> AsyncIterator[None]:
    s.place.held.away.add(BLOB)
    s.place.kill(BLOB)
    await trio.lowlevel.checkpoint()
    yield
    s.place.held.away.discard(BLOB)


@day("a gateway is cut off from one service only")
async def _(s: Scene) -> AsyncIterator[None]:
    async with relay(s.place.bus_port(KEYSTORE)) as way:
        s.place.held.peers[GATE, "keystore"] = way.port
        await s.restarted(GATE)  # `wait_ready` alone may come before who starts it again
        await s.place.wait_ready(GATE)
        way.cut()
        yield
        way.mend()
        await s.place.wait_ready(GATE)
        del s.place.held.peers[GATE, "keystore"]
        s.restart(GATE)


@day("poisoned messages lie in a queue")
async def _(s: Scene) -> AsyncIterator[None]:
    core = s.alice._core  # noqa: SLF001 - nothing public sends what cannot be read
    channel = s.talk()
    group = core.groups.copy(group_id(channel, core.groups.generation(channel)))
    for _number in range(POISONED):
        payload = bytearray(group.encrypt(b"poison"))
        payload[-1] ^= 1
        params = EnqueueParams(
            channel=channel, generation=core.groups.generation(channel), epoch=group.epoch, payload=bytes(payload)
        )
        with suppress(qpqclient.QpqError):
            await core.call(params, EnqueueResult)
    yield
