"""Several federation processes of one domain: who brings what waits for another is killed again and again, in the middle of it."""

from __future__ import annotations

import signal
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Final

import trio

from qpqcore.config.settings import Settings
from qpqfederation.config import Config
from qpqserver.embedded import beside
from tools.demo.processes import stage
from tools.domains.play import EVERYBODY, PAIR, verdict
from tools.domains.scaled import COUNTS, FEDERATION, ScaledDomain
from tools.domains.storm import gather
from tools.domains.world import DOMAINS, World, found
from tools.rolling.stage import stage as scaled_stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.domains.scaled import Box
    from tools.rolling.stage import Replica

MESSAGES_A_ROUND: Final = 2
"""Of each person, in each conversation."""
ROUND_SECONDS: Final = 1.5
PENDING_MAX: Final = 8
"""Who waits for so many messages to be taken says no more for now: else a busy machine's queues would be what is measured."""
COMMIT_SECONDS: Final = 4.0
"""Somebody of some domain changes the group's keys so often."""
AWAY_SECONDS: Final = 0.5
"""Until who supervises processes starts one again that has ended."""
REST_SECONDS: Final = 2.0
"""Between two kills, with all processes there."""
LOOKS_MAX: Final = 60
"""So often a process is stopped and looked at for a moment at which something was brought and not yet noted."""
LOOK_SECONDS: Final = 0.2
SLACK_SECONDS: Final = 10.0
"""What a busy machine adds to a lease's time."""
EMPTY_SECONDS_MAX: Final = 120
POSITION = "SELECT position FROM homes WHERE home = ?"


@dataclass(frozen=True, slots=True)
class Death:
    """A kill of who brought a domain what waited, and what came of it."""

    to: str
    """The other domain."""
    victim: str
    is_away: bool
    """Whether it stayed away until another process had followed; else it was started again at once."""
    waiting: int
    """Entries that waited at that moment."""
    unnoted: int
    """Of these the other domain had so many already: they come again."""
    by: str = ""
    """Who went on; empty: nobody, within a lease's time and some more."""
    seconds: float = 0.0
    """Until more of it was brought."""
    ready_s: float = 0.0
    """Until the victim was ready, where it was started again at once: what the machine took."""

    def line(self) -> str:
        """Return it in one line."""
        way = "stayed away" if self.is_away else f"started again, ready after {self.ready_s:.1f} s"
        return (
            f"  {self.victim} killed, {self.waiting} waited for {self.to}, {self.unnoted} of them brought and not noted; {way}; "
            f"{self.by or 'nobody'} went on after {self.seconds:.1f} s"
        )


def off(deaths: Sequence[Death]) -> list[str]:
    """Return what is not as it should be, a sentence each."""
    most_s = Config().lease_seconds + SLACK_SECONDS
    findings = [f"nobody went on for {d.to} after the death of {d.victim}" for d in deaths if not d.by]
    findings += [f"{d.by} went on for {d.to} after {d.seconds:.0f} s" for d in deaths if d.by and d.seconds > most_s]
    findings += [f"the death of {d.victim} met nothing that waited for {d.to}" for d in deaths if not d.waiting]
    if any(d.is_away and d.by == d.victim for d in deaths):
        findings.append("a process that was away went on")
    return findings


def summary(deaths: Sequence[Death]) -> str:
    """Return how long it took, in one line."""
    parts = []
    for words, took_s in (
        ("another process followed after", [d.seconds for d in deaths if d.by and d.is_away]),
        ("who was started again was ready after", [d.ready_s for d in deaths if not d.is_away]),
        ("and somebody went on after", [d.seconds for d in deaths if d.by and not d.is_away]),
    ):
        if took_s:
            parts.append(f"{words} {min(took_s):.1f} to {max(took_s):.1f} s (median {statistics.median(took_s):.1f})")
    unnoted = sum(d.unnoted > 0 for d in deaths)
    return f"deaths {len(deaths)}, {unnoted} with something brought and not noted; " + "; ".join(parts)


async def perform(root: Path, engine: str, *, processes: int, kills: int) -> int:
    """Play; return the exit code."""
    started = time.monotonic()
    with scaled_stage(root / "scaled", COUNTS | {FEDERATION: processes}) as place:
        async with stage() as nursery:
            world = found(root, engine, nursery, place)
            world.quiet = True
            for relay in world.relays.values():
                await nursery.start(relay.run)
            for server in world.servers.values():
                await server.start()
            group, direct = await gather(world)
            print(f"{processes} federation processes of {DOMAINS[0]}; five people of three domains talk")  # noqa: T201 - the tool's purpose
            deaths = await kill_under_traffic(world, group, direct, kills)
            await world.quieten()
            findings = off(deaths) + await left(world)
            code = await verdict(world, started)
            for finding in findings:
                print(f"  OFF: {finding}")  # noqa: T201 - as above
            print(f"{ways(world)}; {summary(deaths)}")  # noqa: T201 - as above
            await world.close()
    return 1 if findings else code


