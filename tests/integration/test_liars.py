"""A member submits what no server can refuse and no member can follow: the group is back in use without a human.

The lies are told for real (qpqnative.testing.lie): signature, transcript, membership tag and tree are as they should be.
Nobody here asks for anything: what heals the group is what every client does by itself.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

import qpqclient
import qpqnative
from qpqclient.client import system_now_ms
from qpqcore.api import delivery
from qpqcore.groups.validity import read_leaf
from tests.oracle import history as h
from tests.oracle.recorder import Recorder
from tests.oracle.rules import check
from tests.support.liar import submit_lie, with_external_pub
from tests.support.people import texts
from tests.support.world import STORE_KEY

PATIENCE_SECONDS = 120
TRIES_MAX = 12
"""Calls until a group is healed: it is not left to the end of all 40 attempts to do something else."""
LOOK_SECONDS = 0.2
"""How often a wait looks again when no event wakes it."""
NOWHERE = "127.0.0.1:9"
NOBODY = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
"""An X25519 public key of nobody here (RFC 7748 §6.1)."""
LOW_ORDER = bytes(32)
"""A public key with which nobody can agree on a secret: no external commit can be made to it."""


class Scene:
    """Alice, Bob and Eve share a group with Carol, who lies; Eve is away, and has written something."""

    def __init__(self, w):
        self.w = w
        self.noted = []
        self.said = set()
        self.at_least = 0
        """The epoch that the last commit of Carol's has begun: who is before it has not seen it yet."""

    def opened(self, name, server=None):
        return qpqclient.open_client(self.w.folder / name, server=server or self.w.where, store_key=STORE_KEY)

    def recorder(self, client):
        return Recorder(client, self.noted.append)

    async def begin(self, *, post_quantum=False, sealed=False):
        w = self.w
        self.alice, self.bob, self.carol = [await w.client(n, sealed=sealed) for n in ("alice", "bob", "carol")]
        self.recorders = {c: self.recorder(c) for c in (self.alice, self.bob)}
        async with self.opened("eve") as eve:
            self.recorder(eve)
            # In this order in the tree: Carol's path has one ciphertext for Eve beside her, one for Alice and Bob.
            group = await self.alice.create_group("g", ["bob", "eve", "carol"], post_quantum=post_quantum)
            self.id = group.id
            await self.until_alike(self.alice, self.bob, self.carol, eve)
        await self.says(self.alice, "before")
        await self.says(self.bob, "before too")
        async with self.opened("eve", NOWHERE) as eve:
            await self.recorder(eve).send(eve.conversation(self.id), "written while away")
            self.said.add("written while away")

    async def says(self, client, text):
        ident = await self.recorders[client].send(client.conversation(self.id), text)
        await client.wait_sent(ident)
        self.said.add(text)

    async def lies(self, **what):
        self.at_least = await submit_lie(self.carol, self.id, **what)

    def state(self, client):
        """Where a client's group is; unequal to everything before Carol's commit, and while there is something to do."""
        core = client._core
        known = core.store.rows("SELECT generation, epoch, authenticator FROM channels WHERE channel = ?", self.id)
        busy = core.outbox.pending or core.store.rows("SELECT 1 FROM rejoins UNION ALL SELECT 1 FROM births")
        came = known and (known[0][0] > 1 or known[0][1] >= self.at_least)
        return known[0] if came and not busy else object()

    async def until(self, reached, *clients):
        """Wait until something is so; nobody is asked to do anything."""
        events = [c.events() for c in clients]
        with trio.fail_after(PATIENCE_SECONDS):
            while not reached():
                with trio.move_on_after(LOOK_SECONDS):
                    await anext(events[0])

    async def until_alike(self, *clients):
        await self.until(lambda: len({self.state(c) for c in clients}) == 1, *clients)

    async def until_shown(self, *clients):
        await self.until(lambda: all(self.said <= set(texts(c.conversation(self.id))) for c in clients), *clients)

    async def heals(self):
        """All who are honest come together again, Eve too when she is back, and talk both ways."""
        await self.until_alike(self.alice, self.bob)
        async with self.opened("eve") as eve:
            self.recorders[eve] = self.recorder(eve)
            honest = (self.alice, self.bob, eve)
            await self.until(lambda: not eve.pending, eve)
            self.said.add("written while away")
            await self.until_alike(*honest)
            for client in honest:
                await self.says(client, f"after, by {client.name}")
            await self.until_shown(*honest)
            await self.until_alike(*honest)
            for client in honest:
                self.recorders[client].snapshot()
            active = tuple(self.recorders[c].device for c in honest)
            # Who is late with a reset has drafted another group by then, alone in its epoch 0.
            drafts = [n for n in self.noted if isinstance(n, h.Entered) and (n.generation > 1) and n.epoch == 0]
            of_group = [n for n in self.noted if getattr(n, "channel", self.id) == self.id and n not in drafts]
            findings = check([*of_group, h.Finished(system_now_ms(), active)])
            assert findings == []
            assert len({c.conversation(self.id).authenticator for c in honest}) == 1
            return {c.name: c._core.groups.generation(self.id) for c in honest}


