"""What a device finds that was away: signals that cost nothing, thousands of messages and epochs, a mailbox cut off."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

import qpqclient
from tests.oracle import history as h
from tools.races.herald import BATCH, open_heralds
from tools.races.stage import Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qpqclient import Client
    from tests.oracle.rules import Finding

SIGNAL_MS = 50
"""What one signal pays of its device's rate (qpqdelivery.config)."""
MAILBOX_ENTRIES_MAX = 10_000
"""Delivery's default."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What a run with signals showed."""

    findings: list[Finding]
    signals: int
    heard: int
    """Told to somebody who was there."""
    generations: int
    """Ratchet generations that were spent until the message was sent: its own."""
    epochs: int
    read: bool
    """Whether the device that was away shows the message."""

    def line(self) -> str:
        """Return it in one line."""
        return (
            f"signals {self.signals}, heard {self.heard}; ratchet generations spent {self.generations}, epochs "
            f"{self.epochs}; the message after them read: {self.read}; findings {len(self.findings)}"
        )


@dataclass(frozen=True, slots=True)
class Behind:
    """What two devices found that were away."""

    findings: list[Finding]
    messages: int
    epochs: int
    in_order: bool
    """Whether the first shows exactly what was sent, in its order."""
    catch_up_seconds: float
    gaps: int
    """Entries `gap` that the second took."""
    together: bool
    """Whether the second is in the group's state again, and messages went both ways."""
    rejoin_seconds: float

    def line(self) -> str:
        """Return it in one line."""
        return (
            f"behind by {self.messages} messages and {self.epochs} epochs, all read in order: {self.in_order}, in "
            f"{self.catch_up_seconds:.1f} s; gaps {self.gaps}, back in the group by itself: {self.together}, in "
            f"{self.rejoin_seconds:.1f} s; findings {len(self.findings)}"
        )


async def found(stage: Stage, name: str, names: Sequence[str]) -> bytes:
    """Register people, let the first found a group of all, and close them all again; return its id."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(stage.opened(n)) for n in names]
        group = await clients[0].create_group(name, [*names[1:]])
        await stage.rest(clients)
        return group.id


async def typing(root: Path, *, signals: int) -> Typed:
    """Alice types and Bob sees it, while Carol is away; then Alice sends something."""
    async with open_stage(root) as stage:
        group = await found(stage, "typing", ["alice", "bob", "carol"])
        async with stage.opened("alice") as alice, stage.opened("bob") as bob, trio.open_nursery() as nursery:
            await stage.rest([alice, bob])
            heard: list[qpqclient.Typing] = []
            nursery.start_soon(_listen, bob, heard)
            talk = alice.conversation(group)
            before, epoch = alice._core.groups.load(group).next_generation, talk.epoch
            for number in range(signals):
                stage.ahead_ms += SIGNAL_MS
                await talk.typing(on=number % 2 == 0)
            await alice.wait_sent(await stage.recorders["alice"].send(talk, "after them"))
            spent = alice._core.groups.load(group).next_generation - before
            async with stage.opened("carol") as carol:
                await stage.until(lambda: _shows(carol, group, "after them"), carol)
                await stage.rest([alice, bob, carol])
                findings = stage.judge([alice, bob, carol])
                read, epochs = _shows(carol, group, "after them"), talk.epoch - epoch
            nursery.cancel_scope.cancel()
        return Typed(findings, signals, len(heard), spent, epochs, read)


async def _listen(client: Client, heard: list[qpqclient.Typing]) -> None:
    async for event in client.events():
        if isinstance(event, qpqclient.Typing):
            heard.append(event)


def _shows(client: Client, group: bytes, text: str) -> bool:
    return text in {m.text for m in client.conversation(group).history(2)}


async def behind(root: Path, *, messages: int, epochs: int, mailbox_entries_max: int = MAILBOX_ENTRIES_MAX) -> Behind:
    """Carol and Dave are away while three others talk; for Dave, who is in a second group, it is more than a mailbox holds."""
    async with open_stage(root, mailbox_entries_max=mailbox_entries_max) as stage:
        heralds = ["alice", "bob", "eve"]
        group = await found(stage, "long", [*heralds, "carol", "dave"])
        other = await found(stage, "longer", ["frank", "dave"])
        async with open_heralds(stage, heralds, group) as speaking:
            for _ in range(epochs):
                await speaking.commit()
                for begun in range(0, messages // epochs, BATCH):
                    await speaking.say(min(BATCH, messages // epochs - begun))
        async with open_heralds(stage, ["frank"], other) as speaking_too:
            for begun in range(0, mailbox_entries_max + 1 - messages - epochs, BATCH):
                if begun % (8 * BATCH) == 0:
                    await speaking_too.commit()
                await speaking_too.say(BATCH)
        async with stage.opened("carol") as carol:
            begun_s = trio.current_time()
            await stage.rest([carol])
            caught_up_s = trio.current_time() - begun_s
            in_order = [m.text for m in carol.conversation(group).history(messages + 1)] == speaking.said
            back, rejoin_s = await _comes_back(stage, carol, group)
            gaps = sum(isinstance(n, h.Took) and n.kind == "GAP" for n in stage.noted)
            return Behind(back[1], messages, epochs, in_order, caught_up_s, gaps, back[0], rejoin_s)


async def _comes_back(stage: Stage, carol: Client, group: bytes) -> tuple[tuple[bool, list[Finding]], float]:
    """Open Dave's client and do nothing else with it; then let him and Carol talk."""
    async with stage.opened("dave") as dave:
        begun_s = trio.current_time()
        await stage.rest([dave, carol])
        seconds = trio.current_time() - begun_s
        for client, text in ((carol, "who is back?"), (dave, "it is me")):
            ident = await stage.recorders[client.name].send(client.conversation(group), text)
            await client.wait_sent(ident)
        await stage.until(lambda: _shows(dave, group, "who is back?") and _shows(carol, group, "it is me"), dave)
        await stage.rest([dave, carol])
        states = {(c.conversation(group).epoch, c.conversation(group).authenticator) for c in (carol, dave)}
        return (len(states) == 1, stage.judge([carol, dave])), seconds
