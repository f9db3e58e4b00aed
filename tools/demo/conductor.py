"""The play: what the three people do, and when something is killed under them."""

from __future__ import annotations

import hashlib
import json
import os
import random  # noqa: TID251 - a seeded file to send; nothing secret depends on it
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from tools.demo.checker import Audience, Sent, Shown, Verdict, calls_in_flight, check, plant
from tools.demo.processes import PersonProcess, Server, ServerProcess, stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

FILE_BYTES = 5 * 1024 * 1024
TRAFFIC_COUNT = 30
TRAFFIC_WIDTH = 4
KILL_WAIT_SECONDS_MAX = 20


@dataclass
class Play:
    """The state of one performance."""

    root: Path
    server: Server
    engine: str
    nursery: trio.Nursery
    people: dict[str, PersonProcess] = field(default_factory=dict)
    audience: Audience = field(default_factory=dict)
    kills: list[float] = field(default_factory=list)
    phase: str = ""
    quiet: bool = False
    gone: dict[str, Any] = field(default_factory=dict)
    """What those had seen who are not started again."""

    def stage_line(self, text: str) -> None:
        """Print a stage direction."""
        if self.quiet:
            return
        print(f"\n  — {text}", flush=True)  # noqa: T201 - the demo's purpose is to be seen

    def seen(self, who: str, sender: str, text: str) -> None:
        """Print a message as one person sees it; the mass traffic is left out."""
        if not text.startswith("#") and not self.quiet:
            print(f"  {who:>8} │ [{sender}] {text}", flush=True)  # noqa: T201 - as above

    async def enter(self, name: str) -> PersonProcess:
        """Start a person's process."""
        person = self.people.get(name) or PersonProcess(name, self.root, self.server.address, self.engine, self.seen)
        self.people[name] = person
        await self.nursery.start(person.run)
        return person

    def begin(self, phase: str, **audience: tuple[str, tuple[str, ...]]) -> None:
        """Begin a phase: for each conversation its id and who must see what is sent in it now."""
        self.phase = phase
        for conversation, people in audience.values():
            self.audience[phase, conversation] = frozenset(people)

    async def say(self, name: str, conversation: str, text: str) -> None:
        """Let a person say something."""
        await self.people[name].order("say", conversation=conversation, text=text, phase=self.phase)

    async def traffic(self, label: str, people: tuple[str, ...], conversations: dict[str, list[str]]) -> None:
        """Let people send many messages beside whatever comes next."""
        for name in people:
            await self.people[name].order(
                "traffic", label=f"#{label}", count=TRAFFIC_COUNT, width=TRAFFIC_WIDTH,
                conversations=conversations[name], phase=self.phase,
            )  # fmt: skip

    def sent(self, transcripts: dict[str, list[Shown]] | None = None) -> list[Sent]:
        """Read every send log, the killed processes' included.

        Who was killed between storing a message and writing its id down has only its intent in the log: the id
        is then the one that the transcripts show with that text, if any does.
        """
        shown = {(s.conversation, s.text): s.ident for t in (transcripts or {}).values() for s in t}
        found: dict[str, dict[str, Any]] = {}
        for name, person in self.people.items():
            for fact in facts(person.log):
                if fact["what"] == "intent":
                    ident = shown.get((fact["conversation"], fact["text"]))
                    if ident is not None:
                        found[ident] = {**fact, "sender": name, "accepted": None}
                elif fact["what"] == "begun":
                    found[fact["id"]] = {**fact, "sender": name, "accepted": None}
                elif fact["what"] == "accepted" and fact["id"] in found:
                    found[fact["id"]]["accepted"] = fact["at"]
        return [
            Sent(i, f["conversation"], f["sender"], f["text"], f["phase"], f["at"], f["accepted"])
            for i, f in found.items()
        ]

    async def until_in_flight(self, name: str | None = None) -> None:
        """Wait for a moment at which sends have begun and are not accepted yet."""
        with trio.fail_after(KILL_WAIT_SECONDS_MAX):
            while not any(m.accepted_s is None for m in self.sent() if name is None or m.sender == name):
                await trio.sleep(0.005)