async def kill_under_traffic(world: World, group: str, direct: str, kills: int) -> list[Death]:
    """Kill so often while people talk; return what happened. Each second time who dies stays away until it is followed."""
    deaths = []
    async with trio.open_nursery() as beside_it:
        beside_it.start_soon(talk, world, group, direct)
        beside_it.start_soon(change, world, group)
        for number, to in zip(range(kills), cycle(DOMAINS[1:]), strict=False):
            await trio.sleep(REST_SECONDS)
            death = await kill_one(world, to, is_away=number // 2 % 2 == 0)
            deaths.append(death)
            print(death.line(), flush=True)  # noqa: T201 - as above
        beside_it.cancel_scope.cancel()
    return deaths


async def talk(world: World, group: str, direct: str) -> None:
    """Have everybody say something in every round, for ever; who is still waiting says nothing."""
    number = 0
    while True:
        number += 1
        pending = Counter(m.sender for m in world.sent() if m.accepted_s is None)
        with trio.CancelScope(shield=True):  # an order is never given up half-way: its answer would be the next one's
            for name in [n for n in EVERYBODY if pending[n] < PENDING_MAX]:
                await world.people[name].order(
                    "traffic", label=f"#round {number}", count=MESSAGES_A_ROUND, width=2, phase=world.phase,
                    conversations=[group, direct] if name in PAIR else [group],
                )  # fmt: skip
        await trio.sleep(ROUND_SECONDS)


async def change(world: World, group: str) -> None:
    """Have one after the other change the group's keys, for ever."""
    for name in cycle(EVERYBODY):
        with trio.CancelScope(shield=True):  # as above
            await world.people[name].order("change", conversation=group)
        await trio.sleep(COMMIT_SECONDS)


async def kill_one(world: World, to: str, *, is_away: bool) -> Death:
    """Kill who brings a domain what waits for it; return once somebody has gone on and all processes are there again."""
    domain = world.servers[DOMAINS[0]]
    assert isinstance(domain, ScaledDomain)
    victim, box, unnoted = await held_in_the_middle(world, domain, to)
    domain.place.kill(victim)
    moment = time.monotonic()
    world.kills.append(moment)
    ready_s = 0.0

    async def again() -> None:
        nonlocal ready_s
        if not is_away:
            await trio.sleep(AWAY_SECONDS)
            domain.place.start(victim)
            await domain.place.wait_ready(victim)
            ready_s = time.monotonic() - moment

    async with trio.open_nursery() as beside_it:
        beside_it.start_soon(again)
        by = await gone_on(domain, to, box, victim if is_away else None)
        seconds = time.monotonic() - moment
    if is_away:
        domain.place.start(victim)
        await domain.place.wait_ready(victim)
    return Death(to, str(victim), is_away, box.waiting, unnoted, str(by or ""), seconds, ready_s)


async def held_in_the_middle(world: World, domain: ScaledDomain, to: str) -> tuple[Replica, Box, int]:
    """Stop who holds a box, at a moment when the other domain has more than is noted, if one is met; return who, and how it stands.

    The process is left stopped. After so many looks any moment does.
    """
    for number in range(LOOKS_MAX):
        box = await domain.box(to)
        if box.holder is None:
            await trio.sleep(LOOK_SECONDS)
            continue
        domain.place.signal(box.holder, signal.SIGSTOP)
        stopped = await domain.box(to)
        unnoted = await taken(world, to) - stopped.acked
        is_last = number == LOOKS_MAX - 1
        if stopped.holder == box.holder and stopped.waiting and (unnoted > 0 or is_last):
            return box.holder, stopped, max(0, unnoted)
        domain.place.signal(box.holder, signal.SIGCONT)
        await trio.sleep(LOOK_SECONDS)
    raise RuntimeError(f"nothing was ever under way to {to}")


async def taken(world: World, at: str) -> int:
    """Return up to which number another domain has taken what the first brought it, as its own database says."""
    settings = Settings(data_dir=str(world.root / at / "data"))

    def look() -> int:
        with beside(settings, "delivery", read_only=True) as connection:
            rows = connection.execute(POSITION, (DOMAINS[0],)).fetchall()
        return int(rows[0][0]) if rows else 0

    return await trio.to_thread.run_sync(look)


async def gone_on(domain: ScaledDomain, to: str, before: Box, dead: Replica | None) -> Replica | None:
    """Wait until more was brought than before, and not by the dead; return by whom, or None after more than a lease's time."""
    with trio.move_on_after(Config().lease_seconds + 2 * SLACK_SECONDS):
        while True:
            box = await domain.box(to)
            if box.acked > before.acked and box.holder is not None and box.holder != dead:
                return box.holder
            await trio.sleep(LOOK_SECONDS)
    return None


async def left(world: World) -> list[str]:
    """Wait until nothing waits for any domain; return a sentence for each for which something still does."""
    domain = world.servers[DOMAINS[0]]
    assert isinstance(domain, ScaledDomain)
    until_s = trio.current_time() + EMPTY_SECONDS_MAX
    boxes: dict[str, Box] = {}
    while trio.current_time() < until_s:
        boxes = {to: await domain.box(to) for to in DOMAINS[1:]}
        if not any(box.waiting for box in boxes.values()):
            break
        await trio.sleep(LOOK_SECONDS)
    return [f"{box.waiting} entries still wait for {to}" for to, box in boxes.items() if box.waiting]


def ways(world: World) -> str:
    """Return how long messages took from their beginning to their home's word."""
    took_s = sorted(m.accepted_s - m.begun_s for m in world.sent() if m.accepted_s is not None)
    return f"a message's way to its home: median {statistics.median(took_s):.2f} s, slowest {took_s[-1]:.1f} s"
