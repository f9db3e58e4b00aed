"""Many talk in one group while many change it: what the server took is read by all who were members at its epoch."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from tests.oracle import history as h
from tools.races.stage import Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from qpqclient import Client, Conversation
    from tests.oracle.rules import Finding

WAYS = ("update", "invite", "update", "rejoin", "update", "remove", "update", "update", "rejoin", "update")
"""What the committers do, in turn."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a run showed."""

    findings: list[Finding]
    messages: int
    """Taken by the server."""
    readings: int
    """Messages, each as often as it is shown to somebody who did not write it."""
    commits: int
    refused: int
    """Commits that lost their race."""
    epochs: int
    spread: int
    """Epochs in which messages were taken."""
    states: int
    """Different states of the group at the end."""
    members: int
    race_seconds: float

    def line(self) -> str:
        """Return it in one line."""
        return (
            f"messages {self.messages}, readings {self.readings}; commits {self.commits}, lost races {self.refused}; "
            f"{self.epochs} epochs on, messages of {self.spread}; members {self.members}, states {self.states}; findings {len(self.findings)}; "
            f"race {self.race_seconds:.1f} s"
        )


class Party:
    """Everybody in the group, and who is to come."""

    def __init__(self, stage: Stage, senders: int, committers: int) -> None:
        self.stage = stage
        self.senders = [f"sender{n}" for n in range(senders)]
        self.ways = {f"committer{n}": WAYS[n % len(WAYS)] for n in range(committers)}
        self.coming = {c: f"guest of {c}".replace(" ", "-") for c, way in self.ways.items() if way == "invite"}
        self.leaving = {c: f"loss of {c}".replace(" ", "-") for c, way in self.ways.items() if way == "remove"}
        self.clients: dict[str, Client] = {}
        self.group = b""

    async def gather(self, stack: AsyncExitStack) -> None:
        """Register all, and found the group with all but those who are invited later."""
        for name in (*self.senders, *self.ways, *self.leaving.values(), *self.coming.values()):
            self.clients[name] = await stack.enter_async_context(self.stage.opened(name))
        inside = [name for name in self.clients if name not in self.coming.values()]
        self.group = (await self.clients[inside[0]].create_group("crowd", inside[1:])).id
        await self.stage.rest(list(self.clients.values()))

    def of(self, name: str) -> Conversation:
        """Return the group as somebody sees it."""
        return self.clients[name].conversation(self.group)

    async def race(self, messages: int) -> None:
        """Let all begin at one moment; each change is tried until it is so, and messages come all the while.

        A sender says the next thing when the server has the one before and so much of the changing is done: all of
        them together, in the very moment in which everybody tries to begin the next epoch.
        """
        barrier, before = trio.Event(), self.of("sender0").epoch

        async def begin(work: Callable[[], Awaitable[None]]) -> None:
            await barrier.wait()
            await work()

        async with trio.open_nursery() as nursery:
            for name in self.senders:
                nursery.start_soon(begin, partial(self._talk, name, before, messages))
            for name in self.ways:
                nursery.start_soon(begin, partial(self._change, name))
            barrier.set()

    async def _talk(self, name: str, before: int, messages: int) -> None:
        talk, client = self.of(name), self.clients[name]
        for number in range(messages):
            due = before + number * len(self.ways) // messages
            await self.stage.until(lambda due=due: talk.epoch >= due, client)  # type: ignore[misc]  # bound at once
            await client.wait_sent(await self.stage.recorders[name].send(talk, f"number {number} of {name}"))

    async def _change(self, name: str) -> None:
        talk = self.of(name)
        match self.ways[name]:
            case "update":
                await talk.update_key()
            case "invite":
                await talk.invite(self.coming[name])
            case "remove":
                await talk.remove(self.leaving[name])
            case _:
                await talk.rejoin()


async def play(root: Path, *, senders: int, committers: int, messages: int) -> Crowd:
    """Play one race in an empty folder; each sender sends so many messages."""
    async with open_stage(root) as stage, AsyncExitStack() as stack:
        party = Party(stage, senders, committers)
        await party.gather(stack)
        everybody = list(party.clients.values())
        before, since = party.of("sender0").epoch, len(stage.noted)
        begun_s = trio.current_time()
        await party.race(messages)
        await stage.rest(everybody)
        seconds = trio.current_time() - begun_s
        findings = stage.judge(everybody)
        kinds = Counter(type(n) for n in stage.noted[since:])
        refused = [
            n for n in stage.noted[since:] if isinstance(n, h.Served) and n.method == "SubmitCommit" and not n.ok
        ]
        inside = [c for n, c in party.clients.items() if n not in party.leaving.values()]
        states = {(party.of(c.name).epoch, party.of(c.name).authenticator) for c in inside}
        texts = {n.id: n.device for n in stage.noted if isinstance(n, h.Queued)}
        shown = [n for n in stage.noted if isinstance(n, h.Shown) and texts.get(n.id, n.device) != n.device]
        answered = [n for n in stage.noted[since:] if isinstance(n, h.Answered) and n.id in texts]
        return Crowd(
            findings, len(answered), len(shown), kinds[h.Committed], len(refused), max(states)[0] - before,
            len({n.epoch for n in answered}), len(states),
            len(party.of("sender0").members()), seconds,
        )  # fmt: skip