def facts(log: Path) -> list[dict[str, Any]]:
    """Read a log; the last line of a killed process may be cut short."""
    found = []
    if log.exists():
        for line in log.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
    return found


async def perform(root: Path, engine: str, port: int) -> int:
    """Play everything with a server of our own; return the exit code."""
    return await play_at(ServerProcess(root / "server", port, engine), root, engine)


async def play_at(
    server: Server, root: Path, engine: str, interlude: Callable[[Play, str, str], Awaitable[None]] | None = None
) -> int:
    """Play everything at a server, and an interlude with the group and the conversation of two; return the exit code."""
    started = time.monotonic()
    async with stage() as nursery:
        play = Play(root, server, engine, nursery)
        await server.start()
        play.stage_line(f"a server on {server.address}, three people, three processes")
        group, direct = await first_act(play)
        await second_act(play, group, direct)
        if interlude is not None:
            await interlude(play, group, direct)
        await third_act(play, group, direct)
        code = await verdict(play, started)
        for person in play.people.values():
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await person.stop()
        await server.stop()
    return code


async def first_act(play: Play) -> tuple[str, str]:
    """Register, a conversation of two, a group of three."""
    for name in ("alice", "bob", "carol"):
        person = await play.enter(name)
        await person.order("register", password=f"secret of {name}")
    direct = (await play.people["alice"].order("dm", **{"with": "bob"}))["conversation"]
    await play.people["bob"].order("await", conversation=direct, members=2)
    play.begin("hello", direct=(direct, ("alice", "bob")))
    await play.say("alice", direct, "Hello from Alice!")
    await play.say("bob", direct, "Hi Alice. Shall we ask Carol as well?")
    group = (await play.people["alice"].order("group", name="picnic", members=["bob", "carol"]))["conversation"]
    for name in ("bob", "carol"):
        await play.people[name].order("await", conversation=group, members=3)
    play.begin("group", group=(group, ("alice", "bob", "carol")), direct=(direct, ("alice", "bob")))
    await play.say("alice", group, "Picnic on Sunday?")
    await play.say("carol", group, "Yes! I bring the cake — the recipe follows.")
    await send_file(play, group)
    return group, direct


async def send_file(play: Play, group: str) -> None:
    """Carol sends five megabytes; the others download and compare."""
    content = random.Random(7).randbytes(FILE_BYTES)  # noqa: S311 - a file's content
    source = play.root / "recipe.pdf"
    source.write_bytes(content)
    play.stage_line("Carol sends recipe.pdf, 5 MB, encrypted on her side")
    sent = await play.people["carol"].order("file", conversation=group, path=str(source), phase=play.phase)
    for name in ("alice", "bob"):
        folder = play.root / f"{name}-downloads"
        folder.mkdir()
        got = await play.people[name].order("download", conversation=group, id=sent["id"], to=str(folder))
        same = hashlib.sha256(trio_read(got["path"])).digest() == hashlib.sha256(content).digest()
        if not same:
            raise RuntimeError(f"{name} got another file")
        play.stage_line(f"{name} has it: SHA-256 equal")


def trio_read(path: str) -> bytes:
    """Read a downloaded file."""
    with open(path, "rb") as file:
        return file.read()


async def second_act(play: Play, group: str, direct: str) -> None:
    """Everybody talks at once; the server dies, or part after part of it, then Bob's client."""
    everybody = ("alice", "bob", "carol")
    talk = {"alice": [group, direct], "bob": [group, direct], "carol": [group]}
    for number, victim in enumerate(play.server.victims):
        play.begin(f"server killed {number}", group=(group, everybody), direct=(direct, ("alice", "bob")))
        await play.traffic(f"traffic {number}", everybody, talk)
        await play.until_in_flight()
        play.kills.append(await play.server.kill())
        play.stage_line(f"kill -9 {victim} while everybody is sending; started again")
        await play.server.start()
        await settle(play, everybody)
    play.begin("client killed", group=(group, everybody), direct=(direct, ("alice", "bob")))
    await play.traffic("traffic c", everybody, talk)
    await play.until_in_flight("bob")
    play.kills.append(await play.people["bob"].kill())
    play.stage_line("kill -9 Bob's client in the middle of sending; started again")
    await play.enter("bob")
    await settle(play, everybody)
    await play.say("bob", group, "Sorry, my battery. Did I miss anything?")
    await settle(play, everybody)