ALL, NONE = None, []
EVE = [0]
"""Her place in Carol's path."""


@pytest.mark.parametrize(
    "what",
    [
        pytest.param({"path": ALL}, id="another secret for everybody"),
        pytest.param({"path": ALL, "short": True}, id="half a secret for everybody"),
        pytest.param({"path": EVE}, id="another secret for one"),
        pytest.param({"path": [1]}, id="another secret for all but one"),
        pytest.param({"path": NONE, "tag": True}, id="a false confirmation tag"),
    ],
)
async def test_a_commit_that_members_cannot_follow(open_world, what):
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        epoch = scene.alice.conversation(scene.id).epoch
        await scene.lies(**what)
        assert set((await scene.heals()).values()) == {1}
        assert scene.alice.conversation(scene.id).epoch > epoch + 1


async def test_the_same_with_post_quantum_keys(open_world):
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin(post_quantum=True)
        await scene.lies(path=ALL)
        await scene.heals()


async def test_lie_upon_lie(open_world):
    """Each time the group has come together again."""
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        epochs = []
        for _ in range(3):
            await scene.lies(path=ALL)
            await scene.until_alike(scene.alice, scene.bob, scene.carol)
            epochs.append(scene.alice.conversation(scene.id).epoch)
        assert epochs == sorted(set(epochs))
        await scene.heals()


async def test_a_group_whose_door_leads_nowhere(open_world):
    """Who comes by the GroupInfo of an honest commit is in a group of one's own: all others join that one."""
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        await scene.lies(change=with_external_pub(scene.carol, NOBODY))
        await scene.until_alike(scene.alice, scene.bob)
        scene.bob._core.upkeep.want_rejoin(scene.id)
        await scene.heals()


async def test_a_commit_that_nobody_can_follow_to_a_door_that_leads_nowhere(open_world):
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        await scene.lies(path=ALL, change=with_external_pub(scene.carol, NOBODY))
        assert set((await scene.heals()).values()) == {1}


@pytest.mark.parametrize("key", [LOW_ORDER, b"short"], ids=["a point of low order", "no point at all"])
async def test_a_commit_that_nobody_can_follow_to_a_closed_door(open_world, key):
    """No external commit can be made: the channel is reset, once."""
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        await scene.lies(path=ALL, change=with_external_pub(scene.carol, key))
        assert set((await scene.heals()).values()) == {2}


async def test_a_welcome_that_its_reader_cannot_open(open_world):
    """Who was added with noise for a Welcome comes in by the GroupInfo."""
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        async with scene.opened("dave") as dave:
            added = await scene.carol._core.commits.packages([dave.account], qpqnative.SUITE_1)

            def spoiled(handshake):
                return replace(handshake, welcomes=tuple(replace(i, welcome=b"\1" * 99) for i in handshake.welcomes))

            await scene.lies(key_packages=added, change=spoiled)
            await scene.until(lambda: dave._core.groups.generation(scene.id) == 1, dave)
            await scene.until_alike(scene.alice, scene.bob, dave)
            leaves = scene.alice._core.groups.load(scene.id).members()
            assert dave.device in {read_leaf(m.credential, m.signature_key).device for m in leaves}
            await scene.heals()


