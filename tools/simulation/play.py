"""Plays a plan: steps one after another, what they begin beside each other; then all is well again, and is judged."""

from __future__ import annotations

import hashlib
import random  # noqa: TID251 - seeded
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
import qpqnative
from qpqserver.embedded import beside
from tests.oracle import history as h
from tests.oracle.rules import Finding, check
from tools.simulation import faults, machine, people
from tools.simulation.network import Net
from tools.simulation.plan import NAMES
from tools.simulation.processes import Device, Server
from trio_quic.testing import MemoryLink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tools.simulation.plan import Plan, Step
    from trio_quic import EngineName

SETTLE_ROUNDS_MAX = 40
SETTLE_ROUND_S = 15
STEP_SECONDS_MAX = 120
"""What one person waits for one thing."""


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    findings: list[Finding]
    noted: list[Any]
    trace: str
    """SHA-256 over all that happened, in order."""
    simulated_s: float
    counts: dict[str, int] = field(default_factory=dict)


class Play:
    """The state of one run."""

    def __init__(
        self, plan: Plan, folder: Path, link: MemoryLink, nursery: trio.Nursery, engine: EngineName = "native"
    ) -> None:
        self.plan, self.folder, self.nursery, self.engine = plan, folder, nursery, engine
        self.noted: list[Any] = []
        self._trace = hashlib.sha256()
        self.counts: dict[str, int] = {}
        self.dice = random.Random(f"world {plan.seed}")  # noqa: S311 - a simulation
        self.clock = machine.Clock()
        self.net = Net(self._dice_for("network"), link)
        self.server = Server(folder / "server", self.clock, self.net, self._dice_for("server"), self.note, engine)
        self.devices: list[Device] = []
        self.canaries: set[bytes] = set()
        """What nobody but its owner may read, beside the messages."""
        self.passwords: dict[str, list[str]] = {}
        """What may be a person's password: more than one while a change of it is not answered."""

    def _dice_for(self, what: str) -> random.Random:
        return random.Random(f"{what} {self.plan.seed}")  # noqa: S311 - a simulation

    # --- what is noted

    def note(self, value: Any) -> None:
        """Add to the history and the trace."""
        self.noted.append(value)
        self.trace(value)

    def trace(self, value: Any) -> None:
        """Add to the trace: when, what, and of what size; not the bytes that the libraries drew."""
        self._trace.update(f"{trio.current_time():.6f} {shape_of(value)}\n".encode())

    def count(self, what: str) -> None:
        """Count something that happened."""
        self.counts[what] = self.counts.get(what, 0) + 1

    # --- who is there

    def device(self, name: str) -> Device:
        """Make a device; its folder may be there already."""
        device = Device(
            name, self.folder / name.replace("/", "-"), self.clock, self.net, self._dice_for(name), self.note,
            self.engine,
        )  # fmt: skip
        self.devices.append(device)
        return device

    def ready(self) -> list[Device]:
        """Return the devices that run and are somebody."""
        return [d for d in self.devices if d.ready and not d.over]

    # --- the run

    async def begin(self) -> None:
        """Start the server, and one device for each person."""
        await self.server.start(self.nursery)
        for name in NAMES[: self.plan.people]:
            self.passwords[name] = [f"secret {name}"]
            await self.device(f"{name}/1").start(self.nursery)

    async def step(self, step: Step) -> None:
        """Do one step: faults at once, what people do in the background."""
        dice = random.Random(step.dice)  # noqa: S311 - a simulation
        self.count(step.kind)
        self.trace(step)
        if step.kind in faults.KINDS:
            await faults.befall(self, step.kind, dice)
        else:
            self._person(step, dice)
        await trio.sleep(step.pause_s)

    def _person(self, step: Step, dice: random.Random) -> None:
        ready = self.ready()
        if not ready:
            return
        device = dice.choice(ready)

        async def work() -> None:
            try:
                with trio.move_on_after(STEP_SECONDS_MAX):
                    await people.KINDS[step.kind](self, device, dice)
            except qpqclient.QpqError as exc:
                self.count(f"{step.kind}: {exc.name}")
            except qpqnative.MlsError as exc:
                self.note(h.Broke(device.name, f"{step.kind}: MlsError {exc}"))

        device.do(work)

    async def settle(self, rounds: int = SETTLE_ROUNDS_MAX) -> None:
        """Heal everything and let everybody finish; what does not is noted."""
        await faults.heal(self)
        for _ in range(rounds):
            await trio.sleep(SETTLE_ROUND_S)
            for device in self.devices:
                if not device.running and not device.over:
                    await device.start(self.nursery)
                await self._log_in_again(device)
                await self._accept_strangers(device)
            if not any(self._unfinished()):
                break
        else:
            for name, what in self._unfinished():
                self.note(h.Waits(name, what))

    async def _log_in_again(self, device: Device) -> None:
        """Log a device in whose session ended by a change of the password."""
        if device not in self.ready():
            return
        client = people.client_of(device)
        if not isinstance(client._core.wire.trouble, qpqclient.NotLoggedIn):
            return
        for password in self.passwords.get(device.person, ()):
            try:
                await client.login(device.person, password)
            except qpqclient.QpqError as exc:
                self.count(f"log in again: {exc.name}")

    async def _accept_strangers(self, device: Device) -> None:
        """Let in whom nobody vouches for: who had to come back after newcomers had changed the group last asks the owner."""
        if device not in self.ready():
            return
        for conversation in people.client_of(device).conversations():
            if not conversation.strangers():
                continue
            try:
                await conversation.accept_strangers()
                self.count("strangers accepted")
            except qpqclient.QpqError as exc:
                self.count(f"strangers accepted: {exc.name}")

    def _unfinished(self) -> Iterator[tuple[str, str]]:
        present = frozenset(d.recorder.device for d in self.ready() if d.recorder is not None)
        for device in self.ready():
            assert device.client is not None
            assert device.recorder is not None
            if not device.client.connected:
                yield device.recorder.device, "no connection"
            for what in device.recorder.unfinished(present):
                yield device.recorder.device, what

    async def end(self) -> None:
        """Let everybody look once more, then note what everybody shows."""
        for device in self.ready():
            assert device.client is not None
            try:
                with trio.fail_after(STEP_SECONDS_MAX):
                    await device.client.sync()
            except (qpqclient.QpqError, trio.TooSlowError) as exc:
                self.note(h.Waits(device.recorder.device if device.recorder else device.name, f"sync: {exc!r}"))
        await trio.sleep(SETTLE_ROUND_S)
        active = []
        for device in self.ready():
            assert device.recorder is not None
            device.recorder.snapshot()
            active.append(device.recorder.device)
        self.note(h.Finished(self.clock.now_ms(), tuple(active)))

    def look_for_plaintext(self) -> None:
        """Search every table of the stopped server for what people wrote."""
        texts = {q.text.encode() for q in self.noted if isinstance(q, h.Queued)} | self.canaries
        for service in ("auth", "keystore", "delivery", "blob"):
            with beside(self.server.settings, service) as connection:
                tables = [r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                for table in tables:
                    content = repr(connection.execute(f"SELECT * FROM {table}").fetchall()).encode()  # noqa: S608 - the schema's own names
                    for text in texts:
                        if text in content:
                            self.note(h.Sighted(f"{service}.{table}", text.decode()))

    @property
    def hash(self) -> str:
        """The trace's hash so far."""
        return self._trace.hexdigest()


def shape_of(value: Any) -> str:
    """Return what a trace holds of a value: bytes by their number only."""
    parts = []
    for name in value.__dataclass_fields__:
        item = getattr(value, name)
        parts.append(f"{name}={len(item)}b" if isinstance(item, bytes) else f"{name}={item!r}")
    return f"{type(value).__name__}({', '.join(parts)})"


def run(
    plan: Plan, base: Path, folder: Path, fault: Callable[[Play], AbstractContextManager[Any]] | None = None,
    engine: EngineName = "native",
) -> Outcome:  # fmt: skip
    """Play a plan in an empty folder over a copy of the base; `fault` is switched on when all have begun.

    `engine`: the QUIC engine of the server and of every device.
    """
    shutil.copytree(base, folder, dirs_exist_ok=True)

    async def main() -> Outcome:
        async with MemoryLink.running() as link, trio.open_nursery() as nursery:
            play = Play(plan, folder, link, nursery, engine)
            await play.begin()
            await _acts(play, fault)
            for process in (*play.devices, play.server):
                if process.running:
                    await process.kill()
            play.look_for_plaintext()
            nursery.cancel_scope.cancel()
        return Outcome(check(play.noted), play.noted, play.hash, trio.current_time(), play.counts)

    found: Outcome = machine.run(plan.seed, main)
    return found


async def _acts(play: Play, fault: Callable[[Play], AbstractContextManager[Any]] | None) -> None:
    with fault(play) if fault else nullcontext():
        for step in play.plan.steps:
            await play.step(step)
        await play.settle()
        await play.end()