async def settle(play: Play, people: tuple[str, ...]) -> None:
    """Wait until everybody's outbox is empty and everybody has read all."""
    for _ in range(2):
        for name in people:
            await play.people[name].order("settle")


async def third_act(play: Play, group: str, direct: str) -> None:
    """Carol is removed; Bob loses everything but his password."""
    await play.people["alice"].order("remove", conversation=group, member="carol")
    await play.people["bob"].order("await", conversation=group, members=2)
    play.stage_line("Alice removes Carol; Carol's process stays connected and sees nothing more")
    play.begin("without carol", group=(group, ("alice", "bob")), direct=(direct, ("alice", "bob")))
    await play.say("alice", group, "Only us two now: let us plan Carol's surprise.")
    await settle(play, ("alice", "bob", "carol"))
    play.stage_line("Bob's laptop falls into the lake: an empty folder and his password")
    play.gone["bob"] = await play.people["bob"].order("transcript")
    await play.people["bob"].kill()
    again = await play.enter("bob/2")
    await again.order("login", password="secret of bob")  # noqa: S106 - the demo's
    for conversation in (group, direct):
        await again.order("await", conversation=conversation, members=2)
    both = ("alice", "bob/2")
    play.begin("recovered", group=(group, both), direct=(direct, both))
    await settle(play, ("alice", "bob/2"))
    await play.say("bob/2", group, "I am back, with nothing but my password.")
    await play.say("alice", group, "Welcome back! Sunday at noon, then.")
    await play.say("alice", direct, "(And bring the red blanket.)")
    await settle(play, ("alice", "carol", "bob/2"))
    await settle(play, ("alice", "carol", "bob/2"))


async def verdict(play: Play, started: float) -> int:
    """Compare the transcripts and print the totals."""
    transcripts: dict[str, list[Shown]] = {}
    groups: dict[str, dict[str, Any]] = {}
    for name, person in play.people.items():
        gone = name in play.gone
        answer = play.gone[name] if gone else await person.order("transcript")
        transcripts[name] = [Shown(s["id"], s["conversation"], s["sender"], s["text"]) for s in answer["shown"]]
        for conversation, state in answer["groups"].items():
            if state["active"] and not gone:
                groups.setdefault(conversation, {})[name] = (state["epoch"], state["authenticator"])
    sent = play.sent(transcripts)
    fault = os.environ.get("DEMO_FAULT", "")
    if fault:
        plant(fault, transcripts)
    result = check(sent, transcripts, play.audience)
    for conversation, states in groups.items():
        if len(set(states.values())) != 1:
            result.findings.append(f"{conversation} is forked: {states}")
    in_flight = [k for k in play.kills if calls_in_flight(sent, k) > 0]
    if len(in_flight) != len(play.kills):
        result.findings.append("a kill met no call in flight")
    return report(result, groups, len(in_flight), time.monotonic() - started)


def report(result: Verdict, groups: dict[str, dict[str, Any]], kills: int, seconds: float) -> int:
    """Print the line of totals; return 1 if anything is off."""
    epochs = "+".join(str(next(iter(s.values()))[0]) for s in groups.values())
    for finding in result.findings:
        print(f"  OFF: {finding}")  # noqa: T201 - as above
    print(  # noqa: T201 - as above
        f"\nsent {result.sent}, received {result.received}, lost {result.lost}, doubled {result.doubled}; "
        f"epochs {epochs}; kills with calls in flight {kills}; {seconds:.1f} s"
    )
    return 0 if result.clean else 1
