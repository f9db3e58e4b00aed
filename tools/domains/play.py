"""The play: a direct conversation and a group over three domains, a file, a domain killed for the middle, then the home."""

from __future__ import annotations

import hashlib
import os
import random  # noqa: TID251 - a seeded file to send; nothing secret depends on it
import time
from typing import TYPE_CHECKING

from tools.demo.checker import check, plant
from tools.demo.conductor import facts, report, trio_read
from tools.demo.processes import stage
from tools.domains.world import DOMAINS, PEOPLE, World, found, full

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES = 1024 * 1024
EVERYBODY = tuple(PEOPLE)
PAIR = ("alice", "bob")


async def perform(root: Path, engine: str, *, quiet: bool = False) -> int:
    """Play everything; return the exit code."""
    started = time.monotonic()
    async with stage() as nursery:
        world = found(root, engine, nursery)
        world.quiet = quiet
        for relay in world.relays.values():
            await nursery.start(relay.run)
        for server in world.servers.values():
            await server.start()
        world.stage_line(f"three servers: {', '.join(DOMAINS)}; five people, each with a process of their own")
        group, direct = await beginning(world)
        await middle(world, group, direct)
        await ending(world, group, direct)
        code = await verdict(world, started)
        await world.close()
    return code


async def beginning(world: World) -> tuple[str, str]:
    """Register; a conversation of two and a group of five, over all domains; a file."""
    for name in EVERYBODY:
        person = await world.enter(name)
        await person.order("register", password=f"secret of {name}")
    alice = world.people["alice"]
    direct = (await alice.order("dm", **{"with": full("bob")}))["conversation"]
    await world.people["bob"].order("await", conversation=direct, members=2)
    world.stage_line(f"{full('alice')} and {full('bob')}: the home is {bytes.fromhex(direct)[16:].decode()}")
    world.begin("hello", direct=(direct, PAIR))
    await world.say("alice", direct, "Hello over there!")
    await world.say("bob", direct, "Hi Alice. Shall we ask the others as well?")
    others = ["dave", *(full(n) for n in EVERYBODY if n not in {"alice", "dave"})]
    group = (await alice.order("group", name="picnic", members=others))["conversation"]
    for name in EVERYBODY:
        await world.people[name].order("await", conversation=group, members=len(EVERYBODY))
    world.begin("group", group=(group, EVERYBODY), direct=(direct, PAIR))
    await world.say("alice", group, "Picnic on Sunday?")
    await world.say("carol", group, "Yes! I bring the cake — the recipe follows.")
    await send_file(world, group)
    return group, direct


async def send_file(world: World, group: str) -> None:
    """Carol, of the third domain, sends a megabyte; everybody downloads it through their own server and compares."""
    content = random.Random(7).randbytes(FILE_BYTES)  # noqa: S311 - a file's content
    source = world.root / "recipe.pdf"
    source.write_bytes(content)
    world.stage_line("Carol sends recipe.pdf, 1 MB, from c.example")
    sent = await world.people["carol"].order("file", conversation=group, path=str(source), phase=world.phase)
    for name in ("alice", "bob", "erin"):
        folder = world.root / f"{name}-downloads"
        folder.mkdir()
        got = await world.people[name].order("download", conversation=group, id=sent["id"], to=str(folder))
        if hashlib.sha256(trio_read(got["path"])).digest() != hashlib.sha256(content).digest():
            raise RuntimeError(f"{name} got another file")
        world.stage_line(f"{full(name)} has it: SHA-256 equal")


async def middle(world: World, group: str, direct: str) -> None:
    """Everybody talks; b.example dies, and is away while the others go on; then the group's home dies for a moment."""
    talk = {name: [group, direct] if name in PAIR else [group] for name in EVERYBODY}
    world.begin("b away", group=(group, EVERYBODY), direct=(direct, PAIR))
    await world.traffic("traffic 0", EVERYBODY, talk)
    await world.until_in_flight("bob")
    world.kills.append(await world.servers["b.example"].kill())
    world.stage_line("kill -9 b.example while everybody is sending; it stays away")
    for name in ("carol", "dave"):  # what Alice says to Bob alone may be pending
        await world.people[name].order("settle")
    await world.people["carol"].order("alter", conversation=group, way="update")
    await world.say("carol", group, "Where are Bob and Erin? I have changed my keys meanwhile.")
    await world.say("alice", group, "Their server is away.")
    world.stage_line("b.example is started again: what waited on both sides comes")
    await world.servers["b.example"].start()
    await world.quieten()
    world.begin("home away", group=(group, EVERYBODY), direct=(direct, PAIR))
    await world.traffic("traffic 1", EVERYBODY, talk)
    await world.until_in_flight("carol")
    world.kills.append(await world.servers["a.example"].kill())
    world.stage_line("kill -9 a.example, the group's home, while everybody is sending; started again")
    await world.servers["a.example"].start()
    await world.quieten()


async def ending(world: World, group: str, direct: str) -> None:
    """A member of another domain leaves the group by somebody's removal; the rest goes on."""
    await world.people["alice"].order("remove", conversation=group, member=full("erin"))
    four = tuple(n for n in EVERYBODY if n != "erin")
    for name in four:
        await world.people[name].order("await", conversation=group, members=len(four))
    world.stage_line("Alice removes Erin, of b.example; Bob, of the same server, stays")
    world.begin("without erin", group=(group, four), direct=(direct, PAIR))
    await world.say("bob", group, "Sunday at noon, then.")
    await world.say("alice", direct, "(And bring the red blanket.)")
    await world.quieten()


async def verdict(world: World, started: float) -> int:
    """Compare the transcripts and print the totals."""
    transcripts, groups = await world.transcripts()
    sent = world.sent(transcripts)
    fault = os.environ.get("DEMO_FAULT", "")
    if fault:
        plant(fault, transcripts)
    result = check(sent, transcripts, world.audience)
    for conversation, states in groups.items():
        if len(set(states.values())) != 1:
            result.findings.append(f"{conversation} is forked: {states}")
    commits = sum(fact["what"] == "changed" for person in world.people.values() for fact in facts(person.log))
    print(f"kills {len(world.kills)}, cuts {world.cuts}, key changes {commits}")  # noqa: T201 - the demo's purpose is to be seen
    return report(result, groups, len(world.kills), time.monotonic() - started)
