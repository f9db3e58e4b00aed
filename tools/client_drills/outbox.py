"""Never lose a line: kill -9 at a hundred moments, in named windows from the keyboard to the other's screen; each arrives exactly once.

A person types a line after the other. Now one, now the other process is killed: by a fuse in a named window, or from outside at any
moment. Who was killed starts again and looks, as a person would: is the line there, in whatever state? Only if not, it is typed again.
"""

from __future__ import annotations

import random  # noqa: TID251 - the seeded choice of windows and moments
from collections import Counter
from typing import TYPE_CHECKING, Any

import trio

from tools.client_drills import windows
from tools.client_drills.outcome import Outcome
from tools.client_drills.stage import server_process
from tools.demo.processes import PersonProcess, stage
from tools.soak import fuse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tools.client_drills.stage import DrillServer

KILLS = 100
SEED = 7
SENDER, RECEIVER = "alice", "bob"
MODULE = "tools.client_drills.device"
GONE = (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError)
"""What one gets for an order to a process that dies over it."""
MOMENT_SECONDS_MAX = 0.25
HIT_SECONDS_MAX = 60.0
"""A window that is not reached in this time was missed."""
SETTLE_SECONDS_MAX = 120.0
LOOK_SECONDS = 0.05


class Two:
    """The sender and the receiver, as processes that come back."""

    def __init__(self, root: Path, server: DrillServer, nursery: trio.Nursery) -> None:
        self._root, self._nursery = root, nursery
        self._people = {
            name: PersonProcess(name, root, server.address, "native", lambda *_: None, MODULE)
            for name in (SENDER, RECEIVER)
        }
        self.talk = ""

    async def start(self, name: str) -> None:
        """Start a process."""
        await self._nursery.start(self._people[name].run)

    def fuse_of(self, name: str) -> Path:
        """Return where a process's fuse lies."""
        return self._root / f"{name}.fuse"

    async def order(self, name: str, do: str, /, **more: Any) -> Any:
        """Give an order to a process that lives."""
        return await self._people[name].order(do, **more)

    async def kill(self, name: str) -> None:
        """Kill from outside."""
        await self._people[name].kill()

    async def stop(self, name: str) -> None:
        """End a process in good order."""
        await self._people[name].stop()

    async def wait(self, name: str) -> int:
        """Wait until a process has ended."""
        return await self._people[name].wait()

    async def has(self, text: str) -> bool:
        """Tell whether the sender's own timeline has a line, in whatever state."""
        return text in (await self.order(SENDER, "texts", conversation=self.talk, offline=True))["texts"]

    async def type(self, text: str) -> None:
        """Type a line; the process may die over it."""
        try:
            await self.order(SENDER, "say", conversation=self.talk, text=text, phase="drill")
        except GONE:
            return


async def killed(two: Two, window: str, text: str, dice: random.Random, serial: int) -> bool:
    """Type a line while somebody dies in a window, and see to it that the line is there; tell whether it was hit."""
    sender = window.startswith("sender") or window in windows.OF_SENDER
    victim = SENDER if sender else RECEIVER
    hit = False
    async with trio.open_nursery() as nursery:
        if window in (windows.ANY_OF_SENDER, windows.ANY_OF_RECEIVER):
            nursery.start_soon(two.type, text)
            await trio.sleep(dice.random() * MOMENT_SECONDS_MAX)
            await two.kill(victim)
            hit = True
        else:
            fuse.arm(two.fuse_of(victim), window, 0, serial)
            nursery.start_soon(two.type, text)
            with trio.move_on_after(HIT_SECONDS_MAX):
                await two.wait(victim)
                hit = True
            fuse.disarm(two.fuse_of(victim))
    if hit:
        await two.start(victim)
    if not await two.has(text):
        await two.type(text)
    return hit


async def at_rest(two: Two, count: int) -> tuple[list[str], list[str], int]:
    """Wait until all is sent and has come; return what both show, and what still waits."""
    with trio.move_on_after(SETTLE_SECONDS_MAX):
        while True:
            theirs = await two.order(RECEIVER, "texts", conversation=two.talk)
            own = await two.order(SENDER, "texts", conversation=two.talk)
            if not own["pending"] and len(theirs["texts"]) >= count:
                break
            await trio.sleep(LOOK_SECONDS)
    return own["texts"], theirs["texts"], own["pending"]


def judge(outcome: Outcome, lines: list[str], own: list[str], theirs: list[str]) -> None:
    """Compare what was typed with what is shown."""
    for who, shown in (("the sender", own), ("the receiver", theirs)):
        times = Counter(shown)
        lost = [line for line in lines if not times[line]]
        twice = [line for line, n in times.items() if n > 1]
        outcome.expect(not lost, f"{who} lost {lost}")
        outcome.expect(not twice, f"{who} shows twice {twice}")
        outcome.expect(shown == lines, f"{who} shows another order")


async def play(root: Path, size: str, told: Callable[[str], None]) -> Outcome:
    """Play so many kills."""
    outcome, dice = Outcome("outbox"), random.Random(SEED)  # noqa: S311 - not for secrets
    deck = [windows.ALL[n % len(windows.ALL)] for n in range(KILLS)] if size == "full" else list(windows.OWN)
    dice.shuffle(deck)
    hits: Counter[str] = Counter()
    async with stage() as nursery, server_process(root / "server") as server:
        two = Two(root, server, nursery)
        for name in (SENDER, RECEIVER):
            await two.start(name)
            await two.order(name, "register", password=f"of {name}")
        two.talk = (await two.order(SENDER, "dm", **{"with": RECEIVER}))["conversation"]
        lines = ["line 0"]
        await two.type(lines[0])
        await two.order(RECEIVER, "await", conversation=two.talk, members=2)
        for number, window in enumerate(deck, 1):
            lines.append(f"line {number}")
            if await killed(two, window, lines[-1], dice, number):
                hits[window] += 1
            else:
                outcome.findings.append(f"{window}: not reached")
            told(f"{number} of {len(deck)}: {window}")
        own, theirs, pending = await at_rest(two, len(lines))
        for name in (SENDER, RECEIVER):
            await two.stop(name)
        outcome.expect(not pending, f"{pending} lines still wait")
        judge(outcome, lines, own, theirs)
    for window in sorted(hits):
        outcome.note(f"killed, {window}", hits[window])
    outcome.note("lines typed, shown by the receiver, by the sender", f"{len(lines)}, {len(theirs)}, {len(own)}")
    return outcome
