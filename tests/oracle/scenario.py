"""One short, calm story in which every promise is at stake: what a planted fault has to spoil, and the oracle to see.

Nothing goes wrong in it by itself. What people do one after the other has to succeed; what does not is noted as a wait.
"""

from __future__ import annotations

import random
import shutil
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import trio

import qpqclient
import qpqnative
from qpqclient.store import Store
from qpqcore.model.errors import Refusal
from tests.oracle import history as h
from tests.oracle.recorder import name_of
from tests.oracle.rules import check
from tools.simulation import machine, people
from tools.simulation.faults import service_of
from tools.simulation.plan import Plan
from tools.simulation.play import Play
from trio_quic.testing import MemoryLink

PEOPLE = 4
WAIT_S = 12
SETTLE_ROUNDS = 4
REST_S = 1.0
LABEL = "bob's second"


class Story:
    """The scenario over a play."""

    def __init__(self, play):
        self.play = play
        self.dice = random.Random("story")
        self.at = {d.name: d for d in play.devices}

    def client(self, name):
        return people.client_of(self.at[name])

    async def does(self, name, what, work):
        """Let somebody do something that has to succeed."""
        device = self.at[name]
        try:
            with trio.fail_after(WAIT_S):
                return await work()
        except (qpqclient.QpqError, qpqnative.MlsError, Refusal, trio.TooSlowError) as exc:
            recorder = device.recorder
            self.play.note(h.Waits(recorder.device if recorder else name, f"{what}: {exc!r}"))

    def talk(self, name, conversation, text):
        recorder = self.at[name].recorder
        said = f"{text} {self.dice.getrandbits(40):010x} by {name}"
        return self.does(name, "send", lambda: recorder.send(self.in_(name, conversation), said))

    def in_(self, name, conversation):
        return self.client(name).conversation(conversation.id)

    async def rest(self, seconds=REST_S):
        await trio.sleep(seconds)

    async def kill(self, name):
        await self.at[name].kill()

    async def back(self, name):
        await self.at[name].start(self.play.nursery)

    async def run(self):
        alice = self.client("alice/1")
        group = await self.does("alice/1", "found", partial(alice.create_group, "club", ["bob", "carol"]))
        direct = await self.does("alice/1", "direct", partial(alice.dm, "bob"))
        await self.rest()
        if group is None or direct is None:
            return
        await self._talks(group, direct)
        await self._changes(group)
        await self._away(group, direct)
        await self._accounts(group)
        await self._gaps(group)

    async def _talks(self, group, direct):
        for round_ in range(3):
            for name in ("alice/1", "bob/1", "carol/1"):
                await self.talk(name, group, f"round {round_}")
            await self.talk("bob/1", direct, f"direct {round_}")
        await self.rest()
        # a reaction, a deletion, a timer
        bob, alice = self.in_("bob/1", group), self.in_("alice/1", group)
        theirs = [m for m in bob.history(20) if not m.own]
        if theirs:
            await self.does("bob/1", "react", partial(bob.react, theirs[-1].id, "+"))
        mine = [m for m in alice.history(20) if m.own]
        if mine:
            await self.does("alice/1", "delete", partial(self.at["alice/1"].recorder.delete, alice, mine[0].id))
        await self.does("alice/1", "timer", partial(alice.set_timer, 20))
        await self.rest()
        await self.talk("carol/1", group, "short-lived")
        await self.talk("alice/1", group, "short-lived")
        await self.does("alice/1", "timer", partial(alice.set_timer, 0))
        await self.rest()
        # a file
        path = self.at["alice/1"].folder / "photo"
        path.write_bytes(self.dice.randbytes(300_000))
        sent = await self.does("alice/1", "file", partial(alice.send_file, path))
        if sent is None:
            return
        self.at["alice/1"].recorder.queued(sent)
        self.play.note(
            h.Uploaded(self.at["alice/1"].recorder.device, sent.id, people.hashlib.sha256(path.read_bytes()).digest())
        )
        await self.rest()
        got = self.client("bob/1").conversation(group.id).message(sent.id)
        if got is not None:
            saved = await self.does(
                "bob/1",
                "download",
                partial(self.client("bob/1").conversation(group.id).download, got, self.at["bob/1"].folder / "saved"),
            )
            if saved is not None:
                content = people.hashlib.sha256(saved.read_bytes()).digest()
                self.play.note(h.Downloaded(self.at["bob/1"].recorder.device, sent.id, content))

    async def _changes(self, group):
        of = {name: self.client(name).conversation(group.id) for name in ("alice/1", "bob/1", "carol/1")}
        await self.does("bob/1", "update", of["bob/1"].update_key)
        await self.talk("carol/1", group, "after an update")
        await self.does("alice/1", "invite", partial(of["alice/1"].invite, "dave"))
        await self.rest()
        for name in ("alice/1", "bob/1", "dave/1"):
            await self.does(name, "sync", self.client(name).sync)
            if any(c.id == group.id for c in self.client(name).conversations()):
                await self.talk(name, group, "with dave")
        await self.rest()
        # two at the same moment
        async with trio.open_nursery() as nursery:
            for name in ("alice/1", "bob/1", "carol/1"):
                nursery.start_soon(self.does, name, "race", of[name].update_key)
        await self.does("alice/1", "remove", partial(of["alice/1"].remove, "dave"))
        await self.talk("bob/1", group, "without dave")
        await self.talk("carol/1", group, "without dave")
        await self.does("alice/1", "invite again", partial(of["alice/1"].invite, "dave"))
        await self.rest()
        if any(c.id == group.id and c.active for c in self.client("dave/1").conversations()):
            await self.does("dave/1", "leave", self.client("dave/1").conversation(group.id).leave)
        await self.rest(4)
        await self.talk("bob/1", group, "after dave left")

    async def _away(self, group, direct):
        await self.kill("bob/1")
        for number in range(3):
            await self.talk("alice/1", group, f"while bob is away {number}")
            await self.talk("alice/1", direct, f"while bob is away {number}")
        await self.does("carol/1", "update", self.client("carol/1").conversation(group.id).update_key)
        await self.talk("carol/1", group, "in the next epoch")
        await self.rest()
        await self.back("bob/1")
        await self.rest()
        # the server dies under somebody who sends
        await self.talk("bob/1", group, "into the fall")
        await self.play.server.kill()
        await self.talk("alice/1", group, "into the void")
        await self.rest(0.5)
        await self.play.server.start(self.play.nursery)
        await self.rest(8)
        # an answer that is lost: the call comes again
        self.play.server.host.cut_off = True
        await self.talk("carol/1", group, "nobody hears")
        await self.rest(3)
        self.play.server.host.cut_off = False
        await self.rest(12)

    async def _accounts(self, group):
        second = self.play.device("bob/2")
        self.at["bob/2"] = second
        await second.start(self.play.nursery)
        await self.does("bob/2", "log in", lambda: self.client("bob/2").login("bob", "secret bob", label=LABEL))
        await self.rest(2)
        self.play.look_for_plaintext()
        await self.talk("alice/1", group, "to both of bob")
        await self.rest()
        ident = self.client("bob/2").device if second.ready else b""
        if ident:
            second.over = True
            await self.does("bob/1", "revoke", partial(self.client("bob/1").revoke_device, ident))
            self.play.note(h.CutOff((name_of(ident),), trio.current_time()))
            await self.rest(4)
            await self._tries(second)
            await self.talk("alice/1", group, "without bob's second")
            await self.does("alice/1", "look bob up", partial(self.client("alice/1").resolve, "bob"))
        # carol goes for ever
        carol = self.at["carol/1"]
        device = name_of(self.client("carol/1").device)
        carol.over = True
        folder = carol.folder
        kept = folder.with_name("carol-kept")
        shutil.copytree(folder, kept)
        await self.does("carol/1", "delete account", self.client("carol/1").delete_account)
        self.play.note(h.CutOff((device,), trio.current_time()))
        await carol.kill()
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        await self.rest(4)
        await carol.start(self.play.nursery)
        await self.rest(2)
        await self._tries(carol)
        await carol.kill()
        await self.talk("alice/1", group, "without carol")
        await self.rest(2)

    async def _tries(self, device):
        """Let a device that was cut off ask for what it is not given any more."""
        client = people.client_of(device)
        for ask in (client.devices, client.sync, partial(client.resolve, "alice")):
            with trio.move_on_after(3):
                try:
                    await ask()
                except (qpqclient.QpqError, qpqnative.MlsError):
                    continue

    async def _gaps(self, group):
        """Let a mailbox overflow: its device rejoins by itself."""
        alice = self.at["alice/1"]
        await self.kill("bob/1")
        store = service_of(self.play, 3)._store
        before, store._bounds = store._bounds, people_bounds(store._bounds)
        for number in range(6):
            await self.talk("alice/1", group, f"overflow {number}")
        await self.does("alice/1", "update", self.in_("alice/1", group).update_key)
        await self.rest()
        store._bounds = before
        await self.back("bob/1")
        await self.rest(3)
        if alice.ready:
            await self.talk("alice/1", group, "after the gap")
            await self.talk("bob/1", group, "after the gap")


def people_bounds(bounds):
    return replace(bounds, mailbox_entries_max=4)


def play_story(base, folder, plant=None, engine="native"):
    """Play the scenario with a fault planted; return (findings, history)."""
    shutil.copytree(base, folder)

    async def main():
        async with MemoryLink.running() as link, trio.open_nursery() as nursery:
            play = Play(Plan(1, PEOPLE, ()), folder, link, nursery, engine)
            play.canaries.add(LABEL.encode())
            with plant(play) if plant else nullcontext():
                await play.begin()
                for device in play.devices:
                    device.sealed, device.push = False, True
                try:
                    await Story(play).run()
                except (qpqclient.QpqError, AssertionError) as exc:
                    # The story cannot go on: somebody does not have what everybody else has.
                    play.note(h.Waits("the story", repr(exc)))
                await play.settle(SETTLE_ROUNDS)
                await play.end()
            for process in (*play.devices, play.server):
                if process.running:
                    await process.kill()
            play.look_for_plaintext()
            nursery.cancel_scope.cancel()
        return check(play.noted), play.noted

    return machine.run(1, main)


__all__ = ["Store", "Story", "play_story"]
