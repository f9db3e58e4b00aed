"""The simulated processes: one server, and a client for each device; each can be killed at any await."""

from __future__ import annotations

import functools
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from qpqclient.transport import Network
from qpqcore.bus.notices import REVOKED, LocalNotices
from qpqcore.config.settings import Settings
from qpqserver.embedded import Surroundings, open_embedded
from tests.oracle import history as h
from tests.oracle.recorder import Recorder
from tools.simulation.disk import Dead, Disk, Grave, SmallDisk
from tools.simulation.machine import BEGIN_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random  # noqa: TID251 - the simulation's dice

    from qpqserver.embedded import Embedded
    from tools.simulation.machine import Clock
    from tools.simulation.network import Host, Net
    from trio_quic import EngineName

ADDRESS = "10.0.0.1:7000"
STORE_KEY = b"k" * 32


class DeafNotices(LocalNotices):
    """Notices that can be lost: what Redis does when it is flushed or dies. Revocations rest on more than that."""

    lossless = False

    def __init__(self) -> None:
        super().__init__()
        self.deaf = False

    def publish(self, topic: bytes, payload: bytes = b"") -> None:
        """Tell all subscribers, unless nobody hears."""
        if not self.deaf or topic == REVOKED:
            super().publish(topic, payload)


class Process:
    """Runs something until it is killed; its unexpected end is noted."""

    def __init__(self, name: str, net: Net, note: Callable[[Any], None]) -> None:
        self.name = name
        self.note = note
        self._net = net
        self.host: Host = net.host()
        self._scope = trio.CancelScope()
        self._over = trio.Event()
        self._over.set()

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return not self._over.is_set()

    async def start(self, nursery: trio.Nursery) -> None:
        """Start it; returns when it is ready or has ended."""
        await self._over.wait()
        self.host = self._net.host()
        self._scope, self._over = trio.CancelScope(), trio.Event()
        await nursery.start(self._run)

    async def _run(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._scope:
            try:
                await self.live(task_status)
            except BaseException as exc:
                self._judge(exc)
                if isinstance(exc, trio.Cancelled):
                    raise
        self.host.alive = False
        self._over.set()
        with suppress(RuntimeError):  # it had started
            task_status.started()

    def _judge(self, exc: BaseException) -> None:
        for fault in leaves_of(exc):
            if not isinstance(fault, trio.Cancelled | Dead):
                self.note(h.Broke(self.name, f"{type(fault).__name__}: {fault}{place_of(fault)}"))

    async def live(self, task_status: trio.TaskStatus[None]) -> None:
        """Be this process."""
        raise NotImplementedError

    async def kill(self) -> None:
        """Kill it: nothing of it is sent or stored from here on."""
        self.host.alive = False
        self.bury()
        self._scope.cancel()
        await self._over.wait()

    def bury(self) -> None:
        """Take its stores from it."""


def leaves_of(exc: BaseException) -> list[BaseException]:
    """Return the exceptions in a group."""
    if isinstance(exc, BaseExceptionGroup):
        return [leaf for member in exc.exceptions for leaf in leaves_of(member)]
    return [exc]


def place_of(exc: BaseException) -> str:
    """Return where an exception was raised."""
    traceback = exc.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f" ({Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno})"


class Server(Process):
    """The server in its embedded form."""

    def __init__(
        self, folder: Path, clock: Clock, net: Net, dice: Random, note: Callable[[Any], None], engine: EngineName
    ) -> None:
        super().__init__("the server", net, note)
        self.settings = Settings(
            listen=ADDRESS, data_dir=str(folder), tls_cert=str(folder / "cert.pem"), tls_key=str(folder / "key.pem"),
            quic_engine=engine, shed_delay_us=0,  # it goes by the processor's time, which is no seed's
        )  # fmt: skip
        self._clock, self._dice = clock, dice
        self.disk = Disk(dice)
        self.notices = DeafNotices()
        self.embedded: Embedded | None = None

    async def live(self, task_status: trio.TaskStatus[None]) -> None:
        self.disk, self.notices = Disk(self._dice), DeafNotices()
        around = Surroundings(
            clock_ms=self._clock.now_ms, notices=self.notices, open_store=self.disk.open_store,
            transport_factory=self.host.bind, quic_seed=self._dice.randbytes(32), unix_time_s=BEGIN_S,
        )  # fmt: skip
        async with open_embedded(self.settings, around) as self.embedded:
            task_status.started()
            await trio.sleep_forever()

    def bury(self) -> None:
        self.disk.dead = True


class Device(Process):
    """A client over one folder."""

    def __init__(
        self,
        name: str,
        folder: Path,
        clock: Clock,
        net: Net,
        dice: Random,
        note: Callable[[Any], None],
        engine: EngineName,
    ) -> None:
        super().__init__(name, net, note)
        self.person = name.partition("/")[0]
        self.folder, self._engine = folder, engine
        self._clock, self._dice = clock, dice
        self.skew_ms = 0
        self.sealed, self.push = dice.random() < 0.2, dice.random() < 0.8
        self.client: qpqclient.Client | None = None
        self.recorder: Recorder | None = None
        self.disk: SmallDisk | None = None
        self.over = False
        """Revoked, or its account deleted: it does nothing any more."""
        self._nursery: trio.Nursery | None = None

    async def live(self, task_status: trio.TaskStatus[None]) -> None:
        network = Network(
            transport_factory=self.host.bind, seed=functools.partial(self._dice.randbytes, 32), unix_time_s=BEGIN_S
        )
        opened = qpqclient.open_client(
            self.folder, server=ADDRESS, store_key=STORE_KEY, now_ms=lambda: self._clock.now_ms() + self.skew_ms,
            sealed=self.sealed, push=self.push, network=network, engine=self._engine,
        )  # fmt: skip
        try:
            async with opened as client, trio.open_nursery() as self._nursery:
                rows = client._core.store.db
                rows.connection = self.disk = SmallDisk(rows.connection, self._dice)
                self.client, self.recorder = client, Recorder(client, self.note)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.client = self.recorder = self.disk = self._nursery = None

    @property
    def ready(self) -> bool:
        """Whether it runs and has an account."""
        return self.host.alive and self.client is not None and self.client.known

    def do(self, work: Callable[[], Any]) -> None:
        """Let it do something beside all else; ends with the process."""
        if self._nursery is not None:
            self._nursery.start_soon(work)

    def bury(self) -> None:
        if self.client is not None:
            store = self.client._core.store
            store.db = Grave(store.db)  # type: ignore[assignment]  # it only has to end what still runs
