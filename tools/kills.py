"""Seeded kills: three people talk and change their group while server and clients die by SIGKILL, again and again.

`python -m tools.kills --seed 7 --kills 20`. The histories are read afterwards: every acknowledged message shown once
by everybody, in one order, nothing that was never sent, one commit per epoch in the server's log, one group at the end.
"""

from __future__ import annotations

import argparse
import random  # noqa: TID251 - the seeded choice of victims and moments
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import trio

from qpqcore.api.delivery import EntryKind
from qpqcore.config.settings import Settings
from qpqserver.embedded import beside
from tools.demo.checker import Shown, Verdict, calls_in_flight, check
from tools.demo.conductor import Play, settle
from tools.demo.processes import ServerProcess, free_port, stage

PEOPLE = ("alice", "bob", "carol")
SERVER = "the server"
TRAFFIC_COUNT = 12
TRAFFIC_WIDTH = 3
MOMENT_SECONDS_MAX = 0.25
"""A kill comes at a random moment within this time of a send that is in flight."""
PHASE = "kills"


@dataclass(slots=True)
class Outcome:
    """What a run showed."""

    verdict: Verdict
    victims: Counter[str]
    in_flight: int
    """Kills that met a call in flight."""
    commits: int
    epochs: int
    seconds: float

    def line(self) -> str:
        """Return the totals in one line."""
        v = self.verdict
        killed = ", ".join(f"{name} {count}" for name, count in sorted(self.victims.items()))
        return (
            f"sent {v.sent}, received {v.received}, lost {v.lost}, doubled {v.doubled}; kills: {killed}, with calls in "
            f"flight {self.in_flight}; commits {self.commits}; epoch {self.epochs}; {self.seconds:.1f} s"
        )


async def run(root: Path, seed: int, kills: int, engine: str = "native") -> Outcome:
    """Play one seeded run in an empty folder."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    began = time.monotonic()
    server = ServerProcess(root / "server", free_port(), engine)
    async with stage() as nursery:
        play = Play(root, server, engine, nursery, quiet=True)
        await server.start()
        group, direct = await begin(play)
        victims: Counter[str] = Counter()
        for number in range(kills):
            await stir(play, dice, number, group, direct)
            victims[await kill_one(play, dice)] += 1
        await settle(play, PEOPLE)
        await settle(play, PEOPLE)
        outcome = await judge(play, group, victims, began)
        for name in PEOPLE:
            await play.people[name].stop()
        await server.stop()
    one_commit_an_epoch(root / "server" / "data", outcome)
    return outcome


async def begin(play: Play) -> tuple[str, str]:
    """Register everybody; make a group of three and a conversation of two."""
    for name in PEOPLE:
        person = await play.enter(name)
        await person.order("register", password=f"secret of {name}")
    direct = (await play.people["alice"].order("dm", **{"with": "bob"}))["conversation"]
    group = (await play.people["alice"].order("group", name="all", members=["bob", "carol"]))["conversation"]
    for name in ("bob", "carol"):
        await play.people[name].order("await", conversation=group, members=3)
    play.begin(PHASE, group=(group, PEOPLE), direct=(direct, ("alice", "bob")))
    return group, direct


async def stir(play: Play, dice: random.Random, number: int, group: str, direct: str) -> None:
    """Let everybody send, and somebody change the group."""
    for name in PEOPLE:
        await play.people[name].order(
            "traffic", label=f"{number}", count=TRAFFIC_COUNT, width=TRAFFIC_WIDTH, phase=PHASE,
            conversations=[group] if name == "carol" else [group, direct],
        )  # fmt: skip
    await play.people[dice.choice(PEOPLE)].order("change", conversation=group)


async def kill_one(play: Play, dice: random.Random) -> str:
    """Kill the server or a client while something is in flight, then start it again."""
    victim = dice.choice((SERVER, *PEOPLE))
    await play.until_in_flight(None if victim == SERVER else victim)
    await trio.sleep(dice.random() * MOMENT_SECONDS_MAX)
    if victim == SERVER:
        play.kills.append(await play.server.kill())
        await play.server.start()
    else:
        play.kills.append(await play.people[victim].kill())
        await play.enter(victim)
    return victim


async def judge(play: Play, group: str, victims: Counter[str], began: float) -> Outcome:
    """Compare what everybody shows."""
    transcripts, states = {}, {}
    for name in PEOPLE:
        answer = await play.people[name].order("transcript")
        transcripts[name] = [Shown(s["id"], s["conversation"], s["sender"], s["text"]) for s in answer["shown"]]
        states[name] = {c: (g["epoch"], g["authenticator"]) for c, g in answer["groups"].items() if g["active"]}
    sent = play.sent(transcripts)
    verdict = check(sent, transcripts, play.audience)
    for conversation in states["alice"]:
        found = {s[conversation] for s in states.values() if conversation in s}
        if len(found) != 1:
            verdict.findings.append(f"{conversation} is forked: {found}")
    in_flight = sum(calls_in_flight(sent, k) > 0 for k in play.kills)
    return Outcome(verdict, victims, in_flight, 0, states["alice"][group][0], time.monotonic() - began)


def one_commit_an_epoch(data: Path, outcome: Outcome) -> None:
    """Read the stopped server's log."""
    count_commits = "SELECT channel, generation, epoch, count(*) FROM log WHERE kind = ? GROUP BY 1, 2, 3"
    with beside(Settings(data_dir=str(data)), "delivery") as connection:
        rows = connection.execute(count_commits, (int(EntryKind.COMMIT),)).fetchall()
    outcome.commits = sum(count for *_, count in rows)
    for channel, generation, epoch, count in rows:
        if count != 1:
            outcome.verdict.findings.append(f"{channel.hex()}.{generation} has {count} commits of epoch {epoch}")


def main() -> None:
    """Run once and print the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qpq-kills-") as made:
        outcome = trio.run(run, arguments.folder or Path(made), arguments.seed, arguments.kills)
    for finding in outcome.verdict.findings:
        print(f"  OFF: {finding}")  # noqa: T201 - the tool's purpose
    print(f"seed {arguments.seed}: {outcome.line()}")  # noqa: T201 - as above
    sys.exit(0 if outcome.verdict.clean else 1)


if __name__ == "__main__":
    main()
