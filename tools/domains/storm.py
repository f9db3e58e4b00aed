"""Messages and commits from three domains while servers are killed and cut off from each other at random."""

from __future__ import annotations

import random  # noqa: TID251 - a seeded plan of faults; nothing secret depends on it
import time
from typing import TYPE_CHECKING

import trio

from tools.demo.conductor import facts
from tools.demo.processes import stage
from tools.domains.play import EVERYBODY, PAIR, verdict
from tools.domains.world import DOMAINS, World, found, full

if TYPE_CHECKING:
    from pathlib import Path

AWAY_SECONDS = (0.5, 4.0)
"""A killed server stays away, and a cut lasts, so long at least and at most."""
REST_SECONDS = (1.0, 4.0)
"""Between two faults."""
TRIES_FACTOR = 4
"""A commit that meets a fault gives up; others take its place."""
MESSAGES_A_ROUND = 10
"""Of each person, in each conversation."""


async def perform(root: Path, engine: str, *, seed: int, messages: int, commits: int, faults: int) -> int:
    """Play; return the exit code."""
    started, rng = time.monotonic(), random.Random(seed)  # noqa: S311 - as above
    async with stage() as nursery:
        world = found(root, engine, nursery)
        world.quiet = True
        for relay in world.relays.values():
            await nursery.start(relay.run)
        for server in world.servers.values():
            await server.start()
        group, direct = await gather(world)
        async with trio.open_nursery() as beside:
            done = trio.Event()
            beside.start_soon(talk, world, group, direct, messages, done)
            beside.start_soon(change, world, group, commits, rng)
            await harm(world, rng, faults, done)
            beside.cancel_scope.deadline = trio.current_time() + 600
        await world.quieten()
        code = await verdict(world, started)
        await world.close()
    return code


async def gather(world: World) -> tuple[str, str]:
    """Register everybody; make the two conversations."""
    for name in EVERYBODY:
        person = await world.enter(name)
        await person.order("register", password=f"secret of {name}")
    alice = world.people["alice"]
    direct = (await alice.order("dm", **{"with": full("bob")}))["conversation"]
    others = ["dave", *(full(n) for n in EVERYBODY if n not in {"alice", "dave"})]
    group = (await alice.order("group", name="storm", members=others))["conversation"]
    for name in EVERYBODY:
        await world.people[name].order("await", conversation=group, members=len(EVERYBODY))
    await world.people["bob"].order("await", conversation=direct, members=2)
    world.begin("storm", group=(group, EVERYBODY), direct=(direct, PAIR))
    return group, direct


async def talk(world: World, group: str, direct: str, messages: int, done: trio.Event) -> None:
    """Send so many messages in all, in rounds of everybody at once."""
    per_round = MESSAGES_A_ROUND * (len(EVERYBODY) + len(PAIR))
    for number in range(-(-messages // per_round)):
        for name in EVERYBODY:
            await world.people[name].order(
                "traffic", label=f"#storm {number}", count=MESSAGES_A_ROUND, width=2, phase=world.phase,
                conversations=[group, direct] if name in PAIR else [group],
            )  # fmt: skip
        await trio.sleep(1.0)
    done.set()


async def change(world: World, group: str, commits: int, rng: random.Random) -> None:
    """Let somebody of some domain commit, again and again, until so many have been taken."""
    for _ in range(TRIES_FACTOR * commits):
        await world.people[rng.choice(EVERYBODY)].order("change", conversation=group)
        await trio.sleep(rng.uniform(0.2, 0.8))
        if sum(fact["what"] == "changed" for p in world.people.values() for fact in facts(p.log)) >= commits:
            return


async def harm(world: World, rng: random.Random, faults: int, done: trio.Event) -> None:
    """Kill servers and cut domains off, one fault after another; everything is whole again at the end."""
    for _ in range(faults):
        await trio.sleep(rng.uniform(*REST_SECONDS))
        domain = rng.choice(DOMAINS)
        if rng.random() < 0.5:
            world.kills.append(await world.servers[domain].kill())
            await trio.sleep(rng.uniform(*AWAY_SECONDS))
            await world.servers[domain].start()
        else:
            await world.cut(domain)
            await trio.sleep(rng.uniform(*AWAY_SECONDS))
            await world.cut(domain, cut=False)
            world.cuts += 1
    await done.wait()
