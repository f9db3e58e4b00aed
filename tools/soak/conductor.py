"""Plays the soak: people talk, change their groups, send files, come and go; one after the other dies in its window."""

from __future__ import annotations

import functools
import random  # noqa: TID251 - the seeded choice of victims and moments
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from tests.oracle.recorder import name_of
from tools.demo.processes import PersonProcess, ServerProcess, free_port, stage
from tools.soak import fuse
from tools.soak.windows import OF_GUESTS, SERVER, deck, scenes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tools.soak.windows import Window
    from trio_quic import EngineName

PEOPLE = ("alice", "bob", "carol")
GONE = (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError)
"""What the conductor gets for an order to a process that dies over it."""
HIT_SECONDS_MAX = 180
"""A window that is not reached in this time was missed."""
AGAIN_SECONDS = 10
"""Who talks has said all by then."""
MOMENT_SECONDS_MAX = 0.25
TRAFFIC_COUNT = 12
TRAFFIC_WIDTH = 3
TIMER_SECONDS = 3
FILE_BYTES = 900_000
"""Four chunks."""
GUEST_FILE_BYTES = 1_000
KILLED = -9
PHASE = "soak"


@dataclass
class Soak:
    """The state of one run."""

    root: Path
    seed: int
    nursery: trio.Nursery
    server: ServerProcess
    dice: random.Random
    engine: EngineName
    people: dict[str, PersonProcess] = field(default_factory=dict)
    guests: dict[str, dict[str, str]] = field(default_factory=dict)
    """Name -> account and device: who came and is gone again."""
    group: str = ""
    direct: str = ""
    brief: str = ""
    """A group whose messages vanish."""
    kills: list[tuple[float, str]] = field(default_factory=list)
    """When, in seconds of the monotonic clock, and in which window."""
    findings: list[str] = field(default_factory=list)
    files: int = 0
    serial: int = 0
    dead: trio.Event = field(default_factory=trio.Event)
    """Set once the present victim is dead, or was given up."""

    def fuse_of(self, name: str) -> Path:
        """Return where a process's fuse lies."""
        return self.root / f"{name}.fuse"

    def off(self, what: str) -> None:
        """Note something that is off."""
        self.findings.append(what)

    # --- processes

    async def enter(self, name: str) -> PersonProcess:
        """Start a person's process."""
        person = self.people.get(name) or PersonProcess(
            name, self.root, self.server.address, self.engine, lambda *_: None, "tools.soak.person"
        )
        self.people[name] = person
        await self.nursery.start(person.run)
        return person

    async def back(self, name: str) -> None:
        """Start who was killed again."""
        if name == SERVER:
            await self.server.start()
        else:
            await self.enter(name)

    async def insist(self, name: str, do: str, /, **more: Any) -> Any:
        """Give an order until it is carried out, through every death and every refusal on the way."""
        while True:
            try:
                return await self.people[name].order(do, **more)
            except GONE:
                await trio.sleep(0.1)  # the conductor starts it again
            except RuntimeError as exc:
                if any(word in str(exc) for word in ("unreachable", "overloaded", "unavailable", "internal")):
                    continue
                raise

    async def try_once(self, name: str, do: str, /, **more: Any) -> None:
        """Give an order that may come to nothing."""
        try:
            await self.people[name].order(do, **more)
        except (*GONE, RuntimeError):
            return

    # --- kills

    async def kill_in(self, window: Window, victim: str, provoke: Callable[[], Awaitable[None]]) -> None:
        """Arm the victim, let happen what leads it into the window, and start it again when it is dead."""
        before = len(fuse.hits(self.fuse_of(victim)))
        self.serial += 1
        fuse.arm(self.fuse_of(victim), window.name, self.dice.randint(0, window.skip_max), self.serial)
        process = self.server if victim == SERVER else self.people[victim]
        code, self.dead = None, trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provoke)
            with trio.move_on_after(HIT_SECONDS_MAX):
                code = await process.wait()
            self.dead.set()
            hits = fuse.hits(self.fuse_of(victim))
            if code == KILLED and len(hits) == before + 1:
                self.kills.append(hits[-1])
            elif code is None:
                fuse.disarm(self.fuse_of(victim))
                self.off(f"{window.name!r} was not reached in {HIT_SECONDS_MAX} s")
            else:
                self.off(f"{victim} ended by itself with {code} on the way to {window.name!r}")
            if code is not None:
                await self.back(victim)

    async def kill_at_any_moment(self, window: Window, victim: str) -> None:
        """Kill from outside, a seeded moment from now."""
        await trio.sleep(self.dice.random() * MOMENT_SECONDS_MAX)
        at = await (self.server if victim == SERVER else self.people[victim]).kill()
        self.kills.append((at, window.name))
        await self.back(victim)

    # --- what people do

    async def begin(self) -> None:
        """Register everybody; make the groups."""
        for name in PEOPLE:
            await self.enter(name)
            await self.insist(name, "enter", password=f"secret of {name}")
        alice = self.people["alice"]
        self.direct = (await alice.order("dm", **{"with": "bob"}))["conversation"]
        self.group = (await alice.order("group", name="all", members=["bob", "carol"]))["conversation"]
        self.brief = (await alice.order("group", name="brief", members=["bob", "carol"]))["conversation"]
        await alice.order("timer", conversation=self.brief, seconds=TIMER_SECONDS)
        for name in ("bob", "carol"):
            for conversation in (self.group, self.brief):
                await self.people[name].order("await", conversation=conversation, members=3)

    async def stir(self, number: int) -> None:
        """Let everybody send to everything."""
        for name in PEOPLE:
            targets = [self.group, self.brief] if name == "carol" else [self.group, self.direct]
            await self.insist(
                name, "traffic", label=f"{number}", count=TRAFFIC_COUNT, width=TRAFFIC_WIDTH, phase=PHASE,
                conversations=targets,
            )  # fmt: skip

    def file_for(self, name: str, size_bytes: int = FILE_BYTES) -> str:
        """Write a file to be sent; return its path."""
        self.files += 1
        path = self.root / f"file-{self.files}-of-{name}"
        path.write_bytes(self.dice.randbytes(size_bytes))
        return str(path)

    async def scene(self, windows: tuple[Window, ...], number: int) -> None:
        """Play the scene of one window, or of a guest's two."""
        window = windows[0]
        if window.scene in OF_GUESTS:
            await self.guest({w.scene: w for w in windows}, f"guest{number}")
            return
        actor = self.dice.choice(PEOPLE)
        victim = SERVER if window.victim == SERVER else actor
        if window.scene == "any":
            await self.kill_at_any_moment(window, victim)
        elif window.scene == "file":
            send = functools.partial(
                self.insist, actor, "file", conversation=self.group, path=self.file_for(actor), phase=PHASE
            )
            await self.kill_in(window, victim, send)
            await send()  # as a person would who finds it unsent; what is sent is not sent again
            await self.insist(actor, "sent")
        else:
            await self.kill_in(window, victim, functools.partial(self.provoke, window.scene, actor, number))

    async def provoke(self, scene: str, actor: str, number: int) -> None:
        """Let somebody do what leads into a window, again and again until it is hit: it may come to nothing.

        A commit that its author's mailbox brings back before the answer is there has no moment between the two, say.
        """
        while not self.dead.is_set():
            match scene:
                case "change":
                    await self.try_once(actor, "alter", way="update", conversation=self.group)
                case "rejoin":
                    await self.try_once(actor, "alter", way="rejoin", conversation=self.group)
                case "reset":
                    await self.try_once(actor, "reset", conversation=self.group)
                case "found":
                    others = sorted(set(PEOPLE) - {actor})
                    await self.try_once(actor, "group", name=f"side {number}", members=others)
                case _:
                    pass
            with trio.move_on_after(AGAIN_SECONDS if scene == "talk" else 0):
                await self.dead.wait()
            if scene == "talk" and not self.dead.is_set():
                await self.stir(number)

    # --- who comes and goes

    async def guest(self, windows: dict[str, Window], name: str) -> None:
        """Somebody registers, is invited, talks, sends a file, deletes the account; a death falls into the first, or the last."""
        await self.enter(name)
        enter = functools.partial(self.insist, name, "enter", password=f"secret of {name}", label=f"device of {name}")
        window = windows.get("register")
        if window is not None:
            await self.kill_in(window, SERVER if window.victim == SERVER else name, enter)
        self.guests[name] = await enter()
        await self.insist("alice", "invite", conversation=self.group, whom=name)
        await self.insist(name, "await_in", conversation=self.group)
        await self.insist(name, "say", conversation=self.group, text=f"hello from {name}", phase=PHASE)
        path = self.file_for(name, GUEST_FILE_BYTES)
        await self.insist(name, "file", conversation=self.group, path=path, phase=PHASE)
        await self.insist(name, "sent")
        delete = functools.partial(self.insist, name, "delete_account")
        window = windows.get("delete")
        if window is not None:
            await self.kill_in(window, SERVER, delete)
        else:
            await delete()
        await self.people.pop(name).stop()

    async def end(self) -> list[dict[str, Any]]:
        """Let everybody come to rest; return what each device notes last."""
        present = [name_of(bytes.fromhex((await self.insist(name, "enter"))["device"])) for name in PEOPLE]
        for _ in range(2):
            for name in PEOPLE:
                for what in (await self.insist(name, "rest", present=present))["waits"]:
                    self.off(f"{name} does not finish: {what}")
        for name in PEOPLE:
            await self.insist(name, "download_all", to=str(self.root / f"{name}-downloads"))
        return [await self.insist(name, "snapshot") for name in PEOPLE]


async def run(
    root: Path, seed: int, kills: int, told: Callable[[str], None] = lambda _: None, engine: EngineName = "native"
) -> tuple[Soak, list[dict[str, Any]]]:
    """Play one seeded run in an empty folder; return its state, and what each device noted last."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    command = (sys.executable, "-m", "tools.soak.server", str(root / "server.fuse"))
    server = ServerProcess(root / "server", free_port(), engine, command)
    began = time.monotonic()
    async with stage() as nursery:
        soak = Soak(root, seed, nursery, server, dice, engine)
        await server.start()
        await soak.begin()
        for number, windows in enumerate(scenes(deck(kills, dice))):
            await soak.stir(number)
            await soak.scene(windows, number)
            names = " and ".join(window.name for window in windows)
            told(f"{len(soak.kills)}: {names}, {time.monotonic() - began:.0f} s")
        ended = await soak.end()
        for name in PEOPLE:
            await soak.people[name].stop()
        code = await server.stop()
        if code:
            soak.off(f"the server ended with {code}")
    return soak, ended