async def test_a_write_key_that_is_not_the_groups(open_world):
    """Messages with a sealed sender are refused in that epoch; who is refused begins another."""
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin(sealed=True)
        await scene.lies(change=lambda handshake: replace(handshake, write_key=b"w" * 32))
        await scene.until_alike(scene.alice, scene.bob)
        await scene.says(scene.alice, "under seal")
        assert scene.alice.conversation(scene.id).epoch > scene.at_least  # by her, or by whose receipt came before
        await scene.heals()


@pytest.mark.parametrize("leaver", ["bob", "alice"])
async def test_a_lie_told_while_somebody_leaves(open_world, monkeypatch, leaver):
    """Who was about to commit the proposal, or to make it, rejoins first, and does not try again and again to no end."""
    monkeypatch.setattr("qpqclient.upkeep.PROPOSAL_WAIT_SECONDS_MAX", 0)
    held = delivery.SubmitProposalParams if leaver == "alice" else delivery.SubmitCommitParams
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        monkeypatch.setattr(scene.carol._core.commits, "settle_proposals", nothing)
        real, calls = scene.alice._core.wire.call, []

        async def late(params, result, *, key=b""):
            if isinstance(params, held):
                calls.append(params)
                if len(calls) == 1:
                    await scene.lies(path=ALL)
            return await real(params, result, key=key)

        monkeypatch.setattr(scene.alice._core.wire, "call", late)
        stays = scene.bob if leaver == "alice" else scene.alice
        leaves = scene.alice if leaver == "alice" else scene.bob
        await leaves.conversation(scene.id).leave()
        with trio.fail_after(PATIENCE_SECONDS):
            await scene.until(lambda: bool(calls), scene.alice)
            await scene.until(lambda: not leaves.conversation(scene.id).active, leaves)
            await scene.until(
                lambda: leaves.name not in {m.name for m in stays.conversation(scene.id).members()}, stays
            )
            await scene.until_alike(stays, scene.carol)
        assert len(calls) < TRIES_MAX


async def test_a_change_that_meets_a_lie_is_made_all_the_same(open_world, monkeypatch):
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        real, calls = scene.alice._core.wire.call, []

        async def late(params, result, *, key=b""):
            if isinstance(params, delivery.SubmitCommitParams):
                calls.append(params)
                if len(calls) == 1:
                    await scene.lies(path=ALL)
            return await real(params, result, key=key)

        monkeypatch.setattr(scene.alice._core.wire, "call", late)
        async with scene.opened("dave") as dave:
            with trio.fail_after(PATIENCE_SECONDS):
                await scene.alice.conversation(scene.id).invite("dave")
                await scene.until(lambda: dave._core.groups.generation(scene.id) == 1, dave)
                await scene.until_alike(scene.alice, scene.bob, scene.carol, dave)
            assert len(calls) < TRIES_MAX
            await scene.heals()


async def test_who_is_left_out_of_a_reset_is_out_and_keeps_what_was_read(open_world, monkeypatch):
    """A reset may leave an account out, as a removal may; its devices are told, and look whether they may come back."""
    async with open_world() as w:
        scene = Scene(w)
        await scene.begin()
        theirs = scene.bob.conversation(scene.id)
        await scene.until(lambda: "before" in texts(theirs), scene.bob)
        real = scene.alice._core.commits.packages

        async def without_bob(accounts, suite, **more):
            return [a for a in await real(accounts, suite, **more) if a.account != scene.bob.account]

        monkeypatch.setattr(scene.alice._core.commits, "packages", without_bob)
        await scene.alice._core.births.reset(scene.id, 1)
        recorder = scene.recorders[scene.bob]
        await scene.until(lambda: not theirs.active and not recorder.unfinished(), scene.bob)
        assert texts(theirs) == ["before", "before too"]
        assert [n.kind for n in scene.noted if isinstance(n, h.Took) and n.device == recorder.device].count(
            "RESET"
        ) == 1
        assert "bob" not in {m.name for m in scene.alice.conversation(scene.id).members()}


async def nothing(_channel):
    """Leave the proposal to the others."""
